/* SPDX-License-Identifier: BSD-3-Clause */
#include "walk.h"

#include "lrat.h"
#include "tlbops.h"

/* mmu-hardware 11.2; an entry no larger than its sub-pages holds one PTE */
static uint64_t pte_address(const struct ppc_entry *indirect, uint64_t ea)
{
	uint32_t spsize = (indirect->mas3 & MAS3_SPSIZE_MASK) >> MAS3_SPSIZE_SHIFT;
	uint32_t page_shift = ppc_page_shift(indirect->mas1);
	uint32_t sub_shift = spsize + 10;
	uint32_t index_bits = page_shift > sub_shift ? page_shift - sub_shift : 0;
	uint64_t index = ea >> sub_shift & (((uint64_t)1 << index_bits) - 1);
	uint64_t table = (uint64_t)indirect->mas7 << 32 | (indirect->mas3 & 0xfffff800u);

	return (table & ~(((uint64_t)8 << index_bits) - 1)) | index * 8;
}

static uint64_t load_pte(const struct ppc_hw *hw, uint64_t address)
{
	return (uint64_t)ppc_load32(&hw->memory, address) << 32 | ppc_load32(&hw->memory, address + 4);
}

/* U13: without R no access, without C no store */
static uint32_t pte_perms(uint64_t pte)
{
	uint32_t perms = (uint32_t)(pte >> PTE_PERMS_SHIFT) & MAS3_PERMS;

	if (!(pte & PTE_R))
		return 0;
	return pte & PTE_C ? perms : perms & ~(MAS3_UW | MAS3_SW);
}

/* mmu-hardware 11.7 */
static struct ppc_entry direct_entry(const struct ppc_entry *indirect, uint64_t pte, uint64_t real, uint32_t tsize,
				     uint64_t ea)
{
	uint64_t offset = ((uint64_t)1 << (tsize + 10)) - 1;

	return (struct ppc_entry){
		.mas1 = (indirect->mas1 & (MAS1_V | MAS1_TID_MASK | MAS1_TS)) | tsize << MAS1_TSIZE_SHIFT,
		.mas2 = (ea & ~offset) | (pte >> PTE_WIMGE_SHIFT & 0x1f),
		.mas3 = ((uint32_t)real & ~(uint32_t)(PYEXIT_PAGE_SIZE - 1)) |
			((uint32_t)(pte >> PTE_U_SHIFT) & 0xf) << 6 | pte_perms(pte),
		.mas7 = (uint32_t)(real >> 32),
		.mas8 = indirect->mas8,
	};
}

/* Can TLB0 hold a walked page of size code @tsize? (mmu-hardware 11.5) */
static int eligible(const struct pyexit_params *params, uint32_t tsize)
{
	return params->tlb0cfg & TLBCFG_PT && params->tlb0ps >> tsize & 1;
}

static struct ppc_walk ppc_walk_table(const struct ppc_hw *hw, uint32_t core, uint32_t indirect,
				      const struct ppc_tags *tags)
{
	struct ppc_entry entry = ppc_entry_read(hw, core, indirect);
	struct ppc_walk walk = { .outcome = PPC_WALK_NOT_RAM, .address = pte_address(&entry, tags->ea) };
	uint64_t real;

	if (!ppc_page_is_ram(&hw->memory, walk.address >> PPC_PAGE_SHIFT))
		return walk;
	walk.pte = load_pte(hw, walk.address);
	walk.address = walk.pte >> PTE_ARPN_SHIFT << PPC_PAGE_SHIFT;
	walk.tsize = (uint32_t)(walk.pte >> PTE_PS_SHIFT) & 0xf;
	real = walk.address;
	if (!(walk.pte & PTE_V))
		walk.outcome = PPC_WALK_FAULT;
	else if (!eligible(&hw->params, walk.tsize))
		walk.outcome = PPC_WALK_INELIGIBLE;
	else if (tags->gs && !ppc_lrat_translate(hw, core, walk.address, tags->lpid, walk.tsize, &real))
		walk.outcome = PPC_WALK_LRAT_MISS;
	else
		walk.outcome = PPC_WALK_DONE;
	walk.entry = direct_entry(&entry, walk.pte, real, walk.tsize, tags->ea);
	return walk;
}

static void ppc_walk_reload(struct ppc_hw *hw, uint32_t core, const struct ppc_tags *tags,
			    const struct ppc_walk *walk)
{
	uint32_t set = ppc_tlb0_set(hw, tags->ea);
	uint32_t at = set + ppc_hes_way(hw, core, set);

	ppc_entry_write(hw, core, at, &walk->entry);
	ppc_event(&hw->events, PYEXIT_EVENT_RELOAD, 0, tags->ea, at, walk->pte);
}
