/* SPDX-License-Identifier: BSD-3-Clause */
/* api/run: the guest is entered, leaves, and goes on. */
#include <errno.h>

#include "../width.h"

static void begin(struct pyexit_machine *machine)
{
	machine->outcome = PYEXIT_RETURNED;
	machine->site = 0;
	machine->halts = 0;
}

int pyexit_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume)
{
	if (!machine || !resume)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	begin(machine);
	return machine->width->enter(machine, vcpu, resume);
}

static int exit_valid(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr)
{
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	return machine->width->exit_hooked(exit_nr) ? 0 : -ENOENT;
}

int pyexit_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, struct pyexit_resume *resume)
{
	int error;

	if (!machine || !resume)
		return -EFAULT;
	error = exit_valid(machine, vcpu, exit_nr);
	if (error)
		return error;
	begin(machine);
	machine->width->exit(machine, vcpu, exit_nr, resume);
	return 0;
}

int64_t pyexit_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
		     struct pyexit_resume *resume)
{
	size_t done = 0;

	if (!machine || (n && (!records || !resume)))
		return -EFAULT;
	while (done < n) {
		const struct pyexit_exit_record *record = &records[done];
		int error = exit_valid(machine, record->vcpu, record->exit_nr);

		if (error)
			return error;
		begin(machine);
		machine->width->set_exit(machine, record);
		machine->width->exit(machine, record->vcpu, record->exit_nr, &resume[done]);
		if (resume[done++].outcome != PYEXIT_RETURNED)
			break;
	}
	return (int64_t)done;
}
