/* SPDX-License-Identifier: BSD-3-Clause */
#include "guestop.h"

#include "doorbell.h"
#include "epid.h"
#include "interrupt.h"
#include "lrat.h"
#include "tlbops.h"
#include "translate.h"

/* An instruction under way. */
struct ppc_op {
	struct ppc_hw *hw;
	struct pyexit_thread *t;
	struct pyexit_spr *spr;
	uint32_t thread, word, operand;
};

static struct ppc_end not_ours(void)
{
	return (struct ppc_end){ .outcome = -ENOSYS };
}

static int is_guest(const struct ppc_op *op)
{
	return (op->t->msr & MSR_GS) != 0;
}

static uint32_t rt(const struct ppc_op *op)
{
	return op->word >> 21 & 31;
}

static uint64_t ra_rb(const struct ppc_op *op)
{
	uint32_t ra = op->word >> 16 & 31, rb = op->word >> 11 & 31;

	return ppc_ea(op->hw, op->thread, (ra ? op->t->gpr[ra] : 0) + op->t->gpr[rb]);
}

PPC_FOLDED struct ppc_end advance(const struct ppc_op *op, struct ppc_end end)
{
	if (end.outcome == PYEXIT_DONE)
		op->t->pc = ppc_ea(op->hw, op->thread, op->t->pc + 4);
	return end;
}

static struct ppc_end trap(const struct ppc_op *op)
{
	return ppc_hv_privileged(op->hw, op->thread);
}

static struct ppc_end op_illegal(const struct ppc_op *op)
{
	return ppc_program(op->hw, op->thread, ESR_PIL);
}

/* MSR moves ------------------------------------------------------------ */

/* MSR bits that the hypervisor protects from its guest (mmu-hardware 6.5, mtmsr) */
static uint64_t protected_bits(const struct pyexit_spr *spr)
{
	return MSR_GS | MSR_WE | (spr->MSRP & (MSRP_UCLEP | MSRP_DEP | MSRP_PMMP));
}

static struct ppc_end op_mfmsr(const struct ppc_op *op)
{
	op->t->gpr[rt(op)] = op->t->msr;
	return advance(op, PPC_DONE);
}

/* mtmsr can set but never clear GS, in any state */
static struct ppc_end op_mtmsr(const struct ppc_op *op)
{
	uint64_t kept = is_guest(op) ? protected_bits(op->spr) : op->t->msr & MSR_GS;
	uint64_t value = (uint32_t)op->t->gpr[rt(op)];
	struct ppc_end end;

	value = (value & ~kept) | (op->t->msr & kept);
	end = advance(op, PPC_DONE);
	op->t->msr = value;
	return end;
}

static struct ppc_end write_ee(const struct ppc_op *op, uint64_t ee)
{
	op->t->msr = (op->t->msr & ~(uint64_t)MSR_EE) | (ee & MSR_EE);
	return advance(op, PPC_DONE);
}

static struct ppc_end op_wrtee(const struct ppc_op *op)
{
	return write_ee(op, op->t->gpr[rt(op)]);
}

static struct ppc_end op_wrteei(const struct ppc_op *op)
{
	return write_ee(op, op->word & MSR_EE);	/* the E field stands where MSR[EE] does */
}

/* Returns --------------------------------------------------------------- */

static struct ppc_end return_to(const struct ppc_op *op, uint64_t pc, uint64_t msr, uint64_t kept)
{
	op->t->msr = (msr & ~kept) | (op->t->msr & kept);
	op->t->pc = ppc_ea(op->hw, op->thread, pc & ~(uint64_t)3);
	return PPC_DONE;
}

/* rfi with GS=1 is rfgi: GS stays, and what MSRP protects (mmu-hardware 6.5) */
static struct ppc_end op_rfgi(const struct ppc_op *op)
{
	uint64_t kept = is_guest(op) ? protected_bits(op->spr) & ~(uint64_t)MSR_WE : 0;

	return return_to(op, op->spr->GSRR0, op->spr->GSRR1, kept);
}

