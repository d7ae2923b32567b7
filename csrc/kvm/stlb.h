/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/stlb: shadow entries in the host TLB: made, taken away, flushed
 * (mmu-kvm 7-11; covers e500_mmu_host.c and the TLB part of e500mc.c).
 */
#ifndef KVM_STLB_H
#define KVM_STLB_H

#include "gtlb.h"

/* The page of guest @eaddr at guest real @gpaddr, of guest entry @index, into the host TLB (mmu-kvm 7). */
static void kvmppc_mmu_map(struct pyexit_machine *machine, uint32_t vcpu, ulong_t eaddr, uint64_t gpaddr,
			   uint32_t index);

/* The shadow of one guest entry is taken away, with all that is known of it (mmu-kvm 9). */
static void inval_gtlbe_on_host(struct pyexit_machine *machine, uint32_t vcpu, uint32_t tlbsel, uint32_t esel);

/* The host entry for the address of a guest entry is searched and cleared, no more (mmu-kvm 9.4). */
static void kvmppc_e500_tlbil_one(struct pyexit_machine *machine, uint32_t vcpu, const struct kvm_gtlbe *gtlbe);

/* Invalidate the host TLB entries of @vcpu's LPID. */
static void kvmppc_e500_tlbil_all(struct pyexit_machine *machine, uint32_t vcpu);

/* The same, and forget which guest entries had them. */
static void kvmppc_core_flush_tlb(struct pyexit_machine *machine, uint32_t vcpu);

/* The host changes a mapping of VM @vm's memory: every vcpu of it is to flush (mmu-kvm 11). */
static void mmu_notifier_invalidate(struct pyexit_machine *machine, uint32_t vm);

#endif
