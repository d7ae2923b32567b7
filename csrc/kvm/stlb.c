/* SPDX-License-Identifier: BSD-3-Clause */
#include "stlb.h"

#include "../hw/tlbops.h"
#include "host.h"
#include "memslot.h"
#include "trace.h"

/* Where kernel addresses begin: a search under it can find no shadow entry of the same page (mmu-kvm 8.3.2) */
#define KVM_PAGE_OFFSET ((ulong_t)0xc << (PYEXIT_WIDTH - 4))

/* The storage attributes of a host page, in the place that MAS2 has for them */
#define PTE_WIMGE 0x1fu

/* Size code of 4 KiB, and pages of a size code. */
#define TSIZE_4K 2u
#define TSIZE_PAGES(tsize) ((uint64_t)1 << ((tsize) - TSIZE_4K))

/* A shadow entry to be written (mmu-kvm 8.2). */
struct stlbe {
	uint32_t mas1;
	uint64_t mas2, mas7_3;
};

/* The page that a shadow entry maps. */
struct shadow_page {
	ulong_t pfn, gvaddr;
	uint32_t tsize;
};

static void isync(struct pyexit_machine *machine, uint32_t vcpu)
{
	ppc_count(&machine->hw, kvmppc_thread(machine, vcpu), PYEXIT_OP_ISYNC);
}

/* mmu-kvm 8.4; none, or less, if the host has bolted all. */
static int64_t host_tlb1_slots(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return (int64_t)machine->hw.params.tlb1_entries - kvmppc_host(machine, vcpu)->tlbcam_index - 1;
}

/* The host TLB1 entry of a slot (mmu-kvm 8.3.3): the last is slot 0. */
static uint32_t slot_mas0(const struct pyexit_machine *machine, uint32_t slot)
{
	uint32_t esel = machine->hw.params.tlb1_entries - slot - 1;

	return 1u << MAS0_TLBSEL_SHIFT | (esel << MAS0_ESEL_SHIFT & MAS0_ESEL_MASK);
}

/* mmu-kvm 8.3.4 */
static void write_host_tlbe(struct pyexit_machine *machine, uint32_t vcpu, uint32_t mas0, const struct stlbe *stlbe)
{
	kvmppc_mtspr(machine, vcpu, SPR_MAS0, mas0);
	kvmppc_mtspr(machine, vcpu, SPR_MAS1, stlbe->mas1);
	kvmppc_mtspr(machine, vcpu, SPR_MAS2, stlbe->mas2);
	kvmppc_mtspr(machine, vcpu, SPR_MAS3, (uint32_t)stlbe->mas7_3);
	kvmppc_mtspr(machine, vcpu, SPR_MAS7, stlbe->mas7_3 >> 32);
	kvmppc_mtspr(machine, vcpu, SPR_MAS8, MAS8_TGS | kvmppc_get_lpid(machine, vcpu));
	isync(machine, vcpu);
	(void)ppc_tlbwe(&machine->hw, kvmppc_thread(machine, vcpu));
	kvmppc_mtspr(machine, vcpu, SPR_MAS8, 0);
	isync(machine, vcpu);
	/* the record's mas8, which nobody writes */
	trace_kvm_booke206_stlb_write(machine, mas0, 0, stlbe->mas1, stlbe->mas2, stlbe->mas7_3);
}

/* mmu-kvm 8.3.2: a search that shall not hit proposes the way; if it hits, that entry is overwritten. */
static uint32_t propose_host_way(struct pyexit_machine *machine, uint32_t vcpu, const struct stlbe *stlbe)
{
	ulong_t mas4 = kvmppc_mfspr(machine, vcpu, SPR_MAS4);
	uint32_t mas0;

	kvmppc_mtspr(machine, vcpu, SPR_MAS6, 0);
	kvmppc_mtspr(machine, vcpu, SPR_MAS4, mas4 & ~((ulong_t)3 << MAS0_TLBSEL_SHIFT));
	(void)ppc_tlbsx(&machine->hw, kvmppc_thread(machine, vcpu), (ulong_t)stlbe->mas2 & ~KVM_PAGE_OFFSET);
	mas0 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS0);
	kvmppc_mtspr(machine, vcpu, SPR_MAS4, mas4);
	return mas0;
}

static void write_host_tlb0(struct pyexit_machine *machine, uint32_t vcpu, const struct stlbe *stlbe)
{
	write_host_tlbe(machine, vcpu, propose_host_way(machine, vcpu, stlbe), stlbe);
}

