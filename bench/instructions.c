/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls functions of the core in a loop, to be run under valgrind by
 * instructions.py:
 *
 *   instructions MODEL FETCH RAM_BYTES STATE_FILE TIMES FUNCTION:ARG... [FUNCTION:ARG...]...
 *
 * MODEL and FETCH are numbers of pyexit.h; STATE_FILE holds a state block,
 * then RAM from address 0 on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyexit.h"

#define ARGUMENTS 8

static int read_all(const char *path, uint8_t *to, size_t size)
{
	FILE *file = fopen(path, "rb");
	int good = file && fread(to, 1, size, file) == size;

	if (file)
		fclose(file);
	return good;
}

static int repeat(struct pyexit_machine *machine, char *call, uint64_t times)
{
	uint64_t args[ARGUMENTS];
	struct pyexit_result result;
	const char *name = strtok(call, ":");
	size_t n = 0;

	for (char *arg = strtok(NULL, ":"); arg && n < ARGUMENTS; arg = strtok(NULL, ":"))
		args[n++] = strtoull(arg, NULL, 0);
	return pyexit_repeat(machine, name, args, n, times, &result);
}

static int run(struct pyexit_machine *machine, int argc, char **argv)
{
	for (int i = 6; i < argc; i++)
		if (repeat(machine, argv[i], strtoull(argv[5], NULL, 0)))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	size_t ram_size = argc > 6 ? strtoull(argv[3], NULL, 0) : 0, size;
	struct pyexit_ram ram = { .size = ram_size };
	struct pyexit_options options = { .size = sizeof(options), .cores = 1, .vms = 1, .vcpus = 1,
					  .ram = &ram, .ram_count = 1 };
	struct pyexit_machine *machine;
	uint8_t *image;
	int status = 1;

	if (argc < 7) {
		fprintf(stderr, "usage: instructions MODEL FETCH RAM_BYTES STATE_FILE TIMES FUNCTION:ARG...\n");
		return 2;
	}
	options.model = (uint32_t)strtoul(argv[1], NULL, 0);
	options.fetch = (uint32_t)strtoul(argv[2], NULL, 0);
	ram.host = calloc(1, ram_size);
	if (!ram.host || pyexit_machine_new(&options, &machine))
		return 1;
	pyexit_state(machine, &size);
	image = malloc(size + ram_size);
	if (image && read_all(argv[4], image, size + ram_size)) {
		memcpy(ram.host, image + size, ram_size);
		if (!pyexit_state_write(machine, 0, image, size))
			status = run(machine, argc, argv);
	}
	free(image);
	pyexit_machine_free(machine);
	free(ram.host);
	return status;
}
