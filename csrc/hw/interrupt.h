/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/interrupt: taking an interrupt whole (mmu-hardware 12): who gets it,
 * save registers, syndrome, new MSR, vector.
 */
#ifndef HW_INTERRUPT_H
#define HW_INTERRUPT_H

#include "core.h"

struct ppc_cause {
	uint32_t ivor;
	uint32_t esr;		/* or MCSR of a machine check */
	uint64_t ea;		/* DEAR, MCAR; the pc where the row has no address */
	int hypervisor;		/* 1: virtualization fault, never the guest's */
	int host;		/* 1: an instruction of the hypervisor's, whatever thread.msr says */
};

/* Would @cause go to the guest's own vector? */
static int ppc_goes_to_guest(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

/* What ppc_interrupt() would return; nothing changes. */
static struct ppc_end ppc_interrupt_probe(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

static struct ppc_end ppc_interrupt(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

/* Program interrupt for an illegal instruction of the hypervisor's. */
static struct ppc_end ppc_illegal(struct ppc_hw *hw, uint32_t thread);

#endif
