/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/epid: whose translation an access uses: the running code's, or for
 * external-PID accesses that of EPLC or EPSC; lwepx (mmu-hardware 9).
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

/* lwepx: the word at @ea in EPLC's context, or the interrupt that the load takes; @host: the hypervisor's own. */
static struct ppc_end ppc_lwepx(struct ppc_hw *hw, uint32_t thread, uint64_t ea, int host, uint64_t *word);

#endif
