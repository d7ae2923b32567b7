/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/lrat: logical to real addresses of guests on an e6500 (mmu-hardware
 * 10).  An entry is made of MAS words like a TLB entry's.
 */
#ifndef HW_LRAT_H
#define HW_LRAT_H

#include "core.h"

/* tlbwe and tlbre with MAS0[ATSEL] = 1 in hypervisor state. */
static struct ppc_end ppc_lrat_write(struct ppc_hw *hw, uint32_t thread);
static void ppc_lrat_read(struct ppc_hw *hw, uint32_t thread);

/*
 * The real address of logical address @logical for a TLB page of size code
 * @tsize under @lpid.  Returns 1, or 0 for an LRAT miss.
 */
static int ppc_lrat_translate(const struct ppc_hw *hw, uint32_t core, uint64_t logical, uint32_t lpid, uint32_t tsize,
			      uint64_t *real);

#endif
