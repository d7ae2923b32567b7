/* SPDX-License-Identifier: BSD-3-Clause */
#include "invariant.h"

#include "../hw/tlb.h"
#include "gtlb.h"
#include "host.h"
#include "memslot.h"

#define PERMISSIONS 0x3fu
#define NO_NUMBER UINT32_MAX
#define FRAME_NONE UINT32_MAX	/* in want, where the guest has no page at all */

/* A shadow entry and the block that it maps. */
struct shadow {
	struct ppc_entry entry;
	uint32_t core, number;		/* number: tlbsel << 16 | index */
	uint64_t first, last, size;	/* guest addresses, bytes */
	uint64_t pfn;			/* host page of the first address */
};

/* A guest entry that may justify it, and what of its block that entry maps. */
struct claim {
	struct kvm_gtlbe gtlbe;
	struct kvm_tlbe_ref ref;
	uint32_t vcpu, tlbsel, esel;
	uint64_t eaddr, end;		/* first and last address of the guest entry */
};

/* The first rule that is broken, 0 if none. */
struct verdict {
	uint32_t rule;
	uint64_t got, want;
};

struct report {
	struct pyexit_violation *violations;
	size_t room, found;
};

static void tell(struct report *report, const struct pyexit_violation *violation)
{
	if (report->found < report->room)
		report->violations[report->found] = *violation;
	report->found++;
}

static struct shadow read_shadow(const struct pyexit_machine *machine, uint32_t core, uint32_t number)
{
	struct shadow shadow = { .entry = ppc_entry_read(&machine->hw, core, number), .core = core, .number = number };
	uint64_t real = (uint64_t)shadow.entry.mas7 << 32 | shadow.entry.mas3;

	shadow.size = (uint64_t)1 << ppc_page_shift(shadow.entry.mas1);
	shadow.first = shadow.entry.mas2 & ~(shadow.size - 1);
	shadow.last = shadow.first + (shadow.size - 1);
	shadow.pfn = (real & ~(shadow.size - 1)) >> PPC_PAGE_SHIFT;
	return shadow;
}

/* Does @vcpu run on the core under the entry's LPID?  0 is the host's (mmu-kvm 12.1, 12.2). */
static int is_owner(const struct pyexit_machine *machine, const struct shadow *shadow, uint32_t vcpu)
{
	uint32_t lpid = shadow->entry.mas8 & machine->hw.params.lpid_mask;

	return lpid && ppc_core_of(&machine->hw, kvmppc_thread(machine, vcpu)) == shadow->core &&
	       (kvmppc_get_lpid(machine, vcpu) & machine->hw.params.lpid_mask) == lpid;
}

/* mmu-kvm 1.3, 13: at most the last address that there is; a page is never finer than 4 KiB */
static uint64_t claim_end(const struct kvm_gtlbe *gtlbe)
{
	uint64_t bytes = get_tlb_bytes(gtlbe) < PYEXIT_PAGE_SIZE ? PYEXIT_PAGE_SIZE : get_tlb_bytes(gtlbe);
	uint64_t eaddr = get_tlb_eaddr(gtlbe), left = (ulong_t)-1 - eaddr;

	return eaddr + (bytes - 1 < left ? bytes - 1 : left);
}

/* Same space, same PID, and all of the block; 16.2: of an EPN inside a block KVM maps the whole block. */
static int covers(const struct pyexit_machine *machine, const struct claim *claim, const struct shadow *shadow)
{
	uint32_t tid = (shadow->entry.mas1 & MAS1_TID_MASK) >> MAS1_TID_SHIFT & machine->hw.params.pid_mask;

	if (!(claim->gtlbe.mas1 & MAS1_V) || (claim->gtlbe.mas1 ^ shadow->entry.mas1) & MAS1_TS ||
	    get_tlb_tid(&claim->gtlbe) != tid)
		return 0;
	if (shadow->size > PYEXIT_PAGE_SIZE && shadow->size > get_tlb_bytes(&claim->gtlbe))
		return 0;
	if (claim->eaddr & (shadow->size - 1))
		return shadow->first <= claim->end && claim->eaddr <= shadow->last;
	return claim->eaddr <= shadow->first && shadow->last <= claim->end;
}

