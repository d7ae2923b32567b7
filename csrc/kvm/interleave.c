/* SPDX-License-Identifier: BSD-3-Clause */
#include "interleave.h"

#include "entry_fetch.h"

static void action_call(struct pyexit_machine *machine, const struct pyexit_action *action)
{
	const struct pyexit_call_row *row = &machine->width->calls[action->call];
	struct pyexit_result result = { 0 };

	/* pyexit_interleave() has checked the row, its arity and the thread. */
	(void)row->function(machine, action->arg, &result);
	if (result.ret != PYEXIT_TAKEN_BY_HOST)
		return;
	(void)kvmppc_do_kvm(machine, (uint32_t)action->arg[0], (uint32_t)result.value[0]);
	kvmppc_forward(machine, (uint32_t)action->arg[0], (uint32_t)result.value[0]);
}

static void act(struct pyexit_machine *machine, const struct pyexit_action *action, enum kvm_mapping mapping,
		uint64_t pfn)
{
	if (action->kind == PYEXIT_ACTION_CALL)
		action_call(machine, action);
	else if (action->kind == PYEXIT_ACTION_STORE)
		ppc_store32(&machine->hw.memory, action->arg[0], (uint32_t)action->arg[1]);
	else if (mapping == KVM_MAPPED_UNGUARDED)
		ppc_event(&machine->hw.events, PYEXIT_EVENT_PREEMPTED_MAPPING, 0, pfn, 0, 0);
}

static void kvmppc_point(struct pyexit_machine *machine, enum pyexit_point point, enum kvm_mapping mapping,
			 uint64_t pfn)
{
	for (uint32_t i = 0; i < machine->actions; i++) {
		struct pyexit_action action = machine->action[i];

		if (action.point != (uint32_t)point)
			continue;
		machine->action[i].point = PYEXIT_POINT_DONE;
		act(machine, &action, mapping, pfn);
	}
}
