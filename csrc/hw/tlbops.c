/* SPDX-License-Identifier: BSD-3-Clause */
#include "tlbops.h"

#include "interrupt.h"
#include "lrat.h"

static uint32_t nv(const struct ppc_hw *hw, uint32_t thread)
{
	return hw->core[ppc_core_of(hw, thread)].tlb0_nv & (hw->params.tlb0_ways - 1);
}

static uint64_t tlbcfg(const struct ppc_hw *hw, uint32_t tlbsel)
{
	return tlbsel ? hw->params.tlb1cfg : hw->params.tlb0cfg;
}

static int updates_mas7(const struct ppc_hw *hw, uint32_t thread)
{
	return hw->params.raw || hw->spr[thread].HID0 & HID0_EN_MAS7_UPDATE;
}

static uint64_t ppc_miss_mas0(const struct ppc_hw *hw, uint32_t thread)
{
	uint32_t tlbsel = (uint32_t)(hw->spr[thread].MAS4 >> MAS0_TLBSEL_SHIFT) & 1;
	uint32_t way = nv(hw, thread);
	uint64_t mas0 = (uint64_t)tlbsel << MAS0_TLBSEL_SHIFT;

	if (!tlbsel)
		mas0 |= (uint64_t)way << MAS0_ESEL_SHIFT | ((way + 1) & (hw->params.tlb0_ways - 1));
	if (hw->params.mav == 2) {
		mas0 |= tlbcfg(hw, tlbsel) & TLBCFG_HES ? MAS0_HES : 0;
		mas0 |= (uint64_t)(hw->params.miss_wq & 3) << MAS0_WQ_SHIFT;
	}
	return mas0;
}

static uint64_t ppc_miss_mas1(const struct ppc_hw *hw, uint32_t thread, uint32_t pid, uint32_t as)
{
	uint64_t mas4 = hw->spr[thread].MAS4;
	uint64_t mas1 = (uint64_t)pid << MAS1_TID_SHIFT | (as ? MAS1_TS : 0) | (mas4 & MAS1_TSIZE_MASK);

	if (hw->params.mav == 2 && mas4 & MAS4_INDD)
		mas1 |= MAS1_IND;
	return ppc_mas_bits(hw, 1, mas1);
}

static uint64_t ppc_miss_mas3(const struct ppc_hw *hw, uint32_t thread)
{
	return hw->params.miss_u ? hw->spr[thread].MAS3 & MAS3_U_MASK : 0;
}

static int ppc_multi_hit_checks(const struct ppc_hw *hw, uint32_t thread, const struct ppc_hits *hits)
{
	return hits->second != PPC_NO_ENTRY && hw->spr[thread].HID0 & HID0_EN_L2MMU_MHD && !hw->params.raw;
}

static void load_entry(struct ppc_hw *hw, uint32_t thread, uint32_t entry)
{
	struct ppc_entry value = ppc_entry_read(hw, ppc_core_of(hw, thread), entry);
	struct pyexit_spr *spr = &hw->spr[thread];

	spr->MAS1 = value.mas1;
	spr->MAS2 = value.mas2;
	spr->MAS3 = value.mas3;
	if (updates_mas7(hw, thread))
		spr->MAS7 = value.mas7;
	spr->MAS8 = value.mas8;
}

/* mmu-hardware 6.2.3 */
static void tlbsx_hit(struct ppc_hw *hw, uint32_t thread, uint32_t entry)
{
	uint32_t tlbsel = ppc_entry_sel(entry);
	uint32_t esel = ppc_entry_index(entry);
	uint64_t mas0;

	if (!tlbsel)
		esel &= hw->params.tlb0_ways - 1;
	mas0 = (uint64_t)tlbsel << MAS0_TLBSEL_SHIFT | (uint64_t)esel << MAS0_ESEL_SHIFT;
	if (!tlbsel || !hw->params.raw)
		mas0 |= nv(hw, thread);
	if (hw->params.mav == 2 && hw->params.hit_hes)
		mas0 |= (tlbsel ? 0 : MAS0_HES) | 1u << MAS0_WQ_SHIFT;
	hw->spr[thread].MAS0 = mas0;
	load_entry(hw, thread, entry);
}

