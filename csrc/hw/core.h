/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/core: cores and their hardware threads: parameters per model, reset
 * values, the SPR file (mmu-hardware 0.3, 0.4, 1-3).  The threads of a core
 * share its TLBs.
 */
#ifndef HW_CORE_H
#define HW_CORE_H

#include "event.h"
#include "memory.h"
#include "regs.h"

#define PPC_DONE ((struct ppc_end){ .outcome = PYEXIT_DONE })

static inline uint32_t ppc_core_of(const struct ppc_hw *hw, uint32_t thread)
{
	return thread / hw->params.threads;
}

static inline void ppc_count(struct ppc_hw *hw, uint32_t thread, enum pyexit_op op)
{
	hw->thread[thread].ops[op]++;
}

/* An address as MSR[CM] lets an instruction of @thread form it (mmu-hardware 5.6). */
static inline uint64_t ppc_ea(const struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	return hw->thread[thread].msr & MSR_CM && hw->params.width == 64 ? ea : (uint32_t)ea;
}

/* State of reset (mmu-hardware 2.9); all records are zero before. */
static void ppc_reset(struct ppc_hw *hw);

/* mtspr, mfspr in hypervisor state.  An SPR that the core lacks is program/PIL. */
static struct ppc_end ppc_mtspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t value);
static struct ppc_end ppc_mfspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t *value);

/* Does the core have the SPR, for reading or for writing? */
static int ppc_spr_exists(const struct ppc_hw *hw, uint64_t number, int write);

/* The bits that MAS register @n keeps of @value (mmu-hardware 2.8). */
static inline uint64_t ppc_mas_bits(const struct ppc_hw *hw, uint32_t n, uint64_t value)
{
	return value & hw->params.mas_mask[n];
}

#endif
