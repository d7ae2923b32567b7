/* SPDX-License-Identifier: BSD-3-Clause */
#include "loadstore.h"

#include "irqprio.h"
#include "last_inst.h"
#include "mmio.h"
#include "timing.h"
#include "trace.h"

/* What the decoder says of an instruction (5.2); the stores last. */
enum ldst_type {
	LDST_UNKNOWN,		/* nothing that is done here; not computed either */
	LDST_COMPUTED,		/* the decoder has its result: no access to memory, mmio_is_write is kept */
	LDST_CACHEOP,
	LDST_LOAD,
	LDST_LOAD_FP,
	LDST_LOAD_VMX,
	LDST_STORE,
	LDST_STORE_FP,
	LDST_STORE_VMX,
	LDST_STORE_OTHER	/* several registers, or conditional: not done */
};

#define LDST_SIGNEXT 1u
#define LDST_UPDATE 2u
#define LDST_FPCONV 4u
#define LDST_BYTEREV 8u
#define LDST_EVEN 16u		/* an odd register number is LDST_UNKNOWN */

struct ldst_row {
	uint8_t type, size, flags, flavour;
};

/* By primary opcode.  lmw and lq fail like what has no row. */
static const struct ldst_row dform_rows[64] = {
	[32] = { LDST_LOAD, 4, 0, FLAVOUR_ALL },				/* lwz */
	[33] = { LDST_LOAD, 4, LDST_UPDATE, FLAVOUR_ALL },			/* lwzu */
	[34] = { LDST_LOAD, 1, 0, FLAVOUR_ALL },				/* lbz */
	[35] = { LDST_LOAD, 1, LDST_UPDATE, FLAVOUR_ALL },			/* lbzu */
	[36] = { LDST_STORE, 4, 0, FLAVOUR_ALL },				/* stw */
	[37] = { LDST_STORE, 4, LDST_UPDATE, FLAVOUR_ALL },			/* stwu */
	[38] = { LDST_STORE, 1, 0, FLAVOUR_ALL },				/* stb */
	[39] = { LDST_STORE, 1, LDST_UPDATE, FLAVOUR_ALL },			/* stbu */
	[40] = { LDST_LOAD, 2, 0, FLAVOUR_ALL },				/* lhz */
	[41] = { LDST_LOAD, 2, LDST_UPDATE, FLAVOUR_ALL },			/* lhzu */
	[42] = { LDST_LOAD, 2, LDST_SIGNEXT, FLAVOUR_ALL },			/* lha */
	[43] = { LDST_LOAD, 2, LDST_SIGNEXT | LDST_UPDATE, FLAVOUR_ALL },	/* lhau */
	[44] = { LDST_STORE, 2, 0, FLAVOUR_ALL },				/* sth */
	[45] = { LDST_STORE, 2, LDST_UPDATE, FLAVOUR_ALL },			/* sthu */
	[47] = { LDST_STORE_OTHER, 0, 0, FLAVOUR_ALL },				/* stmw */
	[48] = { LDST_LOAD_FP, 4, LDST_FPCONV, FLAVOUR_ALL },			/* lfs */
	[49] = { LDST_LOAD_FP, 4, LDST_FPCONV | LDST_UPDATE, FLAVOUR_ALL },	/* lfsu */
	[50] = { LDST_LOAD_FP, 8, 0, FLAVOUR_ALL },				/* lfd */
	[51] = { LDST_LOAD_FP, 8, LDST_UPDATE, FLAVOUR_ALL },			/* lfdu */
	[52] = { LDST_STORE_FP, 4, LDST_FPCONV, FLAVOUR_ALL },			/* stfs */
	[53] = { LDST_STORE_FP, 4, LDST_FPCONV | LDST_UPDATE, FLAVOUR_ALL },	/* stfsu */
	[54] = { LDST_STORE_FP, 8, 0, FLAVOUR_ALL },				/* stfd */
	[55] = { LDST_STORE_FP, 8, LDST_UPDATE, FLAVOUR_ALL },			/* stfdu */
};

