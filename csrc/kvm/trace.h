/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/trace: the kernel's trace events as events of the ring (exit 14; covers trace_booke.h, trace.h). */
#ifndef KVM_TRACE_H
#define KVM_TRACE_H

#include "vcpu.h"

/* Q28, Q29: names, and dar and last_inst of exits that do not save them, are the formatter's and the state's. */
static void trace_kvm_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr);
static void trace_kvm_booke_queue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority);
static void trace_kvm_check_requests(struct pyexit_machine *machine, uint32_t vcpu);

#endif
