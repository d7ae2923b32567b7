/* SPDX-License-Identifier: BSD-3-Clause */
#include "gtlb.h"

#include "memslot.h"
#include "stlb.h"
#include "timing.h"
#include "trace.h"

/* MAS1 of a page of 4 KiB (size code 2) */
#define MAS1_TSIZE_4K (2u << MAS1_TSIZE_SHIFT)

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void own_array(struct pyexit_e500 *e500, uint32_t tlbsel, struct kvm_gtlb *tlb)
{
	tlb->entries = smaller(tlb->size, tlbsel ? KVM_E500_TLB1_ENTRIES : KVM_E500_TLB0_ENTRIES);
	tlb->mas8 = tlbsel ? e500->gtlb1.mas8 : e500->gtlb0.mas8;
	tlb->mas1 = tlbsel ? e500->gtlb1.mas1 : e500->gtlb0.mas1;
	tlb->mas2 = tlbsel ? e500->gtlb1.mas2 : e500->gtlb0.mas2;
	tlb->mas7_3 = tlbsel ? e500->gtlb1.mas7_3 : e500->gtlb0.mas7_3;
	tlb->pfn = tlbsel ? e500->gtlb_priv1.pfn : e500->gtlb_priv0.pfn;
	tlb->flags = tlbsel ? e500->gtlb_priv1.flags : e500->gtlb_priv0.flags;
	tlb->map = e500->g2h_tlb1_map;
}

static void user_array(struct pyexit_swtlb *sw, uint32_t tlbsel, uint32_t offset, struct kvm_gtlb *tlb)
{
	uint32_t first = smaller(offset, PYEXIT_SW_TLB_ENTRIES);
	uint32_t room = smaller(PYEXIT_SW_TLB_ENTRIES - first, tlbsel ? PYEXIT_SW_TLB1_ENTRIES : PYEXIT_SW_TLB_ENTRIES);

	tlb->entries = smaller(tlb->size, room);
	tlb->mas8 = sw->tlb.mas8 + first;
	tlb->mas1 = sw->tlb.mas1 + first;
	tlb->mas2 = sw->tlb.mas2 + first;
	tlb->mas7_3 = sw->tlb.mas7_3 + first;
	tlb->pfn = tlbsel ? sw->priv1.pfn : sw->priv0.pfn;
	tlb->flags = tlbsel ? sw->priv1.flags : sw->priv0.flags;
	tlb->map = sw->g2h_tlb1_map;
}

static struct kvm_gtlb kvmppc_gtlb(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	const struct pyexit_gtlb_params *params = tlbsel ? &e500->gtlb_params1 : &e500->gtlb_params0;
	struct kvm_gtlb tlb = { .size = params->entries, .ways = params->ways, .sets = params->sets };

	if (e500->num_shared_tlb_pages && machine->swtlb)
		user_array(&machine->swtlb[vcpu], tlbsel, e500->gtlb_offset[tlbsel], &tlb);
	else
		own_array(e500, tlbsel, &tlb);
	return tlb;
}

static int is_valid(const struct kvm_gtlbe *gtlbe)
{
	return (gtlbe->mas1 & MAS1_V) != 0;
}

/* mas8 is nobody's. */
static void set_gtlbe(const struct kvm_gtlb *tlb, uint32_t i, const struct kvm_gtlbe *gtlbe)
{
	if (i >= tlb->entries)
		return;
	tlb->mas1[i] = gtlbe->mas1;
	tlb->mas2[i] = gtlbe->mas2;
	tlb->mas7_3[i] = gtlbe->mas7_3;
}

/* mmu-kvm 3.3: unaligned bounds, 8-bit TID, no permissions */
static int gtlb_match(const struct kvm_gtlbe *gtlbe, ulong_t ea, uint32_t pid, int32_t as)
{
	uint32_t tid = get_tlb_tid(gtlbe);

	if (!is_valid(gtlbe) || ea < get_tlb_eaddr(gtlbe) || ea > get_tlb_end(gtlbe))
		return 0;
	return (tid == 0 || tid == pid) && (as < 0 || (gtlbe->mas1 & MAS1_TS ? 1 : 0) == as);
}

/* The first entry of the set of TLB0 that @ea is in. */
static uint32_t gtlb0_set_base(const struct kvm_gtlb *tlb, uint64_t ea)
{
	return ((uint32_t)(ea >> PPC_PAGE_SHIFT) & (tlb->sets - 1)) * tlb->ways;
}

