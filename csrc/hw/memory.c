/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

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

	if (!range)
		return;
	range->host[addr - range->base] = byte;
	ppc_mark_dirty(range, addr - range->base, 1);
}

static void ppc_store32(struct ppc_memory *memory, uint64_t addr, uint32_t word)
{
	for (uint32_t i = 0; i < 4; i++)
		ppc_store_byte(memory, addr + i, (uint8_t)(word >> (24 - 8 * i)));
}
