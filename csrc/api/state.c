/* SPDX-License-Identifier: BSD-3-Clause */
/* api/state: reading and writing the state block, RAM and events. */
#include <errno.h>
#include <string.h>

#include "../hw/ram.h"
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

/* Bytes from @addr to the end of its range, or 0. */
static uint64_t ram_left(const struct pyexit_ram *range, uint64_t addr)
{
	return range ? range->size - (addr - range->base) : 0;
}

static int is_ram(const struct pyexit_machine *machine, uint64_t addr, size_t size)
{
	while (size) {
		uint64_t left = ram_left(ppc_ram(&machine->hw.memory, addr), addr);

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
		const struct pyexit_ram *range = ppc_ram(&machine->hw.memory, addr);
		uint64_t left = ram_left(range, addr);
		size_t n = left < size ? (size_t)left : size;

		memcpy(to, range->host + (addr - range->base), n);
		to += n;
		addr += n;
		size -= n;
	}
	return 0;
}

int pyexit_ram_write(struct pyexit_machine *machine, uint64_t addr, const void *data, size_t size)
{
	const uint8_t *from = data;

	if (!machine || (size && !data) || !is_ram(machine, addr, size))
		return -EFAULT;
	while (size) {
		const struct pyexit_ram *range = ppc_ram(&machine->hw.memory, addr);
		uint64_t left = ram_left(range, addr);
		size_t n = left < size ? (size_t)left : size;

		memcpy(range->host + (addr - range->base), from, n);
		ppc_mark_dirty(range, addr - range->base, n);
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
