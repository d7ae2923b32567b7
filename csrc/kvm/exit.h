/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/exit: the exit handler (exit 3-6; covers booke.c's kvmppc_handle_exit). */
#ifndef KVM_EXIT_H
#define KVM_EXIT_H

#include "vcpu.h"

/* High words of run.hw.hardware_exit_reason (Q18) */
#define KVM_EXIT_INST_FAILED 0xffffffff00000000ull
#define KVM_EXIT_MACHINE_CHECK 0xfffffffe00000000ull

/* The guest has left with interrupt @exit_nr; what the low-level code shall do: RESUME_* or a composed -errno. */
static int kvmppc_handle_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr);

#endif
