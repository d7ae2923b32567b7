/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/gtlb: the guest's TLB as KVM emulates it (mmu-kvm 1, 3-5; covers
 * e500_mmu.c).  An index is tlbsel << 16 | position.
 */
#ifndef KVM_GTLB_H
#define KVM_GTLB_H

#include "vcpu.h"

/* tlbe_ref flags (mmu-kvm 1.2) */
#define E500_TLB_VALID 0x80000000u
#define E500_TLB_BITMAP 0x40000000u
#define E500_TLB_TLB0 0x20000000u
#define E500_TLB_MAS2_ATTR 0x0000007fu

/* Bits of the guest's MAS registers that KVM keeps or hands on (mmu-kvm 1.3) */
#define MAS2_ATTRIB_MASK 0x63u		/* X0, X1, G, E: W, I and M are the host's, and no defaults */
#define MAS3_ATTRIB_MASK 0x3ffu
#define MAS6_SPID1_MASK 0x7ffeu

/* An entry of the guest's, as KVM's interface has it (mmu-kvm 1.1). */
struct kvm_gtlbe {
	uint32_t mas8, mas1;
	uint64_t mas2, mas7_3;
};

/* What KVM knows of its shadow: the host page, and flags. */
struct kvm_tlbe_ref {
	uint64_t pfn;
	uint32_t flags;
};

/*
 * One guest TLB where it lies now: in the kernel's own array or in
 * userspace's.  Geometry is state and may be anything: @entries is what of
 * its @size can be reached (docs/choices.md).
 */
struct kvm_gtlb {
	uint64_t *mas2, *mas7_3;
	uint32_t *mas1, *mas8;
	uint64_t *pfn;
	uint32_t *flags;
	uint64_t *map;			/* TLB1: the host slots that each entry owns */
	uint32_t entries, size, ways, sets;
};

static struct kvm_gtlb kvmppc_gtlb(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel);

/* The doors to entries: one that does not exist reads as 0, what is stored there is dropped. */
static inline struct kvm_gtlbe kvmppc_gtlbe(const struct kvm_gtlb *tlb, uint32_t i)
{
	if (i >= tlb->entries)
		return (struct kvm_gtlbe){ 0 };
	return (struct kvm_gtlbe){ tlb->mas8[i], tlb->mas1[i], tlb->mas2[i], tlb->mas7_3[i] };
}

static inline struct kvm_tlbe_ref kvmppc_ref(const struct kvm_gtlb *tlb, uint32_t i)
{
	if (i >= tlb->entries)
		return (struct kvm_tlbe_ref){ 0 };
	return (struct kvm_tlbe_ref){ tlb->pfn[i], tlb->flags[i] };
}

static inline void kvmppc_set_ref(const struct kvm_gtlb *tlb, uint32_t i, struct kvm_tlbe_ref ref)
{
	if (i >= tlb->entries)
		return;
	tlb->pfn[i] = ref.pfn;
	tlb->flags[i] = ref.flags;
}

/* NULL for one that does not exist. */
static inline uint64_t *kvmppc_g2h_tlb1_map(const struct kvm_gtlb *tlb1, uint32_t i)
{
	return i < tlb1->entries ? &tlb1->map[i] : NULL;
}

/* Fields of an entry (mmu-kvm 1.3) */
static inline uint32_t get_tlb_size(const struct kvm_gtlbe *gtlbe)
{
	return (gtlbe->mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT;
}

static inline uint64_t get_tlb_bytes(const struct kvm_gtlbe *gtlbe)
{
	return (uint64_t)1024 << get_tlb_size(gtlbe);
}

static inline ulong_t get_tlb_eaddr(const struct kvm_gtlbe *gtlbe)
{
	return (ulong_t)(gtlbe->mas2 & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1));
}

static inline ulong_t get_tlb_end(const struct kvm_gtlbe *gtlbe)
{
	return (ulong_t)(get_tlb_eaddr(gtlbe) + get_tlb_bytes(gtlbe) - 1);
}

static inline uint64_t get_tlb_raddr(const struct kvm_gtlbe *gtlbe)
{
	return gtlbe->mas7_3 & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1);
}

static inline uint32_t get_tlb_tid(const struct kvm_gtlbe *gtlbe)
{
	return gtlbe->mas1 >> MAS1_TID_SHIFT & 0xff;
}

/* The entry of guest TLB @tlbsel that holds @ea for @pid and @as, -1 = any (mmu-kvm 3); or -1. */
static int32_t kvmppc_e500_tlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea, uint32_t tlbsel,
				     uint32_t pid, int32_t as);

/* The index of the entry that an instruction or data access of the guest's finds now, or -1. */
static int32_t kvmppc_mmu_itlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea);
static int32_t kvmppc_mmu_dtlb_index(const struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea);

/* The guest real address of @ea in entry @index. */
static uint64_t kvmppc_mmu_xlate(const struct pyexit_machine *machine, uint32_t vcpu, uint32_t index, ulong_t ea);

/* The guest's MAS registers as the processor would leave them at its miss (mmu-kvm 4). */
static void kvmppc_mmu_itlb_miss(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_mmu_dtlb_miss(struct pyexit_machine *machine, uint32_t vcpu);

/* What KVM_TRANSLATE tells of @linear_address (mmu-kvm 3): is it mapped, and if so *@physical_address. */
static int kvmppc_core_vcpu_translate(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t linear_address,
				      uint64_t *physical_address);

/* TLB instructions of the guest's (mmu-kvm 5): EMULATE_DONE. */
static int kvmppc_e500_emul_tlbre(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_e500_emul_tlbwe(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_e500_emul_tlbsx(struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea);
static int kvmppc_e500_emul_tlbivax(struct pyexit_machine *machine, uint32_t vcpu, ulong_t ea);
static int kvmppc_e500_emul_tlbilx(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type, ulong_t ea);
static int kvmppc_e500_emul_mt_mmucsr0(struct pyexit_machine *machine, uint32_t vcpu, ulong_t value);

/* tlb1_min_eaddr and tlb1_max_eaddr from all of guest TLB1 (mmu-kvm 5.3.5). */
static void kvmppc_recalc_tlb1map_range(struct pyexit_machine *machine, uint32_t vcpu);

/*
 * The shadow entry that @mas0 names, of the page of guest @ea, is gone from
 * the host TLB: the guest entry's reference no longer claims it.
 */
static void kvmppc_e500_ref_evicted(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint64_t mas0);

#endif