/* A page number as an entry of this core keeps it. */
static uint64_t stored(const struct pyexit_machine *machine, uint64_t pfn)
{
	const uint64_t *mask = machine->hw.params.mas_mask;

	return (pfn << PPC_PAGE_SHIFT & (mask[7] << 32 | mask[3])) >> PPC_PAGE_SHIFT;
}

/* mmu-kvm 3: an RPN that is not aligned is OR-ed in */
static uint64_t claim_gpa(const struct claim *claim, uint64_t ea)
{
	return get_tlb_raddr(&claim->gtlbe) |
	       (ea & (get_tlb_bytes(&claim->gtlbe) - 1) & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1));
}

static ulong_t hva_of(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gpa)
{
	uint64_t gfn = gpa >> PPC_PAGE_SHIFT;

	return gfn_to_hva_memslot(machine, vcpu, gfn_to_memslot(machine, vcpu, gfn), gfn);
}

/* The VMM's mapping counts for guest TLB1 only (mmu-kvm 8.1.6); -1 if none. */
static int32_t vma_of(const struct pyexit_machine *machine, const struct claim *claim, uint64_t gpa)
{
	return claim->tlbsel && kvm_is_visible_gfn(machine, claim->vcpu, gpa >> PPC_PAGE_SHIFT) ?
	       find_vma(machine, claim->vcpu, hva_of(machine, claim->vcpu, gpa)) : -1;
}

/* The host page behind @gpa (mmu-kvm 8.1.2-8.1.6), or -1. */
static int64_t frame_of(const struct pyexit_machine *machine, const struct claim *claim, uint64_t gpa)
{
	const struct pyexit_vmas *vmas = &machine->kvm[machine->vcpu_vm[claim->vcpu]].vma;
	int32_t vma = vma_of(machine, claim, gpa);
	ulong_t hva = hva_of(machine, claim->vcpu, gpa);
	int64_t pfn;

	if (!kvm_is_visible_gfn(machine, claim->vcpu, gpa >> PPC_PAGE_SHIFT))
		return -1;
	if (vma >= 0 && vmas->flags[vma] & PYEXIT_VMA_PFNMAP)
		return (int64_t)((ulong_t)(vmas->pgoff[vma] + ((hva - vmas->start[vma]) >> PPC_PAGE_SHIFT)) &
				 (uint64_t)INT64_MAX);
	pfn = frame_behind(machine, claim->vcpu, hva);
	return pfn < 0 ? -1 : (int64_t)(ulong_t)pfn;
}

/* The page that the block's start has if @ea, which is in it, has that of @gpa. */
static uint64_t block_pfn(const struct pyexit_machine *machine, const struct claim *claim,
			  const struct shadow *shadow, uint64_t ea, uint64_t gpa)
{
	int64_t pfn = frame_of(machine, claim, gpa);
	uint64_t distance = (ea - shadow->first) >> PPC_PAGE_SHIFT;

	return pfn < 0 || (uint64_t)pfn < distance ? FRAME_NONE : stored(machine, (uint64_t)pfn - distance);
}