/* Primary opcodes 58 and 62, by their low two bits. */
static const struct ldst_row ds_load_rows[4] = {
	{ LDST_LOAD, 8, 0, FLAVOUR_64 },					/* ld */
	{ LDST_LOAD, 8, LDST_UPDATE, FLAVOUR_64 },				/* ldu */
	{ LDST_LOAD, 4, LDST_SIGNEXT, FLAVOUR_64 },				/* lwa */
};

static const struct ldst_row ds_store_rows[4] = {
	{ LDST_STORE, 8, 0, FLAVOUR_64 },					/* std */
	{ LDST_STORE, 8, LDST_UPDATE, FLAVOUR_64 },				/* stdu */
	{ LDST_STORE_OTHER, 16, LDST_EVEN, FLAVOUR_64 },			/* stq */
};

/* Primary opcode 31, by the extended one.  Loads with reservation, lswx and lswi fail like what has no row. */
static const struct ldst_row xform_rows[1024] = {
	[23] = { LDST_LOAD, 4, 0, FLAVOUR_ALL },				/* lwzx */
	[55] = { LDST_LOAD, 4, LDST_UPDATE, FLAVOUR_ALL },			/* lwzux */
	[87] = { LDST_LOAD, 1, 0, FLAVOUR_ALL },				/* lbzx */
	[119] = { LDST_LOAD, 1, LDST_UPDATE, FLAVOUR_ALL },			/* lbzux */
	[279] = { LDST_LOAD, 2, 0, FLAVOUR_ALL },				/* lhzx */
	[311] = { LDST_LOAD, 2, LDST_UPDATE, FLAVOUR_ALL },			/* lhzux */
	[343] = { LDST_LOAD, 2, LDST_SIGNEXT, FLAVOUR_ALL },			/* lhax */
	[375] = { LDST_LOAD, 2, LDST_SIGNEXT | LDST_UPDATE, FLAVOUR_ALL },	/* lhaux */
	[341] = { LDST_LOAD, 4, LDST_SIGNEXT, FLAVOUR_64 },			/* lwax */
	[373] = { LDST_LOAD, 4, LDST_SIGNEXT | LDST_UPDATE, FLAVOUR_64 },	/* lwaux */
	[21] = { LDST_LOAD, 8, 0, FLAVOUR_64 },					/* ldx */
	[53] = { LDST_LOAD, 8, LDST_UPDATE, FLAVOUR_64 },			/* ldux */
	[534] = { LDST_LOAD, 4, LDST_BYTEREV, FLAVOUR_ALL },			/* lwbrx */
	[790] = { LDST_LOAD, 2, LDST_BYTEREV, FLAVOUR_ALL },			/* lhbrx */
	[532] = { LDST_LOAD, 8, LDST_BYTEREV, FLAVOUR_64 },			/* ldbrx */
	[151] = { LDST_STORE, 4, 0, FLAVOUR_ALL },				/* stwx */
	[183] = { LDST_STORE, 4, LDST_UPDATE, FLAVOUR_ALL },			/* stwux */
	[215] = { LDST_STORE, 1, 0, FLAVOUR_ALL },				/* stbx */
	[247] = { LDST_STORE, 1, LDST_UPDATE, FLAVOUR_ALL },			/* stbux */
	[407] = { LDST_STORE, 2, 0, FLAVOUR_ALL },				/* sthx */
	[439] = { LDST_STORE, 2, LDST_UPDATE, FLAVOUR_ALL },			/* sthux */
	[149] = { LDST_STORE, 8, 0, FLAVOUR_64 },				/* stdx */
	[181] = { LDST_STORE, 8, LDST_UPDATE, FLAVOUR_64 },			/* stdux */
	[662] = { LDST_STORE, 4, LDST_BYTEREV, FLAVOUR_ALL },			/* stwbrx */
	[918] = { LDST_STORE, 2, LDST_BYTEREV, FLAVOUR_ALL },			/* sthbrx */
	[660] = { LDST_STORE, 8, LDST_BYTEREV, FLAVOUR_64 },			/* stdbrx */
	[535] = { LDST_LOAD_FP, 4, LDST_FPCONV, FLAVOUR_ALL },			/* lfsx */
	[567] = { LDST_LOAD_FP, 4, LDST_FPCONV | LDST_UPDATE, FLAVOUR_ALL },	/* lfsux */
	[599] = { LDST_LOAD_FP, 8, 0, FLAVOUR_ALL },				/* lfdx */
	[631] = { LDST_LOAD_FP, 8, LDST_UPDATE, FLAVOUR_ALL },			/* lfdux */
	[663] = { LDST_STORE_FP, 4, LDST_FPCONV, FLAVOUR_ALL },			/* stfsx */
	[695] = { LDST_STORE_FP, 4, LDST_FPCONV | LDST_UPDATE, FLAVOUR_ALL },	/* stfsux */
	[727] = { LDST_STORE_FP, 8, 0, FLAVOUR_ALL },				/* stfdx */
	[759] = { LDST_STORE_FP, 8, LDST_UPDATE, FLAVOUR_ALL },			/* stfdux */
	[791] = { LDST_LOAD_FP, 16, 0, FLAVOUR_64 },				/* lfdpx */
	[855] = { LDST_LOAD_FP, 4, LDST_SIGNEXT, FLAVOUR_64 },			/* lfiwax */
	[887] = { LDST_LOAD_FP, 4, 0, FLAVOUR_64 },				/* lfiwzx */
	[919] = { LDST_STORE_FP, 16, 0, FLAVOUR_64 },				/* stfdpx */
	[983] = { LDST_STORE_FP, 4, 0, FLAVOUR_64 },				/* stfiwx; Q11 */
	[7] = { LDST_LOAD_VMX, 1, 0, FLAVOUR_ALTIVEC },				/* lvebx */
	[39] = { LDST_LOAD_VMX, 2, 0, FLAVOUR_ALTIVEC },			/* lvehx */
	[71] = { LDST_LOAD_VMX, 4, 0, FLAVOUR_ALTIVEC },			/* lvewx */
	[103] = { LDST_LOAD_VMX, 16, 0, FLAVOUR_ALTIVEC },			/* lvx */
	[359] = { LDST_LOAD_VMX, 16, 0, FLAVOUR_ALTIVEC },			/* lvxl */
	[135] = { LDST_STORE_VMX, 1, 0, FLAVOUR_ALTIVEC },			/* stvebx */
	[167] = { LDST_STORE_VMX, 2, 0, FLAVOUR_ALTIVEC },			/* stvehx */
	[199] = { LDST_STORE_VMX, 4, 0, FLAVOUR_ALTIVEC },			/* stvewx */
	[231] = { LDST_STORE_VMX, 16, 0, FLAVOUR_ALTIVEC },			/* stvx */
	[487] = { LDST_STORE_VMX, 16, 0, FLAVOUR_ALTIVEC },			/* stvxl */
	[150] = { LDST_STORE_OTHER, 4, 0, FLAVOUR_ALL },			/* stwcx. */
	[694] = { LDST_STORE_OTHER, 1, 0, FLAVOUR_64 },				/* stbcx. */
	[726] = { LDST_STORE_OTHER, 2, 0, FLAVOUR_64 },				/* sthcx. */
	[214] = { LDST_STORE_OTHER, 8, 0, FLAVOUR_64 },				/* stdcx. */
	[182] = { LDST_STORE_OTHER, 16, LDST_EVEN, FLAVOUR_64 },		/* stqcx. */
	[661] = { LDST_STORE_OTHER, 0, 0, FLAVOUR_ALL },			/* stswx */
	[725] = { LDST_STORE_OTHER, 0, 0, FLAVOUR_ALL },			/* stswi */
	[54] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* dcbst */
	[86] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* dcbf */
	[246] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* dcbtst */
	[278] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* dcbt */
	[982] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* icbi */
	[1014] = { LDST_CACHEOP, 0, 0, FLAVOUR_ALL },				/* dcbz; Q10: dcbi, dcba have no row */
};

