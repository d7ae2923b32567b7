/* SPDX-License-Identifier: BSD-3-Clause */
#include "core.h"

#include "interrupt.h"
#include "tlbops.h"

static void ppc_reset_spr(const struct pyexit_params *params, struct pyexit_spr *spr)
{
	spr->PVR = params->pvr;
	spr->SVR = params->svr;
	spr->HID0 = params->hid0;
	spr->MMUCFG = params->mmucfg;
	spr->TLB0CFG = params->tlb0cfg;
	spr->TLB1CFG = params->tlb1cfg;
	spr->TLB0PS = params->tlb0ps;
	spr->TLB1PS = params->tlb1ps;
	spr->EPTCFG = params->eptcfg;
	spr->LRATCFG = params->lratcfg;
	spr->LRATPS = params->lratps;
}

static void ppc_reset(struct ppc_hw *hw)
{
	for (uint32_t t = 0; t < hw->threads; t++) {
		ppc_reset_spr(&hw->params, &hw->spr[t]);
		hw->spr[t].PIR = t;
	}
}

static const struct spr_pair *find_pair(const struct ppc_hw *hw, uint64_t number)
{
	if (hw->params.width != 64)
		return NULL;
	for (size_t i = 0; i < sizeof(spr_pairs) / sizeof(spr_pairs[0]); i++)
		if (spr_pairs[i].number == number)
			return &spr_pairs[i];
	return NULL;
}

static int spr_exists(const struct pyexit_params *params, const struct spr_row *row)
{
	return !(row->flags & SPR_MAV2) || params->mav == 2 || (row->flags & SPR_RAW && params->raw);
}

static const struct spr_row *find_spr(const struct ppc_hw *hw, uint64_t number)
{
	if (number >= SPR_NUMBERS || spr_rows[number].width == SPR_ABSENT)
		return NULL;
	return spr_exists(&hw->params, &spr_rows[number]) ? &spr_rows[number] : NULL;
}

static inline uint64_t *spr_at(struct pyexit_spr *spr, const struct spr_row *row)
{
	return (uint64_t *)spr + row->index;
}

static inline uint64_t spr_bits(const struct pyexit_params *params, const struct spr_row *row)
{
	switch (row->width) {
	case SPR_MAS:
		return params->mas_mask[row->mas];
	case SPR_PID_BITS:
		return params->pid_mask;
	case SPR_LPID_BITS:
		return params->lpid_mask;
	case SPR_EP_BITS:
		return params->ep_mask;
	case SPR_ULONG:
		return (ulong_t)-1;
	default:
		return UINT32_MAX;
	}
}

static void write_spr(struct ppc_hw *hw, uint32_t thread, const struct spr_row *row, uint64_t value)
{
	uint64_t *spr = spr_at(&hw->spr[thread], row);

	value &= spr_bits(&hw->params, row);
	if (row->flags & SPR_CLEAR) {
		ppc_event(&hw->events, PYEXIT_EVENT_MTSPR, 0, (uint64_t)(row - spr_rows), value, 0);
		value = *spr & ~value;
	}
	*spr = value;
}

PPC_FOLDED uint64_t ppc_spr_get(const struct pyexit_spr *spr, uint32_t number)
{
	return ((const uint64_t *)spr)[spr_rows[number].index];
}

PPC_FOLDED void ppc_spr_put(const struct ppc_hw *hw, struct pyexit_spr *spr, uint32_t number, uint64_t value)
{
	*spr_at(spr, &spr_rows[number]) = value & spr_bits(&hw->params, &spr_rows[number]);
}

/* Registers outside the SPR file. */
static uint64_t *thread_register(struct ppc_hw *hw, uint32_t thread, uint64_t number)
{
	switch (number) {
	case SPR_XER:
		return &hw->thread[thread].xer;
	case SPR_LR:
		return &hw->thread[thread].lr;
	case SPR_CTR:
		return &hw->thread[thread].ctr;
	default:
		return NULL;
	}
}

static uint64_t ulong_bits(const struct ppc_hw *hw)
{
	return hw->params.width == 64 ? UINT64_MAX : UINT32_MAX;
}

