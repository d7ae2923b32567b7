/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/entry_fetch: the fetch's part in the entry path, step E6 of exit 11.3:
 * presetting the cache, or the external-PID load that the patch removes and
 * its two rejected alternatives (exit 11.6-11.8; covers bookehv_interrupts.S).
 */
#ifndef KVM_ENTRY_FETCH_H
#define KVM_ENTRY_FETCH_H

#include "vcpu.h"

/* DONE and arch.last_inst set, or the host exception that the load took unhandled. */
static struct ppc_end kvmppc_entry_fetch(struct pyexit_machine *machine, uint32_t vcpu);

/*
 * A data TLB error, DSI or LRAT error taken from hypervisor state reaches
 * the host's vector, which with lwepx-do-kvm first asks whether it belongs
 * to KVM (exit 11.7).  Returns 1 if it does.
 */
static int kvmppc_do_kvm(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor);

/* The same for a vector that another thread has hijacked: the stub sends it on (exit 11.8). */
static void kvmppc_forward(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor);

#endif
