/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/epid: whose translation an access uses: the running code's, or for
 * external-PID accesses that of EPLC or EPSC; those accesses (mmu-hardware 9).
 */
#ifndef HW_EPID_H
#define HW_EPID_H

#include "core.h"

/* What takes the place of MSR[IS,DS,PR,GS], PIDR and LPIDR. */
struct ppc_context {
	uint32_t as, pr, gs;	/* 0 or 1 */
	uint32_t pid, lpid;
	uint32_t esr;		/* what the context adds to a syndrome: EPID */
};

/* The context of an access of kind @access (enum pyexit_access, perhaps | PYEXIT_EXTERNAL). */
static struct ppc_context ppc_access_context(const struct ppc_hw *hw, uint32_t thread, uint32_t access);

/* @size bytes at @ea in EPLC's or EPSC's context, big-endian, or the interrupt that the access takes. */
static struct ppc_end ppc_load_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size, int host,
					uint64_t *value);
static struct ppc_end ppc_store_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					 uint64_t value);
static struct ppc_end ppc_zero_line_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea);

/* Cache instructions: @access is CACHE_LOAD or one of the touches. */
static struct ppc_end ppc_touch_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t access);

/* lwepx: the word at @ea in EPLC's context, or the interrupt that the load takes; @host: the hypervisor's own. */
static struct ppc_end ppc_lwepx(struct ppc_hw *hw, uint32_t thread, uint64_t ea, int host, uint64_t *word);

#endif
