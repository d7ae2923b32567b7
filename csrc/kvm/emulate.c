/* SPDX-License-Identifier: BSD-3-Clause */
#include "emulate.h"

#include "debug.h"
#include "emulate_e500.h"
#include "host.h"
#include "irqprio.h"
#include "last_inst.h"
#include "timer.h"
#include "timing.h"
#include "trace.h"

static int kvmppc_write_spr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	if (!row || !row->write || !kvmppc_has(inst->machine, row->flavour))
		return EMULATE_FAIL;
	row->write(inst, row, value);
	return EMULATE_DONE;
}

static int kvmppc_read_spr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t *value)
{
	if (!row || !row->read || !kvmppc_has(inst->machine, row->flavour))
		return EMULATE_FAIL;
	*value = row->read(inst, row);
	return EMULATE_DONE;
}

static void *spr_field(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	return (row->in_e500 ? (uint8_t *)inst->e500 : (uint8_t *)inst->arch) + row->offset;
}

static void spr_store(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	void *field = spr_field(inst, row);

	if (row->bytes == sizeof(uint64_t))
		*(uint64_t *)field = value & ~(ulong_t)row->drop;
	else if (row->bytes)
		*(uint32_t *)field = (uint32_t)value & ~row->drop;
	if (row->real)
		kvmppc_mtspr(inst->machine, inst->vcpu, row->real, value);
}

static void spr_ignore(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)inst;
	(void)row;
	(void)value;
}

static ulong_t spr_load(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	void *field = spr_field(inst, row);

	if (!row->bytes)
		return kvmppc_mfspr(inst->machine, inst->vcpu, row->real);
	return row->bytes == sizeof(uint64_t) ? (ulong_t)*(uint64_t *)field : *(uint32_t *)field;
}

static ulong_t kvmppc_get_ea_indexed(const struct kvmppc_inst *inst)
{
	const uint64_t *gpr = inst->arch->regs.gpr;
	uint32_t ra = get_ra(inst->word);
	ulong_t ea = (ulong_t)(gpr[get_rb(inst->word)] + (ra ? gpr[ra] : 0));

	return inst->arch->shared.msr & MSR_CM ? ea : (uint32_t)ea;
}

static int kvmppc_exit_debug(struct kvmppc_inst *inst)
{
	struct pyexit_run *run = &inst->machine->run[inst->vcpu];

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.address = (ulong_t)inst->arch->regs.nip;
	run->debug.arch.status = 0;
	inst->advance = 0;
	return EMULATE_EXIT_USER;
}

/* Special registers (2.4, 2.5) ------------------------------------------- */

static void write_dec(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value)
{
	(void)row;
	inst->arch->dec = (uint32_t)value;
	kvmppc_emulate_dec(inst->machine, inst->vcpu);
}

static ulong_t read_dec(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	(void)row;
	return kvmppc_get_dec(inst->machine, inst->vcpu, get_tb(inst->machine, inst->vcpu));
}

/* Q2: the halves of the timebase are swapped. */
static ulong_t read_tbwl(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	(void)row;
	return (ulong_t)(get_tb(inst->machine, inst->vcpu) >> 32);
}

static ulong_t read_tbwu(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	(void)row;
	return (ulong_t)get_tb(inst->machine, inst->vcpu);
}

/* Not what interrupts go by: that is shared.pir. */
static ulong_t read_pir(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row)
{
	(void)row;
	return inst->machine->vcpu[inst->vcpu].vcpu_id;
}

static const struct kvmppc_spr_row *generic_spr(uint32_t spr)
{
	switch (spr) {
	SPR_ROW(SPR_SRR0, .real = SPR_GSRR0, .write = spr_store, .read = spr_load)	/* 2.4, 2.5; Q4 */
	SPR_ROW(SPR_SRR1, .real = SPR_GSRR1, .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_DEC, .write = write_dec, .read = read_dec)			/* 2.6 */
	SPR_ROW(SPR_SPRG0 + 0, .real = SPR_GSPRG0, .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_SPRG0 + 1, .real = SPR_GSPRG1, .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_SPRG0 + 2, .real = SPR_GSPRG2, .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_SPRG0 + 3, .real = SPR_GSPRG3, .write = spr_store, .read = spr_load)
	SPR_ROW(SPR_TBWL, .write = spr_ignore, .read = read_tbwl)
	SPR_ROW(SPR_TBWU, .write = spr_ignore, .read = read_tbwu)
	SPR_ROW(SPR_PIR, .write = spr_ignore, .read = read_pir)
	SPR_ROW(SPR_PVR, SPR_ARCH(pvr), .read = spr_load)				/* 2.5 */
	default:
		return NULL;
	}
}

