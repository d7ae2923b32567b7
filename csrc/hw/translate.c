/* SPDX-License-Identifier: BSD-3-Clause */
#include "translate.h"

#include "interrupt.h"
#include "tlb.h"
#include "tlbops.h"

struct access_row {
	uint32_t supervisor, user;	/* MAS3 bits needed with PR=0, PR=1 */
	uint32_t esr;
	uint32_t mcsr;
	int fetch, touch;
};

/* mmu-hardware 5.1; ESR[ST] of 12; MCSR of 5.3 */
static const struct access_row access_rows[] = {
	[PYEXIT_FETCH] = { MAS3_SX, MAS3_UX, 0, MCSR_IF, 1, 0 },
	[PYEXIT_LOAD] = { MAS3_SR, MAS3_UR, 0, MCSR_LD, 0, 0 },
	[PYEXIT_STORE] = { MAS3_SW, MAS3_UW, ESR_ST, MCSR_ST, 0, 0 },
	[PYEXIT_CACHE_LOAD] = { MAS3_SR, MAS3_UR, 0, MCSR_LD, 0, 0 },
	[PYEXIT_TOUCH_LOAD] = { MAS3_SR, MAS3_UR, 0, MCSR_LD, 0, 1 },
	[PYEXIT_TOUCH_STORE] = { MAS3_SW, MAS3_UW, ESR_ST, MCSR_ST, 0, 1 },
};

/* One access under way. */
struct ppc_access {
	struct ppc_hw *hw;
	const struct access_row *row;
	uint32_t thread;
	int probe;
};

/* The tags of an access by the running code (mmu-hardware 5). */
static struct ppc_tags access_tags(const struct ppc_access *a, uint64_t ea)
{
	const struct pyexit_spr *spr = &a->hw->spr[a->thread];
	uint64_t msr = a->hw->thread[a->thread].msr;

	return (struct ppc_tags){
		.ea = ea,
		.pid = (uint32_t)spr->PID,
		.lpid = (uint32_t)spr->LPID,
		.as = !!(msr & (a->row->fetch ? MSR_IS : MSR_DS)),
		.gs = !!(msr & MSR_GS),
	};
}

static struct ppc_end raise(const struct ppc_access *a, const struct ppc_cause *cause)
{
	return a->probe ? ppc_interrupt_probe(a->hw, a->thread, cause) : ppc_interrupt(a->hw, a->thread, cause);
}

static struct ppc_end dropped(void)
{
	return (struct ppc_end){ .outcome = PYEXIT_DROPPED };
}

/* EPCR[DMIUH]: are MAS left alone? (U10) */
static int mas_updates_held(const struct ppc_access *a, const struct ppc_cause *cause)
{
	const struct ppc_hw *hw = a->hw;

	if (!(hw->spr[a->thread].EPCR & EPCR_DMIUH))
		return 0;
	if (hw->params.dmiuh_access)
		return !(hw->thread[a->thread].msr & (MSR_GS | MSR_PR));
	return !ppc_goes_to_guest(hw, a->thread, cause);
}

/* mmu-hardware 6.6, column "D/I TLB error" */
static void miss_mas(const struct ppc_access *a, const struct ppc_tags *tags)
{
	struct ppc_hw *hw = a->hw;
	struct pyexit_spr *spr = &hw->spr[a->thread];
	uint64_t identity = (uint64_t)tags->pid << MAS6_SPID_SHIFT | (tags->as ? MAS6_SAS : 0);
	uint64_t replaced = MAS6_SPID_MASK | MAS6_SAS;

	spr->MAS0 = ppc_miss_mas0(hw, a->thread);
	spr->MAS1 = MAS1_V | ppc_miss_mas1(hw, a->thread, tags->pid, tags->as);
	spr->MAS2 = ppc_mas_bits(hw, 2, (tags->ea & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1)) | (spr->MAS4 & MAS2_ATTRIBUTES));
	spr->MAS3 = ppc_miss_mas3(hw, a->thread);
	spr->MAS7 = 0;
	if (hw->params.mav == 2) {
		replaced |= MAS1_TSIZE_MASK | MAS6_SIND;
		identity |= (spr->MAS4 & MAS1_TSIZE_MASK) | (spr->MAS4 & MAS4_INDD ? MAS6_SIND : 0);
	}
	spr->MAS6 = ppc_mas_bits(hw, 6, (spr->MAS6 & ~replaced) | identity);
}

static struct ppc_end tlb_error(const struct ppc_access *a, const struct ppc_tags *tags)
{
	struct ppc_cause cause = {
		.ivor = a->row->fetch ? IVOR_ITLB_MISS : IVOR_DTLB_MISS,
		.esr = a->row->esr,
		.ea = tags->ea,
	};

	if (a->row->touch)
		return dropped();
	if (!a->probe && !mas_updates_held(a, &cause))
		miss_mas(a, tags);
	return raise(a, &cause);
}

static struct ppc_end multi_hit(const struct ppc_access *a, uint64_t ea)
{
	struct ppc_cause cause = {
		.ivor = IVOR_MACHINE_CHECK,
		.esr = MCSR_L2MMU_MHIT | MCSR_MAV | MCSR_MEA | a->row->mcsr,
		.ea = ea,
	};

	return raise(a, &cause);
}

