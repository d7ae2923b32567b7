/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/hcall: ePAPR and KVM hypercalls (exit 10; covers powerpc.c's kvmppc_kvm_pv). */
#ifndef KVM_HCALL_H
#define KVM_HCALL_H

#include "vcpu.h"

/* Tokens: vendor << 16 | number (exit 10) */
#define KVM_HC_FEATURES_TOKEN 0x002a0003u
#define KVM_HC_PPC_MAP_MAGIC_PAGE_TOKEN 0x002a0004u
#define EV_IDLE_TOKEN 0x00010010u

/* Answers (exit 10) */
#define EV_SUCCESS 0u
#define EV_UNIMPLEMENTED 12u
#define KVM_MAGIC_FEAT_SR 1u
#define KVM_MAGIC_FEAT_MAS0_TO_SPRG7 2u
#define MAGIC_PAGE_FLAG_NOT_MAPPED_NX 1u

/* The call in gpr 11 with parameters in gpr 3 to 6: writes gpr 4, returns what belongs in gpr 3. */
static ulong_t kvmppc_kvm_pv(struct pyexit_machine *machine, uint32_t vcpu);

#endif
