/* SPDX-License-Identifier: BSD-3-Clause */
#include "last_inst.h"

#include "../hw/tlb.h"
#include "../hw/tlbops.h"
#include "gtlb.h"
#include "host.h"
#include "interleave.h"
#include "lookaside.h"

/* What the fetch strategies differ in (design 6, mmu-kvm 15.3, 15.4). */
struct fetch_strategy {
	int searches;		/* the TLB; else the entry path has loaded the word or failed */
	int failure;		/* rows 4, 5, 6: the answer to a page that will not do */
	int logs;		/* rows 4, 5, 6: an error message, or a debug one that is compiled out */
	int thread_lpid;	/* row 2: LPID of the hardware thread, or the VM's (Q41) */
	int evicts;		/* an entry without execute permission is invalidated */
	enum kvm_mapping mapping;	/* is the mapped page guarded against preemption? */
};

static const struct fetch_strategy fetch_strategies[] = {
	[PYEXIT_FETCH_MERGED] = { 1, EMULATE_AGAIN, 1, 1, 0, KVM_MAPPED_UNGUARDED },
	[PYEXIT_FETCH_SEED_V4] = { 1, EMULATE_FAIL, 0, 0, 0, KVM_MAPPED_UNGUARDED },
	[PYEXIT_FETCH_REVIEW] = { 1, EMULATE_AGAIN, 1, 1, 1, KVM_MAPPED_GUARDED },
	[PYEXIT_FETCH_LWEPX] = { .failure = EMULATE_AGAIN },
	[PYEXIT_FETCH_LWEPX_DO_KVM] = { .failure = EMULATE_AGAIN },
	[PYEXIT_FETCH_LWEPX_HIJACK] = { .failure = EMULATE_AGAIN },
};

/* The MAS registers that a search leaves. */
struct found {
	uint32_t mas1, mas2;
	uint64_t mas7_3;
	struct ppc_hits hits;
};

/* A 64-bit host reads MAS7 and MAS3 at once, after MAS3 alone (exit 11.6, mmu-kvm 13). */
static struct found read_found(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct found found = { 0 };
	uint64_t mas3;

	found.mas1 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS1);
	found.mas2 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS2);
	mas3 = kvmppc_mfspr(machine, vcpu, SPR_MAS3);
	if (PYEXIT_WIDTH == 64)
		found.mas7_3 = kvmppc_mfspr(machine, vcpu, SPR_MAS7_MAS3);
	else
		found.mas7_3 = (uint64_t)kvmppc_mfspr(machine, vcpu, SPR_MAS7) << 32 | mas3;
	return found;
}

static void at(struct pyexit_machine *machine, enum pyexit_point point)
{
	kvmppc_point(machine, point, KVM_NOTHING_MAPPED, 0);
}

static uint64_t search_mas6(const struct pyexit_arch *arch)
{
	uint32_t as = (uint32_t)(arch->shared.msr & MSR_IS) >> MSR_IS_SHIFT;

	return (uint32_t)(arch->pid << MAS6_SPID_SHIFT) | as;
}

/* mmu-kvm 15.2 steps 1, 2: search with the guest's identity. */
static struct ppc_end search(struct pyexit_machine *machine, uint32_t vcpu, uint32_t lpid, struct ppc_hits *hits)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t thread = kvmppc_thread(machine, vcpu);
	struct ppc_end end;

	kvmppc_mtspr(machine, vcpu, SPR_MAS6, search_mas6(arch));
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, MAS5_SGS | lpid);
	at(machine, PYEXIT_POINT_MAS_SET);
	*hits = ppc_tlbsx_hits(&machine->hw, thread, (ulong_t)arch->regs.nip);
	end = ppc_tlbsx_answer(&machine->hw, thread, (ulong_t)arch->regs.nip, hits);
	at(machine, PYEXIT_POINT_SEARCHED);
	return end;
}

/* MAS5 and MAS8 are the host's again, which expects 0 there. */
static void end_search(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, 0);
	kvmppc_mtspr(machine, vcpu, SPR_MAS8, 0);
}

