/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/emulate_booke: instructions and SPRs of every Book E core (emulate 3; covers booke_emulate.c). */
#ifndef KVM_EMULATE_BOOKE_H
#define KVM_EMULATE_BOOKE_H

#include "emulate.h"

/* SPR numbers (emulate 3.3) */
enum {
	SPR_DECAR = 54,
	SPR_DBCR0 = 308,
	SPR_DBCR1 = 309,
	SPR_DBCR2 = 310,
	SPR_IAC1 = 312,
	SPR_IAC2 = 313,
	SPR_DAC1 = 316,
	SPR_DAC2 = 317,
	SPR_TSR = 336,
	SPR_TCR = 340
};

/* DBCR0: the external debugger's bit, and what a guest may set (emulate 3.3) */
#define DBCR0_EDM 0x80000000u
#define DBCR0_GUEST_MASK 0x4dff0000u

static int kvmppc_booke_emulate_op(struct kvmppc_inst *inst);
static int kvmppc_booke_emulate_mtspr(struct kvmppc_inst *inst, uint32_t spr, ulong_t value);
static int kvmppc_booke_emulate_mfspr(struct kvmppc_inst *inst, uint32_t spr, ulong_t *value);

#endif
