/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_tlb.h"

#include <string.h>

#include "gtlb.h"
#include "host.h"
#include "stlb.h"

/* Bytes of an entry in userspace's array. */
#define GTLBE_SIZE 24u

/* The most pages that an array of PYEXIT_SW_TLB_ENTRIES entries is in. */
#define SHARED_PAGES_MOST 26u

/* TLB0CFG tells sizes up to this (mmu-kvm 2). */
#define TLB0CFG_ENTRIES_MOST 2048u

/* Allocations in their order (vectors/SCHEMA.md host.alloc_fail). */
static const uint8_t allocations[] = {
	PYEXIT_OBJECT_PAGES_ARRAY,
	PYEXIT_OBJECT_GTLB_PRIV0,
	PYEXIT_OBJECT_GTLB_PRIV1,
	PYEXIT_OBJECT_G2H_TLB1_MAP,
};

static int is_power_of_2(uint32_t n)
{
	return n && !(n & (n - 1));
}

static uint32_t log2_of(uint32_t n)
{
	uint32_t log = 0;

	while (n >>= 1)
		log++;
	return log;
}

/* A 32-bit kernel's product may wrap: then the private data find no memory. */
static ulong_t array_size(const struct pyexit_user_tlb_params *params)
{
	return (ulong_t)GTLBE_SIZE * (params->tlb_sizes[0] + params->tlb_sizes[1]);
}

/* mmu-kvm 2.2-2.7 */
static int params_valid(const struct pyexit_user_tlb_params *params, uint32_t array_len)
{
	const uint32_t *sizes = params->tlb_sizes, *ways = params->tlb_ways;

	if (sizes[1] > PYEXIT_SW_TLB1_ENTRIES || ways[1] != sizes[1])
		return 0;
	if (sizes[2] || sizes[3] || ways[2] || ways[3])
		return 0;
	if (!is_power_of_2(ways[0]) || !is_power_of_2(sizes[0] >> log2_of(ways[0])))
		return 0;
	return array_len >= array_size(params);
}

/* The pages that the entries are in; what userspace has behind them does not count. */
static uint32_t pages_of(const struct pyexit_user_config_tlb *config, const struct pyexit_user_tlb_params *params)
{
	uint64_t end = (config->array + array_size(params) + PYEXIT_PAGE_SIZE - 1) / PYEXIT_PAGE_SIZE;

	return (uint32_t)(end - config->array / PYEXIT_PAGE_SIZE);
}

static int allocation(struct pyexit_machine *machine, uint32_t vcpu, uint32_t nth)
{
	int fails = kvmppc_host(machine, vcpu)->alloc_fail == nth + 1;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_ALLOC, allocations[nth], (uint64_t)fails, 0, 0);
	return !fails;
}

static void report_free(struct pyexit_machine *machine, enum pyexit_object object, int new)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_FREE, (uint32_t)object, (uint64_t)new, 0, 0);
}

/* Pages that were written to are dirty. */
static void put_pages(struct pyexit_machine *machine, uint32_t pages, int dirty)
{
	for (uint32_t i = 0; i < pages; i++) {
		if (dirty)
			ppc_event(&machine->hw.events, PYEXIT_EVENT_SET_PAGE_DIRTY, 0, i, 0, 0);
		ppc_event(&machine->hw.events, PYEXIT_EVENT_PUT_PAGE, 0, i, 0, 0);
	}
	report_free(machine, PYEXIT_OBJECT_PAGES_ARRAY, 0);
}

/* The user's array into the kernel: 0 or -errno, and then nothing is left of it. */
static int pin_array(struct pyexit_machine *machine, uint32_t vcpu, ulong_t start, uint32_t pages)
{
	const struct pyexit_host *host = kvmppc_host(machine, vcpu);

	if (!allocation(machine, vcpu, 0))
		return -KVM_ENOMEM;
	ppc_event(&machine->hw.events, PYEXIT_EVENT_GET_USER_PAGES, 0, start, pages, 0);
	if (host->gup_mode) {
		put_pages(machine, host->gup_mode == 2 && pages ? pages - 1 : 0, 0);
		return -KVM_EFAULT;
	}
	ppc_event(&machine->hw.events, PYEXIT_EVENT_VMAP, 0, pages, 0, 0);
	if (!host->vmap_fail)
		return 0;
	put_pages(machine, pages, 0);
	return -KVM_ENOMEM;
}

/* Is there a place for KVM's own data?  The kernel cannot have any number either. */
static int has_room(const struct pyexit_machine *machine, const struct pyexit_user_tlb_params *params)
{
	uint64_t entries = (uint64_t)params->tlb_sizes[0] + params->tlb_sizes[1];

	return machine->swtlb && entries <= PYEXIT_SW_TLB_ENTRIES;
}