static struct ppc_end op_rfi(const struct ppc_op *op)
{
	if (is_guest(op))
		return op_rfgi(op);
	return return_to(op, op->spr->SRR0, op->spr->SRR1, 0);
}

static struct ppc_end op_rfci(const struct ppc_op *op)
{
	return return_to(op, op->spr->CSRR0, op->spr->CSRR1, 0);
}

static struct ppc_end op_rfdi(const struct ppc_op *op)
{
	return return_to(op, op->spr->DSRR0, op->spr->DSRR1, 0);
}

static struct ppc_end op_rfmci(const struct ppc_op *op)
{
	return return_to(op, op->spr->MCSRR0, op->spr->MCSRR1, 0);
}

/* SPR moves ------------------------------------------------------------- */

#define GUEST_READ 1u
#define GUEST_WRITE 2u

/* The register that a number reaches in guest state, 0 = none; a move that is not here traps. */
#define REACHES(number, to, allowed) \
	case number:                 \
		return (allowed) & move ? (to) : 0;
#define READ_WRITE (GUEST_READ | GUEST_WRITE)

/* mmu-hardware 6.5, rows "renamed", "own numbers" and "plain"; every other SPR of the core traps */
PPC_FOLDED uint32_t guest_register(uint32_t number, uint32_t move)
{
	switch (number) {
	REACHES(SPR_SRR0, SPR_GSRR0, READ_WRITE)
	REACHES(SPR_SRR1, SPR_GSRR1, READ_WRITE)
	REACHES(SPR_SPRG0, SPR_GSPRG0, READ_WRITE)
	REACHES(SPR_SPRG0 + 1, SPR_GSPRG1, READ_WRITE)
	REACHES(SPR_SPRG0 + 2, SPR_GSPRG2, READ_WRITE)
	REACHES(SPR_SPRG0 + 3, SPR_GSPRG3, READ_WRITE)
	REACHES(SPR_USPRG3, SPR_GSPRG3, GUEST_READ)
	REACHES(SPR_ESR, SPR_GESR, READ_WRITE)
	REACHES(SPR_DEAR, SPR_GDEAR, READ_WRITE)
	REACHES(SPR_EPR, SPR_GEPR, READ_WRITE)
	REACHES(SPR_PIR, SPR_GPIR, GUEST_READ)
	REACHES(SPR_GSRR0, SPR_GSRR0, READ_WRITE)
	REACHES(SPR_GSRR1, SPR_GSRR1, READ_WRITE)
	REACHES(SPR_GSPRG0, SPR_GSPRG0, READ_WRITE)
	REACHES(SPR_GSPRG1, SPR_GSPRG1, READ_WRITE)
	REACHES(SPR_GSPRG2, SPR_GSPRG2, READ_WRITE)
	REACHES(SPR_GSPRG3, SPR_GSPRG3, READ_WRITE)
	REACHES(SPR_GESR, SPR_GESR, READ_WRITE)
	REACHES(SPR_GDEAR, SPR_GDEAR, READ_WRITE)
	REACHES(SPR_GEPR, SPR_GEPR, READ_WRITE)
	REACHES(SPR_GPIR, SPR_GPIR, GUEST_READ)
	REACHES(SPR_GIVPR, SPR_GIVPR, GUEST_READ)
	REACHES(SPR_GIVOR2, SPR_GIVOR2, GUEST_READ)
	REACHES(SPR_GIVOR3, SPR_GIVOR3, GUEST_READ)
	REACHES(SPR_GIVOR4, SPR_GIVOR4, GUEST_READ)
	REACHES(SPR_GIVOR8, SPR_GIVOR8, GUEST_READ)
	REACHES(SPR_GIVOR13, SPR_GIVOR13, GUEST_READ)
	REACHES(SPR_GIVOR14, SPR_GIVOR14, GUEST_READ)
	REACHES(SPR_SPRG0 + 4, SPR_SPRG0 + 4, READ_WRITE)
	REACHES(SPR_SPRG0 + 5, SPR_SPRG0 + 5, READ_WRITE)
	REACHES(SPR_SPRG0 + 6, SPR_SPRG0 + 6, READ_WRITE)
	REACHES(SPR_SPRG0 + 7, SPR_SPRG0 + 7, READ_WRITE)
	REACHES(SPR_USPRG3 + 1, SPR_SPRG0 + 4, GUEST_READ)
	REACHES(SPR_USPRG3 + 2, SPR_SPRG0 + 5, GUEST_READ)
	REACHES(SPR_USPRG3 + 3, SPR_SPRG0 + 6, GUEST_READ)
	REACHES(SPR_USPRG3 + 4, SPR_SPRG0 + 7, GUEST_READ)
	REACHES(SPR_SPRG9, SPR_SPRG9, READ_WRITE)	/* U27 */
	REACHES(SPR_VRSAVE, SPR_VRSAVE, READ_WRITE)
	REACHES(SPR_PID, SPR_PID, READ_WRITE)
	REACHES(SPR_MAS0, SPR_MAS0, READ_WRITE)
	REACHES(SPR_MAS1, SPR_MAS1, READ_WRITE)
	REACHES(SPR_MAS2, SPR_MAS2, READ_WRITE)
	REACHES(SPR_MAS3, SPR_MAS3, READ_WRITE)
	REACHES(SPR_MAS4, SPR_MAS4, READ_WRITE)
	REACHES(SPR_MAS6, SPR_MAS6, READ_WRITE)
	REACHES(SPR_MAS7, SPR_MAS7, READ_WRITE)
	REACHES(SPR_MAS7_MAS3, SPR_MAS7_MAS3, READ_WRITE)
	REACHES(SPR_MAS0_MAS1, SPR_MAS0_MAS1, READ_WRITE)
	REACHES(SPR_PVR, SPR_PVR, GUEST_READ)	/* U26 */
	REACHES(SPR_TBL, SPR_TBL, GUEST_READ)
	REACHES(SPR_TBU, SPR_TBU, GUEST_READ)
	REACHES(SPR_ATBL, SPR_ATBL, GUEST_READ)
	REACHES(SPR_ATBU, SPR_ATBU, GUEST_READ)
	REACHES(SPR_EPLC, SPR_EPLC, READ_WRITE)
	REACHES(SPR_EPSC, SPR_EPSC, READ_WRITE)
	REACHES(SPR_XER, SPR_XER, READ_WRITE)
	REACHES(SPR_LR, SPR_LR, READ_WRITE)
	REACHES(SPR_CTR, SPR_CTR, READ_WRITE)
	default:
		return 0;
	}
}

