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

/* What the exit handler tells the low-level code (exit 1.3) */
enum {
	RESUME_FLAG_NV = 1,
	RESUME_FLAG_HOST = 2,
	RESUME_GUEST = 0,
	RESUME_GUEST_NV = 1,
	RESUME_HOST = 2,
	RESUME_HOST_NV = 3
};

/* Interrupts inside KVM: bits of pending_exceptions, the lower delivered first (exit 1.2) */
enum {
	BOOKE_IRQPRIO_DATA_STORAGE = 0,
	BOOKE_IRQPRIO_INST_STORAGE = 1,
	BOOKE_IRQPRIO_ALIGNMENT = 2,
	BOOKE_IRQPRIO_PROGRAM = 3,
	BOOKE_IRQPRIO_FP_UNAVAIL = 4,
	BOOKE_IRQPRIO_ALTIVEC_UNAVAIL = 5,
	BOOKE_IRQPRIO_ALTIVEC_ASSIST = 6,
	BOOKE_IRQPRIO_SYSCALL = 8,
	BOOKE_IRQPRIO_AP_UNAVAIL = 9,
	BOOKE_IRQPRIO_DTLB_MISS = 10,
	BOOKE_IRQPRIO_ITLB_MISS = 11,
	BOOKE_IRQPRIO_MACHINE_CHECK = 12,
	BOOKE_IRQPRIO_DEBUG = 13,
	BOOKE_IRQPRIO_CRITICAL = 14,
	BOOKE_IRQPRIO_WATCHDOG = 15,
	BOOKE_IRQPRIO_EXTERNAL = 16,
	BOOKE_IRQPRIO_FIT = 17,
	BOOKE_IRQPRIO_DECREMENTER = 18,
	BOOKE_IRQPRIO_PERFORMANCE_MONITOR = 19,
	BOOKE_IRQPRIO_EXTERNAL_LEVEL = 20,
	BOOKE_IRQPRIO_DBELL = 21,
	BOOKE_IRQPRIO_DBELL_CRIT = 22,
	BOOKE_IRQPRIO_MAX = 23
};

/* Bits of vcpu.requests (exit 1.4) */
enum {
	KVM_REQ_TLB_FLUSH = 0,
	KVM_REQ_WATCHDOG = 8,
	KVM_REQ_EPR_EXIT = 9,
	KVM_REQ_PENDING_TIMER = 10
};

/* vcpu.mode (exit 1.4) */
enum {
	OUTSIDE_GUEST_MODE = 0,
	IN_GUEST_MODE = 1
};

/* run.exit_reason (exit 1.4) */
enum {
	KVM_EXIT_UNKNOWN = 0,
	KVM_EXIT_DEBUG = 4,
	KVM_EXIT_MMIO = 6,
	KVM_EXIT_INTR = 10,
	KVM_EXIT_INTERNAL_ERROR = 17,
	KVM_EXIT_WATCHDOG = 21,
	KVM_EXIT_EPR = 23
};

/* Errors that the kernel's functions return (exit 1.3, vectors/SCHEMA.md); not those of the API */
enum {
	KVM_ENOENT = 2,
	KVM_EINTR = 4,
	KVM_EAGAIN = 11,
	KVM_ENOMEM = 12,
	KVM_EFAULT = 14,
	KVM_EINVAL = 22,
	KVM_ENOTTY = 25,
	KVM_ENOSPC = 28,
	KVM_EOPNOTSUPP = 95,
	KVM_ENOIOCTLCMD = 515,
	KVM_ENOTSUPP = 524
};

/* No instruction in the cache (exit 1.3) */
#define KVM_INST_FETCH_FAILED 0xffffffffu

/* Values of a new vcpu (exit 12.2) */
#define KVM_INITIAL_GPR1 0x00fffff8u
#define KVM_INITIAL_IVPR 0x55550000u
#define KVM_INITIAL_IVOR 0x7700u
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
/* The LPID of its VM. */
static uint32_t kvmppc_vm_lpid(const struct pyexit_machine *machine, uint32_t vcpu);
static uint32_t kvmppc_get_lpid(const struct pyexit_machine *machine, uint32_t vcpu);

/* Ends the call under way, the state as it is: callers return as soon as they see kvmppc_stopped(). */
static inline void kvmppc_stop(struct pyexit_machine *machine, enum pyexit_stop outcome, uint32_t site)
{
	machine->outcome = (uint32_t)outcome;
	machine->site = site;
}

static inline int kvmppc_stopped(const struct pyexit_machine *machine)
{
	return machine->outcome != PYEXIT_RETURNED;
}

static inline void kvm_make_request(struct pyexit_machine *machine, uint32_t vcpu, uint32_t request)
{
	machine->vcpu[vcpu].requests |= (uint64_t)1 << request;
}

static inline void kvm_clear_request(struct pyexit_machine *machine, uint32_t vcpu, uint32_t request)
{
	machine->vcpu[vcpu].requests &= ~((uint64_t)1 << request);
}

/* The request word that the kernel sees: an unsigned long. */
static inline ulong_t kvm_requests(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return (ulong_t)machine->vcpu[vcpu].requests;
}

/* MSR[SF]: bit 63, or absent on a 32-bit kernel.  Not the bit that makes a Book E guest 64-bit: Q1, Q2. */
static inline int kvmppc_msr_sf(const struct pyexit_arch *arch)
{
	return PYEXIT_WIDTH == 64 && arch->shared.msr >> 63;
}

/* Virtual machines, vcpus and host as after creation (exit 12.2, mmu-kvm 1.4); all records are zero before. */
static void kvmppc_reset(struct pyexit_machine *machine);

#endif
