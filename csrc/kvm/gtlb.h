/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/gtlb: the guest's TLB as KVM emulates it (mmu-kvm 1, 3; covers
 * e500_mmu.c).  An index is tlbsel << 16 | position.
 */
#ifndef KVM_GTLB_H
#define KVM_GTLB_H

#include "vcpu.h"

/* tlbe_ref flags (mmu-kvm 1.2) */
#define E500_TLB_VALID 0x80000000u
#define E500_TLB_BITMAP 0x40000000u

/* The entry of guest TLB @tlbsel that holds @ea for @pid and @as (mmu-kvm 3), or -1. */
static int32_t kvmppc_e500_tlb_index(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t tlbsel,
				     uint32_t pid, uint32_t as);

/*
 * The shadow entry that @mas0 names, of the page of guest @ea, is gone from
 * the host TLB: the guest entry's reference no longer claims it.
 */
static void kvmppc_e500_ref_evicted(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint64_t mas0);

#endif
