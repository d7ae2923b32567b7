/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/lookaside: a cache in front of the fetch, of what the search and the
 * tests of kvmppc_load_last_inst came to (design 3).  Per vcpu, direct
 * mapped by page.  It changes nothing that can be seen: a hit leaves the MAS
 * registers, events and counts of the search that it saves.  A line is good
 * as long as no TLB entry of the machine and nothing of the state block has
 * been written since (ppc_hw.generation).
 */
#ifndef KVM_LOOKASIDE_H
#define KVM_LOOKASIDE_H

#include "vcpu.h"

/* Where a line's context holds the real page number; above it stand PID, LPID and four flags. */
#define KVMPPC_LOOKASIDE_PFN (((uint64_t)1 << (PYEXIT_REAL_BITS - PPC_PAGE_SHIFT)) - 1)

_Static_assert(KVMPPC_LOOKASIDE_PFN == 0xfffffff, "28 bits: the flags begin at bit 28");

/* What a fetch depends on, besides the page and the generation. */
static uint64_t kvmppc_lookaside_context(const struct pyexit_arch *arch, uint32_t lpid);

/* The line of the vcpu's pc if it is good, else NULL. */
static const struct kvmppc_lookaside *kvmppc_lookaside_find(const struct pyexit_machine *machine, uint32_t vcpu,
							    uint64_t context);

/* Keep what a whole fetch found: TLB entry @entry, the word at @addr. */
static void kvmppc_lookaside_keep(struct pyexit_machine *machine, uint32_t vcpu, uint64_t context, uint32_t entry,
				  uint64_t addr);

/* With PYEXIT_LOOKASIDE_CHECKED: is @line what a full search finds?  Stops the call if not. */
static void kvmppc_lookaside_check(struct pyexit_machine *machine, uint32_t vcpu,
				   const struct kvmppc_lookaside *line);

#endif