static int emulate_mtspr(struct kvmppc_inst *inst)
{
	ulong_t value = (ulong_t)inst->arch->regs.gpr[get_rs(inst->word)];
	uint32_t spr = get_sprn(inst->word);
	int result = kvmppc_write_spr(inst, generic_spr(spr), value);

	if (result == EMULATE_FAIL)
		result = kvmppc_core_emulate_mtspr_e500(inst, spr, value);
	if (result == EMULATE_FAIL)
		kvmppc_printk(inst->machine, PYEXIT_MSG_MTSPR_UNKNOWN, spr, 0, 0);
	kvmppc_set_exit_type(inst->machine, inst->vcpu, EMULATED_MTSPR_EXITS);
	return result;
}

static int emulate_mfspr(struct kvmppc_inst *inst)
{
	uint32_t spr = get_sprn(inst->word);
	ulong_t value = 0;
	int result = kvmppc_read_spr(inst, generic_spr(spr), &value);

	if (result == EMULATE_FAIL)
		result = kvmppc_core_emulate_mfspr_e500(inst, spr, &value);
	if (result == EMULATE_DONE)
		inst->arch->regs.gpr[get_rt(inst->word)] = value;
	else
		kvmppc_printk(inst->machine, PYEXIT_MSG_MFSPR_UNKNOWN, spr, 0, 0);
	kvmppc_set_exit_type(inst->machine, inst->vcpu, EMULATED_MFSPR_EXITS);
	return result;
}

/* Instructions (2.3) ------------------------------------------------------ */

/* Q3: the condition is not looked at, and the rest of ESR is the stale shared copy's. */
static int emulate_trap(struct kvmppc_inst *inst)
{
	kvmppc_core_queue_program(inst->machine, inst->vcpu, inst->arch->shared.esr | ESR_PTR);
	inst->advance = 0;
	return EMULATE_DONE;
}

/* Q28: whether userspace uses break points is not asked. */
static int emulate_sw_breakpoint(struct kvmppc_inst *inst)
{
	return inst->word == KVMPPC_INST_SW_BREAKPOINT ? kvmppc_exit_debug(inst) : EMULATE_FAIL;
}

static int generic_op(struct kvmppc_inst *inst)
{
	switch (get_op_key(inst->word)) {
	case OP_KEY(31, 68):		/* td */
		return PYEXIT_WIDTH == 64 ? emulate_trap(inst) : EMULATE_FAIL;
	case OP_KEY(3, 0):		/* twi */
	case OP_KEY(31, 4):		/* tw */
		return emulate_trap(inst);
	case OP_KEY(31, 339):
		return emulate_mfspr(inst);
	case OP_KEY(31, 467):
		return emulate_mtspr(inst);
	case OP_KEY(31, 566):		/* tlbsync */
		return EMULATE_DONE;
	case OP_KEY(0, 0):
		return emulate_sw_breakpoint(inst);
	default:
		return EMULATE_FAIL;
	}
}

/* 2.1, step 4; Q6: also what mtspr and mfspr could not do comes here. */
static int emulate_in_core(struct kvmppc_inst *inst)
{
	int result = kvmppc_core_emulate_op_e500(inst);

	if (result == EMULATE_FAIL) {
		inst->advance = 0;
		kvmppc_printk(inst->machine, PYEXIT_MSG_CANNOT_EMULATE, inst->word, get_op(inst->word),
			      get_xop(inst->word));
	}
	return result;
}

static int kvmppc_emulate_instruction(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct kvmppc_inst inst = {
		.machine = machine, .arch = arch, .e500 = &machine->e500[vcpu], .vcpu = vcpu, .advance = 1,
	};
	int result;

	kvmppc_set_exit_type(machine, vcpu, EMULATED_INST_EXITS);
	result = kvmppc_get_last_inst(machine, vcpu, &inst.word);
	if (result != EMULATE_DONE)
		return result;
	result = generic_op(&inst);
	if (result == EMULATE_FAIL)
		result = emulate_in_core(&inst);
	trace_kvm_ppc_instr(machine, inst.word, arch->regs.nip, result);
	if (inst.advance)	/* Q31: not cut in a 32-bit guest of a 64-bit kernel */
		arch->regs.nip = (ulong_t)(arch->regs.nip + 4);
	return result;
}
