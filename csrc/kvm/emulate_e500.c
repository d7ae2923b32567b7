/* SPDX-License-Identifier: BSD-3-Clause */
#include "emulate_e500.h"

#include "emulate_booke.h"
#include "gtlb.h"
#include "host.h"
#include "timing.h"

/* Instructions (4.1) ------------------------------------------------------ */

static int emulate_tlbilx(struct kvmppc_inst *inst)
{
	return kvmppc_e500_emul_tlbilx(inst->machine, inst->vcpu, get_rt(inst->word) & 3, kvmppc_get_ea_indexed(inst));
}

static int emulate_tlbivax(struct kvmppc_inst *inst)
{
	return kvmppc_e500_emul_tlbivax(inst->machine, inst->vcpu, kvmppc_get_ea_indexed(inst));
}

static int emulate_tlbsx(struct kvmppc_inst *inst)
{
	return kvmppc_e500_emul_tlbsx(inst->machine, inst->vcpu, kvmppc_get_ea_indexed(inst));
}

static int emulate_tlbre(struct kvmppc_inst *inst)
{
	return kvmppc_e500_emul_tlbre(inst->machine, inst->vcpu);
}

static int emulate_tlbwe(struct kvmppc_inst *inst)
{
	return kvmppc_e500_emul_tlbwe(inst->machine, inst->vcpu);
}

/* Cache lines are not locked: "unable to lock" is the answer. */
static int emulate_dcbtls(struct kvmppc_inst *inst)
{
	inst->e500->l1csr0 |= L1CSR0_CUL;
	return EMULATE_DONE;
}

static int emulate_ehpriv(struct kvmppc_inst *inst)
{
	if (get_oc(inst->word) != EHPRIV_OC_DEBUG)
		return EMULATE_FAIL;
	kvmppc_account_exit(inst->machine, inst->vcpu, DEBUG_EXITS);
	return kvmppc_exit_debug(inst);		/* Q32 */
}

static int emulate_mftmr(struct kvmppc_inst *inst)
{
	if (get_tmrn(inst->word) != TMRN_TMCFG0)
		return EMULATE_FAIL;
	inst->arch->regs.gpr[get_rt(inst->word)] = TMCFG0_ONE_THREAD;
	return EMULATE_DONE;
}

/* Doorbells (7) ------------------------------------------------------------ */

/* Pending bit of a message type, or -1. */
static int doorbell_priority(uint32_t message)
{
	switch (message >> MSG_TYPE_SHIFT & MSG_TYPE_MASK) {
	case MSG_DBELL:
		return BOOKE_IRQPRIO_DBELL;
	case MSG_DBELL_CRIT:
		return BOOKE_IRQPRIO_DBELL_CRIT;
	default:
		return -1;
	}
}

/* Q1: what is classified is the number of the register, not the message: always an ordinary doorbell. */
static int emulate_msgsnd(struct kvmppc_inst *inst)
{
	uint32_t rb = get_rb(inst->word), message = (uint32_t)inst->arch->regs.gpr[rb];
	struct pyexit_machine *machine = inst->machine;
	int priority = doorbell_priority(rb);

	for (uint32_t n = 0; n < machine->vcpus; n++) {
		struct pyexit_arch *arch = &machine->vcpu[n].arch;

		if (machine->vcpu_vm[n] != machine->vcpu_vm[inst->vcpu])
			continue;
		if (!(message & MSG_BROADCAST) && arch->shared.pir != (message & MSG_PIR_MASK))
			continue;
		arch->pending_exceptions |= (uint64_t)1 << priority;
		kvm_vcpu_kick(machine, n);
	}
	return EMULATE_DONE;
}

static int emulate_msgclr(struct kvmppc_inst *inst)
{
	int priority = doorbell_priority((uint32_t)inst->arch->regs.gpr[get_rb(inst->word)]);

	if (priority < 0)
		return EMULATE_FAIL;
	inst->arch->pending_exceptions &= ~((uint64_t)1 << priority);
	return EMULATE_DONE;
}

static int e500_op(struct kvmppc_inst *inst)
{
	switch (get_op_key(inst->word)) {
	case OP_KEY(31, 18):
		return emulate_tlbilx(inst);
	case OP_KEY(31, 166):
		return emulate_dcbtls(inst);
	case OP_KEY(31, 206):
		return emulate_msgsnd(inst);
	case OP_KEY(31, 238):
		return emulate_msgclr(inst);
	case OP_KEY(31, 270):
		return emulate_ehpriv(inst);
	case OP_KEY(31, 366):
		return emulate_mftmr(inst);
	case OP_KEY(31, 786):
		return emulate_tlbivax(inst);
	case OP_KEY(31, 914):
		return emulate_tlbsx(inst);
	case OP_KEY(31, 946):
		return emulate_tlbre(inst);
	case OP_KEY(31, 978):
		return emulate_tlbwe(inst);
	default:
		return EMULATE_FAIL;
	}
}