static uint64_t miss_mas2(const struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	uint64_t attributes = hw->spr[thread].MAS4 & MAS2_ATTRIBUTES;
	uint64_t page_mask = ~(uint64_t)(PYEXIT_PAGE_SIZE - 1);

	switch (hw->params.miss_epn) {
	case 0:
		return (hw->spr[thread].MAS2 & page_mask) | attributes;
	case 1:
		return attributes;
	default:
		return ppc_mas_bits(hw, 2, (ea & page_mask) | attributes);
	}
}

/* mmu-hardware 6.6, column "tlbsx miss" */
static void tlbsx_miss(struct ppc_hw *hw, uint32_t thread, const struct ppc_tags *tags)
{
	struct pyexit_spr *spr = &hw->spr[thread];

	spr->MAS0 = ppc_miss_mas0(hw, thread);
	spr->MAS1 = ppc_miss_mas1(hw, thread, tags->pid, tags->as);
	spr->MAS2 = miss_mas2(hw, thread, tags->ea);
	spr->MAS3 = ppc_miss_mas3(hw, thread);
	if (updates_mas7(hw, thread))
		spr->MAS7 = 0;
}

/* What MAS5 and MAS6 say that tlbsx looks for (mmu-hardware 6.2.2). */
static struct ppc_tags search_tags(const struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	const struct pyexit_spr *spr = &hw->spr[thread];

	return (struct ppc_tags){
		.ea = ea,
		.pid = (uint32_t)(spr->MAS6 & MAS6_SPID_MASK) >> MAS6_SPID_SHIFT,
		.lpid = (uint32_t)spr->MAS5 & hw->params.lpid_mask,
		.as = (uint32_t)spr->MAS6 & MAS6_SAS,
		.gs = !!(spr->MAS5 & MAS5_SGS),
		.ind = hw->params.mav == 2 && spr->MAS6 & MAS6_SIND,
	};
}

static void report_tlbsx(struct ppc_hw *hw, uint32_t thread, uint64_t ea, const struct ppc_hits *hits)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	struct pyexit_event *event = ppc_event_new(&hw->events, PYEXIT_EVENT_TLBSX, 0);

	if (event) {
		event->arg[0] = ea;
		event->arg[1] = spr->MAS5;
		event->arg[2] = spr->MAS6;
		event->arg[3] = spr->MAS4;
		event->arg[4] = hits->first == PPC_NO_ENTRY ? UINT64_MAX : hits->first;
	}
	if (hits->second != PPC_NO_ENTRY)
		ppc_event(&hw->events, PYEXIT_EVENT_MULTI_HIT, 0, ea, hits->first, hits->second);
}

static struct ppc_hits ppc_tlbsx_hits(const struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	struct ppc_tags tags = search_tags(hw, thread, ea);

	return ppc_tlb_search(hw, ppc_core_of(hw, thread), &tags);
}

static struct ppc_end ppc_tlbsx_answer(struct ppc_hw *hw, uint32_t thread, uint64_t ea, const struct ppc_hits *hits)
{
	struct ppc_tags tags;

	ppc_count(hw, thread, PYEXIT_OP_TLBSX);
	report_tlbsx(hw, thread, ea, hits);
	if (ppc_multi_hit_checks(hw, thread, hits)) {
		struct ppc_cause cause = {
			.ivor = IVOR_MACHINE_CHECK,
			.esr = MCSR_L2MMU_MHIT | MCSR_MAV | MCSR_MEA | MCSR_LD,
			.ea = ea,
			.host = 1,
		};

		return ppc_interrupt(hw, thread, &cause);
	}
	if (hits->first != PPC_NO_ENTRY) {
		tlbsx_hit(hw, thread, hits->first);
	} else {
		tags = search_tags(hw, thread, ea);
		tlbsx_miss(hw, thread, &tags);
	}
	return PPC_DONE;
}

