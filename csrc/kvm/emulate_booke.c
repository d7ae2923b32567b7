/* SPDX-License-Identifier: BSD-3-Clause */
#include "emulate_booke.h"

#include "debug.h"
#include "entry.h"
#include "host.h"
#include "irqprio.h"
#include "timer.h"
#include "timing.h"

/* Instructions (3.1) ------------------------------------------------------ */

/* The pc as it is, low bits too, and an MSR without a mask (Q16). */
static int return_from(struct kvmppc_inst *inst, uint64_t pc, uint64_t msr, uint32_t type)
{
	inst->arch->regs.nip = (ulong_t)pc;
	kvmppc_set_msr(inst->machine, inst->vcpu, (uint32_t)msr);
	kvmppc_set_exit_type(inst->machine, inst->vcpu, type);
	inst->advance = 0;
	return EMULATE_DONE;
}

/* Q4: the shared copies, not the registers that mtspr wrote. */
static int emulate_rfi(struct kvmppc_inst *inst)
{
	return return_from(inst, inst->arch->shared.srr0, inst->arch->shared.srr1, EMULATED_RFI_EXITS);
}

static int emulate_rfci(struct kvmppc_inst *inst)
{
	return return_from(inst, inst->arch->csrr0, inst->arch->csrr1, EMULATED_RFCI_EXITS);
}

static int emulate_rfdi(struct kvmppc_inst *inst)
{
	return return_from(inst, inst->arch->dsrr0, inst->arch->dsrr1, EMULATED_RFDI_EXITS);
}

static int emulate_mfmsr(struct kvmppc_inst *inst)
{
	inst->arch->regs.gpr[get_rt(inst->word)] = (ulong_t)inst->arch->shared.msr;
	kvmppc_set_exit_type(inst->machine, inst->vcpu, EMULATED_MFMSR_EXITS);
	return EMULATE_DONE;
}

static int emulate_mtmsr(struct kvmppc_inst *inst)
{
	kvmppc_set_exit_type(inst->machine, inst->vcpu, EMULATED_MTMSR_EXITS);
	kvmppc_set_msr(inst->machine, inst->vcpu, (uint32_t)inst->arch->regs.gpr[get_rs(inst->word)]);
	return EMULATE_DONE;
}

/* Q17: not by kvmppc_set_msr().  A 32-bit kernel's mask drops the high half of the MSR. */
static int write_ee_bit(struct kvmppc_inst *inst, uint64_t ee)
{
	inst->arch->shared.msr = (inst->arch->shared.msr & ~(ulong_t)MSR_EE) | (ee & MSR_EE);
	kvmppc_set_exit_type(inst->machine, inst->vcpu, EMULATED_WRTEE_EXITS);
	return EMULATE_DONE;
}

static int emulate_wrtee(struct kvmppc_inst *inst)
{
	return write_ee_bit(inst, inst->arch->regs.gpr[get_rs(inst->word)]);
}

static int emulate_wrteei(struct kvmppc_inst *inst)
{
	return write_ee_bit(inst, inst->word);	/* the E field stands where MSR[EE] does */
}

static int kvmppc_booke_emulate_op(struct kvmppc_inst *inst)
{
	switch (get_op_key(inst->word)) {
	case OP_KEY(19, 50):
		return emulate_rfi(inst);
	case OP_KEY(19, 51):
		return emulate_rfci(inst);
	case OP_KEY(19, 39):
		return emulate_rfdi(inst);
	case OP_KEY(31, 83):
		return emulate_mfmsr(inst);
	case OP_KEY(31, 131):
		return emulate_wrtee(inst);
	case OP_KEY(31, 146):
		return emulate_mtmsr(inst);
	case OP_KEY(31, 163):
		return emulate_wrteei(inst);
	default:
		return EMULATE_FAIL;
	}
}

/* Special registers (3.3, 3.4) -------------------------------------------- */

/* Q18: dropped while userspace debugs; else the host thread takes the guest's debug registers over at once. */
static void write_debug(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	if (inst->machine->vcpu[inst->vcpu].guest_debug)
		return;
	spr_store(inst, row, value);
	kvmppc_host(inst->machine, inst->vcpu)->thread_debug = inst->arch->dbg_reg;
	switch_booke_debug_regs(inst->machine);
}

static ulong_t read_dbcr0(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	return spr_load(inst, row) | (inst->machine->vcpu[inst->vcpu].guest_debug ? DBCR0_EDM : 0);
}

/* Write one to clear; without an event, IDE aside, there is no debug interrupt either. */
static void write_dbsr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	if (inst->machine->vcpu[inst->vcpu].guest_debug)
		return;
	inst->arch->dbsr &= ~(uint32_t)value;
	if (!(inst->arch->dbsr & ~DBSR_IDE))
		kvmppc_booke_dequeue_irqprio(inst->machine, inst->vcpu, BOOKE_IRQPRIO_DEBUG);
}

static void write_tsr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	kvmppc_clr_tsr_bits(inst->machine, inst->vcpu, (uint32_t)value);
}

/* Q20: a watchdog reset that is on cannot be taken back by the guest. */
static void write_tcr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	uint32_t tcr = (uint32_t)value, current = inst->arch->tcr & TCR_WRC_MASK;

	(void)row;
	if (current)
		tcr = (tcr & ~TCR_WRC_MASK) | current;
	kvmppc_set_tcr(inst->machine, inst->vcpu, tcr);
}

static void write_mcsr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	inst->arch->mcsr &= ~(uint64_t)value;
}