static int32_t kvmppc_e500_tlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea, uint32_t tlbsel,
				     uint32_t pid, int32_t as)
{
	const struct pyexit_e500 *e500 = &machine->e500[vcpu];
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	uint32_t base = tlbsel ? 0 : gtlb0_set_base(&tlb, ea);
	uint32_t n = tlbsel ? tlb.entries : tlb.ways;

	if (tlbsel && (ea < (ulong_t)e500->tlb1_min_eaddr || ea > (ulong_t)e500->tlb1_max_eaddr))
		return -1;
	for (uint32_t i = base; i < tlb.entries && i - base < n; i++) {
		struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, i);

		if (gtlb_match(&gtlbe, ea, pid, as))
			return (int32_t)i;
	}
	return -1;
}

/* Both TLBs (mmu-kvm 3.6): an index or -1. */
static int32_t gtlb_search(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea, uint32_t pid, int32_t as)
{
	int32_t i;

	for (uint32_t tlbsel = 0; tlbsel < 2; tlbsel++) {
		i = kvmppc_e500_tlb_index(machine, vcpu, ea, tlbsel, pid, as);
		if (i >= 0)
			return (int32_t)(tlbsel << 16) | i;
	}
	return -1;
}

static uint32_t current_pid(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->vcpu[vcpu].arch.pid & 0xff;
}

static int32_t current_as(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t msr_bit)
{
	return machine->vcpu[vcpu].arch.shared.msr & msr_bit ? 1 : 0;
}

static int32_t kvmppc_mmu_itlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea)
{
	return gtlb_search(machine, vcpu, ea, current_pid(machine, vcpu), current_as(machine, vcpu, MSR_IS));
}

static int32_t kvmppc_mmu_dtlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea)
{
	return gtlb_search(machine, vcpu, ea, current_pid(machine, vcpu), current_as(machine, vcpu, MSR_DS));
}

/* Q35: the OR mixes the address into an RPN that is not aligned to the page. */
static uint64_t kvmppc_mmu_xlate(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t index, ulong_t ea)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, index >> 16 & 1);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, index & 0xffff);

	return get_tlb_raddr(&gtlbe) | (ea & (get_tlb_bytes(&gtlbe) - 1));
}

/* A 64-bit host leaves PID and AS in the address, so that nothing but 0, 0 is found. */
static int kvmppc_core_vcpu_translate(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t linear_address,
				      uint64_t *physical_address)
{
	uint32_t pid = (uint32_t)(linear_address >> 32) & 0xff;
	int32_t as = (int32_t)(linear_address >> 40 & 1);
	int32_t index = gtlb_search(machine, vcpu, (ulong_t)linear_address, pid, as);

	if (index < 0)
		return 0;
	*physical_address = kvmppc_mmu_xlate(machine, vcpu, (uint32_t)index, (ulong_t)linear_address);
	return 1;
}

/* The way that the guest's next tlbwe shall replace: round robin in TLB0, always 0 in TLB1. */
static uint32_t take_victim(struct pyexit_e500 *e500, uint32_t tlbsel)
{
	uint32_t victim = e500->gtlb_nv[0];

	if (tlbsel)
		return 0;
	e500->gtlb_nv[0] = victim + 1 >= e500->gtlb_params0.ways ? 0 : victim + 1;
	return victim;
}

static uint32_t guest_mas0(const struct pyexit_e500 *e500, uint32_t tlbsel, uint32_t esel)
{
	return tlbsel << MAS0_TLBSEL_SHIFT | (esel << MAS0_ESEL_SHIFT & MAS0_ESEL_MASK) |
	       (e500->gtlb_nv[tlbsel] & MAS0_NV_MASK);
}

/* The TLB and way that MAS4 and the counter propose after a miss. */
static uint32_t propose_mas0(struct pyexit_e500 *e500, uint32_t mas4)
{
	uint32_t tlbsel = mas4 >> MAS0_TLBSEL_SHIFT & 1;
	uint32_t victim = take_victim(e500, tlbsel);

	return guest_mas0(e500, tlbsel, victim);
}

/* mmu-kvm 4, exit 3.7 */
static void kvmppc_e500_deliver_tlb_miss(struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea, int32_t as)
{
	struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;
	uint32_t pid = current_pid(machine, vcpu);

	shared->mas0 = propose_mas0(&machine->e500[vcpu], shared->mas4);
	shared->mas1 = MAS1_V | (as ? MAS1_TS : 0) | pid << MAS1_TID_SHIFT | (shared->mas4 & MAS1_TSIZE_MASK);
	shared->mas2 = (ea & ~(ulong_t)(PYEXIT_PAGE_SIZE - 1)) | (shared->mas4 & MAS2_ATTRIB_MASK);
	shared->mas7_3 &= MAS3_U_MASK;
	shared->mas6 = (shared->mas6 & MAS6_SPID1_MASK) | pid << MAS6_SPID_SHIFT | (as ? MAS6_SAS : 0);
}

