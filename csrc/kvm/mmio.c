/* SPDX-License-Identifier: BSD-3-Clause */
#include "mmio.h"

#include "../hw/memory.h"
#include "entry.h"
#include "gtlb.h"
#include "host.h"
#include "irqprio.h"
#include "last_inst.h"
#include "loadstore.h"
#include "memslot.h"

#define MMIO_BYTES 8u		/* of run.mmio.data */

static int has_vmx(const struct pyexit_machine *machine)
{
	return PYEXIT_WIDTH == 64 && machine->hw.params.altivec;
}

/* The in-kernel bus (6.9), with the one device of host.io_* ------------------ */

static int on_bus(const struct pyexit_host *host, uint64_t addr, uint32_t len)
{
	uint64_t offset = addr - host->io_base;

	return offset < host->io_len && len <= host->io_len - offset;
}

static int io_bus_read(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_run_mmio *mmio,
		       uint8_t *data)
{
	const struct pyexit_host *host = kvmppc_host(machine, vcpu);

	ppc_event(&machine->hw.events, PYEXIT_EVENT_IO_READ, 0, mmio->phys_addr, mmio->len, 0);
	if (machine->ops.io_read)
		return !machine->ops.io_read(machine->ops.context, vcpu, mmio->phys_addr, mmio->len, data);
	if (!on_bus(host, mmio->phys_addr, mmio->len))
		return 0;
	for (uint32_t i = 0; i < mmio->len; i++)
		data[i] = (uint8_t)(host->io_data >> (56 - 8 * i));
	return 1;
}

static int io_bus_write(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_run_mmio *mmio)
{
	uint64_t data = 0;

	for (uint32_t i = 0; i < mmio->len; i++)
		data |= (uint64_t)mmio->data[i] << (56 - 8 * i);
	ppc_event(&machine->hw.events, PYEXIT_EVENT_IO_WRITE, 0, mmio->phys_addr, mmio->len, data);
	if (machine->ops.io_write)
		return !machine->ops.io_write(machine->ops.context, vcpu, mmio->phys_addr, mmio->len, mmio->data);
	return on_bus(kvmppc_host(machine, vcpu), mmio->phys_addr, mmio->len);
}

/* Single and double precision as lfs and stfs convert them (6.8) -------------- */

#define FRACTION_SHIFT 29	/* a double's fraction is so much longer */
#define DOUBLE_BIAS_MORE 896u	/* than a single's exponent bias */

static uint64_t sp_to_dp(uint32_t word)
{
	uint64_t sign = (uint64_t)(word >> 31) << 63, fraction = word & 0x7fffff;
	uint64_t exponent = word >> 23 & 0xff;

	if (exponent == 0 && fraction == 0)
		return sign;
	if (exponent == 0xff)		/* signalling NaNs stay so */
		return sign | (uint64_t)0x7ff << 52 | fraction << FRACTION_SHIFT;
	if (exponent == 0)
		for (exponent = 1; !(fraction & 0x800000); exponent--)
			fraction <<= 1;
	return sign | (exponent + DOUBLE_BIAS_MORE) << 52 | (fraction & 0x7fffff) << FRACTION_SHIFT;
}

/* Cut, not rounded: what is too large loses exponent bits, a NaN its payload. */
static uint32_t dp_to_sp(uint64_t value)
{
	uint32_t sign = (uint32_t)(value >> 63) << 31, exponent = (uint32_t)(value >> 52) & 0x7ff;
	uint64_t fraction = (value & 0xfffffffffffffull) | (uint64_t)1 << 52;

	if (exponent > DOUBLE_BIAS_MORE || !(value << 1))
		return (uint32_t)(value >> 32 & 0xc0000000) | (uint32_t)(value >> FRACTION_SHIFT & 0x3fffffff);
	if (exponent < 874)		/* undefined in the architecture */
		return sign;
	return sign | (uint32_t)(fraction >> (FRACTION_SHIFT + 1 + DOUBLE_BIAS_MORE - exponent));
}

/* Loads (6.4, 6.7) ------------------------------------------------------------ */

