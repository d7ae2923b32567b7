/* SPDX-License-Identifier: BSD-3-Clause */
#include "create.h"

#include <string.h>

#include "config_tlb.h"
#include "entry.h"
#include "host.h"
#include "stlb.h"
#include "timing.h"

/* DBSR[MRR]: cleared once, so that no debug exit shows it (exit 12.2 C2) */
#define DBSR_MRR 0x30000000u

/* arch.cpu_type of a 64-bit Book3S guest, the only one that PAPR fits (vectors/SCHEMA.md create) */
#define KVM_CPU_3S_64 4u

/* The guest TLB (mmu-kvm 1.4, 8.4) -------------------------------------- */

/* One allocation: succeeds unless host.alloc_fail counts it; *@n = allocations so far in this call. */
static int allocate(struct pyexit_machine *machine, uint32_t vcpu, enum pyexit_object object, uint32_t *n)
{
	int fails = ++*n == kvmppc_host(machine, vcpu)->alloc_fail;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_ALLOC, (uint32_t)object, (uint64_t)fails, 0, 0);
	return !fails;
}

static void free_object(struct pyexit_machine *machine, enum pyexit_object object)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_FREE, (uint32_t)object, 0, 0, 0);
}

static int power_of_2(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* mmu-kvm 8.4: can the host TLB be shadowed? */
static int host_tlb_usable(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t tlb0cfg = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB0CFG);
	uint32_t tlb1cfg = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB1CFG);
	uint32_t entries = tlb0cfg & TLBCFG_N_ENTRY, ways = tlb0cfg >> TLBCFG_ASSOC_SHIFT;

	if (!entries || !(tlb1cfg & TLBCFG_N_ENTRY)) {
		kvmppc_printk(machine, PYEXIT_MSG_HOST_TLB_SIZE, 0, 0, 0);
		return 0;
	}
	if (!power_of_2(entries) || !power_of_2(ways) || entries < ways) {
		kvmppc_printk(machine, PYEXIT_MSG_HOST_TLB0_CONFIG, entries, ways, 0);
		return 0;
	}
	return 1;
}

static void set_geometry(struct pyexit_e500 *e500)
{
	e500->gtlb_params0 = (struct pyexit_gtlb_params){
		KVM_E500_TLB0_ENTRIES, KVM_E500_TLB0_WAYS, KVM_E500_TLB0_ENTRIES / KVM_E500_TLB0_WAYS,
	};
	e500->gtlb_params1 = (struct pyexit_gtlb_params){ KVM_E500_TLB1_ENTRIES, KVM_E500_TLB1_ENTRIES, 1 };
}

static uint32_t guest_tlbcfg(uint32_t tlbcfg, uint32_t entries, uint32_t ways)
{
	return (tlbcfg & ~(TLBCFG_ASSOC | TLBCFG_N_ENTRY)) | ways << TLBCFG_ASSOC_SHIFT | entries;
}

/* mmu-kvm 1.4 rule 3 */
static void set_config(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->mmucfg = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MMUCFG) & ~MMUCFG_LPIDSIZE;
	arch->tlbcfg[0] = guest_tlbcfg((uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB0CFG), KVM_E500_TLB0_ENTRIES,
				       KVM_E500_TLB0_WAYS);
	arch->tlbcfg[1] = guest_tlbcfg((uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB1CFG), KVM_E500_TLB1_ENTRIES,
				       KVM_E500_TLB1_ENTRIES);
	if ((arch->mmucfg & MMUCFG_MAVN) != MMUCFG_MAVN_V2)
		return;
	arch->tlbps[0] = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB0PS);
	arch->tlbps[1] = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_TLB1PS);
	arch->mmucfg &= ~MMUCFG_LRAT;
	arch->eptcfg = 0;
	arch->tlbcfg[0] &= ~TLBCFG_PT;
	arch->tlbcfg[1] &= ~TLBCFG_IND;
}

/* The kernel's error path for private data that it does not have yet: the flush of nothing crashes. */
static int no_private_data(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_e500_tlbil_all(machine, vcpu);
	kvmppc_stop(machine, PYEXIT_OOPS, PYEXIT_SITE_CREATE_NULL);
	return -1;
}

/* mmu-kvm 1.4 rules 2, 5: the guest TLB and the private data for it, all zero */
static int allocate_gtlb(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *n)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];

	if (!allocate(machine, vcpu, PYEXIT_OBJECT_GTLB_ARCH, n))
		return -KVM_ENOMEM;
	memset(&e500->gtlb0, 0, sizeof(e500->gtlb0));
	memset(&e500->gtlb1, 0, sizeof(e500->gtlb1));
	e500->gtlb_offset[0] = 0;
	e500->gtlb_offset[1] = KVM_E500_TLB0_ENTRIES;
	if (!allocate(machine, vcpu, PYEXIT_OBJECT_GTLB_PRIV0, n))
		return no_private_data(machine, vcpu);
	memset(&e500->gtlb_priv0, 0, sizeof(e500->gtlb_priv0));
	if (!allocate(machine, vcpu, PYEXIT_OBJECT_GTLB_PRIV1, n))
		return no_private_data(machine, vcpu);
	memset(&e500->gtlb_priv1, 0, sizeof(e500->gtlb_priv1));
	if (!allocate(machine, vcpu, PYEXIT_OBJECT_G2H_TLB1_MAP, n)) {
		kvmppc_core_flush_tlb(machine, vcpu);
		free_object(machine, PYEXIT_OBJECT_GTLB_PRIV0);
		free_object(machine, PYEXIT_OBJECT_GTLB_PRIV1);
		free_object(machine, PYEXIT_OBJECT_GTLB_ARCH);
		return -1;
	}
	memset(e500->g2h_tlb1_map, 0, sizeof(e500->g2h_tlb1_map));
	return 0;
}

