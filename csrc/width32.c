/* SPDX-License-Identifier: BSD-3-Clause */
/* All rooms of hw/ and kvm/ for a host whose ulong has 32 bits. */
#define PYEXIT_WIDTH 32

#include <errno.h>
#include <stdint.h>

typedef uint32_t ulong_t;

#include "rooms.h"

const struct pyexit_width pyexit_width32 = {
	.reset = reset_machine,
	.translate = ppc_translate,
	.guest_op = ppc_guest_op,
	.interrupt = ppc_interrupt,
	.pending = ppc_pending,
	.run_timers = kvmppc_run_timers,
	.do_kvm = kvmppc_do_kvm,
	.exit_hooked = kvmppc_exit_hooked,
	.enter = kvmppc_enter,
	.exit = kvmppc_exit,
	.exits = kvmppc_exits,
	.load_last_inst = kvmppc_load_last_inst,
	.load_last_insts = load_last_insts,
	.invariants = kvmppc_invariants,
	.calls = call_rows,
	.n_calls = sizeof(call_rows) / sizeof(call_rows[0]),
};