static int kvmppc_core_emulate_op_e500(struct kvmppc_inst *inst)
{
	int result = e500_op(inst);

	return result == EMULATE_FAIL ? kvmppc_booke_emulate_op(inst) : result;
}

/* Special registers (4.3, 4.4) -------------------------------------------- */

static void write_mmucsr0(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	(void)kvmppc_e500_emul_mt_mmucsr0(inst->machine, inst->vcpu, value);	/* always DONE */
}

static ulong_t read_zero(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	(void)inst;
	(void)row;
	return 0;
}

static const struct kvmppc_spr_row *e500_spr(uint32_t spr)
{
	switch (spr) {
	SPR_ROW(SPR_L1CSR0, SPR_E500(l1csr0), .drop = L1CSR0_DCFI | L1CSR0_CLFC,
		.write = spr_store, .read = spr_load)
	SPR_ROW(SPR_L1CSR1, SPR_E500(l1csr1), .drop = L1CSR1_ICFI | L1CSR1_ICLFR,
		.write = spr_store, .read = spr_load)
	SPR_ROW(SPR_HID0, SPR_E500(hid0), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_HID1, SPR_E500(hid1), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_MMUCSR0, .write = write_mmucsr0, .read = read_zero)
	SPR_ROW(SPR_PWRMGTCR0, SPR_ARCH(pwrmgtcr0), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_BUCSR, .write = spr_ignore)
	SPR_ROW(SPR_IVOR32, SPR_ARCH(ivor[BOOKE_IRQPRIO_ALTIVEC_UNAVAIL]), .flavour = FLAVOUR_ALTIVEC,	/* 3.6 */
		.write = spr_store, .read = spr_load)
	SPR_ROW(SPR_IVOR32 + 1, SPR_ARCH(ivor[BOOKE_IRQPRIO_ALTIVEC_ASSIST]), .flavour = FLAVOUR_ALTIVEC,
		.write = spr_store, .read = spr_load)
	SPR_ROW(SPR_IVOR32 + 3, SPR_ARCH(ivor[BOOKE_IRQPRIO_PERFORMANCE_MONITOR]),
		.write = spr_store, .read = spr_load)
	SPR_ROW(SPR_IVOR32 + 4, SPR_ARCH(ivor[BOOKE_IRQPRIO_DBELL]), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_IVOR32 + 5, SPR_ARCH(ivor[BOOKE_IRQPRIO_DBELL_CRIT]), .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_DECAR, SPR_ARCH(decar), .read = spr_load)
	SPR_ROW(SPR_TLB0CFG, SPR_ARCH(tlbcfg[0]), .read = spr_load)
	SPR_ROW(SPR_TLB1CFG, SPR_ARCH(tlbcfg[1]), .read = spr_load)
	SPR_ROW(SPR_SVR, SPR_E500(svr), .read = spr_load)
	SPR_ROW(SPR_MMUCFG, SPR_ARCH(mmucfg), .read = spr_load)
	default:
		return NULL;
	}
}

/* Only where the guest has MMU v2. */
static const struct kvmppc_spr_row *mmu_v2_spr(uint32_t spr)
{
	switch (spr) {
	SPR_ROW(SPR_TLB0PS, SPR_ARCH(tlbps[0]), .read = spr_load)
	SPR_ROW(SPR_TLB1PS, SPR_ARCH(tlbps[1]), .read = spr_load)
	SPR_ROW(SPR_EPTCFG, SPR_ARCH(eptcfg), .read = spr_load)
	default:
		return NULL;
	}
}

static int kvmppc_core_emulate_mtspr_e500(struct kvmppc_inst *inst, uint32_t spr, ulong_t value)
{
	int result = kvmppc_write_spr(inst, e500_spr(spr), value);

	return result == EMULATE_FAIL ? kvmppc_booke_emulate_mtspr(inst, spr, value) : result;
}

static int kvmppc_core_emulate_mfspr_e500(struct kvmppc_inst *inst, uint32_t spr, ulong_t *value)
{
	int result = kvmppc_read_spr(inst, e500_spr(spr), value);

	if (result == EMULATE_FAIL && (inst->arch->mmucfg & MMUCFG_MAVN) == MMUCFG_MAVN_V2)
		result = kvmppc_read_spr(inst, mmu_v2_spr(spr), value);
	return result == EMULATE_FAIL ? kvmppc_booke_emulate_mfspr(inst, spr, value) : result;
}
