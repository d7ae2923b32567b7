/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/interrupt: taking an interrupt whole (mmu-hardware 12): who gets it,
 * save registers, syndrome, new MSR, vector.
 */
#ifndef HW_INTERRUPT_H
#define HW_INTERRUPT_H

#include "core.h"

/* Would @cause go to the guest's own vector? */
static int ppc_goes_to_guest(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

/* What ppc_interrupt() would return; nothing changes. */
static struct ppc_end ppc_interrupt_probe(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

static struct ppc_end ppc_interrupt(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);

/* What interrupt @ivor from guest state @pc, @msr to the hypervisor leaves: save registers, MSR, pc. */
static void ppc_leave_at_vector(struct ppc_hw *hw, uint32_t thread, uint32_t ivor, uint64_t pc, uint64_t msr);

/* Program interrupt for an illegal instruction of the hypervisor's. */
static struct ppc_end ppc_illegal(struct ppc_hw *hw, uint32_t thread);

/* Interrupts of an instruction of the running code: program with a syndrome, embedded hypervisor privilege. */
static struct ppc_end ppc_program(struct ppc_hw *hw, uint32_t thread, uint32_t esr);
static struct ppc_end ppc_hv_privileged(struct ppc_hw *hw, uint32_t thread);

#endif
