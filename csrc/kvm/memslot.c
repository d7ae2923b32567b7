/* SPDX-License-Identifier: BSD-3-Clause */
#include "memslot.h"

#include "host.h"

/* Frames are below the error pfns. */
#define FRAME_MASK 0x000fffffffffffffu

/* Where userspace has nothing. */
#define KVM_HVA_ERR_BAD ((ulong_t)-1)

static const struct pyexit_kvm *vm_of(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return &machine->kvm[machine->vcpu_vm[vcpu]];
}

static int32_t gfn_to_memslot(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn)
{
	const struct pyexit_memslots *slot = &vm_of(machine, vcpu)->memslot;

	for (int32_t i = 0; i < PYEXIT_MEMSLOTS; i++)
		if (gfn >= slot->base_gfn[i] && gfn - slot->base_gfn[i] < slot->npages[i])
			return i;
	return -1;
}

static int kvm_is_visible_gfn(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn)
{
	int32_t slot = gfn_to_memslot(machine, vcpu, gfn);

	return slot >= 0 && !(vm_of(machine, vcpu)->memslot.flags[slot] & PYEXIT_MEMSLOT_INVALID);
}

static ulong_t gfn_to_hva_memslot(const struct pyexit_machine *machine, uint32_t vcpu, int32_t slot, uint64_t gfn)
{
	const struct pyexit_memslots *slots = &vm_of(machine, vcpu)->memslot;

	if (slot < 0)
		return KVM_HVA_ERR_BAD;
	return (ulong_t)(slots->userspace_addr[slot] + ((gfn - slots->base_gfn[slot]) << PPC_PAGE_SHIFT));
}

/* The row of kvm.backing that holds @hva, or -1. */
static int32_t find_backing(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva)
{
	const struct pyexit_backings *backing = &vm_of(machine, vcpu)->backing;

	if (hva == KVM_HVA_ERR_BAD)
		return -1;
	for (int32_t i = 0; i < PYEXIT_BACKINGS; i++)
		if (hva >= backing->hva[i] && (hva - backing->hva[i]) >> PPC_PAGE_SHIFT < backing->npages[i])
			return i;
	return -1;
}

static int64_t frame_behind(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva)
{
	const struct pyexit_backings *backing = &vm_of(machine, vcpu)->backing;
	int32_t i = find_backing(machine, vcpu, hva);

	if (i < 0)
		return -1;
	return (int64_t)((backing->pfn[i] + ((hva - backing->hva[i]) >> PPC_PAGE_SHIFT)) & FRAME_MASK);
}

static uint64_t gfn_to_pfn_memslot(struct pyexit_machine *machine, uint32_t vcpu, int32_t slot, uint64_t gfn)
{
	int64_t pfn;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_GFN_TO_PFN, 0, gfn, 0, 0);
	if (kvmppc_host(machine, vcpu)->pfn_mode == 1)
		return KVM_PFN_ERR_FAULT;
	if (slot < 0 || vm_of(machine, vcpu)->memslot.flags[slot] & PYEXIT_MEMSLOT_INVALID)
		return KVM_PFN_NOSLOT;
	pfn = frame_behind(machine, vcpu, gfn_to_hva_memslot(machine, vcpu, slot, gfn));
	return pfn < 0 ? KVM_PFN_ERR_FAULT : (uint64_t)pfn;
}

static int32_t find_vma(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva)
{
	const struct pyexit_vmas *vma = &vm_of(machine, vcpu)->vma;

	for (int32_t i = 0; i < PYEXIT_VMAS; i++)
		if (hva >= vma->start[i] && hva < vma->end[i])
			return i;
	return -1;
}

static uint32_t find_linux_pte(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva)
{
	int32_t i = find_backing(machine, vcpu, hva);
	uint32_t own = i < 0 ? PYEXIT_PTE_PRESENT : vm_of(machine, vcpu)->backing.pte[i];

	return own != PYEXIT_PTE_PRESENT ? own : kvmppc_host(machine, vcpu)->pte_mode;
}

static int kvmppc_guest_frame(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn, uint64_t *real)
{
	int64_t pfn;

	if (!kvm_is_visible_gfn(machine, vcpu, gfn))
		return -KVM_EFAULT;
	pfn = frame_behind(machine, vcpu,
			   gfn_to_hva_memslot(machine, vcpu, gfn_to_memslot(machine, vcpu, gfn), gfn));
	if (pfn < 0)
		return -KVM_EFAULT;
	*real = (uint64_t)pfn << PPC_PAGE_SHIFT;
	return 0;
}