/* What the decoder computes (5.2, "Return 1"): extended opcodes of 19, of 31, and of 31 in a 64-bit kernel. */
static const uint16_t computed_19[] = { 0, 16, 33, 129, 150, 193, 225, 257, 289, 417, 449, 528 };

static const uint16_t computed_31[] = {
	0, 8, 10, 11, 19, 24, 26, 28, 32, 40, 60, 75, 104, 122, 124, 136, 138, 144, 154, 186, 200, 202, 232, 234,
	235, 266, 284, 316, 378, 412, 444, 459, 476, 491, 508, 536, 598, 792, 824, 854, 922, 954,
};

static const uint16_t computed_31_64[] = {
	9, 27, 58, 73, 233, 252, 393, 425, 457, 489, 506, 539, 794, 826, 827, 986,
};

/* Primary opcodes 7, 8, 10-16, 18, 20, 21, 23-29 */
#define COMPUTED_PRIMARY 0x3fb5fd80u
#define XOP_ISEL 15u		/* in the low five bits */

static int is_one_of(uint32_t xop, const uint16_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == xop)
			return 1;
	return 0;
}

#define ONE_OF(xop, list) is_one_of(xop, list, sizeof(list) / sizeof((list)[0]))

/* Does a trap instruction with condition @to trap? */
static int traps(uint32_t to, int64_t a, int64_t b)
{
	uint32_t relation = a < b ? 0x10 : a > b ? 0x08 : 0x04;

	if ((uint64_t)a != (uint64_t)b)
		relation |= (uint64_t)a < (uint64_t)b ? 0x02 : 0x01;
	return (to & relation) != 0;
}