/* 8.1.6a: page 0 for an error on a 32-bit host; 8.1.6: the block of a huge page, which nobody has aligned */
static int page_is_quirk(const struct pyexit_machine *machine, const struct claim *claim,
			 const struct shadow *shadow, uint64_t ea, uint64_t gpa)
{
	const struct pyexit_vmas *vmas = &machine->kvm[machine->vcpu_vm[claim->vcpu]].vma;
	int64_t pfn = frame_of(machine, claim, gpa);
	uint64_t pages = shadow->size >> PPC_PAGE_SHIFT;
	int32_t vma = vma_of(machine, claim, gpa);

	if (pfn < 0 || kvmppc_host(machine, claim->vcpu)->pfn_mode == 1)
		return PYEXIT_WIDTH == 32 && !shadow->pfn;
	if (pages == 1 || !(((uint64_t)pfn ^ ea >> PPC_PAGE_SHIFT) & (pages - 1)))
		return 0;
	return vma >= 0 && (vmas->flags[vma] & (PYEXIT_VMA_HUGETLB | PYEXIT_VMA_PFNMAP)) == PYEXIT_VMA_HUGETLB &&
	       stored(machine, (uint64_t)pfn & ~(pages - 1)) == shadow->pfn;
}

/* The first address of the block that the guest entry has. */
static uint64_t claim_first(const struct claim *claim, const struct shadow *shadow)
{
	return shadow->first > claim->eaddr ? shadow->first : claim->eaddr;
}

/* The page of the block's last address that the guest entry has. */
static uint64_t claim_last(const struct claim *claim, const struct shadow *shadow)
{
	return (shadow->last < claim->end ? shadow->last : claim->end) & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1);
}

/* Does the block end where the guest entry and the slot say?  The pages between are not looked at. */
static int ends_well(const struct pyexit_machine *machine, const struct claim *claim, const struct shadow *shadow)
{
	uint64_t last = claim_last(claim, shadow);

	return shadow->size == PYEXIT_PAGE_SIZE || last == claim->eaddr ||
	       block_pfn(machine, claim, shadow, last, claim_gpa(claim, last)) == shadow->pfn;
}

static int reads_page(const struct pyexit_machine *machine, const struct claim *claim, const struct shadow *shadow,
		      uint64_t gpa)
{
	uint64_t first = claim_first(claim, shadow), last = claim_last(claim, shadow);

	return (block_pfn(machine, claim, shadow, first, gpa) == shadow->pfn && ends_well(machine, claim, shadow)) ||
	       page_is_quirk(machine, claim, shadow, first, gpa) ||
	       page_is_quirk(machine, claim, shadow, last, claim_gpa(claim, last));
}

/* The page that the block should start with: that which it has, if any reading of the guest entry gives it. */
static uint64_t page_wanted(const struct pyexit_machine *machine, const struct claim *claim,
			    const struct shadow *shadow)
{
	uint64_t first = claim_first(claim, shadow);

	if (!claim->tlbsel && first != claim->eaddr)
		return stored(machine, claim->ref.pfn);	/* 7.1: with a valid reference its page, whatever the address */
	/* 5.3.7: the entry's own address has its own RPN, and through 3 what it is OR-ed with */
	if (first == claim->eaddr && reads_page(machine, claim, shadow, get_tlb_raddr(&claim->gtlbe)))
		return shadow->pfn;
	if (reads_page(machine, claim, shadow, claim_gpa(claim, first)))
		return shadow->pfn;
	return block_pfn(machine, claim, shadow, first, claim_gpa(claim, first));
}

/* mmu-kvm 8.1.8, 8.1.9: W, I and M are the host's, G and E anybody's, X0 and X1 the guest's */
static uint32_t attributes_wanted(const struct pyexit_machine *machine, const struct claim *claim,
				  const struct shadow *shadow)
{
	uint64_t first = claim_first(claim, shadow);
	uint64_t gpa = first == claim->eaddr ? get_tlb_raddr(&claim->gtlbe) : claim_gpa(claim, first);
	uint32_t wimge = kvmppc_host(machine, claim->vcpu)->pte_wimge & 0x1f;

	if (find_linux_pte(machine, claim->vcpu, hva_of(machine, claim->vcpu, gpa)) == PYEXIT_PTE_NONE)
		wimge = 0;
	return (uint32_t)(((claim->gtlbe.mas2 & MAS2_ATTRIB_MASK) | wimge) & machine->hw.params.mas_mask[2]);
}