static int kvmppc_e500_tlb_init(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *n)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	int ret;

	if (!host_tlb_usable(machine, vcpu) || !allocate(machine, vcpu, PYEXIT_OBJECT_H2G_TLB1_RMAP, n)) {
		kvmppc_e500_tlbil_all(machine, vcpu);
		return -1;
	}
	memset(e500->h2g_tlb1_rmap, 0, sizeof(e500->h2g_tlb1_rmap));
	set_geometry(e500);
	ret = allocate_gtlb(machine, vcpu, n);
	if (ret)
		return ret;
	set_config(machine, vcpu);
	e500->tlb1_min_eaddr = (ulong_t)-1;
	e500->tlb1_max_eaddr = 0;
	return 0;
}

static void kvmppc_e500_tlb_uninit(struct pyexit_machine *machine, uint32_t vcpu)
{
	free_gtlb(machine, vcpu);
	memset(machine->e500[vcpu].h2g_tlb1_rmap, 0, sizeof(machine->e500[vcpu].h2g_tlb1_rmap));
	free_object(machine, PYEXIT_OBJECT_H2G_TLB1_RMAP);
}

/* Vcpus (exit 12.2) ----------------------------------------------------- */

static int kvmppc_subarch_vcpu_init(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_mtspr(machine, vcpu, SPR_DBSR, DBSR_MRR);
	return 0;
}

static void kvmppc_subarch_vcpu_uninit(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_DEL_TIMER_SYNC);
	machine->vcpu[vcpu].arch.wdt_timer_armed = 0;
}

/* C7 */
static int kvmppc_core_vcpu_setup(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->shadow_epcr = KVM_SHADOW_EPCR | (PYEXIT_WIDTH == 64 ? EPCR_ICM : 0);
	arch->shadow_msrp = KVM_SHADOW_MSRP;
	arch->pvr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_PVR);
	machine->e500[vcpu].svr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_SVR);
	arch->cpu_type = KVM_CPU_E500MC;
	return 0;
}

/* C8 */
static int kvmppc_sanity_check(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->sane = arch->pvr && !(arch->papr_enabled && arch->cpu_type != KVM_CPU_3S_64);
	return arch->sane ? 0 : -KVM_EINVAL;
}

/* C6; as recorded, the kind of exit that time is booked on stays (vectors/SCHEMA.md create). */
static void init_timing(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t type = machine->vcpu[vcpu].arch.last_exit_type;

	kvmppc_init_timing_stats(machine, vcpu);
	machine->vcpu[vcpu].arch.last_exit_type = type;
}

/* C4, C5 */
static void set_initial_registers(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->regs.nip = 0;
	arch->shared.pir = machine->vcpu[vcpu].vcpu_id;
	arch->regs.gpr[1] = KVM_INITIAL_GPR1;
	kvmppc_set_msr(machine, vcpu, 0);
	arch->ivpr = KVM_INITIAL_IVPR;
	for (uint32_t i = 0; i < BOOKE_IRQPRIO_MAX; i++)
		arch->ivor[i] = KVM_INITIAL_IVOR | 4 * i;
}

/* C3: what e500mc.c makes */
static int create_e500(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t n = 0;
	int ret;

	arch->oldpir = UINT32_MAX;
	ret = kvmppc_e500_tlb_init(machine, vcpu, &n);
	if (ret)
		return ret;
	if (!allocate(machine, vcpu, PYEXIT_OBJECT_SHARED_PAGE, &n)) {
		kvmppc_e500_tlb_uninit(machine, vcpu);
		return -KVM_ENOMEM;
	}
	memset(&arch->shared, 0, sizeof(arch->shared));
	return 0;
}

static int kvmppc_core_vcpu_create(struct pyexit_machine *machine, uint32_t vcpu)
{
	int ret = create_e500(machine, vcpu);

	if (ret)
		return ret;
	set_initial_registers(machine, vcpu);
	init_timing(machine, vcpu);
	ret = kvmppc_core_vcpu_setup(machine, vcpu);
	(void)kvmppc_sanity_check(machine, vcpu);	/* an insane vcpu is made, but does not run */
	return ret;
}