static void kvmppc_mmu_itlb_miss(struct pyexit_machine *machine, uint32_t vcpu)
{
	ulong_t pc = (ulong_t)machine->vcpu[vcpu].arch.regs.nip;

	kvmppc_e500_deliver_tlb_miss(machine, vcpu, pc, current_as(machine, vcpu, MSR_IS));
}

static void kvmppc_mmu_dtlb_miss(struct pyexit_machine *machine, uint32_t vcpu)
{
	ulong_t dear = (ulong_t)machine->vcpu[vcpu].arch.fault_dear;

	kvmppc_e500_deliver_tlb_miss(machine, vcpu, dear, current_as(machine, vcpu, MSR_DS));
}

/* The page of an entry of TLB1, aligned to its size. */
static ulong_t aligned_start(const struct kvm_gtlbe *gtlbe)
{
	return (ulong_t)(get_tlb_eaddr(gtlbe) & ~(get_tlb_bytes(gtlbe) - 1));
}

static ulong_t aligned_end(const struct kvm_gtlbe *gtlbe)
{
	return (ulong_t)(aligned_start(gtlbe) + get_tlb_bytes(gtlbe) - 1);
}

/* Unaligned bounds, where a new entry widens the range by aligned ones: mmu-kvm 16.1. */
static void kvmppc_recalc_tlb1map_range(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	ulong_t min = (ulong_t)-1, max = 0;

	for (uint32_t i = 0; i < tlb.entries; i++) {
		struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, i);

		if (!is_valid(&gtlbe))
			continue;
		if (get_tlb_eaddr(&gtlbe) < min)
			min = get_tlb_eaddr(&gtlbe);
		if (get_tlb_end(&gtlbe) > max)
			max = get_tlb_end(&gtlbe);
	}
	machine->e500[vcpu].tlb1_min_eaddr = min;
	machine->e500[vcpu].tlb1_max_eaddr = max;
}

static int bounds_range(const struct pyexit_e500 *e500, const struct kvm_gtlbe *gtlbe)
{
	return aligned_start(gtlbe) == (ulong_t)e500->tlb1_min_eaddr ||
	       aligned_end(gtlbe) == (ulong_t)e500->tlb1_max_eaddr;
}

static void widen_range(struct pyexit_e500 *e500, const struct kvm_gtlbe *gtlbe)
{
	if (!is_valid(gtlbe))
		return;
	if (aligned_start(gtlbe) < (ulong_t)e500->tlb1_min_eaddr)
		e500->tlb1_min_eaddr = aligned_start(gtlbe);
	if (aligned_end(gtlbe) > (ulong_t)e500->tlb1_max_eaddr)
		e500->tlb1_max_eaddr = aligned_end(gtlbe);
}

/* mmu-kvm 5.4: the range is recomputed while the entry still counts (16.1). */
static void gtlbe_invalidate(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t esel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);

	if (gtlbe.mas1 & MAS1_IPROT)
		return;
	if (tlbsel && bounds_range(&machine->e500[vcpu], &gtlbe))
		kvmppc_recalc_tlb1map_range(machine, vcpu);
	gtlbe.mas1 = 0;
	set_gtlbe(&tlb, esel, &gtlbe);
}

static void invalidate_all(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel)
{
	uint32_t entries = kvmppc_gtlb(machine, vcpu, tlbsel).entries;

	for (uint32_t esel = 0; esel < entries; esel++)
		gtlbe_invalidate(machine, vcpu, tlbsel, esel);
}

/* The entry that the guest's MAS registers choose (mmu-kvm 5). */
static uint32_t chosen_esel(const struct kvm_gtlb *tlb, uint32_t tlbsel, const struct pyexit_shared *shared)
{
	uint32_t esel = (shared->mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT;

	if (tlbsel)
		return esel & (tlb->size - 1);
	return gtlb0_set_base(tlb, shared->mas2) + (esel & (tlb->ways - 1));
}

static void load_guest_mas(struct pyexit_shared *shared, const struct kvm_gtlbe *gtlbe)
{
	shared->mas1 = gtlbe->mas1;
	shared->mas2 = gtlbe->mas2;
	shared->mas7_3 = gtlbe->mas7_3;
}

static int kvmppc_e500_emul_tlbre(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;
	uint32_t tlbsel = shared->mas0 >> MAS0_TLBSEL_SHIFT & 1;
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, chosen_esel(&tlb, tlbsel, shared));

	shared->mas0 &= ~MAS0_NV_MASK;
	shared->mas0 |= machine->e500[vcpu].gtlb_nv[tlbsel] & MAS0_NV_MASK;
	load_guest_mas(shared, &gtlbe);
	return EMULATE_DONE;
}

