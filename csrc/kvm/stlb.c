/* SPDX-License-Identifier: BSD-3-Clause */
#include "stlb.h"

#include "../hw/tlbops.h"
#include "gtlb.h"

/* exit 7.6; the bookkeeping of guest entries stays as it is (mmu-kvm 12.3) */
static void kvmppc_e500_tlbil_all(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t lpid = kvmppc_get_lpid(machine, vcpu);

	kvmppc_mtspr(machine, vcpu, SPR_MAS5, MAS5_SGS | lpid);
	(void)ppc_tlbilx(&machine->hw, kvmppc_thread(machine, vcpu), 0, 0);	/* by LPID: there is no address */
	kvmppc_mtspr(machine, vcpu, SPR_MAS5, 0);
}

/* Only references with VALID are dropped (mmu-kvm 10). */
static void clear_refs(uint32_t *flags, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (flags[i] & E500_TLB_VALID)
			flags[i] = 0;
}

static void kvmppc_core_flush_tlb(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];

	kvmppc_e500_tlbil_all(machine, vcpu);
	clear_refs(e500->gtlb_priv0.flags, KVM_E500_TLB0_ENTRIES);
	clear_refs(e500->gtlb_priv1.flags, KVM_E500_TLB1_ENTRIES);
	for (uint32_t i = 0; i < KVM_E500_TLB1_ENTRIES; i++)
		e500->g2h_tlb1_map[i] = 0;
	for (uint32_t i = 0; i < PYEXIT_TLB1_ENTRIES; i++)
		e500->h2g_tlb1_rmap[i] = 0;
}