static uint32_t spr_number(uint32_t word)
{
	return (word >> 16 & 0x1f) | (word >> 6 & 0x3e0);
}

/* SPRs of user state, readable there; XER, LR, CTR and VRSAVE writable too (mmu-hardware 6.5). */
static int is_user_spr(uint32_t number, uint32_t move)
{
	switch (number) {
	case SPR_XER:
	case SPR_LR:
	case SPR_CTR:
	case SPR_VRSAVE:
		return 1;
	case SPR_TBL:
	case SPR_TBU:
	case SPR_ATBL:
	case SPR_ATBU:
		return move == GUEST_READ;
	default:
		return move == GUEST_READ && number >= SPR_USPRG3 && number <= SPR_USPRG3 + 4;
	}
}

/* EGS and ELPID of a guest's own EPLC and EPSC are the hypervisor's (mmu-hardware 9.7, U15). */
static uint64_t guest_value(const struct ppc_op *op, uint32_t number, uint64_t value)
{
	uint64_t fixed = EPC_EGS | EPC_ELPID_MASK;
	uint64_t old;

	if (number != SPR_EPLC && number != SPR_EPSC)
		return value;
	old = number == SPR_EPLC ? op->spr->EPLC : op->spr->EPSC;
	return (value & ~fixed) | (old & fixed);
}

PPC_FOLDED struct ppc_end move_spr(const struct ppc_op *op, uint32_t number, uint32_t move)
{
	struct ppc_end end;
	uint64_t value;

	if (move == GUEST_READ) {
		end = ppc_mfspr(op->hw, op->thread, number, &value);
		if (end.outcome == PYEXIT_DONE)
			op->t->gpr[rt(op)] = value;
	} else {
		value = op->t->gpr[rt(op)];
		if (is_guest(op))
			value = guest_value(op, number, value);
		end = ppc_mtspr(op->hw, op->thread, number, value);
	}
	return advance(op, end);
}