static uint32_t search_pid(const struct pyexit_shared *shared)
{
	return shared->mas6 >> MAS6_SPID_SHIFT & 0xff;
}

static void guest_tlbsx_hit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t index)
{
	struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;
	uint32_t tlbsel = index >> 16;
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, index & 0xffff);

	shared->mas0 = guest_mas0(&machine->e500[vcpu], tlbsel, (index & 0xffff) & (tlb.ways - 1));
	load_guest_mas(shared, &gtlbe);
}

/* All of SPID goes to TID, of which the search has used 8 bits; no W, I, M defaults (mmu-kvm 5.2). */
static void guest_tlbsx_miss(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;

	shared->mas0 = propose_mas0(&machine->e500[vcpu], shared->mas4);
	shared->mas1 = (shared->mas6 & MAS6_SPID_MASK) | (shared->mas6 & MAS6_SAS ? MAS1_TS : 0) |
		       (shared->mas4 & MAS1_TSIZE_MASK);
	shared->mas2 &= ~(uint64_t)(PYEXIT_PAGE_SIZE - 1);
	shared->mas2 |= shared->mas4 & MAS2_ATTRIB_MASK;
	shared->mas7_3 &= MAS3_U_MASK;
}

static int kvmppc_e500_emul_tlbsx(struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea)
{
	const struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;
	int32_t index = gtlb_search(machine, vcpu, ea, search_pid(shared), (int32_t)(shared->mas6 & MAS6_SAS));

	if (index >= 0)
		guest_tlbsx_hit(machine, vcpu, (uint32_t)index);
	else
		guest_tlbsx_miss(machine, vcpu);
	kvmppc_set_exit_type(machine, vcpu, EMULATED_TLBSX_EXITS);
	return EMULATE_DONE;
}

/* Guest memory behind it: can a shadow be made?  The slot may be invalid (mmu-kvm 5.3.6). */
static int tlbe_is_host_safe(const struct pyexit_machine *machine, uint32_t vcpu, const struct kvm_gtlbe *gtlbe)
{
	return is_valid(gtlbe) && gfn_to_memslot(machine, vcpu, get_tlb_raddr(gtlbe) >> PPC_PAGE_SHIFT) >= 0;
}

/* What the guest writes: everything as it stands, without 64-bit mode the low half of the EPN (mmu-kvm 5.3.3). */
static struct kvm_gtlbe written_gtlbe(const struct pyexit_shared *shared)
{
	struct kvm_gtlbe gtlbe = { .mas1 = shared->mas1, .mas2 = shared->mas2, .mas7_3 = shared->mas7_3 };

	if (!(shared->msr & MSR_CM))
		gtlbe.mas2 = (uint32_t)gtlbe.mas2;
	return gtlbe;
}

/* mmu-kvm 5.3.7: mapped at once; an entry of TLB0 is of 4 KiB from now on, for the guest too. */
static void map_written(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t esel)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);

	if (!tlbe_is_host_safe(machine, vcpu, &gtlbe))
		return;
	if (!tlbsel) {
		gtlbe.mas1 = (gtlbe.mas1 & ~MAS1_TSIZE_MASK) | MAS1_TSIZE_4K;
		set_gtlbe(&tlb, esel, &gtlbe);
	}
	kvmppc_mmu_map(machine, vcpu, get_tlb_eaddr(&gtlbe), get_tlb_raddr(&gtlbe), tlbsel << 16 | esel);
}

static int kvmppc_e500_emul_tlbwe(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;
	uint32_t tlbsel = shared->mas0 >> MAS0_TLBSEL_SHIFT & 1;
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);
	uint32_t esel = chosen_esel(&tlb, tlbsel, shared);
	struct kvm_gtlbe old = kvmppc_gtlbe(&tlb, esel);
	struct kvm_gtlbe new = written_gtlbe(shared);
	int recompute = 0;

	if (is_valid(&old)) {
		inval_gtlbe_on_host(machine, vcpu, tlbsel, esel);
		recompute = tlbsel && bounds_range(&machine->e500[vcpu], &old);
	}
	set_gtlbe(&tlb, esel, &new);
	trace_kvm_booke206_gtlb_write(machine, shared->mas0, new.mas1, new.mas2, new.mas7_3);
	if (recompute)
		kvmppc_recalc_tlb1map_range(machine, vcpu);
	else if (tlbsel)
		widen_range(&machine->e500[vcpu], &new);
	map_written(machine, vcpu, tlbsel, esel);
	kvmppc_set_exit_type(machine, vcpu, EMULATED_TLBWE_EXITS);
	return EMULATE_DONE;
}