static int alloc_private(struct pyexit_machine *machine, uint32_t vcpu)
{
	for (uint32_t nth = 1; nth < sizeof(allocations); nth++) {
		if (allocation(machine, vcpu, nth))
			continue;
		while (--nth)
			report_free(machine, (enum pyexit_object)allocations[nth], 1);
		return 0;
	}
	return 1;
}

static void free_own_array(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];

	memset(&e500->gtlb0, 0, sizeof(e500->gtlb0));
	memset(&e500->gtlb1, 0, sizeof(e500->gtlb1));
	memset(&e500->gtlb_priv0, 0, sizeof(e500->gtlb_priv0));
	memset(&e500->gtlb_priv1, 0, sizeof(e500->gtlb_priv1));
	memset(e500->g2h_tlb1_map, 0, sizeof(e500->g2h_tlb1_map));
	report_free(machine, PYEXIT_OBJECT_GTLB_ARCH, 0);
}

static void free_user_array(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	struct pyexit_swtlb *sw = &machine->swtlb[vcpu];

	memset(&sw->priv0, 0, sizeof(sw->priv0));
	memset(&sw->priv1, 0, sizeof(sw->priv1));
	memset(sw->g2h_tlb1_map, 0, sizeof(sw->g2h_tlb1_map));
	kvmppc_service(machine, PYEXIT_SERVICE_VFREE);
	put_pages(machine,
		  e500->num_shared_tlb_pages < SHARED_PAGES_MOST ? e500->num_shared_tlb_pages : SHARED_PAGES_MOST, 1);
	e500->num_shared_tlb_pages = 0;
}

static void free_gtlb(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_core_flush_tlb(machine, vcpu);
	report_free(machine, PYEXIT_OBJECT_G2H_TLB1_MAP, 0);
	report_free(machine, PYEXIT_OBJECT_GTLB_PRIV0, 0);
	report_free(machine, PYEXIT_OBJECT_GTLB_PRIV1, 0);
	if (machine->e500[vcpu].num_shared_tlb_pages && machine->swtlb)
		free_user_array(machine, vcpu);
	else
		free_own_array(machine, vcpu);
}

static void set_tlbcfg(uint32_t *tlbcfg, uint32_t entries, uint32_t ways)
{
	*tlbcfg &= ~(TLBCFG_N_ENTRY | TLBCFG_ASSOC);
	*tlbcfg |= entries | ways << TLBCFG_ASSOC_SHIFT;
}

/* The new geometry; the counters gtlb_nv and host_tlb1_nv stay (mmu-kvm 2). */
static void use_user_array(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_tlb_params *params,
			   uint32_t pages)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];
	uint32_t *tlbcfg = machine->vcpu[vcpu].arch.tlbcfg;
	uint32_t size0 = params->tlb_sizes[0], ways0 = params->tlb_ways[0], size1 = params->tlb_sizes[1];

	e500->num_shared_tlb_pages = pages;
	e500->gtlb_params0 = (struct pyexit_gtlb_params){ size0, ways0, size0 >> log2_of(ways0) };
	e500->gtlb_params1 = (struct pyexit_gtlb_params){ size1, size1, 1 };
	e500->gtlb_offset[0] = 0;
	e500->gtlb_offset[1] = size0;
	set_tlbcfg(&tlbcfg[0], size0 <= TLB0CFG_ENTRIES_MOST ? size0 : 0, ways0);
	set_tlbcfg(&tlbcfg[1], size1, size1);
	kvmppc_recalc_tlb1map_range(machine, vcpu);
}

static int kvm_vcpu_ioctl_config_tlb(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_user_config_tlb *config = &machine->user[vcpu].config_tlb;
	const struct pyexit_user_tlb_params *params = &machine->user[vcpu].tlb_params;
	uint32_t pages = pages_of(config, params);
	int ret;

	if (config->mmu_type != KVM_MMU_FSL_BOOKE_NOHV)
		return -KVM_EINVAL;
	if ((ulong_t)config->params != PYEXIT_USER_TLB_PARAMS)
		return -KVM_EFAULT;
	if (!params_valid(params, config->array_len))
		return -KVM_EINVAL;
	ret = pin_array(machine, vcpu, (ulong_t)config->array, pages);
	if (ret)
		return ret;
	if (!has_room(machine, params) || !alloc_private(machine, vcpu)) {
		put_pages(machine, pages, 0);
		return -KVM_ENOMEM;
	}
	free_gtlb(machine, vcpu);
	use_user_array(machine, vcpu, params, pages);
	return 0;
}

static int kvm_vcpu_ioctl_dirty_tlb(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_recalc_tlb1map_range(machine, vcpu);
	kvmppc_core_flush_tlb(machine, vcpu);
	return 0;
}
