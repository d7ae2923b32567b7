/* SPDX-License-Identifier: BSD-3-Clause */
#include "epid.h"

#include "translate.h"

/* mmu-hardware 9.1, 9.2: stores use EPSC, all else EPLC */
static struct ppc_context external_context(const struct ppc_hw *hw, uint32_t thread, uint32_t kind)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint64_t ep = kind == PYEXIT_STORE || kind == PYEXIT_TOUCH_STORE ? spr->EPSC : spr->EPLC;

	return (struct ppc_context){
		.as = !!(ep & EPC_EAS),
		.pr = !!(ep & EPC_EPR),
		.gs = !!(ep & EPC_EGS),
		.pid = (uint32_t)ep & EPC_EPID_MASK,
		.lpid = (uint32_t)(ep & EPC_ELPID_MASK) >> EPC_ELPID_SHIFT,
		.esr = ESR_EPID,
	};
}

static struct ppc_context ppc_access_context(const struct ppc_hw *hw, uint32_t thread, uint32_t access)
{
	uint64_t msr = hw->thread[thread].msr;

	if (access & PYEXIT_EXTERNAL)
		return external_context(hw, thread, access & ~(uint32_t)PYEXIT_EXTERNAL);
	return (struct ppc_context){
		.as = !!(msr & (access == PYEXIT_FETCH ? MSR_IS : MSR_DS)),
		.pr = !!(msr & MSR_PR),
		.gs = !!(msr & MSR_GS),
		.pid = (uint32_t)hw->spr[thread].PID,
		.lpid = (uint32_t)hw->spr[thread].LPID,
	};
}

/* Bytes of the word that lie in the second page when @ea is not aligned. */
static uint32_t split_word(const struct ppc_hw *hw, uint64_t ea, const struct pyexit_translation *t)
{
	uint32_t in_first = PYEXIT_PAGE_SIZE - (uint32_t)(ea & (PYEXIT_PAGE_SIZE - 1));
	uint32_t shift = 8 * (4 - in_first);

	if (in_first >= 4)
		return ppc_load32(&hw->memory, t->real);
	return (ppc_load32(&hw->memory, t->real) >> shift << shift) |
	       ppc_load32(&hw->memory, t->real2) >> (32 - shift);
}

static struct ppc_end ppc_lwepx(struct ppc_hw *hw, uint32_t thread, uint64_t ea, int host, uint64_t *word)
{
	struct pyexit_translation t;

	ppc_count(hw, thread, PYEXIT_OP_LWEPX);
	if (host)
		t = ppc_translate_host(hw, thread, ea, 4, PYEXIT_LOAD | PYEXIT_EXTERNAL);
	else
		t = ppc_translate(hw, thread, ea, 4, PYEXIT_LOAD | PYEXIT_EXTERNAL, 0);
	if (t.outcome == PYEXIT_DONE)
		*word = split_word(hw, ea, &t);
	return (struct ppc_end){ .outcome = (int32_t)t.outcome, .ivor = t.ivor };
}
