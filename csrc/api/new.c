/* SPDX-License-Identifier: BSD-3-Clause */
/* api/new: a machine on the heap, for callers that have one.  The only file of the core that uses it. */
#include <errno.h>
#include <stdlib.h>

#include "pyexit.h"

int pyexit_machine_new(const struct pyexit_options *options, struct pyexit_machine **machine)
{
	size_t size = pyexit_machine_size(options);
	void *memory;
	int error;

	if (!machine)
		return -EFAULT;
	*machine = NULL;
	memory = size ? aligned_alloc(64, size) : NULL;
	if (size && !memory)
		return -ENOMEM;
	error = pyexit_machine_init(memory, size, options, machine);
	if (error)
		free(memory);
	return error;
}

void pyexit_machine_free(struct pyexit_machine *machine)
{
	free(machine);
}