static void write_epcr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	kvmppc_set_epcr(inst->machine, inst->vcpu, (uint32_t)value);
	kvmppc_mtspr(inst->machine, inst->vcpu, SPR_EPCR, inst->arch->shadow_epcr);
}

#define DEBUG_ROW(number, field) SPR_ROW(number, SPR_ARCH(dbg_reg.field), .write = write_debug, .read = spr_load)
#define IVOR_REAL(number, priority, giv) \
	SPR_ROW(SPR_IVOR0 + (number), SPR_ARCH(ivor[priority]), .real = giv, .write = spr_store, .read = spr_load)
#define IVOR_OF(number, priority) IVOR_REAL(number, priority, 0)

/* Writes are not masked (Q27).  Q7: what has no row here or in the e500 list ends as PIL and an exit to userspace. */
static const struct kvmppc_spr_row *booke_spr(uint32_t spr)
{
	switch (spr) {
	SPR_ROW(SPR_DEAR, SPR_ARCH(shared.dar), .write = spr_store, .read = spr_load)	/* Q5 */
	SPR_ROW(SPR_ESR, SPR_ARCH(shared.esr), .write = spr_store, .read = spr_load)		/* Q5 */
	SPR_ROW(SPR_EPR, SPR_ARCH(epr), .read = spr_load)	/* 3.4: of the last vcpu_put */
	SPR_ROW(SPR_CSRR0, SPR_ARCH(csrr0), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_CSRR1, SPR_ARCH(csrr1), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_DSRR0, SPR_ARCH(dsrr0), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_DSRR1, SPR_ARCH(dsrr1), .write = spr_store, .read = spr_load)
	DEBUG_ROW(SPR_IAC1, iac1)
	DEBUG_ROW(SPR_IAC2, iac2)
	DEBUG_ROW(SPR_DAC1, dac1)
	DEBUG_ROW(SPR_DAC2, dac2)
	SPR_ROW(SPR_DBCR0, SPR_ARCH(dbg_reg.dbcr0), .drop = ~DBCR0_GUEST_MASK,
		.write = write_debug, .read = read_dbcr0)
	DEBUG_ROW(SPR_DBCR1, dbcr1)
	DEBUG_ROW(SPR_DBCR2, dbcr2)
	SPR_ROW(SPR_DBSR, SPR_ARCH(dbsr), .write = write_dbsr, .read = spr_load)
	SPR_ROW(SPR_TSR, SPR_ARCH(tsr), .write = write_tsr, .read = spr_load)
	SPR_ROW(SPR_TCR, SPR_ARCH(tcr), .write = write_tcr, .read = spr_load)
	SPR_ROW(SPR_DECAR, SPR_ARCH(decar), .write = spr_store)	/* 4.4: read in the e500 list */
	SPR_ROW(SPR_SPRG0 + 4, SPR_ARCH(shared.sprg4), .write = spr_store)
	SPR_ROW(SPR_SPRG0 + 5, SPR_ARCH(shared.sprg5), .write = spr_store)
	SPR_ROW(SPR_SPRG0 + 6, SPR_ARCH(shared.sprg6), .write = spr_store)
	SPR_ROW(SPR_SPRG0 + 7, SPR_ARCH(shared.sprg7), .write = spr_store)
	SPR_ROW(SPR_IVPR, SPR_ARCH(ivpr), .real = SPR_GIVPR, .write = spr_store, .read = spr_load)
	IVOR_OF(0, BOOKE_IRQPRIO_CRITICAL)			/* 3.6 */
	IVOR_OF(1, BOOKE_IRQPRIO_MACHINE_CHECK)
	IVOR_REAL(2, BOOKE_IRQPRIO_DATA_STORAGE, SPR_GIVOR2)
	IVOR_OF(3, BOOKE_IRQPRIO_INST_STORAGE)
	IVOR_OF(4, BOOKE_IRQPRIO_EXTERNAL)
	IVOR_OF(5, BOOKE_IRQPRIO_ALIGNMENT)
	IVOR_OF(6, BOOKE_IRQPRIO_PROGRAM)
	IVOR_OF(7, BOOKE_IRQPRIO_FP_UNAVAIL)
	IVOR_REAL(8, BOOKE_IRQPRIO_SYSCALL, SPR_GIVOR8)
	IVOR_OF(9, BOOKE_IRQPRIO_AP_UNAVAIL)
	IVOR_OF(10, BOOKE_IRQPRIO_DECREMENTER)
	IVOR_OF(11, BOOKE_IRQPRIO_FIT)
	IVOR_OF(12, BOOKE_IRQPRIO_WATCHDOG)
	IVOR_OF(13, BOOKE_IRQPRIO_DTLB_MISS)
	IVOR_OF(14, BOOKE_IRQPRIO_ITLB_MISS)
	IVOR_OF(15, BOOKE_IRQPRIO_DEBUG)
	SPR_ROW(SPR_MCSR, SPR_ARCH(mcsr), .write = write_mcsr, .read = spr_load)
	SPR_ROW(SPR_EPCR, SPR_ARCH(epcr), .flavour = FLAVOUR_64, .write = write_epcr, .read = spr_load)
	default:
		return NULL;
	}
}

static int kvmppc_booke_emulate_mtspr(struct kvmppc_inst *inst, uint32_t spr, ulong_t value)
{
	return kvmppc_write_spr(inst, booke_spr(spr), value);
}

static int kvmppc_booke_emulate_mfspr(struct kvmppc_inst *inst, uint32_t spr, ulong_t *value)
{
	return kvmppc_read_spr(inst, booke_spr(spr), value);
}
