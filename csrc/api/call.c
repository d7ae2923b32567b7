/* SPDX-License-Identifier: BSD-3-Clause */
/* api/call: the verbs, and single functions by name. */
#include <errno.h>
#include <string.h>

#include "../width.h"

int pyexit_translate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t size, uint32_t access,
		     uint32_t probe, struct pyexit_translation *translation)
{
	if (!machine || !translation)
		return -EFAULT;
	if (vcpu >= machine->vcpus || !size || size > PYEXIT_PAGE_SIZE ||
	    (access & ~(uint32_t)PYEXIT_EXTERNAL) > PYEXIT_TOUCH_STORE || access == (PYEXIT_FETCH | PYEXIT_EXTERNAL))
		return -EINVAL;
	*translation = machine->width->translate(&machine->hw, machine->vcpu_thread[vcpu], ea, size, access,
						 probe != 0);
	if (translation->outcome == PYEXIT_TAKEN_BY_HOST && !probe)
		(void)machine->width->do_kvm(machine, machine->vcpu_thread[vcpu], translation->ivor);
	return 0;
}

int pyexit_call(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n,
		struct pyexit_result *result)
{
	const struct pyexit_call_row *row = NULL;

	if (!machine || !name || !result || (n && !args))
		return -EFAULT;
	for (uint32_t i = 0; i < machine->width->n_calls && !row; i++)
		if (!strcmp(machine->width->calls[i].name, name))
			row = &machine->width->calls[i];
	if (!row)
		return -ENOENT;
	if (n != row->n)
		return -E2BIG;
	if (args[0] >= (row->object == CALL_THREAD ? machine->hw.threads : machine->vcpus))
		return -EINVAL;
	*result = (struct pyexit_result){ 0 };
	return row->function(machine, args, result);
}

static int action_valid(const struct pyexit_machine *machine, const struct pyexit_action *action)
{
	const struct pyexit_call_row *row;

	if (action->point > PYEXIT_POINT_READ || action->kind > PYEXIT_ACTION_PREEMPT)
		return 0;
	if (action->kind != PYEXIT_ACTION_CALL)
		return 1;
	if (action->call >= machine->width->n_calls)
		return 0;
	row = &machine->width->calls[action->call];
	return row->object == CALL_THREAD && action->n == row->n && action->arg[0] < machine->hw.threads;
}

int pyexit_interleave(struct pyexit_machine *machine, const struct pyexit_action *actions, size_t n)
{
	if (!machine || (n && !actions))
		return -EFAULT;
	if (n > PYEXIT_ACTIONS)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!action_valid(machine, &actions[i]))
			return -EINVAL;
	machine->actions = (uint32_t)n;
	if (n)
		memcpy(machine->action, actions, n * sizeof(*actions));
	return 0;
}

const char *pyexit_call_name(const struct pyexit_machine *machine, uint32_t index)
{
	return machine && index < machine->width->n_calls ? machine->width->calls[index].name : NULL;
}
