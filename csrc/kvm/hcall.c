/* SPDX-License-Identifier: BSD-3-Clause */
#include "hcall.h"

#include "host.h"

/* Q2: cut to 32 bits for 64-bit guests too, because MSR[SF] is asked, not MSR[CM]. */
static ulong_t parameter(const struct pyexit_arch *arch, uint32_t gpr)
{
	ulong_t value = (ulong_t)arch->regs.gpr[gpr];

	return kvmppc_msr_sf(arch) ? value : (uint32_t)value;
}

/* Q27: the page is noted, and never looked at. */
static ulong_t map_magic_page(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	ulong_t pa = parameter(arch, 3), ea = parameter(arch, 4);

	if (!(ea & MAGIC_PAGE_FLAG_NOT_MAPPED_NX)) {
		arch->disable_kernel_nx = 1;
		kvm_make_request(machine, vcpu, KVM_REQ_TLB_FLUSH);
	}
	arch->magic_page_pa = pa & ~(ulong_t)(PYEXIT_PAGE_SIZE - 1);
	arch->magic_page_ea = ea & ~(ulong_t)(PYEXIT_PAGE_SIZE - 1);
	return KVM_MAGIC_FEAT_SR | KVM_MAGIC_FEAT_MAS0_TO_SPRG7;
}

static ulong_t kvmppc_kvm_pv(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	ulong_t ret = EV_SUCCESS, ret2 = 0;

	switch ((uint32_t)arch->regs.gpr[11]) {
	case KVM_HC_PPC_MAP_MAGIC_PAGE_TOKEN:
		ret2 = map_magic_page(machine, vcpu);
		break;
	case KVM_HC_FEATURES_TOKEN:	/* none on this hypervisor */
		break;
	case EV_IDLE_TOKEN:
		kvm_vcpu_halt(machine, vcpu);
		if (kvmppc_stopped(machine))
			return ret;
		break;
	default:
		ret = EV_UNIMPLEMENTED;
		break;
	}
	arch->regs.gpr[4] = ret2;
	return ret;
}
