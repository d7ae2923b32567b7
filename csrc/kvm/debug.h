/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/debug: who owns the debug facility, guest or userspace, and its exits (exit 9; covers booke.c). */
#ifndef KVM_DEBUG_H
#define KVM_DEBUG_H

#include "vcpu.h"

/* vcpu.guest_debug and the ioctl's control word (exit 1.4) */
#define KVM_GUESTDBG_ENABLE 0x00000001u
#define KVM_GUESTDBG_SINGLESTEP 0x00000002u
#define KVM_GUESTDBG_USE_SW_BP 0x00010000u
#define KVM_GUESTDBG_USE_HW_BP 0x00020000u

/* Break point types and run.debug.arch.status (exit 1.4) */
#define KVMPPC_DEBUG_NONE 0u
#define KVMPPC_DEBUG_BREAKPOINT 2u
#define KVMPPC_DEBUG_WATCH_WRITE 4u
#define KVMPPC_DEBUG_WATCH_READ 8u
#define KVMPPC_BOOKE_IAC_NUM 2u
#define KVMPPC_BOOKE_DAC_NUM 2u

/* The software break point (exit 1.3) */
#define KVMPPC_INST_SW_BREAKPOINT 0x00dddd00u

/* DBSR (exit 1.7) */
#define DBSR_IDE 0x80000000u
#define DBSR_TIE 0x01000000u
#define DBSR_IAC_MASK 0x00f00000u
#define DBSR_DAC1R 0x00080000u
#define DBSR_DAC1W 0x00040000u
#define DBSR_DAC2R 0x00020000u
#define DBSR_DAC2W 0x00010000u

/* ESR of a trap that the guest does not enable (exit 1.6) */

/* DBCR0 (exit 1.7) */
#define DBCR0_IDM 0x40000000u
#define DBCR0_IC 0x08000000u
#define DBCR0_IAC1 0x00800000u
#define DBCR0_IAC2 0x00400000u
#define DBCR0_DAC1R 0x00080000u
#define DBCR0_DAC1W 0x00040000u
#define DBCR0_DAC2R 0x00020000u
#define DBCR0_DAC2W 0x00010000u

/* A break point of KVM_SET_GUEST_DEBUG. */
struct kvmppc_breakpoint {
	uint64_t addr;
	uint32_t type;
};

/* The debug event in arch.dbsr: RESUME_GUEST or RESUME_HOST. */
static int kvmppc_handle_debug(struct pyexit_machine *machine, uint32_t vcpu);

/* @prot_bitmap: MSR bits; @set: the guest may not change them, or may. */
static void kvm_guest_protect_msr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t prot_bitmap, int set);

/* @bp: four break points, all that the kernel looks at. */
static int kvm_arch_vcpu_ioctl_set_guest_debug(struct pyexit_machine *machine, uint32_t vcpu, uint32_t control,
					       const struct kvmppc_breakpoint *bp);

#endif