/* SPRs of the hypervisor's that this model keeps no storage for: a guest's move traps all the same. */
static int is_hypervisor_spr(uint32_t number)
{
	/* DEC, DECAR, DBCR0-2, IAC1-2, DAC1-2, TSR, TCR, HID1, L1CSR0-1, BUCSR, PWRMGTCR0 (mmu-hardware 6.5) */
	static const uint16_t numbers[] = { 22,  54,  308, 309, 310,  312,  313,  316,  317,
					    336, 340, 1009, 1010, 1011, 1013, 1019 };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == number)
			return 1;
	return 0;
}

/* The same, if this core has it. */
PPC_FOLDED uint32_t guest_reaches(const struct ppc_op *op, uint32_t number, uint32_t move)
{
	uint32_t to = guest_register(number, move);

	return to && ppc_spr_exists(op->hw, to, move == GUEST_WRITE) ? to : 0;
}

PPC_FOLDED struct ppc_end op_spr(const struct ppc_op *op, uint32_t move)
{
	uint32_t number = spr_number(op->word), to;

	if (op->t->msr & MSR_PR && number & 0x10)
		return ppc_program(op->hw, op->thread, ESR_PPR);	/* U23: before all else */
	if (op->t->msr & MSR_PR && !is_user_spr(number, move))
		return ppc_program(op->hw, op->thread, ESR_PIL);
	if (is_guest(op)) {
		to = guest_reaches(op, number, move);
		if (to)
			return move_spr(op, to, move);
		if (is_hypervisor_spr(number) || ppc_spr_exists(op->hw, number, 0) ||
		    ppc_spr_exists(op->hw, number, 1))
			return trap(op);	/* also the wrong direction: HV-priv before illegal (U23) */
	}
	if (is_guest(op) || !ppc_spr_exists(op->hw, number, move == GUEST_WRITE))
		return ppc_program(op->hw, op->thread, ESR_PIL);
	return move_spr(op, number, move);
}

static struct ppc_end op_mfspr(const struct ppc_op *op)
{
	return op_spr(op, GUEST_READ);
}

static struct ppc_end op_mtspr(const struct ppc_op *op)
{
	return op_spr(op, GUEST_WRITE);
}

/* TLB instructions ------------------------------------------------------ */

static struct ppc_end op_tlbre(const struct ppc_op *op)
{
	return advance(op, ppc_tlbre(op->hw, op->thread));
}

static struct ppc_end op_tlbsx(const struct ppc_op *op)
{
	return advance(op, ppc_tlbsx(op->hw, op->thread, ra_rb(op)));
}

static struct ppc_end op_tlbivax(const struct ppc_op *op)
{
	return advance(op, ppc_tlbivax(op->hw, op->thread, ra_rb(op)));
}

static struct ppc_end op_tlbilx(const struct ppc_op *op)
{
	if (is_guest(op) && op->spr->EPCR & EPCR_DGTMI)
		return trap(op);
	if ((rt(op) & 7) == 2 || (rt(op) & 7) > 3)
		return op_illegal(op);
	return advance(op, ppc_tlbilx(op->hw, op->thread, rt(op) & 7, ra_rb(op)));
}

/* mmu-hardware 6.5, row tlbwe: what of a guest's tlbwe hardware leaves to the hypervisor */
static int guest_tlbwe_traps(const struct ppc_op *op)
{
	const struct pyexit_params *params = &op->hw->params;
	uint64_t mas0 = op->spr->MAS0;
	uint32_t tlbcfg = mas0 >> MAS0_TLBSEL_SHIFT & 1 ? params->tlb1cfg : params->tlb0cfg;

	if (op->spr->EPCR & EPCR_DGTMI || !(tlbcfg & TLBCFG_GTWE) || !(params->mmucfg & MMUCFG_LRAT))
		return 1;
	if (op->spr->MAS1 & MAS1_IPROT)
		return 1;
	return !(mas0 & MAS0_HES) && (mas0 >> MAS0_WQ_SHIFT & 3) != 2;
}

