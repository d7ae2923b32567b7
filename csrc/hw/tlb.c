/* SPDX-License-Identifier: BSD-3-Clause */
#include "tlb.h"

static struct ppc_entry ppc_entry_read(const struct ppc_hw *hw, uint32_t core, uint32_t entry)
{
	uint32_t i = ppc_entry_index(entry);

	if (ppc_entry_sel(entry)) {
		const struct pyexit_htlb1 *tlb = &hw->htlb1[core];

		return (struct ppc_entry){ tlb->mas1[i], tlb->mas3[i], tlb->mas7[i], tlb->mas8[i], tlb->mas2[i] };
	} else {
		const struct pyexit_htlb0 *tlb = &hw->htlb0[core];

		return (struct ppc_entry){ tlb->mas1[i], tlb->mas3[i], tlb->mas7[i], tlb->mas8[i], tlb->mas2[i] };
	}
}

static void ppc_entry_write(struct ppc_hw *hw, uint32_t core, uint32_t entry, const struct ppc_entry *value)
{
	uint32_t i = ppc_entry_index(entry);
	struct pyexit_htlb0 *tlb0 = &hw->htlb0[core];
	struct pyexit_htlb1 *tlb1 = &hw->htlb1[core];

	hw->generation++;
	*(ppc_entry_sel(entry) ? &tlb1->mas1[i] : &tlb0->mas1[i]) = value->mas1;
	*(ppc_entry_sel(entry) ? &tlb1->mas2[i] : &tlb0->mas2[i]) = value->mas2;
	*(ppc_entry_sel(entry) ? &tlb1->mas3[i] : &tlb0->mas3[i]) = value->mas3;
	*(ppc_entry_sel(entry) ? &tlb1->mas7[i] : &tlb0->mas7[i]) = value->mas7;
	*(ppc_entry_sel(entry) ? &tlb1->mas8[i] : &tlb0->mas8[i]) = value->mas8;
}

static uint32_t ppc_tlb0_set(const struct ppc_hw *hw, uint64_t ea)
{
	uint32_t set = (uint32_t)(ea >> PPC_PAGE_SHIFT) & (hw->params.tlb0_sets - 1);

	return set * hw->params.tlb0_ways;
}

/* mmu-hardware 5, rules 1-7 */
static int ppc_tlb_match(const struct pyexit_params *params, const struct ppc_tags *tags, uint32_t mas1, uint64_t mas2,
			 uint32_t mas8)
{
	uint32_t tid = (mas1 & MAS1_TID_MASK) >> MAS1_TID_SHIFT & params->pid_mask;
	uint32_t tlpid = mas8 & params->lpid_mask;

	if (!(mas1 & MAS1_V))
		return 0;
	if (!!(mas1 & MAS1_TS) != tags->as || !!(mas8 & MAS8_TGS) != tags->gs)
		return 0;
	if (tid && tid != (tags->pid & params->pid_mask))
		return 0;
	if (tlpid && tlpid != (tags->lpid & params->lpid_mask))
		return 0;
	if (params->mav == 2 && !!(mas1 & MAS1_IND) != tags->ind)
		return 0;
	return (mas2 ^ tags->ea) >> ppc_page_shift(mas1) == 0;
}

static void note_hit(struct ppc_hits *hits, uint32_t entry)
{
	if (hits->first == PPC_NO_ENTRY)
		hits->first = entry;
	else if (hits->second == PPC_NO_ENTRY)
		hits->second = entry;
}

/* The vector compare leaves few: their tags decide. */
static void tlb1_search(const struct ppc_hw *hw, const struct pyexit_htlb1 *tlb, const struct ppc_tags *tags,
			struct ppc_hits *hits)
{
	uint32_t entries = hw->params.tlb1_entries;
	uint64_t all = UINT64_MAX >> (PYEXIT_TLB1_ENTRIES - entries);
	uint64_t pages = (hw->page_hits ? hw->page_hits(tlb, entries, tags->ea) : UINT64_MAX) & all;

	for (; pages; pages &= pages - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(pages);

		if (ppc_tlb_match(&hw->params, tags, tlb->mas1[i], tlb->mas2[i], tlb->mas8[i]))
			note_hit(hits, 1u << 16 | i);
	}
}

static struct ppc_hits ppc_tlb_search(const struct ppc_hw *hw, uint32_t core, const struct ppc_tags *tags)
{
	const struct pyexit_params *params = &hw->params;
	const struct pyexit_htlb0 *tlb0 = &hw->htlb0[core];
	struct ppc_hits hits = { PPC_NO_ENTRY, PPC_NO_ENTRY };
	uint32_t set = ppc_tlb0_set(hw, tags->ea);

	for (uint32_t i = set; i < set + params->tlb0_ways; i++)
		if (ppc_tlb_match(params, tags, tlb0->mas1[i], tlb0->mas2[i], tlb0->mas8[i]))
			note_hit(&hits, i);
	tlb1_search(hw, &hw->htlb1[core], tags, &hits);
	return hits;
}
