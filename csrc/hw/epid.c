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

/* Where byte @i of an access at @ea lies, which may go on in a second page. */
static uint64_t byte_address(const struct pyexit_translation *t, uint64_t ea, uint32_t i)
{
	uint32_t in_first = PYEXIT_PAGE_SIZE - (uint32_t)(ea & (PYEXIT_PAGE_SIZE - 1));

	return i < in_first ? t->real + i : t->real2 + (i - in_first);
}

static struct ppc_end ppc_load_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size, int host,
					uint64_t *value)
{
	struct pyexit_translation t;

	if (host)
		t = ppc_translate_host(hw, thread, ea, size, PYEXIT_LOAD | PYEXIT_EXTERNAL);
	else
		t = ppc_translate(hw, thread, ea, size, PYEXIT_LOAD | PYEXIT_EXTERNAL, 0);
	if (t.outcome == PYEXIT_DONE) {
		*value = 0;
		for (uint32_t i = 0; i < size; i++)
			*value = *value << 8 | ppc_load_byte(&hw->memory, byte_address(&t, ea, i));
	}
	return (struct ppc_end){ .outcome = (int32_t)t.outcome, .ivor = t.ivor };
}

static struct ppc_end ppc_store_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					 uint64_t value)
{
	struct pyexit_translation t = ppc_translate(hw, thread, ea, size, PYEXIT_STORE | PYEXIT_EXTERNAL, 0);

	for (uint32_t i = 0; t.outcome == PYEXIT_DONE && i < size; i++)
		ppc_store_byte(&hw->memory, byte_address(&t, ea, i), (uint8_t)(value >> 8 * (size - 1 - i)));
	return (struct ppc_end){ .outcome = (int32_t)t.outcome, .ivor = t.ivor };
}

static struct ppc_end ppc_zero_line_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea)
{
	struct pyexit_translation t = ppc_translate(hw, thread, ea, 1, PYEXIT_STORE | PYEXIT_EXTERNAL, 0);
	uint64_t line = t.real & ~(uint64_t)(PPC_CACHE_LINE - 1);

	for (uint32_t i = 0; t.outcome == PYEXIT_DONE && i < PPC_CACHE_LINE; i++)
		ppc_store_byte(&hw->memory, line + i, 0);
	return (struct ppc_end){ .outcome = (int32_t)t.outcome, .ivor = t.ivor };
}

static struct ppc_end ppc_touch_external(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t access)
{
	struct pyexit_translation t = ppc_translate(hw, thread, ea, 1, access | PYEXIT_EXTERNAL, 0);

	if (t.outcome == PYEXIT_DROPPED)	/* a touch that faults is a no-op (mmu-hardware 5.1) */
		return PPC_DONE;
	return (struct ppc_end){ .outcome = (int32_t)t.outcome, .ivor = t.ivor };
}

static struct ppc_end ppc_lwepx(struct ppc_hw *hw, uint32_t thread, uint64_t ea, int host, uint64_t *word)
{
	ppc_count(hw, thread, PYEXIT_OP_LWEPX);
	return ppc_load_external(hw, thread, ea, 4, host, word);
}