/* A guest's tlbwe takes its real address through the LRAT (mmu-hardware 10.1, 10.5). */
static struct ppc_end guest_tlbwe(const struct ppc_op *op)
{
	uint64_t logical = (uint64_t)(uint32_t)op->spr->MAS7 << 32 | (op->spr->MAS3 & 0xfffff000u), real;
	uint64_t mas3 = op->spr->MAS3, mas7 = op->spr->MAS7, mas0 = op->spr->MAS0;
	uint32_t lpid = (uint32_t)op->spr->MAS8 & op->hw->params.lpid_mask;
	struct ppc_cause miss = { .ivor = IVOR_LRAT_ERROR, .ea = op->t->pc };
	struct ppc_end end;

	if (op->spr->MAS1 & MAS1_V) {
		if (!ppc_lrat_translate(op->hw, ppc_core_of(op->hw, op->thread), logical, lpid,
					ppc_tlbwe_size(op->hw, op->thread), &real))
			return ppc_interrupt(op->hw, op->thread, &miss);
		op->spr->MAS3 = (mas3 & 0xfffu) | (real & 0xfffff000u);
		op->spr->MAS7 = real >> 32;
	}
	op->spr->MAS0 = mas0 & ~(uint64_t)MAS0_ATSEL;	/* ignored in guest state (mmu-hardware 2.1) */
	end = ppc_tlbwe(op->hw, op->thread);
	op->spr->MAS0 = mas0;
	op->spr->MAS3 = mas3;
	op->spr->MAS7 = mas7;
	return advance(op, end);
}

static struct ppc_end op_tlbwe(const struct ppc_op *op)
{
	if (!is_guest(op))
		return advance(op, ppc_tlbwe(op->hw, op->thread));
	if (guest_tlbwe_traps(op))
		return trap(op);
	return guest_tlbwe(op);
}

static struct ppc_end op_nothing(const struct ppc_op *op)
{
	return advance(op, PPC_DONE);
}

/* Messages, external PID, cache locking, performance monitor ------------- */

static struct ppc_end op_msgsnd(const struct ppc_op *op)
{
	return advance(op, ppc_msgsnd(op->hw, op->thread, op->t->gpr[op->word >> 11 & 31]));
}

static struct ppc_end op_msgclr(const struct ppc_op *op)
{
	return advance(op, ppc_msgclr(op->hw, op->thread, op->t->gpr[op->word >> 11 & 31]));
}

static struct ppc_end op_lwepx(const struct ppc_op *op)
{
	uint64_t word = 0;
	struct ppc_end end = ppc_lwepx(op->hw, op->thread, ra_rb(op), !is_guest(op), &word);

	if (end.outcome == PYEXIT_DONE)
		op->t->gpr[rt(op)] = word;
	return advance(op, end);
}

/* External PID without lwepx (mmu-hardware 9.1): the row's operand is the size, or the kind of access. */
static struct ppc_end op_load_external(const struct ppc_op *op)
{
	uint64_t value = 0;
	struct ppc_end end = ppc_load_external(op->hw, op->thread, ra_rb(op), op->operand, !is_guest(op), &value);

	if (end.outcome == PYEXIT_DONE)
		op->t->gpr[rt(op)] = value;
	return advance(op, end);
}

static struct ppc_end op_store_external(const struct ppc_op *op)
{
	uint64_t value = op->t->gpr[rt(op)];

	return advance(op, ppc_store_external(op->hw, op->thread, ra_rb(op), op->operand, value));
}

static struct ppc_end op_cache_external(const struct ppc_op *op)
{
	return advance(op, ppc_touch_external(op->hw, op->thread, ra_rb(op), op->operand));
}

static struct ppc_end op_dcbzep(const struct ppc_op *op)
{
	return advance(op, ppc_zero_line_external(op->hw, op->thread, ra_rb(op)));
}

/* lfdepx, stfdepx: the floating-point registers are the engine's, so it does the access. */
static struct ppc_end op_float_external(const struct ppc_op *op)
{
	(void)op;
	return not_ours();
}

