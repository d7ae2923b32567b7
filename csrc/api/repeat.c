/* SPDX-License-Identifier: BSD-3-Clause */
/* api/repeat: a timing loop; the clock is the caller's. */
#include <errno.h>

#include "pyexit.h"

int pyexit_repeat(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n, uint64_t times,
		  struct pyexit_result *result)
{
	int error = 0;

	if (!times)
		return -EINVAL;
	for (uint64_t i = 0; i < times && !error; i++)
		error = pyexit_call(machine, name, args, n, result);
	return error;
}
