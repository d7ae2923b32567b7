/* SPDX-License-Identifier: BSD-3-Clause */
/* api/search: which vector form of the TLB search this processor has. */
#ifndef API_SEARCH_H
#define API_SEARCH_H

#include "../width.h"

typedef uint64_t page_hits_t(const struct pyexit_htlb1 *tlb, uint32_t entries, uint64_t ea);

/* The compare of enum pyexit_search @search, NULL for the scalar one and where the processor lacks it. */
PYEXIT_INTERNAL page_hits_t *pyexit_page_hits(uint32_t search);

/* The fastest that the processor has. */
PYEXIT_INTERNAL uint32_t pyexit_best_search(void);

#endif
