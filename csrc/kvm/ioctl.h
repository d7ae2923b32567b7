/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/ioctl: KVM's interface to userspace: registers, capabilities,
 * interrupts, translation, and what a VM answers (exit 12.4, 12.5, 12.7,
 * emulate 6.11; covers powerpc.c, booke.c, e500mc.c, e500_mmu.c).  Userspace's
 * structures are the vcpu's user record at the addresses PYEXIT_USER_*.
 */
#ifndef KVM_IOCTL_H
#define KVM_IOCTL_H

#include "vcpu.h"

/* Requests (vectors/SCHEMA.md) */
#define KVM_ENABLE_CAP 0x8068aea3u
#define KVM_DIRTY_TLB 0x8010aeaau
#define KVM_GET_ONE_REG 0x8010aeabu
#define KVM_SET_ONE_REG 0x8010aeacu
#define KVM_INTERRUPT 0x8004ae86u
#define KVM_PPC_GET_PVINFO 0x8080aea1u

/* Capabilities (exit 1.4) */
#define KVM_CAP_PPC_OSI 52u
#define KVM_CAP_PPC_PAPR 68u
#define KVM_CAP_SW_TLB 69u
#define KVM_CAP_PPC_BOOKE_WATCHDOG 83u
#define KVM_CAP_PPC_EPR 86u

/* Any other number of KVM_INTERRUPT queues an interrupt (exit 1.4, Q33) */
#define KVM_INTERRUPT_UNSET 0xfffffffeu

/* sregs.features: groups (exit 12.5) */
#define KVM_SREGS_E_BASE 0x1u
#define KVM_SREGS_E_ARCH206 0x2u
#define KVM_SREGS_E_IVOR 0x20u
#define KVM_SREGS_E_ARCH206_MMU 0x40u
#define KVM_SREGS_E_PC 0x1000u
#define KVM_SREGS_E_PM 0x4000u

/* sregs.update_special and impl_id (exit 12.5) */
#define KVM_SREGS_E_UPDATE_TSR 0x2u
#define KVM_SREGS_E_UPDATE_DEC 0x4u
#define KVM_SREGS_E_IMPL_FSL 1u

/* pvinfo.flags: the guest may call EV_IDLE (exit 10) */
#define KVM_PPC_PVINFO_FLAGS_EV_IDLE 1u

/* All return 0 or -errno. */
static int kvm_arch_vcpu_ioctl_get_regs(struct pyexit_machine *machine, uint32_t vcpu);
static int kvm_arch_vcpu_ioctl_set_regs(struct pyexit_machine *machine, uint32_t vcpu);
static int kvm_arch_vcpu_ioctl_get_sregs(struct pyexit_machine *machine, uint32_t vcpu);
static int kvm_arch_vcpu_ioctl_set_sregs(struct pyexit_machine *machine, uint32_t vcpu);

/* KVM_TRANSLATE: *@valid and, where the guest TLB has the address, *@physical_address. */
static int kvm_arch_vcpu_ioctl_translate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t linear_address,
					 uint64_t *valid, uint64_t *physical_address);

static int kvm_arch_vcpu_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request, uint64_t pointer);
static int kvm_vcpu_ioctl_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t irq);

/* @irq is the word at PYEXIT_USER_IRQ. */
static int kvm_arch_vcpu_async_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request,
				     uint64_t pointer, uint32_t irq);

/* A VM's ioctls, asked through one of its vcpus. */
static int kvm_arch_vm_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request, uint64_t pointer);
static int kvm_vm_ioctl_check_extension(struct pyexit_machine *machine, uint32_t vcpu, uint64_t cap);

#endif
