/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/vcpu: the hypervisor's own state: virtual machines, vcpus, the host
 * around them (exit 2, 12; covers kvm_host.h, kvm_book3e's e500.h).
 */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include "../hw/core.h"
#include "machine.h"

/* enum emulation_result (exit 1.3) */
enum {
	EMULATE_DONE = 0,
	EMULATE_DO_MMIO = 1,
	EMULATE_FAIL = 2,
	EMULATE_AGAIN = 3,
	EMULATE_EXIT_USER = 4
};

/* No instruction in the cache (exit 1.3) */
#define KVM_INST_FETCH_FAILED 0xffffffffu

/* Values of a new vcpu (exit 12.2) */
#define KVM_INITIAL_GPR1 0x00fffff8u
#define KVM_INITIAL_IVPR 0x55550000u
#define KVM_INITIAL_IVOR 0x7700u
#define BOOKE_IRQPRIO_MAX 23u
#define KVM_SHADOW_EPCR 0x14800000u	/* DSIGS | DGTMI | DUVD */
#define KVM_SHADOW_MSRP 0x04000004u	/* UCLEP | PMMP */
#define KVM_CPU_E500MC 5u
/* IVORs of a hijacked vector begin here (exit 11.8 leaves the address open) */
#define KVM_HIJACK_STUB 0xf000u

#define KVM_TIMING_UNSET 0xdeadu
#define KVM_E500_TLB0_ENTRIES 256u
#define KVM_E500_TLB0_WAYS 2u
#define KVM_E500_TLB1_ENTRIES 16u

static inline uint32_t kvmppc_thread(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->vcpu_thread[vcpu];
}

/* The LPID that @vcpu runs under: the VM's, or one per thread of a two-thread core (mmu-kvm 12.2). */
static uint32_t kvmppc_get_lpid(const struct pyexit_machine *machine, uint32_t vcpu);

/* Virtual machines, vcpus and host as after creation (exit 12.2, mmu-kvm 1.4); all records are zero before. */
static void kvmppc_reset(struct pyexit_machine *machine);

#endif
