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

static void trace_kvm_check_requests(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_vcpu *v = &machine->vcpu[vcpu];

	ppc_event(&machine->hw.events, PYEXIT_EVENT_TRACE_REQUESTS, 0, v->vcpu_id, (uint32_t)v->requests, 0);
}
