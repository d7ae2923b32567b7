/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/loadstore: what a load or store instruction is, and doing it as MMIO
 * (emulate 5; covers emulate_loadstore.c and the part of sstep.c that it
 * relies on).
 */
#ifndef KVM_LOADSTORE_H
#define KVM_LOADSTORE_H

#include "emulate.h"

/* The instruction at the guest's pc, which accesses paddr_accessed: enum emulation_result. */
static int kvmppc_emulate_loadstore(struct pyexit_machine *machine, uint32_t vcpu);

#endif
