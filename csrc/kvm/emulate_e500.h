/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/emulate_e500: instructions and SPRs of the e500 cores (emulate 4, 7; covers e500_emulate.c). */
#ifndef KVM_EMULATE_E500_H
#define KVM_EMULATE_E500_H

#include "emulate.h"

/* SPR numbers (emulate 4.3) */
enum {
	SPR_HID1 = 1009,
	SPR_L1CSR0 = 1010,
	SPR_L1CSR1 = 1011,
	SPR_BUCSR = 1013,
	SPR_PWRMGTCR0 = 1019
};

/* L1CSR0, L1CSR1 (emulate 4.1, 4.3) */
#define L1CSR0_DCFI 0x2u
#define L1CSR0_CLFC 0x100u
#define L1CSR0_CUL 0x400u
#define L1CSR1_ICFI 0x2u
#define L1CSR1_ICLFR 0x100u

/* ehpriv's operand that calls the debugger; mftmr's register and its answer, one thread (emulate 4.1) */
#define EHPRIV_OC_DEBUG 1u
#define TMRN_TMCFG0 16u
#define TMCFG0_ONE_THREAD 0x101u

/* These try the Book E part too. */
static int kvmppc_core_emulate_op_e500(struct kvmppc_inst *inst);
static int kvmppc_core_emulate_mtspr_e500(struct kvmppc_inst *inst, uint32_t spr, ulong_t value);
static int kvmppc_core_emulate_mfspr_e500(struct kvmppc_inst *inst, uint32_t spr, ulong_t *value);

#endif
