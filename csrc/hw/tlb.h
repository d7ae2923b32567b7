/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/tlb: the two TLBs of a core, the match rule and the search
 * (mmu-hardware 4, 5).  An entry is named by tlbsel << 16 | index, where
 * TLB0's index is set * ways + way.
 */
#ifndef HW_TLB_H
#define HW_TLB_H

#include "core.h"

#define PPC_NO_ENTRY UINT32_MAX

struct ppc_entry {
	uint32_t mas1, mas3, mas7, mas8;
	uint64_t mas2;
};

/* What a look-up compares with the tags of an entry (mmu-hardware 5). */
struct ppc_tags {
	uint64_t ea;
	uint32_t pid, lpid;
	uint32_t as, gs, ind;	/* 0 or 1 */
};

/* The first two entries that match, PPC_NO_ENTRY where there is none. */
struct ppc_hits {
	uint32_t first, second;
};

static inline uint32_t ppc_entry_sel(uint32_t entry)
{
	return entry >> 16;
}

static inline uint32_t ppc_entry_index(uint32_t entry)
{
	return entry & 0xffffu;
}

/* log2 of the page size; a page is never finer than 4 KiB (mmu-hardware 4.5, 0.4). */
static inline uint32_t ppc_page_shift(uint32_t mas1)
{
	uint32_t shift = ((mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT) + 10;

	return shift < 12 ? 12 : shift;
}

static struct ppc_entry ppc_entry_read(const struct ppc_hw *hw, uint32_t core, uint32_t entry);
static void ppc_entry_write(struct ppc_hw *hw, uint32_t core, uint32_t entry, const struct ppc_entry *value);

/* The first entry of the TLB0 set that @ea indexes (mmu-hardware 4.2). */
static uint32_t ppc_tlb0_set(const struct ppc_hw *hw, uint64_t ea);

/* All entries of both TLBs against @tags: TLB0 ways, then TLB1 entries, ascending. */
static struct ppc_hits ppc_tlb_search(const struct ppc_hw *hw, uint32_t core, const struct ppc_tags *tags);

#endif