static int may_execute(const struct pyexit_arch *arch, const struct found *found)
{
	return (found->mas7_3 & (arch->shared.msr & MSR_PR ? MAS3_UX : MAS3_SX)) != 0;
}

/* Tests L2, L3 of exit 4.2; 0 or the message that says what is wrong with the page. */
static uint32_t page_refused(const struct pyexit_arch *arch, const struct found *found)
{
	if (!may_execute(arch, found))
		return PYEXIT_MSG_FETCH_NO_EXECUTE;
	if ((arch->mmucfg & MMUCFG_MAVN) == MMUCFG_MAVN_V2 &&
	    (found->mas2 & (MAS2_I | MAS2_W) || !(found->mas2 & MAS2_M)))
		return PYEXIT_MSG_FETCH_ATTRIBUTES;
	return 0;
}

/* What the reviewer asked for, while MAS8 still holds the entry's tags (mmu-kvm 15.4). */
static void evict(struct pyexit_machine *machine, uint32_t vcpu, const struct found *found)
{
	uint32_t thread = kvmppc_thread(machine, vcpu);
	uint64_t mas0 = machine->hw.spr[thread].MAS0;

	kvmppc_mtspr(machine, vcpu, SPR_MAS1, found->mas1 & ~MAS1_V);
	(void)ppc_tlbwe(&machine->hw, thread);
	ppc_count(&machine->hw, thread, PYEXIT_OP_ISYNC);
	kvmppc_e500_ref_evicted(machine, vcpu, machine->vcpu[vcpu].arch.regs.nip, mas0);
}

/* mmu-kvm 15.2 step 6: every size code as it stands, also those under 4 KiB. */
static uint64_t compose(const struct found *found, uint64_t pc)
{
	uint64_t offset = ((uint64_t)1 << (((found->mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT) + 10)) - 1;

	return (found->mas7_3 & ~offset) | (pc & offset);
}

static uint32_t read_mapped(struct pyexit_machine *machine, uint32_t thread, uint64_t addr, enum kvm_mapping mapping)
{
	uint64_t pfn = addr >> PPC_PAGE_SHIFT;
	uint32_t word;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_KMAP, 0, pfn, 0, 0);
	ppc_count(&machine->hw, thread, PYEXIT_OP_PAGE_MAP);
	kvmppc_point(machine, PYEXIT_POINT_MAPPED, mapping, pfn);
	word = ppc_load32(&machine->hw.memory, addr);
	ppc_count(&machine->hw, thread, PYEXIT_OP_LOAD);
	ppc_count(&machine->hw, thread, PYEXIT_OP_PAGE_UNMAP);
	at(machine, PYEXIT_POINT_READ);
	return word;
}

static int refuse(struct pyexit_machine *machine, const struct fetch_strategy *strategy, uint32_t message,
		  uint64_t address)
{
	if (strategy->logs)
		ppc_event(&machine->hw.events, PYEXIT_EVENT_PRINTK, message, address, 0, 0);
	return strategy->failure;
}

/* Search, read what was found, leave the MAS registers to the host; found.mas1 has no V if nothing will do. */
static struct found find_page(struct pyexit_machine *machine, uint32_t vcpu, const struct fetch_strategy *strategy,
			      uint32_t lpid)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct ppc_hits hits;
	struct ppc_end end = search(machine, vcpu, lpid, &hits);
	struct found found;

	if (strategy->evicts) {		/* needs MAS8 as the search left it */
		found = read_found(machine, vcpu);
		if (end.outcome == PYEXIT_DONE && found.mas1 & MAS1_V && !may_execute(arch, &found))
			evict(machine, vcpu, &found);
		end_search(machine, vcpu);
	} else {
		end_search(machine, vcpu);
		found = read_found(machine, vcpu);
	}
	at(machine, PYEXIT_POINT_MAS_READ);
	if (end.outcome != PYEXIT_DONE)
		found.mas1 = 0;
	found.hits = hits;
	return found;
}

