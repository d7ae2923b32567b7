/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/lookaside changes nothing that can be seen: machines with it off, on,
 * checked and tiny go through the same random life, and after every step
 * their states, answers and events are the same bytes.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "pyexit.h"

#define RAM_SIZE 0x10000u
#define STEPS 1000u
#define MACHINES 4u
#define PAGES 3u
#define ENTRIES 4u
#define EVENTS 8

static uint8_t bytes[RAM_SIZE];

struct setting {
	uint32_t lookaside, checked;
};

static const struct setting settings[MACHINES] = {
	{ 0, 0 }, { PYEXIT_LOOKASIDE, 0 }, { PYEXIT_LOOKASIDE, 1 }, { 2, 1 },
};

/* One step of a life: a call, or bytes into the state. */
struct step {
	const char *name;
	uint64_t args[3];
	size_t n;
	uint64_t offset;
	size_t size;
	uint64_t value;
};

static struct step call(const char *name, size_t n, uint64_t first, uint64_t second)
{
	return (struct step){ .name = name, .args = { 0, first, second }, .n = n };
}

static struct step spr(uint64_t number, uint64_t value)
{
	return call("ppc_mtspr", 3, number, value);
}

static uint64_t at(struct pyexit_machine *machine, uint32_t record)
{
	return (uint64_t)pyexit_state_offset(machine, record, 0);
}

static struct step vcpu_field(struct pyexit_machine *machine, size_t offset, size_t size, uint64_t value)
{
	return (struct step){ .offset = at(machine, PYEXIT_RECORD_VCPU) + offset, .size = size, .value = value };
}

#define FIELD(member) offsetof(struct pyexit_vcpu, member), sizeof(((struct pyexit_vcpu *)0)->member)

static uint64_t page(void)
{
	return 0x10000000u + draw() % PAGES * 0x1000u;
}

static uint64_t rarely(uint64_t value)
{
	return draw() % 8 ? 0 : value;
}

/* A word of one of the first entries of TLB1, mostly a good one. */
static struct step entry_word(struct pyexit_machine *machine)
{
	uint64_t tlb = at(machine, PYEXIT_RECORD_HTLB1), i = draw() % ENTRIES;

	switch (draw() % 4) {
	case 0:
		return (struct step){ .offset = tlb + offsetof(struct pyexit_htlb1, mas1) + 4 * i, .size = 4,
				      .value = 0x80000100u | rarely(0x10000u) | rarely(0x1000u) | rarely(0x100u) };
	case 1:
		return (struct step){ .offset = tlb + offsetof(struct pyexit_htlb1, mas2) + 8 * i, .size = 8,
				      .value = page() | 4 };
	case 2:
		return (struct step){ .offset = tlb + offsetof(struct pyexit_htlb1, mas3) + 4 * i, .size = 4,
				      .value = draw() % 15 << 12 | (rarely(1) ? 0x03 : 0x3f) };
	default:
		return (struct step){ .offset = tlb + offsetof(struct pyexit_htlb1, mas8) + 4 * i, .size = 4,
				      .value = 0x80000000u | rarely(3) };
	}
}

/* Mostly fetches; between them whatever could change their answer. */
static struct step draw_step(struct pyexit_machine *machine)
{
	switch (draw() % 32) {
	case 0:
		return spr(624, draw() % 2 << 28 | draw() % 4 << 16);	/* MAS0 */
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		return entry_word(machine);
	case 6:
	case 7:
		return call("ppc_tlbwe", 1, 0, 0);
	case 8:
		return draw() % 2 ? call("ppc_tlbilx", 3, 3, page()) : call("ppc_tlbivax", 2, page() | (draw() & 8), 0);
	case 9:
		return spr(1008, draw() % 2 ? 0x80 : draw() & 0xffff);	/* HID0 */
	case 10:
		return vcpu_field(machine, FIELD(arch.pid), rarely(1));
	case 11:
		return vcpu_field(machine, FIELD(arch.shared.msr), 0x10000000u | rarely(0x4000u) | rarely(0x20u));
	case 12:
	case 13:
	case 14:
	case 15:
		return vcpu_field(machine, FIELD(arch.regs.nip), page() | (draw() & 0xfff));
	default:
		return call("kvmppc_load_last_inst", 2, 0, 0);
	}
}

static void take(struct pyexit_machine *machine, const struct step *step, struct pyexit_result *result)
{
	memset(result, 0, sizeof(*result));
	if (step->name)
		CHECK(pyexit_call(machine, step->name, step->args, step->n, result) == 0);
	else
		CHECK(pyexit_state_write(machine, step->offset, &step->value, step->size) == 0);
}

static size_t events_of(struct pyexit_machine *machine, struct pyexit_event *events)
{
	CHECK(pyexit_events_lost(machine) == 0);
	return pyexit_events(machine, events, EVENTS);
}

/* @step on every machine; the first's answer, and whether all are alike afterwards. */
static struct pyexit_result take_all(struct pyexit_machine *const *machine, const struct step *step)
{
	struct pyexit_event events[EVENTS], others[EVENTS];
	struct pyexit_result first, other;
	size_t n;

	take(machine[0], step, &first);
	n = events_of(machine[0], events);
	for (uint32_t m = 1; m < MACHINES; m++) {
		take(machine[m], step, &other);
		CHECK(!memcmp(&first, &other, sizeof(first)));
		CHECK(events_of(machine[m], others) == n && !memcmp(events, others, n * sizeof(*events)));
		CHECK(same_state(machine[0], machine[m]));
	}
	return first;
}

/* Returns how many fetches gave a word. */
static unsigned int live(struct pyexit_machine *const *machine)
{
	unsigned int fetched = 0;

	for (uint32_t i = 0; i < STEPS; i++) {
		struct step step = draw_step(machine[0]);
		struct pyexit_result result = take_all(machine, &step);

		fetched += step.name && !strcmp(step.name, "kvmppc_load_last_inst") && result.ret == 0;
	}
	return fetched;
}

static int make(uint32_t model, uint32_t fetch, const struct setting *setting, struct pyexit_machine **machine)
{
	const struct pyexit_ram ram = { 0, RAM_SIZE, bytes, NULL };
	struct pyexit_options options = {
		.size = sizeof(options), .model = model, .fetch = fetch, .cores = 1, .vms = 1, .vcpus = 1,
		.events = 4096, .ram = &ram, .ram_count = 1,
		.lookaside = setting->lookaside, .lookaside_checked = setting->checked,
	};

	return pyexit_machine_new(&options, machine);
}

int main(void)
{
	struct pyexit_machine *machine[MACHINES];
	const struct setting odd = { 3, 0 };

	for (uint32_t i = 0; i < RAM_SIZE; i++)
		bytes[i] = (uint8_t)draw();
	for (uint32_t round = 0; round < 9; round++) {
		for (uint32_t m = 0; m < MACHINES; m++)
			CHECK(make(round % 3, round / 3, &settings[m], &machine[m]) == 0);
		CHECK(live(machine) > STEPS / 100);
		for (uint32_t m = 0; m < MACHINES; m++)
			pyexit_machine_free(machine[m]);
	}
	CHECK(make(PYEXIT_E500MC, 0, &odd, machine) == -EINVAL);
	return verdict();
}
