/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/memslot: guest frame -> memory slot -> host virtual address -> host
 * frame, as struct pyexit_kvm says (mmu-kvm 8.1; covers kvm_main.c's gfn_to_*).
 * Rows may hold anything: the first that has the address counts.
 */
#ifndef KVM_MEMSLOT_H
#define KVM_MEMSLOT_H

#include "vcpu.h"

/* What gfn_to_pfn_memslot() answers in place of a frame (mmu-kvm 8.1.6a) */
#define KVM_PFN_ERR_FAULT 0x7ff0000000000000u
#define KVM_PFN_NOSLOT 0x8000000000000000u

/* The slot that has guest frame @gfn, or -1.  KVM_MEMSLOT_INVALID is not looked at. */
static int32_t gfn_to_memslot(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn);

/* Is @gfn the guest's memory?  An invalid slot is not. */
static int kvm_is_visible_gfn(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn);

/* Where slot @slot has @gfn in userspace; slot -1: an address that nothing is at. */
static ulong_t gfn_to_hva_memslot(const struct pyexit_machine *machine, uint32_t vcpu, int32_t slot, uint64_t gfn);

/*
 * The host frame of @gfn, or an error pfn, which an unsigned long cuts: no
 * slot or an invalid one, no page behind it, host.pfn_mode.
 */
static uint64_t gfn_to_pfn_memslot(struct pyexit_machine *machine, uint32_t vcpu, int32_t slot, uint64_t gfn);

/* The host frame behind @hva, or -1. */
static int64_t frame_behind(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva);

/* The row of kvm.vma that holds @hva, or -1. */
static int32_t find_vma(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva);

/* What the host's page table says of @hva: PYEXIT_PTE_* (vectors/SCHEMA.md host.pte_mode). */
static uint32_t find_linux_pte(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t hva);

/*
 * The real address of guest frame @gfn for KVM's own reads and writes of
 * guest memory.  Returns 0, or -KVM_EFAULT: no slot, an invalid one, or no
 * page behind it.
 */
static int kvmppc_guest_frame(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gfn, uint64_t *real);

#endif