/* Q21: a length that no access has leaves the value open; 0. */
static uint64_t mmio_value(const struct pyexit_run_mmio *mmio, int swabbed)
{
	uint32_t len = mmio->len;
	uint64_t value = 0;

	if (len == 0 || len & (len - 1))
		return 0;
	for (uint32_t i = 0; i < len; i++)
		value = value << 8 | mmio->data[swabbed ? len - 1 - i : i];
	return value;
}

static uint64_t sign_extended(uint64_t value, uint32_t len)
{
	switch (len) {
	case 1:
		return (uint64_t)(int8_t)value;
	case 2:
		return (uint64_t)(int16_t)value;
	case 4:
		return PYEXIT_WIDTH == 64 ? (uint64_t)(int32_t)value : value;
	default:
		return value;
	}
}

/* log2 of an element's size, or -1 for a mmio_copy_type of no vector access. */
static int element_shift(uint32_t copy_type)
{
	return copy_type >= MMIO_COPY_BYTE && copy_type <= MMIO_COPY_DWORD ? (int)copy_type - MMIO_COPY_BYTE : -1;
}

/* Where element @index, 2^@shift bytes wide, lies in its doubleword: element 0 is the most significant. */
static uint32_t element_position(uint32_t index, int shift)
{
	uint32_t bits = 8u << shift;

	return 64 - bits - (index << shift) * 8 % 64;
}

static uint64_t element_mask(int shift)
{
	return UINT64_MAX >> (64 - (8u << shift));
}

static int is_element(uint32_t index, int shift)
{
	return shift >= 0 && index < 16u >> shift;
}

static void set_vmx_element(struct pyexit_arch *arch, uint32_t n, uint64_t value)
{
	int shift = element_shift(arch->mmio_copy_type);
	uint32_t index = arch->mmio_vmx_offset, position;
	uint64_t *half;

	if (!is_element(index, shift))
		return;
	half = &arch->vr.vr_u64[2 * n + (index << shift) / 8];
	position = element_position(index, shift);
	*half = (*half & ~(element_mask(shift) << position)) | (value & element_mask(shift)) << position;
}

/* io_gpr has room for 64 registers, the guest 32 of each class. */
static void write_register(struct pyexit_machine *machine, uint32_t vcpu, uint64_t value)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t class = arch->io_gpr & MMIO_CLASS_MASK, n = arch->io_gpr & MMIO_REG_MASK & 31;

	if (class == MMIO_CLASS_GPR)
		arch->regs.gpr[n] = (ulong_t)value;
	else if (class == MMIO_CLASS_FPR)
		arch->fp.fpr[n] = value;
	else if (class == MMIO_CLASS_VMX && has_vmx(machine))
		set_vmx_element(arch, n, value);
	else
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_MMIO_CLASS);
}

/* Q21: run.mmio.len is userspace's by now. */
static void kvmppc_complete_mmio_load(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_run_mmio *mmio = &machine->run[vcpu].mmio;
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t value;

	if (mmio->len > MMIO_BYTES)
		return;
	value = mmio_value(mmio, arch->mmio_host_swabbed);
	if (arch->mmio_sp64_extend && mmio->len == 4)
		value = sp_to_dp((uint32_t)value);
	if (arch->mmio_sign_extend)
		value = sign_extended(value, mmio->len);
	write_register(machine, vcpu, value);
}

/* Q24: the guest's byte order is not asked, only the instruction's. */
static int handle_load(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes,
		       uint32_t default_endian, uint8_t sign_extend)
{
	struct pyexit_vcpu *v = &machine->vcpu[vcpu];
	struct pyexit_run_mmio *mmio = &machine->run[vcpu].mmio;

	if (bytes > MMIO_BYTES)
		return EMULATE_FAIL;
	mmio->phys_addr = v->arch.paddr_accessed;	/* Q22: data keeps what it holds */
	mmio->len = bytes;
	mmio->is_write = 0;
	v->arch.io_gpr = (uint16_t)rt;
	v->arch.mmio_host_swabbed = !default_endian;
	v->arch.mmio_sign_extend = sign_extend;
	v->mmio_needed = 1;
	v->mmio_is_write = 0;
	if (!io_bus_read(machine, vcpu, mmio, mmio->data))
		return EMULATE_DO_MMIO;
	kvmppc_complete_mmio_load(machine, vcpu);
	if (!kvmppc_stopped(machine))
		v->mmio_needed = 0;
	return EMULATE_DONE;
}