static int kvm_arch_vcpu_create(struct pyexit_machine *machine, uint32_t vcpu)
{
	int ret = kvmppc_subarch_vcpu_init(machine, vcpu);

	if (!ret)
		ret = kvmppc_core_vcpu_create(machine, vcpu);
	if (ret && !kvmppc_stopped(machine))
		kvmppc_subarch_vcpu_uninit(machine, vcpu);
	return ret;
}

static void kvmppc_core_vcpu_free(struct pyexit_machine *machine, uint32_t vcpu)
{
	free_object(machine, PYEXIT_OBJECT_SHARED_PAGE);
	memset(&machine->vcpu[vcpu].arch.shared, 0, sizeof(machine->vcpu[vcpu].arch.shared));
	kvmppc_e500_tlb_uninit(machine, vcpu);
}

static void kvm_arch_vcpu_destroy(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_HRTIMER_CANCEL);
	machine->vcpu[vcpu].arch.dec_timer_armed = 0;
	kvmppc_core_vcpu_free(machine, vcpu);
	kvmppc_subarch_vcpu_uninit(machine, vcpu);
}

/* Processors and VMs (exit 12.1) ---------------------------------------- */

/* Names by number: e500mc, e5500, e6500; those that follow are no Book E HV ones. */
static int kvmppc_core_check_processor_compat(const struct pyexit_machine *machine, uint64_t cpu)
{
	uint64_t known = machine->hw.params.altivec ? 3 : 2;

	return cpu < known ? 0 : -KVM_ENOTSUPP;
}

static struct pyexit_kvm *kvm_of(struct pyexit_machine *machine, uint32_t vcpu)
{
	return &machine->kvm[machine->vcpu_vm[vcpu]];
}

static int two_threads(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return kvmppc_host(machine, vcpu)->threads_per_core == 2;
}

/* The id allocator of the host kernel: the lowest free one of [@min, @max], at most 63, or -errno. */
static int ida_alloc_range(struct pyexit_machine *machine, uint32_t vcpu, int min, int max)
{
	uint64_t *inuse = &machine->host[0].lpid_inuse;
	int id = min;
	int ret;

	while (id <= max && *inuse >> id & 1)
		id++;
	if (kvmppc_host(machine, vcpu)->ida_err)
		ret = -KVM_ENOMEM;
	else
		ret = id <= max ? id : -KVM_ENOSPC;
	if (ret >= 0)
		*inuse |= (uint64_t)1 << id;
	ppc_event(&machine->hw.events, PYEXIT_EVENT_IDA_ALLOC_RANGE, 0, (uint32_t)min, (uint32_t)max, (uint64_t)ret);
	return ret;
}

static int kvmppc_alloc_lpid(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t threads = kvmppc_host(machine, vcpu)->threads_per_core;
	int lpid = ida_alloc_range(machine, vcpu, 1, (int)(KVMPPC_NR_LPIDS / (threads ? threads : 1)) - 1);

	if (lpid >= 0)
		return lpid;
	kvmppc_printk(machine, lpid == -KVM_ENOSPC ? PYEXIT_MSG_LPID_NONE_FREE : PYEXIT_MSG_LPID_NO_MEMORY, 0, 0, 0);
	return -KVM_ENOMEM;
}

static void kvmppc_free_lpid(struct pyexit_machine *machine, uint32_t lpid)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_IDA_FREE, 0, lpid, 0, 0);
	if (lpid < KVMPPC_NR_LPIDS)
		machine->host[0].lpid_inuse &= ~((uint64_t)1 << lpid);
}

static int kvmppc_core_init_vm(struct pyexit_machine *machine, uint32_t vcpu)
{
	int lpid = kvmppc_alloc_lpid(machine, vcpu);

	if (lpid < 0)
		return lpid;
	/* one for each thread of a core (mmu-kvm 12.2) */
	kvm_of(machine, vcpu)->arch.lpid = (uint32_t)lpid << two_threads(machine, vcpu);
	return 0;
}

static void kvmppc_core_destroy_vm(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_free_lpid(machine, kvm_of(machine, vcpu)->arch.lpid >> two_threads(machine, vcpu));
}

static int kvm_arch_init_vm(struct pyexit_machine *machine, uint32_t vcpu, uint64_t type, uint64_t *kvm_ops_set)
{
	const struct pyexit_host *host = kvmppc_host(machine, vcpu);
	int ret;

	*kvm_ops_set = 0;
	if (host->no_ops || (type && type != KVM_VM_PPC_PR))	/* the HV implementation is Book3S' */
		return -KVM_EINVAL;
	if (host->module_gone)
		return -KVM_ENOENT;
	*kvm_ops_set = 1;
	ret = kvmppc_core_init_vm(machine, vcpu);
	if (ret)
		kvmppc_service(machine, PYEXIT_SERVICE_MODULE_PUT);
	return ret;
}

static void kvm_arch_destroy_vm(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_KVM_DESTROY_VCPUS);
	kvmppc_core_destroy_vm(machine, vcpu);
	kvmppc_service(machine, PYEXIT_SERVICE_MODULE_PUT);
}