static struct ppc_end op_dcbi(const struct ppc_op *op)
{
	struct pyexit_translation t = ppc_translate(op->hw, op->thread, ra_rb(op), 1, PYEXIT_STORE, 0);

	return advance(op, (struct ppc_end){ (int32_t)t.outcome, t.ivor });
}

/* Without MSR[UCLE] user state takes a DSI; a guest whose hypervisor protects UCLE traps. */
static struct ppc_end cache_lock(const struct ppc_op *op, uint32_t esr)
{
	struct ppc_cause cause = { .ivor = IVOR_DATA_STORAGE, .esr = esr, .ea = ra_rb(op) };

	if (op->t->msr & MSR_PR && !(op->t->msr & MSR_UCLE))
		return ppc_interrupt(op->hw, op->thread, &cause);
	if (is_guest(op) && !(op->t->msr & MSR_PR) && op->spr->MSRP & MSRP_UCLEP)
		return trap(op);
	return advance(op, PPC_DONE);
}

static struct ppc_end op_data_lock(const struct ppc_op *op)
{
	return cache_lock(op, ESR_DLK);
}

static struct ppc_end op_inst_lock(const struct ppc_op *op)
{
	return cache_lock(op, ESR_ILK);
}

/* U25; the counters themselves are not modelled and read 0 */
static struct ppc_end op_mfpmr(const struct ppc_op *op)
{
	if (is_guest(op) && op->spr->MSRP & MSRP_PMMP)
		return trap(op);
	op->t->gpr[rt(op)] = 0;
	return advance(op, PPC_DONE);
}

static struct ppc_end op_mtpmr(const struct ppc_op *op)
{
	return is_guest(op) && op->spr->MSRP & MSRP_PMMP ? trap(op) : advance(op, PPC_DONE);
}

/* Decoding --------------------------------------------------------------- */

#define OP_USER 1u	/* user state may try it: the function decides */
#define OP_TRAPS 2u	/* always traps in guest supervisor state */
#define OP_WIDE 4u	/* an instruction of 64-bit cores */

struct guest_op_row {
	uint32_t flags;
	struct ppc_end (*execute)(const struct ppc_op *op);
	uint32_t operand;	/* what the function takes from the row */
};

#define GUEST_OP_KEY(primary, extended) ((uint32_t)(primary) << 10 | (extended))
#define GUEST_OP_ROW(primary, extended, ...)                           \
	case GUEST_OP_KEY(primary, extended): {                        \
		static const struct guest_op_row row = { __VA_ARGS__ };\
		return &row;                                           \
	}

