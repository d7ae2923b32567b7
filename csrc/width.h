/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door between api/ and the two width units: what each of them offers.
 * width32.c and width64.c hold the same rooms, compiled for a ulong of 32
 * and of 64 bits.
 */
#ifndef PYEXIT_WIDTH_H
#define PYEXIT_WIDTH_H

#include "kvm/machine.h"

/* args[0] of a call is a hardware thread or a vcpu. */
enum call_object {
	CALL_THREAD,
	CALL_VCPU
};

/* No function takes more: vcpu, control, and 16 break points of two. */
#define CALL_ARGUMENTS 34

struct pyexit_call_row {
	const char *name;
	enum call_object object;
	uint32_t n, most;	/* arguments, the object included: at least, at most */
	/* @args: @most of them, 0 those that were left out */
	int (*function)(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result);
};

struct pyexit_width {
	void (*reset)(struct pyexit_machine *machine);
	struct pyexit_translation (*translate)(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					       uint32_t access, int probe);
	struct ppc_end (*guest_op)(struct ppc_hw *hw, uint32_t thread, uint32_t instruction);
	struct ppc_end (*interrupt)(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);
	struct ppc_end (*pending)(struct ppc_hw *hw, uint32_t thread);
	void (*run_timers)(struct pyexit_machine *machine);
	int (*do_kvm)(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor);
	const struct pyexit_call_row *calls;
	uint32_t n_calls;
};

#if defined(__GNUC__)
#define PYEXIT_INTERNAL __attribute__((visibility("hidden")))
#else
#define PYEXIT_INTERNAL
#endif

extern PYEXIT_INTERNAL const struct pyexit_width pyexit_width32;
extern PYEXIT_INTERNAL const struct pyexit_width pyexit_width64;

#endif
