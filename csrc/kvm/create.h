/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/create: vcpus and virtual machines come and go: initial values, the
 * guest TLB's memory, LPIDs (exit 12.1, 12.2, mmu-kvm 1.4, 8.4; covers
 * powerpc.c, booke.c, e500mc.c, e500_mmu.c, e500_mmu_host.c).
 */
#ifndef KVM_CREATE_H
#define KVM_CREATE_H

#include "vcpu.h"

#define KVMPPC_NR_LPIDS 64u

/* VM types (exit 1.4); 0 = whichever the host has */
#define KVM_VM_PPC_HV 1u
#define KVM_VM_PPC_PR 2u

/* The vcpu's record is zero before but for its id: 0, or -errno and what had been made is gone. */
static int kvm_arch_vcpu_create(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_core_vcpu_create(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_core_vcpu_setup(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_subarch_vcpu_init(struct pyexit_machine *machine, uint32_t vcpu);

/* What is freed reads as 0. */
static void kvmppc_subarch_vcpu_uninit(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_core_vcpu_free(struct pyexit_machine *machine, uint32_t vcpu);
static void kvm_arch_vcpu_destroy(struct pyexit_machine *machine, uint32_t vcpu);

/* arch.sane: may the vcpu run?  0 or -EINVAL. */
static int kvmppc_sanity_check(struct pyexit_machine *machine, uint32_t vcpu);

/* Is the processor, by its name's number (vectors/SCHEMA.md), one that this KVM runs on?  0 or -ENOTSUPP. */
static int kvmppc_core_check_processor_compat(const struct pyexit_machine *machine, uint64_t cpu);

/* A VM, named by one of its vcpus; *@kvm_ops_set: an implementation was found. */
static int kvm_arch_init_vm(struct pyexit_machine *machine, uint32_t vcpu, uint64_t type, uint64_t *kvm_ops_set);
static void kvm_arch_destroy_vm(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_core_destroy_vm(struct pyexit_machine *machine, uint32_t vcpu);

/* The lowest free LPID from 1 on, or -ENOMEM.  LPIDs of all machines are in the host record of thread 0. */
static int kvmppc_alloc_lpid(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_free_lpid(struct pyexit_machine *machine, uint32_t lpid);

#endif