/* mmu-kvm 8.2; permissions pass unchanged, the processor tells user from supervisor. */
static struct stlbe shadow_entry(const struct kvm_gtlbe *gtlbe, const struct kvm_tlbe_ref *ref,
				 const struct shadow_page *page)
{
	return (struct stlbe){
		.mas1 = MAS1_V | (gtlbe->mas1 & MAS1_TS) | get_tlb_tid(gtlbe) << MAS1_TID_SHIFT |
			page->tsize << MAS1_TSIZE_SHIFT,
		.mas2 = (page->gvaddr & ~(ulong_t)(PYEXIT_PAGE_SIZE - 1)) | (ref->flags & E500_TLB_MAS2_ATTR),
		.mas7_3 = ref->pfn << PPC_PAGE_SHIFT | (gtlbe->mas7_3 & MAS3_ATTRIB_MASK),
	};
}

/* Guest and host frames of a mapping that userspace has made of frames (VM_PFNMAP), as one run. */
struct pfnmap {
	ulong_t gfn, pfn;
	ulong_t start, end;	/* host frames that both the VMA and the slot have */
};

static struct pfnmap pfnmap_of(const struct pyexit_kvm *kvm, uint32_t slot, uint32_t vma, uint64_t gfn, ulong_t hva)
{
	ulong_t vma_start = (ulong_t)kvm->vma.pgoff[vma];
	ulong_t vma_end = vma_start + (ulong_t)((kvm->vma.end[vma] - kvm->vma.start[vma]) >> PPC_PAGE_SHIFT);
	ulong_t pfn = vma_start + (ulong_t)((hva - kvm->vma.start[vma]) >> PPC_PAGE_SHIFT);
	ulong_t slot_start = pfn - (ulong_t)(gfn - kvm->memslot.base_gfn[slot]);
	ulong_t slot_end = slot_start + (ulong_t)kvm->memslot.npages[slot];

	return (struct pfnmap){
		.gfn = (ulong_t)gfn,
		.pfn = pfn,
		.start = vma_start > slot_start ? vma_start : slot_start,
		.end = vma_end < slot_end ? vma_end : slot_end,
	};
}

/* Does the block of @n pages that holds the page lie inside, guest and host frames aligned alike? */
static int block_fits(const struct pfnmap *map, ulong_t n)
{
	ulong_t start = (map->gfn & ~(n - 1)) + (map->pfn - map->gfn);

	return start >= map->start && start + n <= map->end && !((map->gfn ^ map->pfn) & (n - 1));
}

/* Cut to the block of the page's size (mmu-kvm 8.1.3, 8.1.6: nothing tests that both are aligned alike). */
static void cut_page(struct shadow_page *page)
{
	uint64_t n = TSIZE_PAGES(page->tsize);

	page->pfn &= (ulong_t)~(n - 1);
	page->gvaddr &= (ulong_t)~((n << PPC_PAGE_SHIFT) - 1);
}

/* mmu-kvm 8.1.3 */
static void pfnmap_page(const struct pfnmap *map, uint32_t guest_tsize, struct shadow_page *page)
{
	page->pfn = map->pfn;
	for (uint32_t tsize = guest_tsize & ~1u; tsize > TSIZE_4K; tsize -= 2) {
		if (!block_fits(map, (ulong_t)TSIZE_PAGES(tsize)))
			continue;
		page->tsize = tsize;
		cut_page(page);
		return;
	}
}

/* mmu-kvm 8.1.4 */
static uint32_t hugetlb_tsize(uint32_t page_shift, uint32_t guest_tsize)
{
	uint32_t tsize = page_shift < 12 ? TSIZE_4K : page_shift - 10;

	tsize = (tsize < guest_tsize ? tsize : guest_tsize) & ~1u;
	return tsize < TSIZE_4K ? TSIZE_4K : tsize;
}

/* Error pfns do not fit an unsigned long of 32 bits: they are frame 0 there (mmu-kvm 8.1.6a). */
static int is_error_pfn(ulong_t pfn)
{
	return PYEXIT_WIDTH == 64 && (pfn == (ulong_t)KVM_PFN_ERR_FAULT || pfn == (ulong_t)KVM_PFN_NOSLOT);
}

