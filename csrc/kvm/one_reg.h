/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/one_reg: registers of a vcpu by their ids (exit 12.6, mmu-kvm 14; covers booke.c, e500_mmu.c, powerpc.c). */
#ifndef KVM_ONE_REG_H
#define KVM_ONE_REG_H

#include "vcpu.h"

/* An id is this | size | number. */
#define KVM_REG_PPC 0x1000000000000000ull
#define KVM_REG_SIZE_U32 0x0020000000000000ull
#define KVM_REG_SIZE_U64 0x0030000000000000ull
#define KVM_REG_SIZE_U128 0x0040000000000000ull

/*
 * Register @id to or from userspace's @addr: 0, -EINVAL for an id that is
 * not known or a value that is refused, -EFAULT.  Q13: the vcpu is not loaded.
 */
static int kvm_vcpu_ioctl_get_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, uint64_t addr);
static int kvm_vcpu_ioctl_set_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, uint64_t addr);

#endif
