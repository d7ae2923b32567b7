/* SPDX-License-Identifier: BSD-3-Clause */
#include "interrupt.h"

#define ROW_ESR 1u
#define ROW_DEAR 2u
#define ROW_MACHINE_CHECK 4u

struct interrupt_row {
	uint32_t ivor;
	uint32_t epcr;		/* EPCR bit that gives it to the guest, 0 = never */
	uint32_t writes;	/* ROW_* */
};

/* mmu-hardware 12, first and second table */
static const struct interrupt_row interrupt_rows[] = {
	{ IVOR_MACHINE_CHECK, 0, ROW_MACHINE_CHECK },
	{ IVOR_DATA_STORAGE, EPCR_DSIGS, ROW_ESR | ROW_DEAR },
	{ IVOR_INST_STORAGE, EPCR_ISIGS, ROW_ESR },
	{ IVOR_PROGRAM, 0, ROW_ESR },
	{ IVOR_DTLB_MISS, EPCR_DTLBGS, ROW_ESR | ROW_DEAR },
	{ IVOR_ITLB_MISS, EPCR_ITLBGS, ROW_ESR },
};

static const struct interrupt_row *interrupt_row(uint32_t ivor)
{
	size_t i = 0;

	while (interrupt_rows[i].ivor != ivor)
		i++;
	return &interrupt_rows[i];
}

static int ppc_goes_to_guest(const struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause)
{
	uint32_t bit = interrupt_row(cause->ivor)->epcr;

	return hw->thread[thread].msr & MSR_GS && hw->spr[thread].EPCR & bit && !cause->hypervisor && !cause->host;
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

/* mmu-hardware 12, "New MSR" */
static uint64_t new_msr(const struct ppc_hw *hw, uint32_t thread, int guest, int machine_check)
{
	const struct pyexit_spr *spr = &hw->spr[thread];
	uint64_t kept = machine_check ? 0 : MSR_CE | MSR_ME | MSR_DE;
	uint64_t msr;

	if (guest) {
		kept |= MSR_GS;
		if (spr->MSRP & MSRP_UCLEP)
			kept |= MSR_UCLE;
		if (spr->MSRP & MSRP_PMMP)
			kept |= MSR_PMM;
	}
	msr = hw->thread[thread].msr & kept;
	if (hw->params.width == 64 && spr->EPCR & (guest ? EPCR_GICM : EPCR_ICM))
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
	case IVOR_DTLB_MISS:
		return spr->GIVPR | spr->GIVOR13;
	default:
		return spr->GIVPR | spr->GIVOR14;
	}
}

static void write_syndrome(struct pyexit_spr *spr, const struct ppc_cause *cause, uint32_t writes, int guest)
{
	if (writes & ROW_MACHINE_CHECK) {
		spr->MCSR |= cause->esr;
		spr->MCAR = cause->ea;
	}
	if (writes & ROW_ESR)
		*(guest ? &spr->GESR : &spr->ESR) = cause->esr;
	if (writes & ROW_DEAR)
		*(guest ? &spr->GDEAR : &spr->DEAR) = cause->ea;
}

static void save(struct pyexit_spr *spr, const struct pyexit_thread *thread, uint32_t writes, int guest)
{
	if (writes & ROW_MACHINE_CHECK) {
		spr->MCSRR0 = thread->pc;
		spr->MCSRR1 = thread->msr;
	} else if (guest) {
		spr->GSRR0 = thread->pc;
		spr->GSRR1 = thread->msr;
	} else {
		spr->SRR0 = thread->pc;
		spr->SRR1 = thread->msr;
	}
}

static struct ppc_end ppc_interrupt(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause)
{
	struct ppc_end end = ppc_interrupt_probe(hw, thread, cause);
	uint32_t writes = interrupt_row(cause->ivor)->writes;
	int guest = end.outcome == PYEXIT_TAKEN_BY_GUEST;
	struct pyexit_spr *spr = &hw->spr[thread];

	write_syndrome(spr, cause, writes, guest);
	save(spr, &hw->thread[thread], writes, guest);
	hw->thread[thread].msr = new_msr(hw, thread, guest, (writes & ROW_MACHINE_CHECK) != 0);
	hw->thread[thread].pc = guest ? guest_vector(spr, cause->ivor) : spr->IVPR | spr->IVOR[cause->ivor];
	if (end.outcome == PYEXIT_TAKEN_BY_HOST)
		ppc_event(&hw->events, PYEXIT_EVENT_HOST_EXCEPTION, 0, cause->ivor, cause->ea, 0);
	return end;
}

static struct ppc_end ppc_illegal(struct ppc_hw *hw, uint32_t thread)
{
	struct ppc_cause cause = { .ivor = IVOR_PROGRAM, .esr = ESR_PIL, .ea = hw->thread[thread].pc, .host = 1 };

	return ppc_interrupt(hw, thread, &cause);
}