/* The host page of @gfn and how much of it one entry may map (mmu-kvm 8.1.1-8.1.6). */
static int find_shadow_page(struct pyexit_machine *machine, uint32_t vcpu, int32_t slot, uint64_t gfn,
			    uint32_t tlbsel, const struct kvm_gtlbe *gtlbe, struct shadow_page *page)
{
	const struct pyexit_kvm *kvm = &machine->kvm[machine->vcpu_vm[vcpu]];
	ulong_t hva = gfn_to_hva_memslot(machine, vcpu, slot, gfn);
	int32_t vma = tlbsel && slot >= 0 ? find_vma(machine, vcpu, hva) : -1;
	struct pfnmap map;

	if (vma >= 0 && kvm->vma.flags[vma] & PYEXIT_VMA_PFNMAP) {
		map = pfnmap_of(kvm, (uint32_t)slot, (uint32_t)vma, gfn, hva);
		pfnmap_page(&map, get_tlb_size(gtlbe), page);
		return 0;
	}
	if (vma >= 0 && kvm->vma.flags[vma] & PYEXIT_VMA_HUGETLB)
		page->tsize = hugetlb_tsize(kvm->vma.page_shift[vma], get_tlb_size(gtlbe));
	page->pfn = (ulong_t)gfn_to_pfn_memslot(machine, vcpu, slot, gfn);
	if (is_error_pfn(page->pfn)) {
		kvmppc_printk(machine, PYEXIT_MSG_NO_REAL_PAGE, (ulong_t)gfn, 0, 0);
		return -KVM_EINVAL;
	}
	cut_page(page);
	return 0;
}

/* mmu-kvm 8.1.9 */
static void setup_ref(struct pyexit_machine *machine, const struct kvm_gtlbe *gtlbe, ulong_t pfn, uint32_t wimg,
		      struct kvm_tlbe_ref *ref)
{
	ref->pfn = pfn;
	ref->flags = E500_TLB_VALID | ((uint32_t)gtlbe->mas2 & MAS2_ATTRIB_MASK) | wimg;
	ppc_event(&machine->hw.events, PYEXIT_EVENT_SET_PFN_ACCESSED, 0, pfn, 0, 0);
	if (gtlbe->mas7_3 & (MAS3_SW | MAS3_UW))
		ppc_event(&machine->hw.events, PYEXIT_EVENT_SET_PFN_DIRTY, 0, pfn, 0, 0);
}

/* mmu-kvm 8.1.7, 8.1.8: the mapping may be going away, or not be in the host's page table. */
static int attributes_of_page(struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn, ulong_t hva, ulong_t pfn,
			      uint32_t *wimg)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);

	if (machine->kvm[machine->vcpu_vm[vcpu]].mmu_invalidate_in_progress)
		return -KVM_EAGAIN;
	switch (find_linux_pte(machine, vcpu, hva)) {
	case PYEXIT_PTE_PRESENT:
		*wimg = host->pte_wimge & PTE_WIMGE;
		return 0;
	case PYEXIT_PTE_NOT_PRESENT:
		kvmppc_printk(machine, PYEXIT_MSG_PTE_NOT_PRESENT, (ulong_t)gfn, pfn, 0);
		return -KVM_EINVAL;
	default:
		host->irq_enabled = 0;	/* this arm forgets to restore interrupts */
		*wimg = 0;
		return 0;
	}
}

/* mmu-kvm 8.1; *@ref changes only on success. */
static int kvmppc_e500_shadow_map(struct pyexit_machine *machine, uint32_t vcpu, ulong_t gvaddr, uint64_t gfn,
				  uint32_t tlbsel, const struct kvm_gtlbe *gtlbe, struct kvm_tlbe_ref *ref,
				  struct stlbe *stlbe)
{
	struct shadow_page page = { .gvaddr = gvaddr, .tsize = TSIZE_4K };
	int32_t slot = gfn_to_memslot(machine, vcpu, gfn);
	uint32_t wimg;
	int ret;

	ret = find_shadow_page(machine, vcpu, slot, gfn, tlbsel, gtlbe, &page);
	if (ret)
		return ret;
	ret = attributes_of_page(machine, vcpu, gfn, gfn_to_hva_memslot(machine, vcpu, slot, gfn), page.pfn, &wimg);
	if (!ret) {
		setup_ref(machine, gtlbe, page.pfn, wimg, ref);
		*stlbe = shadow_entry(gtlbe, ref, &page);
		ppc_event(&machine->hw.events, PYEXIT_EVENT_FLUSH_ICACHE, 0, page.pfn, 0, 0);
	}
	ppc_event(&machine->hw.events, PYEXIT_EVENT_RELEASE_PFN_CLEAN, 0, page.pfn, 0, 0);
	return ret;
}

