/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/lowlevel: the assembly path between the guest and the exit handler:
 * which vectors are hooked, what is saved, what is loaded again (exit
 * 11.2-11.5; covers bookehv_interrupts.S), and KVM_RUN around it.
 *
 * The guest's registers are thread.* and spr.* while it runs.  In the host
 * thread.gpr[15] to [31] stay the guest's, as the non-volatile registers do
 * that C gives back; the host's own r1, r2, LR, CR and stack are not modelled.
 */
#ifndef KVM_LOWLEVEL_H
#define KVM_LOWLEVEL_H

#include "vcpu.h"

/* Does a vector hand exit @exit_nr to KVM? */
static int kvmppc_exit_hooked(uint32_t exit_nr);

/* KVM_RUN up to the guest: 0 and *@resume, or -EBUSY when the thread has a guest. */
static int kvmppc_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume);

/* Exit @exit_nr, which is hooked, and what follows it, up to the guest or out of KVM_RUN. */
static void kvmppc_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr,
			struct pyexit_resume *resume);

/* pyexit_exits(): each of @records from where the processor would leave the thread at the vector. */
static int64_t kvmppc_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
			    struct pyexit_resume *resume);

#endif
