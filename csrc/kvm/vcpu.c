/* SPDX-License-Identifier: BSD-3-Clause */
#include "vcpu.h"

static uint32_t kvmppc_vm_lpid(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->kvm[machine->vcpu_vm[vcpu]].arch.lpid;
}

static uint32_t kvmppc_get_lpid(const struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_host *host = &machine->host[kvmppc_thread(machine, vcpu)];
	uint32_t lpid = kvmppc_vm_lpid(machine, vcpu);

	return host->threads_per_core == 2 ? lpid | (host->cpu & 1) : lpid;
}

static void reset_host(struct pyexit_host *host, uint32_t thread, uint32_t threads_per_core)
{
	host->cpu = thread;
	host->threads_per_core = threads_per_core;
	host->halt_limit = 4;
	host->wake_signal = 1;
	host->real_vcpu_load = 1;	/* an ioctl loads and puts the vcpu */
	host->pte_wimge = MAS2_M;
	host->tlbcam_index = 3;		/* the host kernel's own pages */
	host->tb_freq = 40000000;
	host->tb_ticks_per_jiffy = 160000;
}

/* mmu-kvm 1.4.3 */
static void reset_config(const struct pyexit_params *params, struct pyexit_arch *arch)
{
	uint32_t geometry = TLBCFG_ASSOC | TLBCFG_N_ENTRY;

	arch->mmucfg = params->mmucfg & ~MMUCFG_LPIDSIZE;
	arch->tlbcfg[0] = (params->tlb0cfg & ~geometry) | KVM_E500_TLB0_WAYS << TLBCFG_ASSOC_SHIFT |
			  KVM_E500_TLB0_ENTRIES;
	arch->tlbcfg[1] = (params->tlb1cfg & ~geometry) | KVM_E500_TLB1_ENTRIES << TLBCFG_ASSOC_SHIFT |
			  KVM_E500_TLB1_ENTRIES;
	if ((params->mmucfg & MMUCFG_MAVN) != MMUCFG_MAVN_V2)
		return;
	arch->mmucfg &= ~MMUCFG_LRAT;
	arch->tlbcfg[0] &= ~TLBCFG_PT;
	arch->tlbcfg[1] &= ~TLBCFG_IND;
	arch->tlbps[0] = params->tlb0ps;
	arch->tlbps[1] = params->tlb1ps;
}

/* exit 12.2 */
static void reset_vcpu(const struct pyexit_params *params, struct pyexit_vcpu *vcpu, uint32_t id, uint32_t thread)
{
	struct pyexit_arch *arch = &vcpu->arch;

	vcpu->vcpu_id = id;
	vcpu->cpu = thread;
	vcpu->wants_to_run = 1;
	arch->shared.pir = id;
	arch->shared.msr = MSR_GS;
	arch->regs.gpr[1] = KVM_INITIAL_GPR1;
	arch->ivpr = KVM_INITIAL_IVPR;
	for (uint32_t i = 0; i < BOOKE_IRQPRIO_MAX; i++)
		arch->ivor[i] = KVM_INITIAL_IVOR | 4 * i;
	arch->shadow_epcr = KVM_SHADOW_EPCR | (params->width == 64 ? EPCR_ICM : 0);
	arch->shadow_msrp = KVM_SHADOW_MSRP;
	arch->oldpir = UINT32_MAX;
	arch->pvr = params->pvr;
	arch->cpu_type = KVM_CPU_E500MC;
	arch->sane = 1;
	arch->last_exit_type = KVM_TIMING_UNSET;
	for (uint32_t i = 0; i < sizeof(arch->timing_min_duration) / sizeof(arch->timing_min_duration[0]); i++)
		arch->timing_min_duration[i] = UINT32_MAX;
	reset_config(params, arch);
}

/* mmu-kvm 1.4 */
static void reset_e500(const struct pyexit_params *params, struct pyexit_e500 *e500)
{
	e500->svr = params->svr;
	e500->tlb1_min_eaddr = params->width == 64 ? UINT64_MAX : UINT32_MAX;
	e500->gtlb_params0 = (struct pyexit_gtlb_params){
		KVM_E500_TLB0_ENTRIES, KVM_E500_TLB0_WAYS, KVM_E500_TLB0_ENTRIES / KVM_E500_TLB0_WAYS,
	};
	e500->gtlb_params1 = (struct pyexit_gtlb_params){ KVM_E500_TLB1_ENTRIES, KVM_E500_TLB1_ENTRIES, 1 };
	e500->gtlb_offset[1] = KVM_E500_TLB0_ENTRIES;
}

static void kvmppc_reset(struct pyexit_machine *machine)
{
	const struct pyexit_params *params = &machine->hw.params;

	for (uint32_t t = 0; t < machine->hw.threads; t++)
		reset_host(&machine->host[t], t, params->threads);
	for (uint32_t n = 0; n < machine->vms; n++)
		machine->kvm[n].arch.lpid = (n + 1) << (params->threads == 2);
	for (uint32_t n = 0; n < machine->vcpus; n++) {
		reset_vcpu(params, &machine->vcpu[n], n, machine->vcpu_thread[n]);
		reset_e500(params, &machine->e500[n]);
	}
}
