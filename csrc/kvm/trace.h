/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/trace: the kernel's trace events as events of the ring (exit 14; covers trace_booke.h, trace.h). */
#ifndef KVM_TRACE_H
#define KVM_TRACE_H

#include "vcpu.h"

/* Q28, Q29: names, and dar and last_inst of exits that do not save them, are the formatter's and the state's. */
static void trace_kvm_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr);
static void trace_kvm_booke_queue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority);
static void trace_kvm_ppc_instr(struct pyexit_machine *machine, uint32_t instr, uint64_t pc, int emulated);
static void trace_kvm_booke206_stlb_write(struct pyexit_machine *machine, uint32_t mas0, uint32_t mas8, uint32_t mas1,
					  uint64_t mas2, uint64_t mas7_3);
static void trace_kvm_booke206_gtlb_write(struct pyexit_machine *machine, uint32_t mas0, uint32_t mas1, uint64_t mas2,
					  uint64_t mas7_3);
static void trace_kvm_booke206_ref_release(struct pyexit_machine *machine, uint64_t pfn, uint32_t flags);
static void trace_kvm_check_requests(struct pyexit_machine *machine, uint32_t vcpu);

#endif
