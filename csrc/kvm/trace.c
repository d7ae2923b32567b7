/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace.h"

static void trace_kvm_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_TRACE_EXIT, 0);

	if (!event)
		return;
	event->arg[0] = exit_nr;
	event->arg[1] = (ulong_t)arch->regs.nip;
	event->arg[2] = (ulong_t)arch->shared.msr;
	event->arg[3] = (ulong_t)arch->fault_dear;
	event->arg[4] = arch->last_inst;
}

static void trace_kvm_booke_queue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority)
{
	const struct pyexit_vcpu *v = &machine->vcpu[vcpu];

	ppc_event(&machine->hw.events, PYEXIT_EVENT_TRACE_QUEUE, 0, v->vcpu_id, priority,
		  (ulong_t)v->arch.pending_exceptions);
}

static void trace_kvm_ppc_instr(struct pyexit_machine *machine, uint32_t instr, uint64_t pc, int emulated)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_TRACE_INSTR, 0, instr, (ulong_t)pc, (uint32_t)emulated);
}

static void trace_kvm_booke206_stlb_write(struct pyexit_machine *machine, uint32_t mas0, uint32_t mas8, uint32_t mas1,
					  uint64_t mas2, uint64_t mas7_3)
{
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_TRACE_STLB_WRITE, 0);

	if (!event)
		return;
	event->arg[0] = mas0;
	event->arg[1] = mas8;
	event->arg[2] = mas1;
	event->arg[3] = mas2;
	event->arg[4] = mas7_3;
}

static void trace_kvm_booke206_gtlb_write(struct pyexit_machine *machine, uint32_t mas0, uint32_t mas1, uint64_t mas2,
					  uint64_t mas7_3)
{
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_TRACE_GTLB_WRITE, 0);

	if (!event)
		return;
	event->arg[0] = mas0;
	event->arg[1] = mas1;
	event->arg[2] = mas2;
	event->arg[3] = mas7_3;
}

static void trace_kvm_booke206_ref_release(struct pyexit_machine *machine, uint64_t pfn, uint32_t flags)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_TRACE_REF_RELEASE, 0, pfn, flags, 0);
}

static void trace_kvm_check_requests(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_vcpu *v = &machine->vcpu[vcpu];

	ppc_event(&machine->hw.events, PYEXIT_EVENT_TRACE_REQUESTS, 0, v->vcpu_id, (uint32_t)v->requests, 0);
}