static int64_t immediate(uint32_t word)
{
	return (int16_t)(word & 0xffff);
}

static int64_t gpr_word(const struct kvmppc_inst *inst, uint32_t n)
{
	return (int32_t)inst->arch->regs.gpr[n];
}

static int64_t gpr_whole(const struct kvmppc_inst *inst, uint32_t n)
{
	return (int64_t)inst->arch->regs.gpr[n];
}

static int xform_is_computed(const struct kvmppc_inst *inst)
{
	uint32_t word = inst->word, xop = get_xop(word), spr = get_sprn(word);

	switch (xop) {
	case 4:			/* tw */
		return !traps(get_rt(word), gpr_word(inst, get_ra(word)), gpr_word(inst, get_rb(word)));
	case 68:		/* td */
		return PYEXIT_WIDTH == 64 &&
		       !traps(get_rt(word), gpr_whole(inst, get_ra(word)), gpr_whole(inst, get_rb(word)));
	case 339:		/* mfspr */
	case 467:		/* mtspr */
		return spr == SPR_XER || spr == SPR_LR || spr == SPR_CTR;
	default:
		return (xop & 31) == XOP_ISEL || ONE_OF(xop, computed_31) ||
		       (PYEXIT_WIDTH == 64 && ONE_OF(xop, computed_31_64));
	}
}

static int is_computed(const struct kvmppc_inst *inst)
{
	uint32_t word = inst->word, op = get_op(word);

	switch (op) {
	case 2:			/* tdi */
		return PYEXIT_WIDTH == 64 && !traps(get_rt(word), gpr_whole(inst, get_ra(word)), immediate(word));
	case 3:			/* twi */
		return !traps(get_rt(word), gpr_word(inst, get_ra(word)), immediate(word));
	case 19:
		return ONE_OF(get_xop(word), computed_19);
	case 30:		/* rotates of doublewords */
		return PYEXIT_WIDTH == 64 && (get_xop(word) & 15) <= 9;
	case 31:
		return xform_is_computed(inst);
	default:
		return op < 32 && COMPUTED_PRIMARY >> op & 1;
	}
}

