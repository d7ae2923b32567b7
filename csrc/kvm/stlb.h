/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/stlb: shadow entries in the host TLB (mmu-kvm 10, exit 7.6; covers e500_mmu_host.c). */
#ifndef KVM_STLB_H
#define KVM_STLB_H

#include "vcpu.h"

/* Invalidate the host TLB entries of @vcpu's LPID. */
static void kvmppc_e500_tlbil_all(struct pyexit_machine *machine, uint32_t vcpu);

/* The same, and forget which guest entries had them. */
static void kvmppc_core_flush_tlb(struct pyexit_machine *machine, uint32_t vcpu);

#endif