/* A fetch whose outcome the lookaside has: what it leaves and counts, without the search and the tests. */
static uint32_t fetch_again(struct pyexit_machine *machine, uint32_t vcpu, uint32_t lpid,
			    const struct kvmppc_lookaside *line)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t thread = kvmppc_thread(machine, vcpu);
	struct ppc_hw *hw = &machine->hw;
	struct pyexit_spr *spr = &hw->spr[thread];
	uint64_t *ops = hw->thread[thread].ops;
	struct ppc_hits hits = { kvmppc_lookaside_entry(line), PPC_NO_ENTRY };
	const uint8_t *byte = line->host + (arch->regs.nip & (PYEXIT_PAGE_SIZE - 1));

	spr->MAS6 = ppc_mas_bits(hw, 6, search_mas6(arch));
	spr->MAS5 = ppc_mas_bits(hw, 5, MAS5_SGS | lpid);
	kvmppc_lookaside_check(machine, vcpu, line);
	(void)ppc_tlbsx_answer(hw, thread, (ulong_t)arch->regs.nip, &hits);
	spr->MAS5 = 0;
	spr->MAS8 = 0;
	ppc_event(&hw->events, PYEXIT_EVENT_KMAP, 0, line->context & KVMPPC_LOOKASIDE_PFN, 0, 0);
	ops[PYEXIT_OP_MTSPR] += 4;
	ops[PYEXIT_OP_MFSPR] += 4;
	ops[PYEXIT_OP_PAGE_MAP]++;
	ops[PYEXIT_OP_LOAD]++;
	ops[PYEXIT_OP_PAGE_UNMAP]++;
	return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static int kvmppc_load_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr)
{
	const struct fetch_strategy *strategy = &fetch_strategies[machine->fetch];
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	const struct kvmppc_lookaside *line;
	uint64_t pc = (ulong_t)arch->regs.nip, context, addr;
	struct found found;
	uint32_t lpid, message;

	if (!strategy->searches)
		return strategy->failure;
	lpid = strategy->thread_lpid ? kvmppc_get_lpid(machine, vcpu) : kvmppc_vm_lpid(machine, vcpu);
	context = kvmppc_lookaside_context(arch, lpid);
	line = kvmppc_lookaside_find(machine, vcpu, context);
	if (line) {
		*instr = fetch_again(machine, vcpu, lpid, line);
		return EMULATE_DONE;
	}
	found = find_page(machine, vcpu, strategy, lpid);
	if (!(found.mas1 & MAS1_V))
		return EMULATE_AGAIN;
	message = page_refused(arch, &found);
	if (message)
		return refuse(machine, strategy, message, pc);
	addr = compose(&found, pc);
	if (!ppc_page_is_ram(&machine->hw.memory, addr >> PPC_PAGE_SHIFT))
		return refuse(machine, strategy, PYEXIT_MSG_FETCH_NOT_RAM, addr);
	at(machine, PYEXIT_POINT_TRANSLATED);
	*instr = read_mapped(machine, kvmppc_thread(machine, vcpu), addr, strategy->mapping);
	if (found.hits.second == PPC_NO_ENTRY)
		kvmppc_lookaside_keep(machine, vcpu, context, found.hits.first, addr);
	return EMULATE_DONE;
}

static int kvmppc_get_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr)
{
	uint32_t *cache = &machine->vcpu[vcpu].arch.last_inst;
	int ret = EMULATE_DONE;

	if (*cache == KVM_INST_FETCH_FAILED)	/* Q21: also a guest word that is all ones */
		ret = kvmppc_load_last_inst(machine, vcpu, cache);
	*instr = *cache;
	return ret;
}

static size_t load_last_insts(struct pyexit_machine *machine, uint32_t vcpu, const uint64_t *pc, size_t n,
			      uint32_t *instr)
{
	uint64_t *nip = &machine->vcpu[vcpu].arch.regs.nip;
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		*nip = (ulong_t)pc[i];
		instr[i] = KVM_INST_FETCH_FAILED;
		done += kvmppc_load_last_inst(machine, vcpu, &instr[i]) == EMULATE_DONE;
	}
	return done;
}
