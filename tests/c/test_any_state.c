/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever bytes the state holds, every function returns: random state,
 * random calls, on every model and tiny geometries.  Meant for ASan and UBSan.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "pyexit.h"

#define RAM_SIZE 0x4000u
#define MOST_ARGUMENTS 8

static void random_state(struct pyexit_machine *machine)
{
	size_t size;

	CHECK(pyexit_state(machine, &size) != NULL);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = draw() & draw();

		pyexit_state_write(machine, i, &value, 8);
	}
}

/* An argument: small, a word, or anything. */
static uint64_t argument(void)
{
	return draw() % 4 ? draw() % 1024 : draw() >> draw() % 64;
}

static uint32_t functions(const struct pyexit_machine *machine)
{
	uint32_t n = 0;

	while (pyexit_call_name(machine, n))
		n++;
	return n;
}

/* One function with as many arguments as it takes. */
static void random_call(struct pyexit_machine *machine, const char *name)
{
	uint64_t args[MOST_ARGUMENTS] = { 0 };
	struct pyexit_result result;
	int error = -E2BIG;

	for (size_t i = 1; i < MOST_ARGUMENTS; i++)
		args[i] = argument();
	for (size_t n = 1; n <= MOST_ARGUMENTS && error == -E2BIG; n++)
		error = pyexit_call(machine, name, args, n, &result);
	CHECK(error == 0 || error == -EINVAL);
	CHECK(error || result.outcome <= PYEXIT_OOPS);
}

static void random_calls(struct pyexit_machine *machine, unsigned int n)
{
	struct pyexit_event events[16];
	struct pyexit_translation t;
	struct pyexit_end end;
	uint32_t names = functions(machine);

	for (unsigned int i = 0; i < n; i++) {
		int error;

		random_call(machine, pyexit_call_name(machine, (uint32_t)(draw() % names)));
		error = pyexit_translate(machine, 0, draw(), (uint32_t)(draw() % 4096 + 1), (uint32_t)(draw() % 6),
					 (uint32_t)(draw() & 1), &t);
		CHECK(error == 0 && t.outcome <= PYEXIT_DROPPED);
		error = pyexit_guest_op(machine, 0, (uint32_t)(31u << 26 | draw() % (1u << 26)), &end);
		CHECK(error == 0 || error == -ENOSYS);
		(void)pyexit_events(machine, events, 16);
	}
}

int main(void)
{
	static uint8_t bytes[2][RAM_SIZE];
	struct pyexit_ram ram[2] = { { 0x1000, RAM_SIZE, bytes[0], NULL }, { 0x8000, RAM_SIZE, bytes[1], NULL } };

	for (uint32_t round = 0; round < 48; round++) {
		struct pyexit_params params;
		struct pyexit_options options = {
			.size = sizeof(options), .model = round % 3, .fetch = round / 3 % 6, .params = &params,
			.cores = 1 + round % 2, .vms = 1, .vcpus = 1, .events = round % 5, .ram = ram, .ram_count = 2,
			.handler = round % 2, .sw_tlb = round / 2 % 2,
		};
		struct pyexit_machine *machine;

		CHECK(pyexit_params(options.model, round / 6 % 2, &params) == 0);
		if (round % 4 == 3) {
			params.tlb0_ways = 2;
			params.tlb0_sets = 2;
			params.tlb1_entries = 2;
		}
		CHECK(pyexit_machine_new(&options, &machine) == 0);
		for (int again = 0; again < 4; again++) {
			random_state(machine);
			random_calls(machine, 200);
		}
		pyexit_machine_free(machine);
	}
	return verdict();
}
