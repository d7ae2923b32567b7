/* SPDX-License-Identifier: BSD-3-Clause */
/* api/run: the guest is entered, leaves, and goes on. */
#include <errno.h>

#include "invariant.h"

int pyexit_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume)
{
	int error;

	if (!machine || !resume)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	kvmppc_begin(machine);
	error = machine->width->enter(machine, vcpu, resume);
	if (!error)
		pyexit_check_after(machine, &resume->outcome, &resume->site);
	return error;
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
	pyexit_check_after(machine, &resume->outcome, &resume->site);
	return 0;
}

int64_t pyexit_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
		     struct pyexit_resume *resume)
{
	int64_t done;

	if (!machine || (n && (!records || !resume)))
		return -EFAULT;
	done = machine->width->exits(machine, records, n, resume);
	if (done > 0)
		pyexit_check_after(machine, &resume[done - 1].outcome, &resume[done - 1].site);
	return done;
}
