/* SPDX-License-Identifier: BSD-3-Clause */
#include "lrat.h"

#include "interrupt.h"
#include "tlb.h"

static uint32_t lrat_index(const struct pyexit_spr *spr)
{
	return (uint32_t)(spr->MAS0 >> MAS0_ESEL_SHIFT) & (PYEXIT_LRAT_ENTRIES - 1);
}

/* HES=1, WQ=01, WQ=10 do not go with ATSEL=1; a valid entry's size must be in LRATPS (mmu-hardware 6.3.9). */
static int lrat_refused(const struct ppc_hw *hw, const struct pyexit_spr *spr)
{
	uint32_t wq = (uint32_t)(spr->MAS0 >> MAS0_WQ_SHIFT) & 3;
	uint32_t tsize = (uint32_t)(spr->MAS1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT;

	if (spr->MAS0 & MAS0_HES || wq == 1 || wq == 2)
		return 1;
	return spr->MAS1 & MAS1_V && hw->params.tsize_check && !(hw->params.lratps >> tsize & 1);
}

static struct ppc_end ppc_lrat_write(struct ppc_hw *hw, uint32_t thread)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	struct pyexit_lrat *lrat = &hw->lrat[ppc_core_of(hw, thread)];
	uint32_t i = lrat_index(spr);

	if (lrat_refused(hw, spr))
		return ppc_illegal(hw, thread);
	lrat->mas1[i] = (uint32_t)spr->MAS1 & (MAS1_V | MAS1_TSIZE_MASK);
	lrat->mas2[i] = spr->MAS2 & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1);
	lrat->mas3[i] = (uint32_t)spr->MAS3 & ~(uint32_t)(PYEXIT_PAGE_SIZE - 1);
	lrat->mas7[i] = (uint32_t)ppc_mas_bits(hw, 7, spr->MAS7);
	lrat->mas8[i] = (uint32_t)spr->MAS8 & hw->params.lpid_mask;
	return PPC_DONE;
}

static void ppc_lrat_read(struct ppc_hw *hw, uint32_t thread)
{
	struct pyexit_spr *spr = &hw->spr[thread];
	const struct pyexit_lrat *lrat = &hw->lrat[ppc_core_of(hw, thread)];
	uint32_t i = lrat_index(spr);

	spr->MAS1 = lrat->mas1[i];
	spr->MAS2 = lrat->mas2[i];
	spr->MAS3 = lrat->mas3[i];
	spr->MAS7 = lrat->mas7[i];
	spr->MAS8 = lrat->mas8[i];
}

/* mmu-hardware 10.2, 10.3: a page smaller than the TLB page does not serve it */
static int lrat_match(const struct pyexit_lrat *lrat, uint32_t i, uint64_t logical, uint32_t lpid, uint32_t tsize)
{
	uint32_t lrat_tsize = (lrat->mas1[i] & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT;

	if (!(lrat->mas1[i] & MAS1_V) || lrat_tsize < tsize)
		return 0;
	if (lrat->mas8[i] && lrat->mas8[i] != lpid)
		return 0;
	return (lrat->mas2[i] ^ logical) >> ppc_page_shift(lrat->mas1[i]) == 0;
}

static int ppc_lrat_translate(const struct ppc_hw *hw, uint32_t core, uint64_t logical, uint32_t lpid, uint32_t tsize,
			      uint64_t *real)
{
	const struct pyexit_lrat *lrat = &hw->lrat[core];
	uint32_t hit = PYEXIT_LRAT_ENTRIES, hits = 0;
	uint64_t offset;

	for (uint32_t i = 0; i < PYEXIT_LRAT_ENTRIES; i++) {
		if (lrat_match(lrat, i, logical, lpid, tsize)) {
			hit = i;
			hits++;
		}
	}
	if (hits != 1)	/* more than one is a miss too (mmu-hardware 10.4) */
		return 0;
	offset = ((uint64_t)1 << ppc_page_shift(lrat->mas1[hit])) - 1;
	*real = (((uint64_t)lrat->mas7[hit] << 32 | lrat->mas3[hit]) & ~offset) | (logical & offset);
	return 1;
}