static int kvmppc_handle_load(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes,
			      uint32_t default_endian)
{
	return handle_load(machine, vcpu, rt, bytes, default_endian, 0);
}

static int kvmppc_handle_loads(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes,
			       uint32_t default_endian)
{
	return handle_load(machine, vcpu, rt, bytes, default_endian, 1);
}

/* Stores (6.5) ------------------------------------------------------------------ */

static int kvmppc_handle_store(struct pyexit_machine *machine, uint32_t vcpu, uint64_t value, uint32_t bytes,
			       uint32_t default_endian)
{
	struct pyexit_vcpu *v = &machine->vcpu[vcpu];
	struct pyexit_run_mmio *mmio = &machine->run[vcpu].mmio;

	if (bytes > MMIO_BYTES)
		return EMULATE_FAIL;
	mmio->phys_addr = v->arch.paddr_accessed;
	mmio->len = bytes;
	mmio->is_write = 1;
	v->mmio_needed = 1;
	v->mmio_is_write = 1;
	if (v->arch.mmio_sp64_extend && bytes == 4)
		value = dp_to_sp(value);
	for (uint32_t i = 0; i < bytes; i++, value >>= 8)	/* Q22: no byte after them */
		mmio->data[default_endian ? bytes - 1 - i : i] = (uint8_t)value;
	if (!io_bus_write(machine, vcpu, mmio))
		return EMULATE_DO_MMIO;
	v->mmio_needed = 0;
	return EMULATE_DONE;
}

/* Vector registers, element by element (6.6) -------------------------------------- */

#define VMX_COPIES_MOST 2u

static void next_element(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->paddr_accessed += machine->run[vcpu].mmio.len;
	arch->mmio_vmx_copy_nums--;
	arch->mmio_vmx_offset++;
}

static int kvmppc_handle_vmx_load(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	int result = EMULATE_DONE;

	if (arch->mmio_vmx_copy_nums > VMX_COPIES_MOST)
		return EMULATE_FAIL;
	while (arch->mmio_vmx_copy_nums) {
		result = handle_load(machine, vcpu, rt, bytes, 1, 0);
		if (result != EMULATE_DONE || kvmppc_stopped(machine))
			break;
		next_element(machine, vcpu);
	}
	return result;
}

/* The element at hand; 0 if there is none. */
static int get_vmx_element(const struct pyexit_arch *arch, uint32_t n, uint64_t *value)
{
	int shift = element_shift(arch->mmio_copy_type);
	uint32_t index = arch->mmio_vmx_offset;

	if (!is_element(index, shift))
		return 0;
	*value = arch->vr.vr_u64[2 * n + (index << shift) / 8] >> element_position(index, shift);
	*value &= element_mask(shift);
	return 1;
}

static int kvmppc_handle_vmx_store(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rs, uint32_t bytes)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	int result = EMULATE_DONE;
	uint64_t value;

	if (arch->mmio_vmx_copy_nums > VMX_COPIES_MOST)
		return EMULATE_FAIL;
	arch->io_gpr = (uint16_t)rs;
	while (arch->mmio_vmx_copy_nums) {
		if (!get_vmx_element(arch, rs & MMIO_REG_MASK & 31, &value))
			return EMULATE_FAIL;
		result = kvmppc_handle_store(machine, vcpu, value, bytes, 1);
		if (result != EMULATE_DONE)
			break;
		next_element(machine, vcpu);
	}
	return result;
}

/* The instruction (6.3) ------------------------------------------------------------ */

/* Q12: unlike emulation_exit() the guest gets its program interrupt with ESR 0, and userspace is not asked. */
static int mmio_failed(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t instr;

	(void)kvmppc_get_last_inst(machine, vcpu, &instr);	/* for a debug message, which is compiled out */
	kvmppc_core_queue_program(machine, vcpu, 0);
	return RESUME_GUEST;
}

