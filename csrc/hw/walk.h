/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/walk: the hardware page-table walk of an e6500, from an indirect TLB
 * entry to a direct one in TLB0 (mmu-hardware 11).
 */
#ifndef HW_WALK_H
#define HW_WALK_H

#include "tlb.h"

/* How a walk ended. */
enum ppc_walk_outcome {
	PPC_WALK_DONE,		/* entry is valid */
	PPC_WALK_FAULT,		/* PTE[V] = 0 */
	PPC_WALK_INELIGIBLE,	/* TLB0 cannot hold the page */
	PPC_WALK_LRAT_MISS,	/* address = the logical page, size = its code */
	PPC_WALK_NOT_RAM	/* address = where the PTE should be */
};

struct ppc_walk {
	enum ppc_walk_outcome outcome;
	struct ppc_entry entry;
	uint64_t pte, address;
	uint32_t tsize;
};

/* Walk from indirect entry @indirect for @tags.  Changes nothing. */
static struct ppc_walk ppc_walk_table(const struct ppc_hw *hw, uint32_t core, uint32_t indirect,
				      const struct ppc_tags *tags);

/* Put the entry that a walk made into TLB0. */
static void ppc_walk_reload(struct ppc_hw *hw, uint32_t core, const struct ppc_tags *tags,
			    const struct ppc_walk *walk);

#endif
