/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/translate: effective to real address for the code that runs on a
 * hardware thread, or the interrupt it causes (mmu-hardware 5, 6.6, 12).
 */
#ifndef HW_TRANSLATE_H
#define HW_TRANSLATE_H

#include "core.h"

static struct pyexit_translation ppc_translate(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					       uint32_t access, int probe);

/* The same for an access of the hypervisor's own code: what it takes is the host's. */
static struct pyexit_translation ppc_translate_host(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
						    uint32_t access);

#endif
