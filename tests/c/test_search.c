/* SPDX-License-Identifier: BSD-3-Clause */
/* Every vector form of the TLB search is the same function as the scalar one: same answers, same state. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "pyexit.h"

#define RAM_SIZE 0x1000u
#define ROUNDS 200u

static struct pyexit_machine *machine_with(uint32_t model, uint32_t search, const struct pyexit_ram *ram, int *error)
{
	struct pyexit_options options = {
		.size = sizeof(options), .model = model, .cores = 1, .vms = 1, .vcpus = 1, .ram = ram,
		.ram_count = 1, .search = search,
	};
	struct pyexit_machine *machine = NULL;

	*error = pyexit_machine_new(&options, &machine);
	return machine;
}

/* Pages near each other, so that sizes decide; tags mostly those that are looked for. */
static void random_tlb1(struct pyexit_htlb1 *tlb)
{
	for (uint32_t i = 0; i < PYEXIT_TLB1_ENTRIES; i++) {
		tlb->mas1[i] = (draw() % 8 ? 0x80000000u : 0) | (uint32_t)(draw() % 32) << 7 |
			       (draw() % 16 ? 0 : 0x00070000u);
		tlb->mas2[i] = draw() % 4 ? draw() & 0x00ffffff000u : draw() & ~(uint64_t)0xfff;
		tlb->mas8[i] = draw() % 16 ? 0 : 0x80000001u;
	}
}

static void look_up(struct pyexit_machine *machine, const struct pyexit_htlb1 *tlb, uint64_t ea)
{
	size_t at = (size_t)pyexit_state_offset(machine, PYEXIT_RECORD_HTLB1, 0);
	uint64_t args[2] = { 0, ea };
	struct pyexit_result result;

	CHECK(pyexit_state_write(machine, at, tlb, sizeof(*tlb)) == 0);
	CHECK(pyexit_call(machine, "ppc_tlbsx", args, 2, &result) == 0);
}

static void compare(struct pyexit_machine *scalar, struct pyexit_machine *vector)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct pyexit_htlb1 tlb;
		uint64_t ea;

		memset(&tlb, 0, sizeof(tlb));
		random_tlb1(&tlb);
		ea = draw() % 2 ? draw() : tlb.mas2[draw() % PYEXIT_TLB1_ENTRIES] ^ (draw() & 0xffff);
		look_up(scalar, &tlb, ea);
		look_up(vector, &tlb, ea);
		CHECK(same_state(scalar, vector));
	}
}

int main(void)
{
	static uint8_t bytes[RAM_SIZE];
	const struct pyexit_ram ram = { 0, RAM_SIZE, bytes, NULL };

	for (uint32_t model = PYEXIT_E500MC; model <= PYEXIT_E6500; model++) {
		for (uint32_t search = PYEXIT_SEARCH_AUTO; search <= PYEXIT_SEARCH_NEON; search++) {
			int error, other;
			struct pyexit_machine *scalar = machine_with(model, PYEXIT_SEARCH_SCALAR, &ram, &error);
			struct pyexit_machine *vector = machine_with(model, search, &ram, &other);

			CHECK(error == 0 && pyexit_search(scalar) == PYEXIT_SEARCH_SCALAR);
			CHECK(other == 0 || (other == -EINVAL && search > PYEXIT_SEARCH_SCALAR));
			if (!other) {
				CHECK(pyexit_search(vector) == (search ? search : pyexit_search(vector)));
				compare(scalar, vector);
			}
			pyexit_machine_free(scalar);
			pyexit_machine_free(vector);
		}
	}
	return verdict();
}