static struct ppc_end ppc_tlbsx(struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	struct ppc_hits hits = ppc_tlbsx_hits(hw, thread, ea);

	return ppc_tlbsx_answer(hw, thread, ea, &hits);
}

/* The entry that MAS0 and, for TLB0, MAS2[EPN] choose (mmu-hardware 4, 6.1.1). */
static uint32_t chosen_entry(const struct ppc_hw *hw, uint32_t thread)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint32_t esel = (uint32_t)(spr->MAS0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT;

	if (spr->MAS0 >> MAS0_TLBSEL_SHIFT & 1)
		return 1u << 16 | (esel & (hw->params.tlb1_entries - 1));
	return ppc_tlb0_set(hw, spr->MAS2) + (esel & (hw->params.tlb0_ways - 1));
}

/* MAS0[ATSEL]: the instruction is about the LRAT (mmu-hardware 6.1.5, 6.3.9). */
static int names_lrat(const struct ppc_hw *hw, uint32_t thread)
{
	return hw->params.mav == 2 && hw->spr[thread].MAS0 & MAS0_ATSEL;
}

static struct ppc_end ppc_tlbre(struct ppc_hw *hw, uint32_t thread)
{
	struct pyexit_spr *spr = &hw->spr[thread];

	ppc_count(hw, thread, PYEXIT_OP_TLBRE);
	if (names_lrat(hw, thread))
		ppc_lrat_read(hw, thread);
	else
		load_entry(hw, thread, chosen_entry(hw, thread));
	spr->MAS0 = (spr->MAS0 & ~(uint64_t)MAS0_NV_MASK) | nv(hw, thread);
	return PPC_DONE;
}

/* Is page size code @tsize one that TLB1 has? (mmu-hardware 4.5, U22) */
static int tsize_supported(const struct pyexit_params *params, uint32_t tsize)
{
	if (params->mav == 2)
		return params->tlb1ps >> tsize & 1;
	return tsize >= 2 && tsize <= 22 && !(tsize & 1);
}

/* The entry that a tlbwe stores, made of the MAS registers (mmu-hardware 6.3). */
static struct ppc_entry new_entry(const struct ppc_hw *hw, uint32_t thread, uint32_t tlbsel)
{
	const struct pyexit_params *params = &hw->params;
	const struct pyexit_spr *spr = &hw->spr[thread];
	struct ppc_entry entry = {
		.mas1 = (uint32_t)ppc_mas_bits(hw, 1, spr->MAS1),
		.mas2 = ppc_mas_bits(hw, 2, spr->MAS2),
		.mas3 = (uint32_t)ppc_mas_bits(hw, 3, spr->MAS3),
		.mas7 = (uint32_t)ppc_mas_bits(hw, 7, spr->MAS7),
		.mas8 = (uint32_t)ppc_mas_bits(hw, 8, spr->MAS8),
	};
	uint64_t page_mask;

	if (params->raw)
		return entry;
	if (!(tlbcfg(hw, tlbsel) & TLBCFG_IPROT))
		entry.mas1 &= ~MAS1_IPROT;
	if (params->mav == 2 && !(tlbcfg(hw, tlbsel) & TLBCFG_IND))
		entry.mas1 &= ~MAS1_IND;
	if (!tlbsel)
		entry.mas1 = (entry.mas1 & ~MAS1_TSIZE_MASK) | 2u << MAS1_TSIZE_SHIFT;
	if (!(hw->thread[thread].msr & MSR_CM))
		entry.mas2 = (uint32_t)entry.mas2;
	page_mask = ((uint64_t)1 << ppc_page_shift(entry.mas1)) - 1;
	entry.mas2 &= ~page_mask | MAS2_ATTRIBUTES;
	return entry;
}

