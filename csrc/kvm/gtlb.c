/* SPDX-License-Identifier: BSD-3-Clause */
#include "gtlb.h"

/* mmu-kvm 3.3: unaligned bounds, 8-bit TID */
static int gtlb_match(uint32_t mas1, uint64_t mas2, uint64_t ea, uint32_t pid, uint32_t as)
{
	uint32_t tid = (mas1 & MAS1_TID_MASK) >> MAS1_TID_SHIFT & 0xff;
	uint64_t bytes = (uint64_t)1024 << ((mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT);
	ulong_t eaddr = (ulong_t)(mas2 & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1));
	ulong_t end = (ulong_t)(eaddr + bytes - 1);

	return mas1 & MAS1_V && ea >= eaddr && ea <= end && (tid == 0 || tid == pid) && !!(mas1 & MAS1_TS) == as;
}

static int32_t gtlb0_index(const struct pyexit_gtlb0 *tlb, uint64_t ea, uint32_t pid, uint32_t as)
{
	uint32_t sets = KVM_E500_TLB0_ENTRIES / KVM_E500_TLB0_WAYS;
	uint32_t set = ((uint32_t)(ea >> PPC_PAGE_SHIFT) & (sets - 1)) * KVM_E500_TLB0_WAYS;

	for (uint32_t i = set; i < set + KVM_E500_TLB0_WAYS; i++)
		if (gtlb_match(tlb->mas1[i], tlb->mas2[i], ea, pid, as))
			return (int32_t)i;
	return -1;
}

static int32_t gtlb1_index(const struct pyexit_e500 *e500, uint64_t ea, uint32_t pid, uint32_t as)
{
	if (ea < e500->tlb1_min_eaddr || ea > e500->tlb1_max_eaddr)
		return -1;
	for (uint32_t i = 0; i < KVM_E500_TLB1_ENTRIES; i++)
		if (gtlb_match(e500->gtlb1.mas1[i], e500->gtlb1.mas2[i], ea, pid, as))
			return (int32_t)i;
	return -1;
}

static int32_t kvmppc_e500_tlb_index(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t tlbsel,
				     uint32_t pid, uint32_t as)
{
	const struct pyexit_e500 *e500 = &machine->e500[vcpu];

	return tlbsel ? gtlb1_index(e500, ea, pid, as) : gtlb0_index(&e500->gtlb0, ea, pid, as);
}

/* A guest TLB1 entry may own several host slots; only the evicted one is taken from it. */
static void slot_evicted(struct pyexit_e500 *e500, uint32_t entry, uint32_t slot)
{
	if (slot >= 64 || !(e500->g2h_tlb1_map[entry] >> slot & 1))
		return;
	e500->g2h_tlb1_map[entry] &= ~((uint64_t)1 << slot);
	e500->h2g_tlb1_rmap[slot] = 0;
	if (!e500->g2h_tlb1_map[entry])
		e500->gtlb_priv1.flags[entry] &= ~(E500_TLB_BITMAP | E500_TLB_VALID);
}

static void kvmppc_e500_ref_evicted(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint64_t mas0)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	uint32_t as = (uint32_t)(arch->shared.msr & MSR_IS) >> MSR_IS_SHIFT;
	int32_t index = kvmppc_e500_tlb_index(machine, vcpu, (ulong_t)ea, 0, arch->pid & 0xff, as);
	uint32_t esel = (uint32_t)(mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT;

	if (index >= 0) {
		e500->gtlb_priv0.flags[index] = 0;
		return;
	}
	index = kvmppc_e500_tlb_index(machine, vcpu, (ulong_t)ea, 1, arch->pid & 0xff, as);
	if (index >= 0 && mas0 >> MAS0_TLBSEL_SHIFT & 1)
		slot_evicted(e500, (uint32_t)index, machine->hw.params.tlb1_entries - 1 - esel);
}
