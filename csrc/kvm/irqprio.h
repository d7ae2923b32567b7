/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/irqprio: interrupts for the guest: queue, deliver, and what is
 * checked before the guest is entered (exit 7; covers booke.c, e500mc.c,
 * powerpc.c).
 */
#ifndef KVM_IRQPRIO_H
#define KVM_IRQPRIO_H

#include "vcpu.h"

/* Pending bits that a guest doorbell announces (exit 1.2) */
#define BOOKE_IRQMASK_EE 0x003f0000u
#define BOOKE_IRQMASK_CE 0x0040c000u

/* enum int_class (exit 1.2) */
enum {
	INT_CLASS_NONCRIT = 0,
	INT_CLASS_CRIT = 1,
	INT_CLASS_MC = 2,
	INT_CLASS_DBG = 3
};

/* arch.epr_flags, arch.irq_type, KVM_INTERRUPT's number (exit 1.4) */
#define KVMPPC_EPR_USER 1u
#define KVMPPC_EPR_KERNEL 2u
#define KVMPPC_IRQ_MPIC 1u
#define KVM_INTERRUPT_SET_LEVEL 0xfffffffdu

static void kvmppc_booke_queue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority);
static void kvmppc_booke_dequeue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority);

/* One queued_dear and one queued_esr for all: the last one queued wins (Q5). */
static void kvmppc_core_queue_dtlb_miss(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr);
static void kvmppc_core_queue_data_storage(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr);
static void kvmppc_core_queue_alignment(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr);
static void kvmppc_core_queue_inst_storage(struct pyexit_machine *machine, uint32_t vcpu, uint64_t esr);
static void kvmppc_core_queue_program(struct pyexit_machine *machine, uint32_t vcpu, uint64_t esr);

static void kvmppc_core_queue_external(struct pyexit_machine *machine, uint32_t vcpu, uint32_t irq);
static void kvmppc_core_dequeue_external(struct pyexit_machine *machine, uint32_t vcpu);
static int kvmppc_core_pending_dec(const struct pyexit_machine *machine, uint32_t vcpu);

/* Deliver @priority if the guest takes it now: 1 if it did. */
static int kvmppc_booke_irqprio_deliver(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority);
static void kvmppc_core_check_exceptions(struct pyexit_machine *machine, uint32_t vcpu);

/* 1: go on; 0 or -errno: back to userspace. */
static int kvmppc_core_check_requests(struct pyexit_machine *machine, uint32_t vcpu);

/* 0: the guest can be entered; 1: look again. */
static int kvmppc_core_prepare_to_enter(struct pyexit_machine *machine, uint32_t vcpu);

/* 1: enter the guest, interrupts are off; 0 or -errno: back to userspace. */
static int kvmppc_prepare_to_enter(struct pyexit_machine *machine, uint32_t vcpu);

static int kvm_arch_vcpu_runnable(const struct pyexit_machine *machine, uint32_t vcpu);

#endif
