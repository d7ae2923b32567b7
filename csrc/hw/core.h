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
	return thread >> (hw->params.threads - 1);	/* one or two */
}

static inline void ppc_count(struct ppc_hw *hw, uint32_t thread, enum pyexit_op op)
{
	hw->thread[thread].ops[op]++;
}

/* What stands next to each other is counted at once. */
static inline void ppc_count_moves(struct pyexit_thread *t, uint32_t mfspr, uint32_t mtspr)
{
	t->ops[PYEXIT_OP_MFSPR] += mfspr;
	t->ops[PYEXIT_OP_MTSPR] += mtspr;
}

/* A function that a constant argument folds to a few instructions. */
#if defined(__GNUC__)
#define PPC_FOLDED static inline __attribute__((always_inline))
#else
#define PPC_FOLDED static inline
#endif

/* An address as MSR[CM] lets an instruction of @thread form it (mmu-hardware 5.6). */
static inline uint64_t ppc_ea(const struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	return PYEXIT_WIDTH == 64 && hw->thread[thread].msr & MSR_CM ? ea : (uint32_t)ea;
}

/* State of reset (mmu-hardware 2.9); all records are zero before. */
static void ppc_reset(struct ppc_hw *hw);

/* mtspr, mfspr in hypervisor state.  An SPR that the core lacks is program/PIL. */
static struct ppc_end ppc_mtspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t value);
static struct ppc_end ppc_mfspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t *value);

/*
 * The same for an SPR with a row that every core has and that is neither
 * read-only nor cleared by ones; not counted: who moves a group counts it.
 * A constant @number folds the row away.
 */
PPC_FOLDED uint64_t ppc_spr_get(const struct pyexit_spr *spr, uint32_t number);
PPC_FOLDED void ppc_spr_put(const struct ppc_hw *hw, struct pyexit_spr *spr, uint32_t number, uint64_t value);

/* Does the core have the SPR, for reading or for writing? */
static int ppc_spr_exists(const struct ppc_hw *hw, uint64_t number, int write);

/* The bits that MAS register @n keeps of @value (mmu-hardware 2.8). */
static inline uint64_t ppc_mas_bits(const struct ppc_hw *hw, uint32_t n, uint64_t value)
{
	return value & hw->params.mas_mask[n];
}

#endif