/* What the reverse map says of the slot that the shadow is in; host TLB0 has none. */
static uint32_t slot_owner(const struct pyexit_machine *machine, const struct claim *claim,
			   const struct shadow *shadow)
{
	uint32_t last = machine->hw.params.tlb1_entries - 1;

	return ppc_entry_sel(shadow->number) ?
	       machine->e500[claim->vcpu].h2g_tlb1_rmap[last - ppc_entry_index(shadow->number)] : 0;
}

/*
 * mmu-kvm 9: the reference says where the entry is.  16.7: the flags are those
 * of the last mapping; BITMAP is lost for TLB0, which is removed by LPID, and
 * TLB0 is lost for BITMAP.
 */
static struct verdict judge_ref(const struct pyexit_machine *machine, const struct claim *claim,
				const struct shadow *shadow)
{
	uint32_t flags = claim->ref.flags, want = E500_TLB_VALID, owner;

	if (shadow->size > PYEXIT_PAGE_SIZE) {
		owner = slot_owner(machine, claim, shadow);
		if (owner != claim->esel + 1)
			return (struct verdict){ PYEXIT_RULE_RMAP, owner, claim->esel + 1 };
		want |= flags & E500_TLB_TLB0 ? 0 : E500_TLB_BITMAP;
	} else if (claim->tlbsel) {
		want |= flags & E500_TLB_BITMAP ? 0 : E500_TLB_TLB0;
	}
	if ((flags & want) != want)
		return (struct verdict){ PYEXIT_RULE_REF, flags, want };
	return (struct verdict){ 0 };
}

static struct verdict judge(const struct pyexit_machine *machine, const struct claim *claim,
			    const struct shadow *shadow)
{
	uint32_t has = shadow->entry.mas3 & PERMISSIONS, may = (uint32_t)claim->gtlbe.mas7_3 & PERMISSIONS;
	uint32_t attributes = (uint32_t)shadow->entry.mas2 & E500_TLB_MAS2_ATTR;
	uint64_t page;

	if (!covers(machine, claim, shadow))
		return (struct verdict){ PYEXIT_RULE_ENTRY, shadow->entry.mas2, 0 };
	if (has & ~may)
		return (struct verdict){ PYEXIT_RULE_PERMISSIONS, has, may };
	page = page_wanted(machine, claim, shadow);
	if (page != shadow->pfn)
		return (struct verdict){ PYEXIT_RULE_PAGE, shadow->pfn, page };
	if (attributes != attributes_wanted(machine, claim, shadow))
		return (struct verdict){ PYEXIT_RULE_ATTRIBUTES, attributes,
					 attributes_wanted(machine, claim, shadow) };
	return judge_ref(machine, claim, shadow);
}

/* Is there an entry of one guest TLB that justifies the shadow?  *@worst is the nearest so far. */
static int is_justified(const struct pyexit_machine *machine, const struct shadow *shadow, uint32_t vcpu,
			uint32_t tlbsel, struct pyexit_violation *worst)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct claim claim = { .vcpu = vcpu, .tlbsel = tlbsel };

	for (claim.esel = 0; claim.esel < tlb.entries; claim.esel++) {
		struct verdict verdict;

		claim.gtlbe = kvmppc_gtlbe(&tlb, claim.esel);
		claim.ref = kvmppc_ref(&tlb, claim.esel);
		claim.eaddr = get_tlb_eaddr(&claim.gtlbe);
		claim.end = claim_end(&claim.gtlbe);
		verdict = judge(machine, &claim, shadow);
		if (!verdict.rule)
			return 1;
		if (verdict.rule <= worst->rule)
			continue;
		worst->rule = verdict.rule;
		worst->vcpu = vcpu;
		worst->guest_entry = tlbsel << 16 | claim.esel;
		worst->got = verdict.got;
		worst->want = verdict.want;
	}
	return 0;
}

