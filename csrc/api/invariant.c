/* SPDX-License-Identifier: BSD-3-Clause */
#include "invariant.h"

#include <errno.h>

int64_t pyexit_invariants(const struct pyexit_machine *machine, struct pyexit_violation *violations, size_t n)
{
	if (!machine || (n && !violations))
		return -EFAULT;
	return (int64_t)machine->width->invariants(machine, violations, n);
}

void pyexit_check_after(const struct pyexit_machine *machine, uint32_t *outcome, uint32_t *site)
{
	if (!machine->invariants || *outcome != PYEXIT_RETURNED || !machine->width->invariants(machine, NULL, 0))
		return;
	*outcome = PYEXIT_BUG;
	*site = PYEXIT_SITE_INVARIANT;
}