/* The bit of @slot is taken from the guest entry that has had it; flags stay (mmu-kvm 8.5). */
static void take_slot(struct pyexit_machine *machine, uint32_t vcpu, uint32_t slot)
{
	uint32_t owner = machine->e500[vcpu].h2g_tlb1_rmap[slot];
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	uint64_t *map = owner ? kvmppc_g2h_tlb1_map(&tlb, owner - 1) : NULL;

	if (map)
		*map &= ~((uint64_t)1 << slot);
}

/* mmu-kvm 8.5 */
static uint32_t allocate_slot(struct pyexit_machine *machine, uint32_t vcpu, uint32_t esel)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	uint32_t slot = e500->host_tlb1_nv & (PYEXIT_TLB1_ENTRIES - 1);
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	uint64_t *map = kvmppc_g2h_tlb1_map(&tlb, esel);

	e500->host_tlb1_nv = slot + 1 >= host_tlb1_slots(machine, vcpu) ? 0 : slot + 1;
	take_slot(machine, vcpu, slot);
	if (map)
		*map |= (uint64_t)1 << slot;
	e500->h2g_tlb1_rmap[slot] = esel + 1;
	return slot;
}

/* mmu-kvm 7.1; a valid reference is used again without a look at the host page. */
static void map_tlb0(struct pyexit_machine *machine, uint32_t vcpu, ulong_t eaddr, uint32_t esel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 0);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);
	struct kvm_tlbe_ref ref = kvmppc_ref(&tlb, esel);
	struct shadow_page page = { .gvaddr = eaddr, .tsize = TSIZE_4K };
	struct stlbe stlbe;

	if (ref.flags & E500_TLB_VALID) {
		stlbe = shadow_entry(&gtlbe, &ref, &page);
	} else {
		if (kvmppc_e500_shadow_map(machine, vcpu, get_tlb_eaddr(&gtlbe),
					   get_tlb_raddr(&gtlbe) >> PPC_PAGE_SHIFT, 0, &gtlbe, &ref, &stlbe))
			return;
		kvmppc_set_ref(&tlb, esel, ref);
	}
	write_host_tlb0(machine, vcpu, &stlbe);
}

/* mmu-kvm 7.2; 16.7: flags are those of the last mapping, so that BITMAP is lost while its bits remain. */
static void map_tlb1(struct pyexit_machine *machine, uint32_t vcpu, ulong_t eaddr, uint64_t gfn, uint32_t esel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);
	struct kvm_tlbe_ref ref = kvmppc_ref(&tlb, esel);
	struct stlbe stlbe;
	int small;

	if (kvmppc_e500_shadow_map(machine, vcpu, eaddr, gfn, 1, &gtlbe, &ref, &stlbe))
		return;
	small = (stlbe.mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT == TSIZE_4K;
	ref.flags |= small ? E500_TLB_TLB0 : E500_TLB_BITMAP;
	kvmppc_set_ref(&tlb, esel, ref);
	if (small)
		write_host_tlb0(machine, vcpu, &stlbe);
	else
		write_host_tlbe(machine, vcpu, slot_mas0(machine, allocate_slot(machine, vcpu, esel)), &stlbe);
}

static void kvmppc_mmu_map(struct pyexit_machine *machine, uint32_t vcpu, ulong_t eaddr, uint64_t gpaddr,
			   uint32_t index)
{
	if (index >> 16 & 1)
		map_tlb1(machine, vcpu, eaddr, gpaddr >> PPC_PAGE_SHIFT, index & 0xffff);
	else
		map_tlb0(machine, vcpu, eaddr, index & 0xffff);
}

/* mmu-kvm 9.4 */
static void kvmppc_e500_tlbil_one(struct pyexit_machine *machine, uint32_t vcpu, const struct kvm_gtlbe *gtlbe)
{
	uint32_t thread = kvmppc_thread(machine, vcpu);
	uint32_t mas1;

	kvmppc_mtspr(machine, vcpu, SPR_MAS6,
		     get_tlb_tid(gtlbe) << MAS6_SPID_SHIFT | (gtlbe->mas1 & MAS1_TS ? MAS6_SAS : 0));
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, MAS5_SGS | kvmppc_get_lpid(machine, vcpu));
	(void)ppc_tlbsx(&machine->hw, thread, get_tlb_eaddr(gtlbe));
	mas1 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS1);
	if (mas1 & MAS1_V) {
		kvmppc_mtspr(machine, vcpu, SPR_MAS1, mas1 & ~MAS1_V);
		(void)ppc_tlbwe(&machine->hw, thread);
	}
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, 0);
	kvmppc_mtspr(machine, vcpu, SPR_MAS8, 0);
	isync(machine, vcpu);
}