/* The tags; *@first is the owner that is named, *@flushes is set if one has a flush to serve. */
static int tags_wrong(const struct pyexit_machine *machine, const struct shadow *shadow,
		      struct pyexit_violation *wrong, int *flushes)
{
	wrong->vcpu = NO_NUMBER;
	*flushes = 0;
	for (uint32_t vcpu = machine->vcpus; vcpu-- > 0;) {
		if (!is_owner(machine, shadow, vcpu))
			continue;
		wrong->vcpu = vcpu;
		*flushes |= machine->vcpu[vcpu].requests & (uint64_t)1 << KVM_REQ_TLB_FLUSH ? 1 : 0;
	}
	if (wrong->vcpu == NO_NUMBER) {
		wrong->rule = PYEXIT_RULE_LPID;
		wrong->got = shadow->entry.mas8;
		return 1;
	}
	wrong->rule = PYEXIT_RULE_BITS;
	wrong->got = (shadow->entry.mas1 & (MAS1_IPROT | MAS1_IND)) | (shadow->entry.mas8 & MAS8_VF);
	return wrong->got != 0;
}

static void check_shadow(const struct pyexit_machine *machine, const struct shadow *shadow, struct report *report)
{
	struct pyexit_violation wrong = { .core = shadow->core, .entry = shadow->number, .guest_entry = NO_NUMBER };
	int flushes;

	if (tags_wrong(machine, shadow, &wrong, &flushes)) {
		tell(report, &wrong);
		return;
	}
	if (flushes)
		return;
	wrong.rule = PYEXIT_RULE_ENTRY;
	wrong.got = shadow->entry.mas2;
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		if (is_owner(machine, shadow, vcpu) && (is_justified(machine, shadow, vcpu, 0, &wrong) ||
							is_justified(machine, shadow, vcpu, 1, &wrong)))
			return;
	tell(report, &wrong);
}

static void check_tlb(const struct pyexit_machine *machine, uint32_t core, uint32_t tlbsel, struct report *report)
{
	const struct pyexit_params *params = &machine->hw.params;
	uint32_t entries = tlbsel ? params->tlb1_entries : params->tlb0_ways * params->tlb0_sets;

	for (uint32_t i = 0; i < entries; i++) {
		struct ppc_entry entry = ppc_entry_read(&machine->hw, core, tlbsel << 16 | i);
		struct shadow shadow;

		if (!(entry.mas1 & MAS1_V) || !(entry.mas8 & MAS8_TGS))
			continue;
		shadow = read_shadow(machine, core, tlbsel << 16 | i);
		check_shadow(machine, &shadow, report);
	}
}

/* mmu-kvm 8.5: bitmap and reverse map say the same */
static void check_slots(const struct pyexit_machine *machine, uint32_t vcpu, struct report *report)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	uint32_t slots = machine->hw.params.tlb1_entries;

	for (uint32_t slot = 0; slot < slots; slot++) {
		uint32_t owner = machine->e500[vcpu].h2g_tlb1_rmap[slot];

		for (uint32_t esel = 0; esel < tlb.entries; esel++) {
			const uint64_t *map = kvmppc_g2h_tlb1_map(&tlb, esel);
			struct pyexit_violation wrong = {
				.rule = PYEXIT_RULE_RMAP,
				.core = ppc_core_of(&machine->hw, kvmppc_thread(machine, vcpu)),
				.entry = 1u << 16 | (slots - 1 - slot),
				.vcpu = vcpu,
				.guest_entry = 1u << 16 | esel,
				.got = owner,
				.want = *map,
			};

			if ((*map >> slot & 1) != (owner == esel + 1))
				tell(report, &wrong);
		}
	}
}

static size_t kvmppc_invariants(const struct pyexit_machine *machine, struct pyexit_violation *violations, size_t n)
{
	struct report report = { violations, n, 0 };

	for (uint32_t core = 0; core < machine->hw.cores; core++) {
		check_tlb(machine, core, 0, &report);
		check_tlb(machine, core, 1, &report);
	}
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		check_slots(machine, vcpu, &report);
	return report.found;
}
