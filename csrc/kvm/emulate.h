/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/emulate: the guest's instruction, executed by KVM: fields of an
 * instruction word, the generic part, and what the Book E and e500 parts
 * have in common (emulate 1, 2; covers emulate.c).
 */
#ifndef KVM_EMULATE_H
#define KVM_EMULATE_H

#include "vcpu.h"

/* SPR numbers that only emulation knows (emulate 2.4) */
enum {
	SPR_DEC = 22
};

/* Kernels that have a row of the tables: all, 64-bit ones, those with AltiVec too (emulate 0.1) */
enum {
	FLAVOUR_ALL = 0,
	FLAVOUR_64 = 1,
	FLAVOUR_ALTIVEC = 2
};

/* An instruction under way. */
struct kvmppc_inst {
	struct pyexit_machine *machine;
	struct pyexit_arch *arch;
	struct pyexit_e500 *e500;
	uint32_t vcpu, word;
	int advance;			/* the pc, if it comes to an end */
};

/* Fields of an instruction word (emulate 1) */
static inline uint32_t get_op(uint32_t word)
{
	return word >> 26;
}

static inline uint32_t get_xop(uint32_t word)
{
	return word >> 1 & 0x3ff;
}

static inline uint32_t get_rt(uint32_t word)
{
	return word >> 21 & 31;
}

static inline uint32_t get_rs(uint32_t word)
{
	return get_rt(word);
}

static inline uint32_t get_ra(uint32_t word)
{
	return word >> 16 & 31;
}

static inline uint32_t get_rb(uint32_t word)
{
	return word >> 11 & 31;
}

static inline uint32_t get_oc(uint32_t word)
{
	return word >> 11 & 0x7fff;
}

static inline uint32_t get_sprn(uint32_t word)
{
	return get_ra(word) | (word >> 6 & 0x3e0);
}

static inline uint32_t get_tmrn(uint32_t word)
{
	return get_sprn(word);
}

static inline int kvmppc_has(const struct pyexit_machine *machine, uint32_t flavour)
{
	if (PYEXIT_WIDTH != 64)
		return flavour == FLAVOUR_ALL;
	return flavour != FLAVOUR_ALTIVEC || machine->hw.params.altivec;
}

/* What tells instructions apart: primary and, where that has one, extended opcode. */
#define OP_KEY(op, xop) ((uint32_t)(op) << 10 | (xop))

static inline uint32_t get_op_key(uint32_t word)
{
	uint32_t op = get_op(word);

	return OP_KEY(op, op == 19 || op == 31 ? get_xop(word) : 0);
}

/* One SPR that a part emulates: a field of the vcpu's, a real SPR, or both; functions decide. */
struct kvmppc_spr_row {
	uint8_t flavour;
	uint8_t bytes;			/* size of the field, 0: none */
	uint16_t offset;		/* of the field in struct pyexit_arch, or pyexit_e500 with in_e500 */
	uint16_t real;			/* SPR that a write reaches too, 0: none */
	uint32_t drop;			/* bits that a write does not store */
	uint8_t in_e500;
	void (*write)(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value);
	ulong_t (*read)(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row);
};

/* Rows stand in a switch over the number, so that the compiler finds them. */
#define SPR_ROW(number, ...)                                              \
	case number: {                                                    \
		static const struct kvmppc_spr_row row = { __VA_ARGS__ }; \
		return &row;                                              \
	}

#define SPR_FIELD(record, field) .offset = offsetof(record, field), .bytes = sizeof(((record *)0)->field)
#define SPR_ARCH(field) SPR_FIELD(struct pyexit_arch, field)
#define SPR_E500(field) SPR_FIELD(struct pyexit_e500, field), .in_e500 = 1

/* The plain accesses of a row: its field and its real SPR; or nothing. */
static void spr_store(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value);
static void spr_ignore(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value);
static ulong_t spr_load(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row);

/* By @row, or EMULATE_FAIL for none, one of another kernel, and one that does not write or read. */
static int kvmppc_write_spr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t value);
static int kvmppc_read_spr(struct kvmppc_inst *inst, const struct kvmppc_spr_row *row, ulong_t *value);

/* RA|0 + RB as the guest's mode lets it form an address. */
static ulong_t kvmppc_get_ea_indexed(const struct kvmppc_inst *inst);

/* The guest asks for the debugger: run is filled in, the pc stays. */
static int kvmppc_exit_debug(struct kvmppc_inst *inst);

/* The instruction at the guest's pc: enum emulation_result. */
static int kvmppc_emulate_instruction(struct pyexit_machine *machine, uint32_t vcpu);

#endif
