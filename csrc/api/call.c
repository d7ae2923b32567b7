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

const char *pyexit_call_name(const struct pyexit_machine *machine, uint32_t index)
{
	return machine && index < machine->width->n_calls ? machine->width->calls[index].name : NULL;
}
