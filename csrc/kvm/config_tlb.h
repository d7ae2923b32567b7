/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/config_tlb: the guest TLB in userspace's memory, KVM_CAP_SW_TLB and
 * KVM_DIRTY_TLB (mmu-kvm 2; covers e500_mmu.c).
 */
#ifndef KVM_CONFIG_TLB_H
#define KVM_CONFIG_TLB_H

#include "vcpu.h"

#define KVM_MMU_FSL_BOOKE_NOHV 0u

/* user.config_tlb: 0 or -errno; the guest TLB is then user memory (user.tlb). */
static int kvm_vcpu_ioctl_config_tlb(struct pyexit_machine *machine, uint32_t vcpu);

/* Userspace has changed its array: 0. */
static int kvm_vcpu_ioctl_dirty_tlb(struct pyexit_machine *machine, uint32_t vcpu);

/* The guest TLB in use and KVM's data for it are freed, and read as 0; the user's array stays. */
static void free_gtlb(struct pyexit_machine *machine, uint32_t vcpu);

#endif