static int writes_timebase(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t value)
{
	uint64_t *tb = &hw->core[ppc_core_of(hw, thread)].tb;

	if (number == SPR_TBWL)
		*tb = (*tb & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
	else if (number == SPR_TBWU)
		*tb = value << 32 | (uint32_t)*tb;
	else
		return 0;
	return 1;
}

/* A 64-bit core gives the whole timebase for TBL (mftb). */
static int reads_timebase(const struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t *value)
{
	uint64_t tb = hw->core[ppc_core_of(hw, thread)].tb;

	if (number == SPR_TBL || number == SPR_ATBL)
		*value = tb & ulong_bits(hw);
	else if (number == SPR_TBU || number == SPR_ATBU)
		*value = tb >> 32;
	else
		return 0;
	return 1;
}

/* Is there an SPR without a row? */
static int other_exists(const struct ppc_hw *hw, uint64_t number, int write)
{
	switch (number) {
	case SPR_XER:
	case SPR_LR:
	case SPR_CTR:
	case SPR_MMUCSR0:
		return 1;
	case SPR_TBL:
	case SPR_TBU:
	case SPR_ATBL:
	case SPR_ATBU:
		return !write;
	case SPR_TBWL:
	case SPR_TBWU:
		return write;
	case SPR_LPERU:
		return hw->params.mav == 2;
	default:
		return find_pair(hw, number) != NULL;
	}
}

static int ppc_spr_exists(const struct ppc_hw *hw, uint64_t number, int write)
{
	const struct spr_row *row = find_spr(hw, number);

	return row ? !(write && row->flags & SPR_READ_ONLY) : other_exists(hw, number, write);
}

static void write_other(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t value)
{
	uint64_t *reg = thread_register(hw, thread, number);
	const struct spr_pair *pair = find_pair(hw, number);

	if (pair) {
		write_spr(hw, thread, find_spr(hw, pair->high), value >> 32);
		write_spr(hw, thread, find_spr(hw, pair->low), (uint32_t)value);
	} else if (reg) {
		*reg = value & ulong_bits(hw);
	} else if (number == SPR_MMUCSR0) {
		ppc_tlb_flash(hw, ppc_core_of(hw, thread), value);
	} else if (number == SPR_LPERU) {
		hw->spr[thread].LPER = value << 32 | (uint32_t)hw->spr[thread].LPER;
	} else {
		(void)writes_timebase(hw, thread, number, value);
	}
}

static struct ppc_end ppc_mtspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t value)
{
	const struct spr_row *row = find_spr(hw, number);

	ppc_count(hw, thread, PYEXIT_OP_MTSPR);
	if (row && !(row->flags & SPR_READ_ONLY))
		write_spr(hw, thread, row, value);
	else if (!row && other_exists(hw, number, 1))
		write_other(hw, thread, number, value);
	else
		return ppc_illegal(hw, thread);
	return PPC_DONE;
}

static uint64_t read_other(struct ppc_hw *hw, uint32_t thread, uint64_t number)
{
	const struct spr_pair *pair = find_pair(hw, number);
	const uint64_t *reg = thread_register(hw, thread, number);
	uint64_t value = 0;

	if (pair)
		return *spr_at(&hw->spr[thread], find_spr(hw, pair->high)) << 32 |
		       (uint32_t)*spr_at(&hw->spr[thread], find_spr(hw, pair->low));
	if (reg)
		return *reg;
	if (number == SPR_LPERU)
		return hw->spr[thread].LPER >> 32;
	(void)reads_timebase(hw, thread, number, &value);	/* MMUCSR0 reads 0: a flash is done at once */
	return value;
}

static struct ppc_end ppc_mfspr(struct ppc_hw *hw, uint32_t thread, uint64_t number, uint64_t *value)
{
	const struct spr_row *row = find_spr(hw, number);

	ppc_count(hw, thread, PYEXIT_OP_MFSPR);
	*value = 0;
	if (row)
		*value = *spr_at(&hw->spr[thread], row);
	else if (other_exists(hw, number, 0))
		*value = read_other(hw, thread, number);
	else
		return ppc_illegal(hw, thread);
	return PPC_DONE;
}
