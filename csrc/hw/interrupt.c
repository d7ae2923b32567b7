/* SPDX-License-Identifier: BSD-3-Clause */
#include "interrupt.h"

/* Which pair of registers saves pc and MSR. */
enum save_class {
	SAVE_SRR,
	SAVE_CSRR,
	SAVE_DSRR,
	SAVE_MCSRR,
	SAVE_GSRR	/* a guest doorbell: the guest's own pair, though the host takes it (Q12) */
};

#define ROW_ESR 1u
#define ROW_DEAR 2u
#define ROW_NEXT 4u	/* saves the next instruction */
#define ROW_GUEST 8u	/* from guest state always the guest's */

struct interrupt_row {
	uint32_t epcr;		/* EPCR bit that gives it to the guest, 0 = none */
	uint8_t flags;		/* ROW_* */
	uint8_t save;		/* enum save_class */
};

/* mmu-hardware 12, both tables; save classes exit 11.2; a number without a row does not occur */
static const struct interrupt_row interrupt_rows[] = {
	[IVOR_CRITICAL] = { 0, 0, SAVE_CSRR },
	[IVOR_MACHINE_CHECK] = { 0, 0, SAVE_MCSRR },
	[IVOR_DATA_STORAGE] = { EPCR_DSIGS, ROW_ESR | ROW_DEAR, SAVE_SRR },
	[IVOR_INST_STORAGE] = { EPCR_ISIGS, ROW_ESR, SAVE_SRR },
	[IVOR_EXTERNAL] = { EPCR_EXTGS, 0, SAVE_SRR },
	[IVOR_ALIGNMENT] = { 0, ROW_ESR | ROW_DEAR, SAVE_SRR },
	[IVOR_PROGRAM] = { 0, ROW_ESR, SAVE_SRR },
	[IVOR_FP_UNAVAIL] = { 0, 0, SAVE_SRR },
	[IVOR_SYSCALL] = { 0, ROW_NEXT | ROW_GUEST, SAVE_SRR },
	[IVOR_AP_UNAVAIL] = { 0, 0, SAVE_SRR },
	[IVOR_DECREMENTER] = { 0, 0, SAVE_SRR },
	[IVOR_FIT] = { 0, 0, SAVE_SRR },
	[IVOR_WATCHDOG] = { 0, 0, SAVE_CSRR },
	[IVOR_DTLB_MISS] = { EPCR_DTLBGS, ROW_ESR | ROW_DEAR, SAVE_SRR },
	[IVOR_ITLB_MISS] = { EPCR_ITLBGS, ROW_ESR, SAVE_SRR },
	[IVOR_DEBUG] = { 0, 0, SAVE_DSRR },
	[IVOR_ALTIVEC_UNAVAIL] = { 0, 0, SAVE_SRR },
	[IVOR_ALTIVEC_ASSIST] = { 0, 0, SAVE_SRR },
	[IVOR_PERFORMANCE_MONITOR] = { 0, 0, SAVE_SRR },
	[IVOR_DBELL] = { 0, 0, SAVE_SRR },
	[IVOR_DBELL_CRIT] = { 0, 0, SAVE_CSRR },
	[IVOR_GDBELL] = { 0, 0, SAVE_GSRR },
	[IVOR_GDBELL_CRIT] = { 0, 0, SAVE_CSRR },
	[IVOR_HV_SYSCALL] = { 0, ROW_NEXT, SAVE_SRR },
	[IVOR_HV_PRIV] = { 0, 0, SAVE_SRR },
	[IVOR_LRAT_ERROR] = { 0, ROW_ESR, SAVE_SRR },
};

static inline const struct interrupt_row *interrupt_row(uint32_t ivor)
{
	return &interrupt_rows[ivor];
}

static int ppc_goes_to_guest(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause)
{
	const struct interrupt_row *row = interrupt_row(cause->ivor);

	if (!(hw->thread[thread].msr & MSR_GS) || cause->hypervisor || cause->host)
		return 0;
	return row->flags & ROW_GUEST || hw->spr[thread].EPCR & row->epcr;
}

static struct ppc_end ppc_interrupt_probe(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause)
{
	struct ppc_end end = { PYEXIT_EXIT, cause->ivor };

	if (cause->host || !(hw->thread[thread].msr & MSR_GS))
		end.outcome = PYEXIT_TAKEN_BY_HOST;
	else if (ppc_goes_to_guest(hw, thread, cause))
		end.outcome = PYEXIT_TAKEN_BY_GUEST;
	return end;
}

/* MSR bits that a class keeps: critical and debug clear CE and DE, machine check also ME. */
static const uint64_t kept_msr[] = {
	[SAVE_SRR] = MSR_CE | MSR_ME | MSR_DE,
	[SAVE_CSRR] = MSR_ME,
	[SAVE_DSRR] = MSR_ME,
	[SAVE_MCSRR] = 0,
	[SAVE_GSRR] = MSR_CE | MSR_ME | MSR_DE,
};