static uint32_t ppc_tlbwe_size(const struct ppc_hw *hw, uint32_t thread)
{
	uint32_t mas1 = new_entry(hw, thread, (uint32_t)(hw->spr[thread].MAS0 >> MAS0_TLBSEL_SHIFT) & 1).mas1;

	return (mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT;
}

static int refused(const struct ppc_hw *hw, uint32_t tlbsel, const struct ppc_entry *entry)
{
	uint32_t tsize = (entry->mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT;

	if (!tlbsel || !hw->params.tsize_check || hw->params.raw)
		return 0;
	return entry->mas1 & MAS1_V && !tsize_supported(&hw->params, tsize);
}

static uint32_t ppc_hes_way(struct ppc_hw *hw, uint32_t core, uint32_t set)
{
	uint32_t ways = hw->params.tlb0_ways;
	uint8_t *victim = &hw->core[core].hes_victim[set / ways];
	uint32_t way;

	for (way = 0; way < ways; way++)
		if (!(hw->htlb0[core].mas1[set + way] & MAS1_V))
			return way;
	way = *victim & (ways - 1);
	*victim = (uint8_t)((way + 1) & (ways - 1));
	return way;
}

static void report_tlbwe(struct ppc_hw *hw, uint32_t thread)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	struct pyexit_event *event = ppc_event_new(&hw->events, PYEXIT_EVENT_TLBWE, 0);

	if (!event)
		return;
	event->arg[0] = spr->MAS0;
	event->arg[1] = spr->MAS1;
	event->arg[2] = spr->MAS2;
	event->arg[3] = spr->MAS3;
	event->arg[4] = spr->MAS7;
	event->arg[5] = spr->MAS8;
}

static struct ppc_end ppc_tlbwe(struct ppc_hw *hw, uint32_t thread)
{
	uint32_t core = ppc_core_of(hw, thread);
	uint64_t mas0 = hw->spr[thread].MAS0;
	uint32_t at = chosen_entry(hw, thread);
	struct ppc_entry entry = new_entry(hw, thread, ppc_entry_sel(at));

	ppc_count(hw, thread, PYEXIT_OP_TLBWE);
	if (names_lrat(hw, thread))
		return ppc_lrat_write(hw, thread);
	if (refused(hw, ppc_entry_sel(at), &entry))
		return ppc_illegal(hw, thread);
	if (!ppc_entry_sel(at)) {
		if (hw->params.mav == 2 && mas0 & MAS0_HES)
			at = ppc_tlb0_set(hw, hw->spr[thread].MAS2) +
			     ppc_hes_way(hw, core, ppc_tlb0_set(hw, hw->spr[thread].MAS2));
		else
			hw->core[core].tlb0_nv = (uint32_t)mas0 & MAS0_NV_MASK & (hw->params.tlb0_ways - 1);
	}
	report_tlbwe(hw, thread);
	ppc_entry_write(hw, core, at, &entry);
	return PPC_DONE;
}

/* Clear V of entry @i of an array, unless IPROT (mmu-hardware 6.4). */
static void invalidate(uint32_t *mas1)
{
	if (!(*mas1 & MAS1_IPROT))
		*mas1 &= ~MAS1_V;
}

/* What an invalidation compares; tags that it does not look at are off (mmu-hardware 6.4). */
struct invalidation {
	struct ppc_tags tags;
	uint32_t isize;
	int lpid, pid, gs, as, ind, epn, size;	/* compare this? */
	int tid0;				/* TID=0 matches any PID (U7) */
};

static int invalidation_match(const struct ppc_hw *hw, const struct invalidation *inv, uint32_t mas1, uint64_t mas2,
			      uint32_t mas8)
{
	const struct ppc_tags *tags = &inv->tags;
	uint32_t tid = (mas1 & MAS1_TID_MASK) >> MAS1_TID_SHIFT & hw->params.pid_mask;

	if (inv->lpid && (mas8 & hw->params.lpid_mask) != tags->lpid)
		return 0;
	if (inv->pid && tid != (tags->pid & hw->params.pid_mask) && !(inv->tid0 && !tid))
		return 0;
	if (inv->gs && !!(mas8 & MAS8_TGS) != tags->gs)
		return 0;
	if (inv->as && !!(mas1 & MAS1_TS) != tags->as)
		return 0;
	if (inv->ind && !!(mas1 & MAS1_IND) != tags->ind)
		return 0;
	if (inv->size && (mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT != inv->isize)
		return 0;
	return !inv->epn || (mas2 ^ tags->ea) >> ppc_page_shift(mas1) == 0;
}

static void invalidate_tlb0(struct ppc_hw *hw, uint32_t core, const struct invalidation *inv)
{
	struct pyexit_htlb0 *tlb = &hw->htlb0[core];

	hw->generation++;
	for (uint32_t i = 0; i < hw->params.tlb0_sets * hw->params.tlb0_ways; i++)
		if (invalidation_match(hw, inv, tlb->mas1[i], tlb->mas2[i], tlb->mas8[i]))
			invalidate(&tlb->mas1[i]);
}

static void invalidate_tlb1(struct ppc_hw *hw, uint32_t core, const struct invalidation *inv)
{
	struct pyexit_htlb1 *tlb = &hw->htlb1[core];

	hw->generation++;
	for (uint32_t i = 0; i < hw->params.tlb1_entries; i++)
		if (invalidation_match(hw, inv, tlb->mas1[i], tlb->mas2[i], tlb->mas8[i]))
			invalidate(&tlb->mas1[i]);
}

/* Does tlbilx T=3 compare the size with ISIZE in this array? (mmu-hardware 6.4, docs/choices.md) */
static int compares_size(const struct ppc_hw *hw, uint32_t tlbsel)
{
	return hw->params.mav == 2 && (tlbcfg(hw, tlbsel) & TLBCFG_HES || hw->params.mmucfg & MMUCFG_TWC);
}

static struct ppc_end ppc_tlbilx(struct ppc_hw *hw, uint32_t thread, uint64_t t, uint64_t ea)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint32_t core = ppc_core_of(hw, thread);
	struct invalidation inv = {
		.tags = search_tags(hw, thread, ea),
		.isize = (uint32_t)(spr->MAS6 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT,
		.lpid = 1,
		.pid = t == 1 || t == 3,
		.gs = t == 3,
		.as = t == 3 && hw->params.tlbilx_as,
		.ind = t == 3 && hw->params.mav == 2,
		.epn = t == 3,
		.tid0 = t == 3 && hw->params.tlbilx_tid0,
	};

	ppc_count(hw, thread, PYEXIT_OP_TLBILX);
	if (t != 0 && t != 1 && t != 3)
		return ppc_illegal(hw, thread);
	ppc_event(&hw->events, PYEXIT_EVENT_TLBILX, (uint32_t)t, spr->MAS5, spr->MAS6, ea);
	inv.size = t == 3 && compares_size(hw, 0);
	invalidate_tlb0(hw, core, &inv);
	inv.size = t == 3 && compares_size(hw, 1);
	invalidate_tlb1(hw, core, &inv);
	return PPC_DONE;
}

static struct ppc_end ppc_tlbivax(struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint32_t tlbsel = (uint32_t)(ea >> TLBIVAX_TLBSEL_SHIFT) & 1;
	int all = (ea & TLBIVAX_IA) != 0;
	int tagged = !all && hw->params.tlbivax_tags;
	struct invalidation inv = {
		.tags = search_tags(hw, thread, ea),
		.lpid = tagged,
		.pid = tagged,
		.gs = tagged,
		.ind = tagged && hw->params.mav == 2,
		.epn = !all,
	};

	ppc_count(hw, thread, PYEXIT_OP_TLBIVAX);
	ppc_event(&hw->events, PYEXIT_EVENT_TLBIVAX, 0, ea, spr->MAS5, spr->MAS6);
	for (uint32_t core = 0; core < hw->cores; core++) {
		if (tlbsel)
			invalidate_tlb1(hw, core, &inv);
		else
			invalidate_tlb0(hw, core, &inv);
	}
	return PPC_DONE;
}

static void ppc_tlb_flash(struct ppc_hw *hw, uint32_t core, uint64_t mmucsr0)
{
	struct invalidation everything = { .epn = 0 };

	if (mmucsr0 & MMUCSR0_TLB0FI)
		invalidate_tlb0(hw, core, &everything);
	if (mmucsr0 & MMUCSR0_TLB1FI)
		invalidate_tlb1(hw, core, &everything);
}
