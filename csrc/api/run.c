/* SPDX-License-Identifier: BSD-3-Clause */
/* api/run: the guest is entered, leaves, and goes on. */
#include <errno.h>

#include "../width.h"

int pyexit_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume)
{
	if (!machine || !resume)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	kvmppc_begin(machine);
	return machine->width->enter(machine, vcpu, resume);
}

int pyexit_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, struct pyexit_resume *resume)
{
	if (!machine || !resume)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	if (!machine->width->exit_hooked(exit_nr))
		return -ENOENT;
	kvmppc_begin(machine);
	machine->width->exit(machine, vcpu, exit_nr, resume);
	return 0;
}

int64_t pyexit_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
		     struct pyexit_resume *resume)
{
	if (!machine || (n && (!records || !resume)))
		return -EFAULT;
	return machine->width->exits(machine, records, n, resume);
}
