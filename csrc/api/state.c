/* SPDX-License-Identifier: BSD-3-Clause */
/* api/state: reading and writing the state block, RAM and events. */
#include <errno.h>
#include <string.h>

#include "../width.h"

const uint8_t *pyexit_state(const struct pyexit_machine *machine, size_t *size)
{
	if (!machine || !size)
		return NULL;
	*size = machine->state_size;
	return machine->state;
}

int64_t pyexit_state_offset(const struct pyexit_machine *machine, uint32_t record, uint32_t index)
{
	size_t next, one;

	if (!machine || record >= PYEXIT_RECORDS || index >= machine->record_count[record])
		return -EINVAL;
	next = record + 1 < PYEXIT_RECORDS ? machine->record_offset[record + 1] : machine->state_size;
	one = (next - machine->record_offset[record]) / machine->record_count[record];
	return (int64_t)(machine->record_offset[record] + index * one);
}

int pyexit_state_write(struct pyexit_machine *machine, size_t offset, const void *data, size_t size)
{
	if (!machine || (size && !data))
		return -EFAULT;
	if (offset > machine->state_size || size > machine->state_size - offset)
		return -EINVAL;
	if (size)
		memcpy(machine->state + offset, data, size);
	machine->hw.generation++;
	return 0;
}

static struct pyexit_ram *find_range(const struct pyexit_machine *machine, uint64_t addr)
{
	const struct ppc_memory *memory = &machine->hw.memory;

	for (size_t i = 0; i < memory->count; i++)
		if (addr >= memory->range[i].base && addr - memory->range[i].base < memory->range[i].size)
			return &memory->range[i];
	return NULL;
}

/* Bytes from @addr to the end of its range, or 0. */
static uint64_t ram_left(const struct pyexit_ram *range, uint64_t addr)
{
	return range ? range->size - (addr - range->base) : 0;
}

static int is_ram(const struct pyexit_machine *machine, uint64_t addr, size_t size)
{
	while (size) {
		uint64_t left = ram_left(find_range(machine, addr), addr);

		if (!left)
			return 0;
		if (left >= size)
			return 1;
		addr += left;
		size -= (size_t)left;
	}
	return 1;
}

int pyexit_ram_read(const struct pyexit_machine *machine, uint64_t addr, void *data, size_t size)
{
	uint8_t *to = data;

	if (!machine || (size && !data) || !is_ram(machine, addr, size))
		return -EFAULT;
	while (size) {
		const struct pyexit_ram *range = find_range(machine, addr);
		uint64_t left = ram_left(range, addr);
		size_t n = left < size ? (size_t)left : size;

		memcpy(to, range->host + (addr - range->base), n);
		to += n;
		addr += n;
		size -= n;
	}
	return 0;
}

static void mark_dirty(const struct pyexit_ram *range, uint64_t offset, size_t size)
{
	if (!range->dirty)
		return;
	for (uint64_t page = offset / PYEXIT_PAGE_SIZE; page <= (offset + size - 1) / PYEXIT_PAGE_SIZE; page++)
		range->dirty[page / 8] |= (uint8_t)(1u << page % 8);
}

int pyexit_ram_write(struct pyexit_machine *machine, uint64_t addr, const void *data, size_t size)
{
	const uint8_t *from = data;

	if (!machine || (size && !data) || !is_ram(machine, addr, size))
		return -EFAULT;
	while (size) {
		struct pyexit_ram *range = find_range(machine, addr);
		uint64_t left = ram_left(range, addr);
		size_t n = left < size ? (size_t)left : size;

		memcpy(range->host + (addr - range->base), from, n);
		mark_dirty(range, addr - range->base, n);
		from += n;
		addr += n;
		size -= n;
	}
	return 0;
}

size_t pyexit_events(struct pyexit_machine *machine, struct pyexit_event *events, size_t max)
{
	struct ppc_events *ring;
	size_t n = 0;

	if (!machine || !events)
		return 0;
	ring = &machine->hw.events;
	while (n < max && ring->used) {
		events[n++] = ring->ring[ring->first];
		ring->first = (ring->first + 1) % ring->capacity;
		ring->used--;
	}
	return n;
}

uint64_t pyexit_events_lost(struct pyexit_machine *machine)
{
	uint64_t lost;

	if (!machine)
		return 0;
	lost = machine->hw.events.lost;
	machine->hw.events.lost = 0;
	return lost;
}
