/* SPDX-License-Identifier: BSD-3-Clause */
#include "translate.h"

#include "epid.h"
#include "interrupt.h"
#include "tlb.h"
#include "tlbops.h"
#include "walk.h"

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
	struct ppc_context context;
	uint32_t thread;
	int probe;
	int host;	/* an instruction of the hypervisor's, whatever thread.msr says */
};

static struct ppc_tags access_tags(const struct ppc_access *a, uint64_t ea)
{
	const struct ppc_context *context = &a->context;

	return (struct ppc_tags){
		.ea = ea, .pid = context->pid, .lpid = context->lpid, .as = context->as, .gs = context->gs,
	};
}

static struct ppc_end raise(const struct ppc_access *a, struct ppc_cause cause)
{
	cause.host = a->host;
	return a->probe ? ppc_interrupt_probe(a->hw, a->thread, &cause) : ppc_interrupt(a->hw, a->thread, &cause);
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
		return !a->context.gs && !a->context.pr;
	return a->host || !ppc_goes_to_guest(hw, a->thread, cause);
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
		.esr = a->row->esr | a->context.esr,
		.ea = tags->ea,
	};

	if (a->row->touch)
		return dropped();
	if (!a->probe && !mas_updates_held(a, &cause))
		miss_mas(a, tags);
	return raise(a, cause);
}

static struct ppc_end machine_check(const struct ppc_access *a, uint64_t address, uint32_t mcsr)
{
	struct ppc_cause cause = {
		.ivor = IVOR_MACHINE_CHECK,
		.esr = mcsr | MCSR_MAV | a->row->mcsr,
		.ea = address,
	};

	return raise(a, cause);
}

static struct ppc_end storage(const struct ppc_access *a, uint64_t ea, uint32_t esr, int hypervisor)
{
	struct ppc_cause cause = {
		.ivor = a->row->fetch ? IVOR_INST_STORAGE : IVOR_DATA_STORAGE,
		.esr = esr,
		.ea = ea,
		.hypervisor = hypervisor,
	};

	return a->row->touch ? dropped() : raise(a, cause);
}

static struct ppc_end multi_hit(const struct ppc_access *a, uint64_t ea)
{
	return machine_check(a, ea, MCSR_L2MMU_MHIT | MCSR_MEA);
}

/* What the access itself adds to a syndrome: ST, EPID. */
static uint32_t access_esr(const struct ppc_access *a)
{
	return a->row->esr | a->context.esr;
}

/* LRAT miss of a walk: LPER takes the logical page and its size (mmu-hardware 10.5). */
static struct ppc_end lrat_error(const struct ppc_access *a, uint64_t ea, const struct ppc_walk *walk)
{
	struct ppc_cause cause = {
		.ivor = IVOR_LRAT_ERROR,
		.esr = ESR_PT | access_esr(a) | (a->row->fetch ? 0 : ESR_DATA),
		.ea = ea,
	};

	if (a->row->touch)
		return dropped();
	if (!a->probe)
		a->hw->spr[a->thread].LPER = walk->address | walk->tsize;
	return raise(a, cause);
}

static struct ppc_end walk_failed(const struct ppc_access *a, uint64_t ea, const struct ppc_walk *walk)
{
	uint32_t data = a->row->fetch ? 0 : ESR_DATA;

	switch (walk->outcome) {
	case PPC_WALK_FAULT:
		return storage(a, ea, ESR_PT | data | access_esr(a), 0);
	case PPC_WALK_INELIGIBLE:
		return storage(a, ea, ESR_TLBI | data | access_esr(a), 1);
	case PPC_WALK_LRAT_MISS:
		return lrat_error(a, ea, walk);
	default:
		return machine_check(a, walk->address, 0);	/* U24 */
	}
}

/* Search; more than one hit is reported here, whatever the checks decide later. */
static struct ppc_hits search_reported(const struct ppc_access *a, const struct ppc_tags *tags)
{
	struct ppc_hits hits = ppc_tlb_search(a->hw, ppc_core_of(a->hw, a->thread), tags);

	if (hits.second != PPC_NO_ENTRY && !a->probe)
		ppc_event(&a->hw->events, PYEXIT_EVENT_MULTI_HIT, 0, tags->ea, hits.first, hits.second);
	return hits;
}