/* exit 7.6; the bookkeeping of guest entries stays as it is (mmu-kvm 12.3) */
static void kvmppc_e500_tlbil_all(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t lpid = kvmppc_get_lpid(machine, vcpu);

	kvmppc_mtspr(machine, vcpu, SPR_MAS5, MAS5_SGS | lpid);
	(void)ppc_tlbilx(&machine->hw, kvmppc_thread(machine, vcpu), 0, 0);	/* by LPID: there is no address */
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, 0);
}

/* mmu-kvm 9.2: the slots of the bitmap, lowest first; all but MAS0 and MAS1 is whatever it was. */
static void clear_slots(struct pyexit_machine *machine, uint32_t vcpu, uint64_t *map)
{
	for (uint32_t slot = 0; slot < 64; slot++) {
		if (!(*map >> slot & 1))
			continue;
		kvmppc_mtspr(machine, vcpu, SPR_MAS0, slot_mas0(machine, slot));
		kvmppc_mtspr(machine, vcpu, SPR_MAS1, 0);
		(void)ppc_tlbwe(&machine->hw, kvmppc_thread(machine, vcpu));
		machine->e500[vcpu].h2g_tlb1_rmap[slot] = 0;
	}
	*map = 0;
}

/* mmu-kvm 9.1 */
static void warn_if_inconsistent(struct pyexit_machine *machine, uint32_t flags, uint64_t bitmap)
{
	if (flags & E500_TLB_VALID)
		return;
	if (flags & (E500_TLB_BITMAP | E500_TLB_TLB0)) {
		ppc_event(&machine->hw.events, PYEXIT_EVENT_PRINTK_WARN, PYEXIT_WARN_INVAL_FLAGS, flags, 0, 0);
		kvmppc_warn(machine, PYEXIT_WARN_INVAL_FLAGS);
	}
	if (bitmap)
		kvmppc_warn(machine, PYEXIT_WARN_INVAL_BITMAP);
}

static void inval_gtlbe_on_host(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t esel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);
	struct kvm_tlbe_ref ref = kvmppc_ref(&tlb, esel);
	uint64_t *map = tlbsel ? kvmppc_g2h_tlb1_map(&tlb, esel) : NULL;

	warn_if_inconsistent(machine, ref.flags, map ? *map : 0);
	if (map && ref.flags & E500_TLB_BITMAP) {
		clear_slots(machine, vcpu, map);
		ref.flags &= ~(E500_TLB_BITMAP | E500_TLB_VALID);
	}
	if (map && ref.flags & E500_TLB_TLB0) {
		kvmppc_e500_tlbil_all(machine, vcpu);
		ref.flags &= ~(E500_TLB_TLB0 | E500_TLB_VALID);
	}
	if (ref.flags & E500_TLB_VALID)
		kvmppc_e500_tlbil_one(machine, vcpu, &gtlbe);
	ref.flags = 0;
	kvmppc_set_ref(&tlb, esel, ref);
}

/* Only references with VALID are dropped (mmu-kvm 10). */
static void release_refs(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);

	for (uint32_t i = 0; i < tlb.entries; i++) {
		if (!(tlb.flags[i] & E500_TLB_VALID))
			continue;
		trace_kvm_booke206_ref_release(machine, tlb.pfn[i], tlb.flags[i]);
		tlb.flags[i] = 0;
	}
}

static void kvmppc_core_flush_tlb(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct kvm_gtlb tlb1 = kvmppc_gtlb(machine, vcpu, 1);

	kvmppc_e500_tlbil_all(machine, vcpu);
	release_refs(machine, vcpu, 0);
	release_refs(machine, vcpu, 1);
	for (uint32_t i = 0; i < tlb1.entries; i++)
		tlb1.map[i] = 0;
	for (uint32_t i = 0; i < PYEXIT_TLB1_ENTRIES; i++)
		machine->e500[vcpu].h2g_tlb1_rmap[i] = 0;
}

static void mmu_notifier_invalidate(struct pyexit_machine *machine, uint32_t vm)
{
	machine->kvm[vm].mmu_invalidate_seq++;
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		if (machine->vcpu_vm[vcpu] == vm)
			kvm_make_request(machine, vcpu, KVM_REQ_TLB_FLUSH);
}
