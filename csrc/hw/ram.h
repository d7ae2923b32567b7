/* SPDX-License-Identifier: BSD-3-Clause */
/* hw/ram: the ranges of real memory, for hw/memory and for api/: which one holds an address, what was written. */
#ifndef HW_RAM_H
#define HW_RAM_H

#include "hw.h"

#define PPC_PAGE_SHIFT 12

/* The range that holds real address @addr, or NULL. */
static inline const struct pyexit_ram *ppc_ram(const struct ppc_memory *memory, uint64_t addr)
{
	size_t low = 0, high = memory->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct pyexit_ram *range = &memory->range[middle];

		if (addr < range->base)
			high = middle;
		else if (addr - range->base >= range->size)
			low = middle + 1;
		else
			return range;
	}
	return NULL;
}

/* @size > 0 bytes from @offset of a range have been written. */
static inline void ppc_mark_dirty(const struct pyexit_ram *range, uint64_t offset, uint64_t size)
{
	if (!range->dirty)
		return;
	for (uint64_t page = offset >> PPC_PAGE_SHIFT; page <= (offset + size - 1) >> PPC_PAGE_SHIFT; page++)
		range->dirty[page / 8] |= (uint8_t)(1u << page % 8);
}

#endif
