/* SPDX-License-Identifier: BSD-3-Clause */
/* api/fetch: the guest's last instruction, for who calls it often. */
#include <errno.h>

#include "../width.h"

int pyexit_load_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr)
{
	if (!machine || !instr)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	return machine->width->load_last_inst(machine, vcpu, instr);
}

int64_t pyexit_load_last_insts(struct pyexit_machine *machine, uint32_t vcpu, const uint64_t *pc, size_t n,
			       uint32_t *instr)
{
	if (!machine || (n && (!pc || !instr)))
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	return (int64_t)machine->width->load_last_insts(machine, vcpu, pc, n, instr);
}