static const struct ldst_row *row_of_word(uint32_t word)
{
	switch (get_op(word)) {
	case 31:
		return &xform_rows[get_xop(word)];
	case 58:
		return &ds_load_rows[word & 3];
	case 62:
		return &ds_store_rows[word & 3];
	default:
		return &dform_rows[get_op(word)];
	}
}

/* 5.2 */
static const struct ldst_row *analyse_instr(const struct kvmppc_inst *inst)
{
	static const struct ldst_row unknown = { LDST_UNKNOWN, 0, 0, FLAVOUR_ALL };
	static const struct ldst_row computed = { LDST_COMPUTED, 0, 0, FLAVOUR_ALL };
	const struct ldst_row *row = row_of_word(inst->word);

	if (row->type == LDST_UNKNOWN && is_computed(inst))
		return &computed;
	if (!kvmppc_has(inst->machine, row->flavour) || (row->flags & LDST_EVEN && get_rs(inst->word) & 1))
		return &unknown;
	return row;
}

/* 5.3.1: never cut to 32 bits (Q31). */
static ulong_t effective_address(const struct kvmppc_inst *inst)
{
	const uint64_t *gpr = inst->arch->regs.gpr;
	uint32_t op = get_op(inst->word), ra = get_ra(inst->word);
	uint64_t offset = (uint64_t)immediate(inst->word);

	if (op == 31)
		offset = gpr[get_rb(inst->word)];
	else if (op == 58 || op == 62)
		offset &= ~(uint64_t)3;
	return (ulong_t)(offset + (ra ? gpr[ra] : 0));
}

static uint64_t reversed(uint64_t value, uint32_t bytes)
{
	uint64_t swapped = 0;

	for (uint32_t i = 0; i < bytes; i++, value >>= 8)
		swapped = swapped << 8 | (value & 0xff);
	return swapped;
}

static uint64_t store_value(const struct kvmppc_inst *inst, const struct ldst_row *row)
{
	uint32_t rs = get_rs(inst->word);
	uint64_t value = row->type == LDST_STORE_FP ? inst->arch->fp.fpr[rs] : (ulong_t)inst->arch->regs.gpr[rs];

	return row->flags & LDST_BYTEREV ? reversed(value, row->size) : value;
}

static int emulate_load(const struct kvmppc_inst *inst, const struct ldst_row *row, uint32_t class)
{
	uint32_t rt = class | get_rt(inst->word), default_endian = !(row->flags & LDST_BYTEREV);

	if (row->flags & LDST_SIGNEXT)
		return kvmppc_handle_loads(inst->machine, inst->vcpu, rt, row->size, default_endian);
	return kvmppc_handle_load(inst->machine, inst->vcpu, rt, row->size, default_endian);
}

/* A quadword goes as two doublewords; anything else is one element of the register.  Returns an access's size. */
static uint32_t prepare_vector(struct pyexit_arch *arch, uint32_t size)
{
	uint32_t whole = size == 16;

	arch->vaddr_accessed &= ~(uint64_t)(size - 1);
	arch->paddr_accessed &= ~(uint64_t)(size - 1);
	arch->mmio_copy_type = (uint8_t)(whole ? MMIO_COPY_DWORD : MMIO_COPY_BYTE + size / 2);
	arch->mmio_vmx_offset = (uint8_t)((arch->vaddr_accessed & 0xf) / size);
	arch->mmio_vmx_copy_nums = whole ? 2 : 1;
	return whole ? 8 : size;
}

/* The pending bit of the unit that the guest has not enabled, or -1. */
static int unavailable(const struct kvmppc_inst *inst, const struct ldst_row *row)
{
	uint64_t msr = inst->arch->shared.msr;

	switch (row->type) {
	case LDST_LOAD_FP:
	case LDST_STORE_FP:
		return msr & MSR_FP ? -1 : BOOKE_IRQPRIO_FP_UNAVAIL;
	case LDST_LOAD_VMX:
	case LDST_STORE_VMX:
		return msr & MSR_VEC ? -1 : BOOKE_IRQPRIO_ALTIVEC_UNAVAIL;
	default:
		return -1;
	}
}