static struct ppc_end storage(const struct ppc_access *a, uint64_t ea, uint32_t esr, int hypervisor)
{
	struct ppc_cause cause = {
		.ivor = a->row->fetch ? IVOR_INST_STORAGE : IVOR_DATA_STORAGE,
		.esr = esr,
		.ea = ea,
		.hypervisor = hypervisor,
	};

	return a->row->touch ? dropped() : raise(a, &cause);
}

/* Search for one page; more than one hit is reported here, whatever the checks decide later. */
static struct ppc_hits look_up(const struct ppc_access *a, uint64_t ea)
{
	struct ppc_tags tags = access_tags(a, ea);
	struct ppc_hits hits = ppc_tlb_search(a->hw, ppc_core_of(a->hw, a->thread), &tags);

	if (hits.second != PPC_NO_ENTRY && !a->probe)
		ppc_event(&a->hw->events, PYEXIT_EVENT_MULTI_HIT, 0, ea, hits.first, hits.second);
	return hits;
}

/* The entry of one page: miss, multiple hits, virtualization fault, in that order. */
static struct ppc_end check_hits(const struct ppc_access *a, uint64_t ea, const struct ppc_hits *hits,
				 struct ppc_entry *entry)
{
	struct ppc_tags tags = access_tags(a, ea);

	if (hits->first == PPC_NO_ENTRY)
		return tlb_error(a, &tags);
	if (ppc_multi_hit_checks(a->hw, a->thread, hits))
		return multi_hit(a, ea);
	*entry = ppc_entry_read(a->hw, ppc_core_of(a->hw, a->thread), hits->first);
	if (entry->mas8 & MAS8_VF && !a->row->fetch)
		return storage(a, ea, a->row->esr, 1);
	return PPC_DONE;
}

static struct ppc_end permit(const struct ppc_access *a, uint64_t ea, const struct ppc_entry *entry)
{
	uint64_t msr = a->hw->thread[a->thread].msr;
	uint32_t needed = msr & MSR_PR ? a->row->user : a->row->supervisor;

	return entry->mas3 & needed ? PPC_DONE : storage(a, ea, a->row->esr, 0);
}

/* Does the second page disagree in E with the first? (mmu-hardware 5.2) */
static int byte_order_differs(const struct ppc_access *a, const struct ppc_hits *second, const struct ppc_entry *entry)
{
	if (second->first == PPC_NO_ENTRY)
		return 0;
	return (ppc_entry_read(a->hw, ppc_core_of(a->hw, a->thread), second->first).mas2 ^ entry->mas2) & MAS2_E;
}

static uint64_t real_address(const struct ppc_entry *entry, uint64_t ea)
{
	uint64_t offset = ((uint64_t)1 << ppc_page_shift(entry->mas1)) - 1;

	return (((uint64_t)entry->mas7 << 32 | entry->mas3) & ~offset) | (ea & offset);
}

static struct ppc_end one_page(const struct ppc_access *a, uint64_t ea, struct ppc_entry *entry)
{
	struct ppc_hits hits = look_up(a, ea);
	struct ppc_end end = check_hits(a, ea, &hits, entry);

	return end.outcome == PYEXIT_DONE ? permit(a, ea, entry) : end;
}

/* An access that crosses into the page at @ea2, in the order of docs/choices.md. */
static struct ppc_end two_pages(const struct ppc_access *a, uint64_t ea, uint64_t ea2, struct ppc_entry *entry,
				struct ppc_entry *entry2)
{
	struct ppc_hits hits = look_up(a, ea), hits2;
	struct ppc_end end = check_hits(a, ea, &hits, entry);

	if (end.outcome != PYEXIT_DONE)
		return end;
	hits2 = look_up(a, ea2);
	if (byte_order_differs(a, &hits2, entry))
		return storage(a, ea2, ESR_BO, 0);
	end = permit(a, ea, entry);
	if (end.outcome == PYEXIT_DONE)
		end = check_hits(a, ea2, &hits2, entry2);
	return end.outcome == PYEXIT_DONE ? permit(a, ea2, entry2) : end;
}

static struct pyexit_translation ppc_translate(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					       uint32_t access, int probe)
{
	struct ppc_access a = { hw, &access_rows[access], thread, probe };
	int crosses = (ea & (PYEXIT_PAGE_SIZE - 1)) + size > PYEXIT_PAGE_SIZE;
	uint64_t ea2 = ppc_ea(hw, thread, (ea | (PYEXIT_PAGE_SIZE - 1)) + 1);
	struct ppc_entry entry, entry2;
	uint64_t ea1 = ppc_ea(hw, thread, ea);
	struct ppc_end end = crosses ? two_pages(&a, ea1, ea2, &entry, &entry2) : one_page(&a, ea1, &entry);
	struct pyexit_translation result = { .outcome = (uint32_t)end.outcome, .ivor = end.ivor };

	if (end.outcome != PYEXIT_DONE)
		return result;
	result.real = real_address(&entry, ea1);
	result.real2 = crosses ? real_address(&entry2, ea2) : 0;
	result.page_size = (uint64_t)1 << ppc_page_shift(entry.mas1);
	result.perms = entry.mas3 & MAS3_PERMS;
	result.attributes = (uint32_t)entry.mas2 & MAS2_ATTRIBUTES;
	return result;
}