/* mmu-hardware 12, "New MSR" */
static uint64_t new_msr(const struct ppc_hw *hw, uint32_t thread, int guest, uint32_t save)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint64_t kept = kept_msr[save];
	uint64_t msr;

	if (guest) {
		kept |= MSR_GS;
		if (spr->MSRP & MSRP_UCLEP)
			kept |= MSR_UCLE;
		if (spr->MSRP & MSRP_PMMP)
			kept |= MSR_PMM;
	}
	msr = hw->thread[thread].msr & kept;
	if (PYEXIT_WIDTH == 64 && spr->EPCR & (guest ? EPCR_GICM : EPCR_ICM))
		msr |= MSR_CM;
	return msr;
}

static uint64_t guest_vector(const struct pyexit_spr *spr, uint32_t ivor)
{
	switch (ivor) {
	case IVOR_DATA_STORAGE:
		return spr->GIVPR | spr->GIVOR2;
	case IVOR_INST_STORAGE:
		return spr->GIVPR | spr->GIVOR3;
	case IVOR_EXTERNAL:
		return spr->GIVPR | spr->GIVOR4;
	case IVOR_SYSCALL:
		return spr->GIVPR | spr->GIVOR8;
	case IVOR_DTLB_MISS:
		return spr->GIVPR | spr->GIVOR13;
	default:
		return spr->GIVPR | spr->GIVOR14;
	}
}

static void write_syndrome(struct pyexit_spr *spr, const struct ppc_cause *cause, uint32_t flags, int guest)
{
	if (cause->ivor == IVOR_MACHINE_CHECK) {
		spr->MCSR |= cause->esr;
		if (cause->esr & MCSR_MAV)
			spr->MCAR = cause->ea;
	}
	if (flags & ROW_ESR)
		*(guest ? &spr->GESR : &spr->ESR) = cause->esr;
	if (flags & ROW_DEAR || (cause->ivor == IVOR_LRAT_ERROR && cause->esr & ESR_DATA))	/* U18 */
		*(guest ? &spr->GDEAR : &spr->DEAR) = cause->ea;
}

/* The save registers of a class: each pair lies together in the SPR file. */
#define PAIR(save0) (offsetof(struct pyexit_spr, save0) / sizeof(uint64_t))
static const uint8_t save_pairs[] = {
	[SAVE_SRR] = PAIR(SRR0),
	[SAVE_CSRR] = PAIR(CSRR0),
	[SAVE_DSRR] = PAIR(DSRR0),
	[SAVE_MCSRR] = PAIR(MCSRR0),
	[SAVE_GSRR] = PAIR(GSRR0),
};
#undef PAIR

static void save_registers(struct pyexit_spr *spr, uint32_t save, uint64_t pc, uint64_t msr)
{
	uint64_t *pair = (uint64_t *)spr + save_pairs[save];

	pair[0] = pc;
	pair[1] = msr;
}

static struct ppc_end ppc_interrupt(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause)
{
	struct ppc_end end = ppc_interrupt_probe(hw, thread, cause);
	const struct interrupt_row *row = interrupt_row(cause->ivor);
	int guest = end.outcome == PYEXIT_TAKEN_BY_GUEST;
	struct pyexit_thread *t = &hw->thread[thread];
	struct pyexit_spr *spr = &hw->spr[thread];
	uint64_t pc = row->flags & ROW_NEXT ? ppc_ea(hw, thread, t->pc + 4) : t->pc;

	write_syndrome(spr, cause, row->flags, guest);
	save_registers(spr, guest ? (uint32_t)SAVE_GSRR : row->save, pc, t->msr);
	t->msr = new_msr(hw, thread, guest, row->save);
	t->pc = guest ? guest_vector(spr, cause->ivor) : spr->IVPR | spr->IVOR[cause->ivor];
	if (end.outcome == PYEXIT_TAKEN_BY_HOST)
		ppc_event(&hw->events, PYEXIT_EVENT_HOST_EXCEPTION, 0, cause->ivor, cause->ea, 0);
	return end;
}

static void ppc_leave_at_vector(struct ppc_hw *hw, uint32_t thread, uint32_t ivor, uint64_t pc, uint64_t msr)
{
	const struct interrupt_row *row = interrupt_row(ivor);
	struct pyexit_thread *t = &hw->thread[thread];
	struct pyexit_spr *spr = &hw->spr[thread];

	save_registers(spr, row->save, pc, msr);
	t->msr = msr;
	t->msr = new_msr(hw, thread, 0, row->save);
	t->pc = spr->IVPR | spr->IVOR[ivor];
}

static struct ppc_end ppc_program(struct ppc_hw *hw, uint32_t thread, uint32_t esr)
{
	struct ppc_cause cause = { .ivor = IVOR_PROGRAM, .esr = esr, .ea = hw->thread[thread].pc };

	return ppc_interrupt(hw, thread, &cause);
}

static struct ppc_end ppc_illegal(struct ppc_hw *hw, uint32_t thread)
{
	struct ppc_cause cause = { .ivor = IVOR_PROGRAM, .esr = ESR_PIL, .ea = hw->thread[thread].pc, .host = 1 };

	return ppc_interrupt(hw, thread, &cause);
}

static struct ppc_end ppc_hv_privileged(struct ppc_hw *hw, uint32_t thread)
{
	struct ppc_cause cause = { .ivor = IVOR_HV_PRIV, .ea = hw->thread[thread].pc };

	return ppc_interrupt(hw, thread, &cause);
}