static int kvmppc_emulate_mmio(struct pyexit_machine *machine, uint32_t vcpu)
{
	int result = kvmppc_emulate_loadstore(machine, vcpu);

	if (kvmppc_stopped(machine))
		return RESUME_GUEST;
	switch (result) {
	case EMULATE_DONE:
		return RESUME_GUEST_NV;
	case EMULATE_DO_MMIO:
		machine->run[vcpu].exit_reason = KVM_EXIT_MMIO;
		return RESUME_HOST_NV;
	case EMULATE_FAIL:
		return mmio_failed(machine, vcpu);
	case EMULATE_AGAIN:
		return RESUME_GUEST;
	default:
		kvmppc_warn(machine, PYEXIT_WARN_EMULATE_MMIO);
		return RESUME_GUEST;
	}
}

/* KVM_RUN (6.10) --------------------------------------------------------------------- */

/* The access that userspace has done was one of several: the next.  1 to enter the guest, 0 to leave. */
static int repeat_vmx(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_vcpu *v = &machine->vcpu[vcpu];
	struct pyexit_run *run = &machine->run[vcpu];
	int result;

	v->arch.paddr_accessed += run->mmio.len;
	if (v->mmio_is_write)
		result = kvmppc_handle_vmx_store(machine, vcpu, v->arch.io_gpr, run->mmio.len);
	else
		result = kvmppc_handle_vmx_load(machine, vcpu, v->arch.io_gpr, run->mmio.len);
	if (kvmppc_stopped(machine) || result == EMULATE_DONE)
		return 1;
	v->mmio_needed = 1;		/* Q30: after a failure too */
	if (result == EMULATE_DO_MMIO) {
		run->exit_reason = KVM_EXIT_MMIO;
		return 0;
	}
	kvmppc_printk(machine, PYEXIT_MSG_VMX_REPEAT, 0, 0, 0);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	return 0;
}

static int complete_mmio(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_vcpu *v = &machine->vcpu[vcpu];

	v->mmio_needed = 0;
	if (!v->mmio_is_write)
		kvmppc_complete_mmio_load(machine, vcpu);
	if (kvmppc_stopped(machine) || !has_vmx(machine) || !v->arch.mmio_vmx_copy_nums)
		return 1;
	v->arch.mmio_vmx_copy_nums--;
	v->arch.mmio_vmx_offset++;
	return v->arch.mmio_vmx_copy_nums ? repeat_vmx(machine, vcpu) : 1;
}

static int kvmppc_complete_exit(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	const struct pyexit_run *run = &machine->run[vcpu];

	if (machine->vcpu[vcpu].mmio_needed)
		return complete_mmio(machine, vcpu);
	if (arch->osi_needed) {
		for (uint32_t i = 0; i < 32; i++)
			arch->regs.gpr[i] = (ulong_t)run->osi.gprs[i];
		arch->osi_needed = 0;
	} else if (arch->hcall_needed) {
		arch->regs.gpr[3] = (ulong_t)run->papr_hcall.ret;
		for (uint32_t i = 0; i < 9; i++)
			arch->regs.gpr[4 + i] = (ulong_t)run->papr_hcall.args[i];
		arch->hcall_needed = 0;
	} else if (arch->epr_needed) {
		kvmppc_mtspr(machine, vcpu, SPR_GEPR, run->epr.epr);
		arch->epr_needed = 0;
	}
	return 1;
}

static int kvm_arch_vcpu_ioctl_run(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t real = kvmppc_host(machine, vcpu)->real_vcpu_load;
	int ret = 0;

	if (real)
		kvm_arch_vcpu_load(machine, vcpu);
	if (kvmppc_complete_exit(machine, vcpu) && !kvmppc_stopped(machine))
		ret = machine->vcpu[vcpu].wants_to_run ? kvmppc_vcpu_run(machine, vcpu) : -KVM_EINTR;
	if (kvmppc_stopped(machine))
		return 0;
	if (real)
		kvm_arch_vcpu_put(machine, vcpu);
	return ret > 0 ? 0 : ret;
}

/* KVM's own accesses to the guest's memory (6.12) --------------------------------------- */

static int kvmppc_xlate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t xlid,
			struct kvmppc_pte *pte)
{
	const ulong_t offset = PYEXIT_PAGE_SIZE - 1;
	ulong_t eaddr = (ulong_t)ea;
	int32_t index;

