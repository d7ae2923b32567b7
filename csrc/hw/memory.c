/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

static const struct pyexit_ram *ppc_ram(const struct ppc_memory *memory, uint64_t addr)
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

static int ppc_page_is_ram(const struct ppc_memory *memory, uint64_t pfn)
{
	return pfn >> (64 - PPC_PAGE_SHIFT) == 0 && ppc_ram(memory, pfn << PPC_PAGE_SHIFT) != NULL;
}

static uint32_t ppc_load_byte(const struct ppc_memory *memory, uint64_t addr)
{
	const struct pyexit_ram *range = ppc_ram(memory, addr);

	return range ? range->host[addr - range->base] : 0u;
}

static uint32_t ppc_load32(const struct ppc_memory *memory, uint64_t addr)
{
	const struct pyexit_ram *range = ppc_ram(memory, addr);
	uint32_t word = 0;

	if (range && range->size - (addr - range->base) >= 4) {
		const uint8_t *byte = range->host + (addr - range->base);

		return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
	}
	for (uint64_t i = 0; i < 4; i++)
		word = word << 8 | ppc_load_byte(memory, addr + i);
	return word;
}

static void ppc_store_byte(const struct ppc_memory *memory, uint64_t addr, uint8_t byte)
{
	const struct pyexit_ram *range = ppc_ram(memory, addr);
	uint64_t page;

	if (!range)
		return;
	range->host[addr - range->base] = byte;
	page = (addr - range->base) >> PPC_PAGE_SHIFT;
	if (range->dirty)
		range->dirty[page / 8] |= (uint8_t)(1u << page % 8);
}

static void ppc_store32(struct ppc_memory *memory, uint64_t addr, uint32_t word)
{
	for (uint32_t i = 0; i < 4; i++)
		ppc_store_byte(memory, addr + i, (uint8_t)(word >> (24 - 8 * i)));
}