/* mmu-kvm 5.5: with the current PID, any address space, 32 bits of the address, on this vcpu alone. */
static int kvmppc_e500_emul_tlbivax(struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea)
{
	uint32_t tlbsel = (uint32_t)(ea >> TLBIVAX_TLBSEL_SHIFT) & 1;
	int32_t esel;

	if (ea & TLBIVAX_IA) {
		invalidate_all(machine, vcpu, tlbsel);
	} else {
		esel = kvmppc_e500_tlb_index(machine, vcpu, ea & 0xfffff000u, tlbsel, current_pid(machine, vcpu), -1);
		if (esel >= 0)
			gtlbe_invalidate(machine, vcpu, tlbsel, (uint32_t)esel);
	}
	kvmppc_core_flush_tlb(machine, vcpu);
	return EMULATE_DONE;
}

/* The shadow goes even if IPROT keeps the entry. */
static void tlbilx_entry(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t esel)
{
	inval_gtlbe_on_host(machine, vcpu, tlbsel, esel);
	gtlbe_invalidate(machine, vcpu, tlbsel, esel);
}

/* T = 0: all; T = 1: those whose TID is exactly @pid. */
static void tlbilx_all(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t pid, uint32_t type)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, tlbsel);

	for (uint32_t esel = 0; esel < tlb.entries; esel++) {
		struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, esel);

		if (type == 0 || get_tlb_tid(&gtlbe) == pid)
			tlbilx_entry(machine, vcpu, tlbsel, esel);
	}
}

/* mmu-kvm 5.6 */
static int kvmppc_e500_emul_tlbilx(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type, ulong_t ea)
{
	uint32_t pid = search_pid(&machine->vcpu[vcpu].arch.shared);
	int32_t index;

	if (type == 0 || type == 1) {
		tlbilx_all(machine, vcpu, 0, pid, type);
		tlbilx_all(machine, vcpu, 1, pid, type);
	} else if (type == 3) {
		index = gtlb_search(machine, vcpu, ea, pid, -1);
		if (index >= 0)
			tlbilx_entry(machine, vcpu, (uint32_t)index >> 16, (uint32_t)index & 0xffff);
	}
	return EMULATE_DONE;
}

/* mmu-kvm 5.7: the flush comes for any value. */
static int kvmppc_e500_emul_mt_mmucsr0(struct pyexit_machine *machine, uint32_t vcpu, ulong_t value)
{
	if (value & MMUCSR0_TLB0FI)
		invalidate_all(machine, vcpu, 0);
	if (value & MMUCSR0_TLB1FI)
		invalidate_all(machine, vcpu, 1);
	kvmppc_core_flush_tlb(machine, vcpu);
	return EMULATE_DONE;
}

/* A guest TLB1 entry may own several host slots; only the evicted one is taken from it. */
static void slot_evicted(struct pyexit_machine *machine, uint32_t vcpu, uint32_t esel, uint32_t slot)
{
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, vcpu, 1);
	struct kvm_tlbe_ref ref = kvmppc_ref(&tlb, esel);
	uint64_t *map = kvmppc_g2h_tlb1_map(&tlb, esel);

	if (!map || slot >= PYEXIT_TLB1_ENTRIES || !(*map >> slot & 1))
		return;
	*map &= ~((uint64_t)1 << slot);
	machine->e500[vcpu].h2g_tlb1_rmap[slot] = 0;
	if (*map)
		return;
	ref.flags &= ~(E500_TLB_BITMAP | E500_TLB_VALID);
	kvmppc_set_ref(&tlb, esel, ref);
}

static void kvmppc_e500_ref_evicted(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint64_t mas0)
{
	int32_t index = kvmppc_mmu_itlb_index(machine, vcpu, (ulong_t)ea);
	uint32_t esel = (uint32_t)(mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT;
	struct kvm_gtlb tlb0 = kvmppc_gtlb(machine, vcpu, 0);
	struct kvm_tlbe_ref ref;

	if (index < 0)
		return;
	if (index >> 16) {
		if (mas0 >> MAS0_TLBSEL_SHIFT & 1)
			slot_evicted(machine, vcpu, (uint32_t)index & 0xffff,
				     machine->hw.params.tlb1_entries - 1 - esel);
		return;
	}
	ref = kvmppc_ref(&tlb0, (uint32_t)index);
	ref.flags = 0;
	kvmppc_set_ref(&tlb0, (uint32_t)index, ref);
}