	*pte = (struct kvmppc_pte){ 0 };
	if (xlid != XLATE_INST && xlid != XLATE_DATA) {
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_XLATE);
		return 0;
	}
	index = xlid == XLATE_INST ? kvmppc_mmu_itlb_index(machine, vcpu, eaddr) :
				     kvmppc_mmu_dtlb_index(machine, vcpu, eaddr);
	if (index < 0)
		return -KVM_ENOENT;
	pte->eaddr = eaddr;
	pte->raddr = ((ulong_t)kvmppc_mmu_xlate(machine, vcpu, (uint32_t)index, eaddr) & ~offset) | (eaddr & offset);
	pte->vpage = eaddr / PYEXIT_PAGE_SIZE;
	pte->may_execute = 1;
	return 0;
}

/* Part of guest memory that lies in one page. */
struct guest_part {
	uint64_t gpa, real;
	uint32_t len;
	int fault;
};

static struct guest_part guest_part(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t gpa, uint32_t left)
{
	uint32_t in_page = PYEXIT_PAGE_SIZE - (uint32_t)(gpa % PYEXIT_PAGE_SIZE);
	struct guest_part part = { .gpa = gpa, .len = left < in_page ? left : in_page };

	part.fault = kvmppc_guest_frame(machine, vcpu, gpa / PYEXIT_PAGE_SIZE, &part.real) < 0;
	part.real += gpa % PYEXIT_PAGE_SIZE;
	return part;
}

/* 0, or -1 at the first page that is not the guest's. */
static int read_guest(struct pyexit_machine *machine, uint32_t vcpu, uint64_t gpa, uint32_t size, uint8_t *data)
{
	for (uint32_t done = 0; done < size;) {
		struct guest_part part = guest_part(machine, vcpu, gpa + done, size - done);

		ppc_event(&machine->hw.events, PYEXIT_EVENT_READ_GUEST, 0, part.gpa, part.len, (uint64_t)part.fault);
		if (part.fault)
			return -1;
		for (uint32_t i = 0; i < part.len; i++)
			data[done++] = (uint8_t)ppc_load_byte(&machine->hw.memory, part.real + i);
	}
	return 0;
}

static void write_guest_event(struct pyexit_machine *machine, const struct guest_part *part, const uint8_t *data)
{
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_WRITE_GUEST, 0);

	if (!event)
		return;
	event->arg[0] = part->gpa;
	event->arg[1] = part->len;
	event->arg[2] = (uint64_t)part->fault;
	for (uint32_t i = 0; i < part->len && i < GUEST_BYTES; i++)
		event->arg[3 + i / 8] |= (uint64_t)data[i] << (56 - i % 8 * 8);
}

static int write_guest(struct pyexit_machine *machine, uint32_t vcpu, uint64_t gpa, uint32_t size,
		       const uint8_t *data)
{
	for (uint32_t done = 0; done < size;) {
		struct guest_part part = guest_part(machine, vcpu, gpa + done, size - done);

		write_guest_event(machine, &part, &data[done]);
		if (part.fault)
			return -1;
		for (uint32_t i = 0; i < part.len; i++)
			ppc_store_byte(&machine->hw.memory, part.real + i, data[done++]);
	}
	return 0;
}

static int kvmppc_ld(struct pyexit_machine *machine, uint32_t vcpu, uint64_t *ea, uint32_t size, uint8_t *data,
		     uint32_t is_data)
{
	struct kvmppc_pte pte;

	machine->vcpu[vcpu].stat.ld++;
	if (kvmppc_xlate(machine, vcpu, *ea, is_data ? XLATE_DATA : XLATE_INST, &pte) < 0)
		return -KVM_ENOENT;
	*ea = pte.raddr;
	return read_guest(machine, vcpu, pte.raddr, size, data) < 0 ? EMULATE_DO_MMIO : EMULATE_DONE;
}

static int kvmppc_st(struct pyexit_machine *machine, uint32_t vcpu, uint64_t *ea, uint32_t size, const uint8_t *data,
		     uint32_t is_data)
{
	struct kvmppc_pte pte;

	machine->vcpu[vcpu].stat.st++;
	if (kvmppc_xlate(machine, vcpu, *ea, is_data ? XLATE_DATA : XLATE_INST, &pte) < 0)
		return -KVM_ENOENT;
	*ea = pte.raddr;
	return write_guest(machine, vcpu, pte.raddr, size, data) < 0 ? EMULATE_DO_MMIO : EMULATE_DONE;
}