/* Nothing direct matched: walk, if an indirect entry does (mmu-hardware 11.1). */
static struct ppc_end walk(const struct ppc_access *a, struct ppc_tags *tags, struct ppc_entry *entry)
{
	uint32_t core = ppc_core_of(a->hw, a->thread);
	struct ppc_hits hits = { PPC_NO_ENTRY, PPC_NO_ENTRY };
	struct ppc_walk result;

	tags->ind = 1;
	if (a->hw->params.mav == 2)
		hits = search_reported(a, tags);
	if (hits.first == PPC_NO_ENTRY)
		return tlb_error(a, tags);
	if (ppc_multi_hit_checks(a->hw, a->thread, &hits))
		return multi_hit(a, tags->ea);
	result = ppc_walk_table(a->hw, core, hits.first, tags);
	if (result.outcome != PPC_WALK_DONE)
		return walk_failed(a, tags->ea, &result);
	if (!a->probe)
		ppc_walk_reload(a->hw, core, tags, &result);
	*entry = result.entry;
	return PPC_DONE;
}

static struct ppc_hits look_up(const struct ppc_access *a, uint64_t ea)
{
	struct ppc_tags tags = access_tags(a, ea);

	return search_reported(a, &tags);
}

/* The entry of one page: miss, multiple hits, virtualization fault, in that order. */
static struct ppc_end check_hits(const struct ppc_access *a, uint64_t ea, const struct ppc_hits *hits,
				 struct ppc_entry *entry)
{
	struct ppc_tags tags = access_tags(a, ea);
	struct ppc_end end = PPC_DONE;

	if (hits->first == PPC_NO_ENTRY)
		end = walk(a, &tags, entry);
	else if (ppc_multi_hit_checks(a->hw, a->thread, hits))
		return multi_hit(a, ea);
	else
		*entry = ppc_entry_read(a->hw, ppc_core_of(a->hw, a->thread), hits->first);
	if (end.outcome == PYEXIT_DONE && entry->mas8 & MAS8_VF && !a->row->fetch)
		return storage(a, ea, access_esr(a), 1);
	return end;
}

static struct ppc_end permit(const struct ppc_access *a, uint64_t ea, const struct ppc_entry *entry)
{
	uint32_t needed = a->context.pr ? a->row->user : a->row->supervisor;

	return entry->mas3 & needed ? PPC_DONE : storage(a, ea, access_esr(a), 0);
}

/* BO alone (mmu-hardware 12), but an external access always says so and whether it stores (9.4). */
static uint32_t byte_order_esr(const struct ppc_access *a)
{
	return ESR_BO | (a->context.esr ? access_esr(a) : 0);
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
		return storage(a, ea2, byte_order_esr(a), 0);
	end = permit(a, ea, entry);
	if (end.outcome == PYEXIT_DONE)
		end = check_hits(a, ea2, &hits2, entry2);
	if (end.outcome != PYEXIT_DONE)
		return end;
	if ((entry->mas2 ^ entry2->mas2) & MAS2_E)	/* brought by a walk: the access is tried again (11.8) */
		return storage(a, ea2, byte_order_esr(a), 0);
	return permit(a, ea2, entry2);
}

static struct pyexit_translation translate(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					   uint32_t access, int probe, int host)
{
	struct ppc_access a = {
		.host = host,
		.hw = hw,
		.row = &access_rows[access & ~(uint32_t)PYEXIT_EXTERNAL],
		.context = ppc_access_context(hw, thread, access),
		.thread = thread,
		.probe = probe,
	};
	int crosses = (ea & (PYEXIT_PAGE_SIZE - 1)) + size > PYEXIT_PAGE_SIZE;
	uint64_t next = (ea | (PYEXIT_PAGE_SIZE - 1)) + 1;
	uint64_t ea2 = host ? (ulong_t)next : ppc_ea(hw, thread, next);
	struct ppc_entry entry, entry2;
	uint64_t ea1 = host ? ea : ppc_ea(hw, thread, ea);
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

static struct pyexit_translation ppc_translate(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					       uint32_t access, int probe)
{
	return translate(hw, thread, ea, size, access, probe, 0);
}

static struct pyexit_translation ppc_translate_host(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
						    uint32_t access)
{
	return translate(hw, thread, ea, size, access, 0, 1);
}