/* mmu-hardware 6 (opcodes), 6.5 (who may); rows stand in a switch so that the compiler finds them */
static const struct guest_op_row *decode(uint32_t word)
{
	switch (GUEST_OP_KEY(word >> 26, word >> 1 & 0x3ff)) {
	GUEST_OP_ROW(19, 38, OP_TRAPS, op_rfmci, 0)
	GUEST_OP_ROW(19, 39, OP_TRAPS, op_rfdi, 0)
	GUEST_OP_ROW(19, 50, 0, op_rfi, 0)
	GUEST_OP_ROW(19, 51, OP_TRAPS, op_rfci, 0)
	GUEST_OP_ROW(19, 102, 0, op_rfgi, 0)
	GUEST_OP_ROW(31, 18, 0, op_tlbilx, 0)
	GUEST_OP_ROW(31, 29, OP_WIDE, op_load_external, 8)	/* ldepx */
	GUEST_OP_ROW(31, 31, 0, op_lwepx, 0)
	GUEST_OP_ROW(31, 63, 0, op_cache_external, PYEXIT_CACHE_LOAD)	/* dcbstep */
	GUEST_OP_ROW(31, 83, 0, op_mfmsr, 0)
	GUEST_OP_ROW(31, 95, 0, op_load_external, 1)	/* lbepx */
	GUEST_OP_ROW(31, 127, 0, op_cache_external, PYEXIT_CACHE_LOAD)	/* dcbfep */
	GUEST_OP_ROW(31, 131, 0, op_wrtee, 0)
	GUEST_OP_ROW(31, 134, OP_USER, op_data_lock, 0)	/* dcbtstls */
	GUEST_OP_ROW(31, 146, 0, op_mtmsr, 0)
	GUEST_OP_ROW(31, 157, OP_WIDE, op_store_external, 8)	/* stdepx */
	GUEST_OP_ROW(31, 159, 0, op_store_external, 4)	/* stwepx */
	GUEST_OP_ROW(31, 163, 0, op_wrteei, 0)
	GUEST_OP_ROW(31, 166, OP_USER, op_data_lock, 0)	/* dcbtls */
	GUEST_OP_ROW(31, 206, OP_TRAPS, op_msgsnd, 0)
	GUEST_OP_ROW(31, 223, 0, op_store_external, 1)	/* stbepx */
	GUEST_OP_ROW(31, 230, OP_USER, op_inst_lock, 0)	/* icblc */
	GUEST_OP_ROW(31, 238, OP_TRAPS, op_msgclr, 0)
	GUEST_OP_ROW(31, 255, 0, op_cache_external, PYEXIT_TOUCH_STORE)	/* dcbtstep */
	GUEST_OP_ROW(31, 287, 0, op_load_external, 2)	/* lhepx */
	GUEST_OP_ROW(31, 319, 0, op_cache_external, PYEXIT_TOUCH_LOAD)	/* dcbtep */
	GUEST_OP_ROW(31, 334, OP_USER, op_mfpmr, 0)
	GUEST_OP_ROW(31, 339, OP_USER, op_mfspr, 0)
	GUEST_OP_ROW(31, 390, OP_USER, op_data_lock, 0)	/* dcblc */
	GUEST_OP_ROW(31, 415, 0, op_store_external, 2)	/* sthepx */
	GUEST_OP_ROW(31, 462, OP_USER, op_mtpmr, 0)
	GUEST_OP_ROW(31, 467, OP_USER, op_mtspr, 0)
	GUEST_OP_ROW(31, 470, 0, op_dcbi, 0)
	GUEST_OP_ROW(31, 486, OP_USER, op_inst_lock, 0)	/* icbtls */
	GUEST_OP_ROW(31, 566, OP_TRAPS, op_nothing, 0)	/* tlbsync */
	GUEST_OP_ROW(31, 607, 0, op_float_external, 0)	/* lfdepx */
	GUEST_OP_ROW(31, 735, 0, op_float_external, 0)	/* stfdepx */
	GUEST_OP_ROW(31, 786, OP_TRAPS, op_tlbivax, 0)
	GUEST_OP_ROW(31, 850, 0, op_illegal, 0)	/* tlbsrx., on none of these cores */
	GUEST_OP_ROW(31, 914, OP_TRAPS, op_tlbsx, 0)
	GUEST_OP_ROW(31, 946, OP_TRAPS, op_tlbre, 0)
	GUEST_OP_ROW(31, 978, 0, op_tlbwe, 0)
	GUEST_OP_ROW(31, 991, 0, op_cache_external, PYEXIT_CACHE_LOAD)	/* icbiep */
	GUEST_OP_ROW(31, 1023, 0, op_dcbzep, 0)
	default:
		return NULL;
	}
}

#define EHPRIV_EXTENDED 270u

static struct ppc_end ppc_guest_op(struct ppc_hw *hw, uint32_t thread, uint32_t instruction)
{
	const struct guest_op_row *row = decode(instruction);
	struct ppc_op op = {
		hw, &hw->thread[thread], &hw->spr[thread], thread, instruction, row ? row->operand : 0,
	};

	if (instruction >> 26 == 31 && (instruction >> 1 & 0x3ff) == EHPRIV_EXTENDED)
		return trap(&op);	/* in every state */
	if (!row)
		return not_ours();
	if (op.t->msr & MSR_PR && !(row->flags & OP_USER))
		return ppc_program(hw, thread, ESR_PPR);
	if (is_guest(&op) && row->flags & OP_TRAPS)
		return trap(&op);
	if (row->flags & OP_WIDE && hw->params.width != 64)
		return op_illegal(&op);
	return row->execute(&op);
}
