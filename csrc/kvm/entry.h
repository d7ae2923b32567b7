/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/entry: putting a vcpu on a hardware thread and taking it off, and
 * running it (exit 7.3, 7.7, 12.2, 12.3; covers e500mc.c, booke.c,
 * powerpc.c).
 */
#ifndef KVM_ENTRY_H
#define KVM_ENTRY_H

#include "vcpu.h"

/* MSR[GS] is forced, and MSR[DE] while userspace debugs the guest. */
static void kvmppc_set_msr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t new_msr);
static void kvmppc_set_epcr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t new_epcr);

/* The guest's registers into the thread and back into the vcpu. */
static void kvmppc_core_vcpu_load(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_core_vcpu_put(struct pyexit_machine *machine, uint32_t vcpu);

/* The same with VRSAVE, as an ioctl does it. */
static void kvm_arch_vcpu_load(struct pyexit_machine *machine, uint32_t vcpu);
static void kvm_arch_vcpu_put(struct pyexit_machine *machine, uint32_t vcpu);

/* What the lazy interrupt state becomes before an entry: a 64-bit kernel says "enabled" (exit 3.1 H10). */
static void kvmppc_fix_ee_before_entry(struct pyexit_machine *machine, uint32_t vcpu);

/* R1-R5 of exit 7.7: 1 and the guest is entered, or what kvmppc_vcpu_run() returns; R7-R9, when it has come back. */
static int kvmppc_vcpu_run_begin(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_vcpu_run_end(struct pyexit_machine *machine, uint32_t vcpu);

/* Both; no guest runs between them: host.guest_enter_ret says how it came back.  0 or -errno. */
static int kvmppc_vcpu_run(struct pyexit_machine *machine, uint32_t vcpu);

#endif