/* 5.4; Q9: the saved image of FP and vector registers is the register file here. */
static int emulate_access(const struct kvmppc_inst *inst, const struct ldst_row *row)
{
	struct pyexit_machine *machine = inst->machine;
	uint32_t vcpu = inst->vcpu, reg = get_rt(inst->word), bytes;

	if (row->flags & LDST_FPCONV)
		inst->arch->mmio_sp64_extend = 1;
	switch (row->type) {
	case LDST_CACHEOP:
		return EMULATE_DONE;
	case LDST_LOAD:
		return emulate_load(inst, row, MMIO_CLASS_GPR);
	case LDST_LOAD_FP:
		return emulate_load(inst, row, MMIO_CLASS_FPR);
	case LDST_LOAD_VMX:
		bytes = prepare_vector(inst->arch, row->size);
		return kvmppc_handle_vmx_load(machine, vcpu, MMIO_CLASS_VMX | reg, bytes);
	case LDST_STORE:
	case LDST_STORE_FP:
		return kvmppc_handle_store(machine, vcpu, store_value(inst, row), row->size, 1);
	case LDST_STORE_VMX:
		bytes = prepare_vector(inst->arch, row->size);
		return kvmppc_handle_vmx_store(machine, vcpu, reg, bytes);	/* Q29 */
	default:
		return EMULATE_FAIL;
	}
}

static void clear_mmio(struct pyexit_arch *arch)
{
	arch->mmio_vsx_copy_nums = 0;
	arch->mmio_vsx_offset = 0;
	arch->mmio_copy_type = 0;
	arch->mmio_sp64_extend = 0;
	arch->mmio_sign_extend = 0;
	arch->mmio_vmx_copy_nums = 0;
	arch->mmio_vmx_offset = 0;
	arch->mmio_host_swabbed = 0;
}

/* Q8: RA = 0 and RA = RT are no obstacle to an update, and it comes after the load. */
static int access_and_update(const struct kvmppc_inst *inst, const struct ldst_row *row)
{
	ulong_t ea = effective_address(inst);
	int result = emulate_access(inst, row);

	if (row->flags & LDST_UPDATE && result != EMULATE_FAIL)
		inst->arch->regs.gpr[get_ra(inst->word)] = ea;
	return result;
}

static int kvmppc_emulate_loadstore(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct kvmppc_inst inst = { .machine = machine, .arch = arch, .e500 = &machine->e500[vcpu], .vcpu = vcpu };
	const struct ldst_row *row;
	int result, priority;

	kvmppc_set_exit_type(machine, vcpu, EMULATED_INST_EXITS);
	result = kvmppc_get_last_inst(machine, vcpu, &inst.word);
	if (result != EMULATE_DONE)
		return result;
	clear_mmio(arch);
	arch->regs.msr = (ulong_t)arch->shared.msr;
	row = analyse_instr(&inst);
	if (row->type != LDST_COMPUTED)
		machine->vcpu[vcpu].mmio_is_write = row->type >= LDST_STORE;
	priority = unavailable(&inst, row);
	if (priority >= 0) {		/* not traced, and the pc stays */
		kvmppc_booke_queue_irqprio(machine, vcpu, (uint32_t)priority);
		return EMULATE_DONE;
	}
	result = access_and_update(&inst, row);
	if (kvmppc_stopped(machine))
		return result;
	trace_kvm_ppc_instr(machine, inst.word, arch->regs.nip, result);
	if (result != EMULATE_FAIL)	/* Q23: also when userspace has yet to answer */
		arch->regs.nip = (ulong_t)(arch->regs.nip + 4);
	return result;
}
