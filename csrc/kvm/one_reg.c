/* SPDX-License-Identifier: BSD-3-Clause */
#include "one_reg.h"

#include "debug.h"
#include "entry.h"
#include "timer.h"

/* A value as it lies in userspace: @size bytes, big-endian; high is 0 but for U128. */
struct one_reg_value {
	uint64_t high, low;
};

/* What a row's registers are. */
enum one_reg_kind {
	ONE_REG_WORD,	/* uint32_t fields, stored as they come */
	ONE_REG_QUAD,	/* uint64_t fields */
	ONE_REG_ULONG,	/* the same, as wide as an unsigned long */
	ONE_REG_FIXED,	/* uint32_t fields; only what they hold may be written */
	ONE_REG_VR,	/* vector registers */
	ONE_REG_CALL	/* functions; NULL: refused */
};

#define ONE_REG_64BIT 1u	/* only in a 64-bit kernel */
#define ONE_REG_ALTIVEC 2u	/* only in a kernel with AltiVec */

/* @count registers with numbers from @first on, in fields from @at on. */
struct one_reg_row {
	uint16_t first, count;
	uint16_t at;		/* byte offset in struct pyexit_arch */
	uint8_t kind;		/* enum one_reg_kind */
	uint8_t size;		/* bytes: 4, 8, 16 */
	uint8_t flags;		/* ONE_REG_* */
	uint32_t (*get)(struct pyexit_machine *machine, uint32_t vcpu);
	void (*set)(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value);
};

static uint32_t get_epcr(struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->vcpu[vcpu].arch.epcr;
}

/* Q13: the register of whoever was loaded last on this thread */
static uint32_t get_epr(struct pyexit_machine *machine, uint32_t vcpu)
{
	return (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_GEPR);
}

static void set_epr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value)
{
	kvmppc_mtspr(machine, vcpu, SPR_GEPR, value);
}

static uint32_t get_tcr(struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->vcpu[vcpu].arch.tcr;
}

static uint32_t get_tsr(struct pyexit_machine *machine, uint32_t vcpu)
{
	return (uint32_t)machine->vcpu[vcpu].arch.tsr;
}

static uint32_t get_debug_inst(struct pyexit_machine *machine, uint32_t vcpu)
{
	(void)machine;
	(void)vcpu;
	return KVMPPC_INST_SW_BREAKPOINT;
}

#define ARCH(field) offsetof(struct pyexit_arch, field)
#define FIELDS(first, count, field, kind, size) { first, count, ARCH(field), kind, size, 0, NULL, NULL }
#define CALLS(number, flags, get, set) { number, 1, 0, ONE_REG_CALL, 4, flags, get, set }

/* exit 12.6; IAC3, IAC4, DBSR and the floating-point registers have none */
static const struct one_reg_row one_reg_rows[] = {
	FIELDS(0x02, 2, dbg_reg.iac1, ONE_REG_ULONG, 8),	/* IAC1, IAC2: the hardware's stay */
	FIELDS(0x06, 2, dbg_reg.dac1, ONE_REG_ULONG, 8),	/* DAC1, DAC2 */
	{ 0x40, 32, ARCH(vr.vr_u64), ONE_REG_VR, 16, ONE_REG_ALTIVEC, NULL, NULL },
	{ 0x81, 1, ARCH(vr.vscr[3]), ONE_REG_WORD, 4, ONE_REG_ALTIVEC, NULL, NULL },	/* VSCR */
	CALLS(0x85, ONE_REG_64BIT, get_epcr, kvmppc_set_epcr),	/* EPCR */
	CALLS(0x86, 0, get_epr, set_epr),			/* EPR */
	CALLS(0x87, 0, NULL, kvmppc_set_tsr_bits),		/* OR_TSR */
	CALLS(0x88, 0, NULL, kvmppc_clr_tsr_bits),		/* CLEAR_TSR */
	CALLS(0x89, 0, get_tcr, kvmppc_set_tcr),		/* TCR */
	CALLS(0x8a, 0, get_tsr, kvmppc_set_tsr),		/* TSR */
	CALLS(0x8b, 0, get_debug_inst, NULL),			/* DEBUG_INST */
	FIELDS(0x8c, 1, shared.mas0, ONE_REG_WORD, 4),
	FIELDS(0x8d, 1, shared.mas1, ONE_REG_WORD, 4),
	FIELDS(0x8e, 1, shared.mas2, ONE_REG_QUAD, 8),
	FIELDS(0x8f, 1, shared.mas7_3, ONE_REG_QUAD, 8),
	FIELDS(0x90, 1, shared.mas4, ONE_REG_WORD, 4),
	FIELDS(0x91, 1, shared.mas6, ONE_REG_WORD, 4),
	FIELDS(0x92, 1, mmucfg, ONE_REG_FIXED, 4),
	FIELDS(0x93, 4, tlbcfg, ONE_REG_FIXED, 4),		/* TLB0CFG to TLB3CFG */
	FIELDS(0x97, 4, tlbps, ONE_REG_FIXED, 4),		/* TLB0PS to TLB3PS */
	FIELDS(0x9b, 1, eptcfg, ONE_REG_FIXED, 4),
	FIELDS(0xb4, 1, vrsave, ONE_REG_WORD, 4),
	FIELDS(0xba, 1, sprg9, ONE_REG_QUAD, 8),
};
#undef ARCH
#undef FIELDS
#undef CALLS

