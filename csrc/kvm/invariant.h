/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/invariant: what holds of every shadow entry whatever the guest does
 * (mmu-kvm 7-12).  No kernel file: the kernel does not check itself.
 */
#ifndef KVM_INVARIANT_H
#define KVM_INVARIANT_H

#include "vcpu.h"

/* Stores the first @n violations; returns how many there are.  See pyexit_invariants(). */
static size_t kvmppc_invariants(const struct pyexit_machine *machine, struct pyexit_violation *violations, size_t n);

#endif