/* Bytes of a register by its id. */
static uint32_t one_reg_size(uint64_t id)
{
	return 1u << (id >> 52 & 0xf);
}

static int row_exists(const struct pyexit_machine *machine, const struct one_reg_row *row)
{
	if (row->flags & ONE_REG_64BIT && PYEXIT_WIDTH != 64)
		return 0;
	return !(row->flags & ONE_REG_ALTIVEC) || machine->hw.params.altivec;
}

/* The row of @id, and *@n = which of its registers; NULL: not known. */
static const struct one_reg_row *find_one_reg(const struct pyexit_machine *machine, uint64_t id, uint32_t *n)
{
	for (size_t i = 0; i < sizeof(one_reg_rows) / sizeof(one_reg_rows[0]); i++) {
		const struct one_reg_row *row = &one_reg_rows[i];
		uint64_t size = row->size == 4 ? KVM_REG_SIZE_U32 : row->size == 8 ? KVM_REG_SIZE_U64 :
				KVM_REG_SIZE_U128;

		*n = (uint32_t)(id - (KVM_REG_PPC | size | row->first));
		if (id >= (KVM_REG_PPC | size | row->first) && id - (KVM_REG_PPC | size | row->first) < row->count)
			return row_exists(machine, row) ? row : NULL;
	}
	return NULL;
}

static void *one_reg_field(struct pyexit_machine *machine, uint32_t vcpu, const struct one_reg_row *row, uint32_t n)
{
	return (uint8_t *)&machine->vcpu[vcpu].arch + row->at + n * row->size;
}

static int get_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, struct one_reg_value *value)
{
	uint32_t n;
	const struct one_reg_row *row = find_one_reg(machine, id, &n);
	const void *field;

	if (!row || (row->kind == ONE_REG_CALL && !row->get))
		return -KVM_EINVAL;
	field = one_reg_field(machine, vcpu, row, n);
	switch (row->kind) {
	case ONE_REG_CALL:
		value->low = row->get(machine, vcpu);
		break;
	case ONE_REG_VR:
		value->high = ((const uint64_t *)field)[0];
		value->low = ((const uint64_t *)field)[1];
		break;
	case ONE_REG_QUAD:
		value->low = *(const uint64_t *)field;
		break;
	case ONE_REG_ULONG:
		value->low = (ulong_t)*(const uint64_t *)field;
		break;
	default:
		value->low = *(const uint32_t *)field;
		break;
	}
	return 0;
}

static int set_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, const struct one_reg_value *value)
{
	uint32_t n;
	const struct one_reg_row *row = find_one_reg(machine, id, &n);
	void *field;

	if (!row || (row->kind == ONE_REG_CALL && !row->set))
		return -KVM_EINVAL;
	field = one_reg_field(machine, vcpu, row, n);
	switch (row->kind) {
	case ONE_REG_CALL:
		row->set(machine, vcpu, (uint32_t)value->low);
		return 0;
	case ONE_REG_FIXED:
		return *(const uint32_t *)field == (uint32_t)value->low ? 0 : -KVM_EINVAL;
	case ONE_REG_VR:
		((uint64_t *)field)[0] = value->high;
		((uint64_t *)field)[1] = value->low;
		return 0;
	case ONE_REG_QUAD:
		*(uint64_t *)field = value->low;
		return 0;
	case ONE_REG_ULONG:
		*(uint64_t *)field = (ulong_t)value->low;
		return 0;
	default:
		*(uint32_t *)field = (uint32_t)value->low;
		return 0;
	}
}

static void put_value(uint8_t *buf, uint32_t size, struct one_reg_value value)
{
	for (uint32_t i = 0; i < size; i++) {
		uint32_t bit = 8 * (size - 1 - i);

		buf[i] = (uint8_t)(bit >= 64 ? value.high >> (bit - 64) : value.low >> bit);
	}
}

static struct one_reg_value take_value(const uint8_t *buf, uint32_t size)
{
	struct one_reg_value value = { 0, 0 };

	for (uint32_t i = 0; i < size; i++) {
		value.high = value.high << 8 | value.low >> 56;
		value.low = value.low << 8 | buf[i];
	}
	return value;
}

static int kvm_vcpu_ioctl_get_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, uint64_t addr)
{
	struct one_reg_value value = { 0, 0 };
	int ret;

	if (one_reg_size(id) > sizeof(machine->user[vcpu].buf))
		return -KVM_EINVAL;
	ret = get_one_reg(machine, vcpu, id, &value);
	if (ret)
		return ret;
	if ((ulong_t)addr != PYEXIT_USER_BUF)
		return -KVM_EFAULT;
	put_value(machine->user[vcpu].buf, one_reg_size(id), value);
	return 0;
}

static int kvm_vcpu_ioctl_set_one_reg(struct pyexit_machine *machine, uint32_t vcpu, uint64_t id, uint64_t addr)
{
	struct one_reg_value value;

	if (one_reg_size(id) > sizeof(machine->user[vcpu].buf))
		return -KVM_EINVAL;
	if ((ulong_t)addr != PYEXIT_USER_BUF)
		return -KVM_EFAULT;
	value = take_value(machine->user[vcpu].buf, one_reg_size(id));
	return set_one_reg(machine, vcpu, id, &value);
}
