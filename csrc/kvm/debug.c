/* SPDX-License-Identifier: BSD-3-Clause */
#include "debug.h"

#include "entry.h"
#include "host.h"
#include "irqprio.h"

/* exit 9.1, guest_debug = 0 */
static int handle_guest_debug(struct pyexit_machine *machine, uint32_t vcpu, uint32_t dbsr)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (dbsr == DBSR_IDE)	/* an imprecise event alone is none; arch.dbsr keeps it */
		return RESUME_GUEST;
	dbsr &= ~DBSR_IDE;
	if (dbsr && arch->shared.msr & MSR_DE && arch->dbg_reg.dbcr0 & DBCR0_IDM)
		kvmppc_booke_queue_irqprio(machine, vcpu, BOOKE_IRQPRIO_DEBUG);
	if (dbsr & DBSR_TIE && !(arch->shared.msr & MSR_DE))
		kvmppc_core_queue_program(machine, vcpu, ESR_PTR);
	return RESUME_GUEST;
}

static void report_watchpoint(const struct pyexit_arch *arch, uint32_t dbsr, struct pyexit_run_debug_arch *report)
{
	if (dbsr & (DBSR_DAC1W | DBSR_DAC2W))
		report->status |= KVMPPC_DEBUG_WATCH_WRITE;
	else if (dbsr & (DBSR_DAC1R | DBSR_DAC2R))
		report->status |= KVMPPC_DEBUG_WATCH_READ;
	if (dbsr & (DBSR_DAC1R | DBSR_DAC1W))
		report->address = (ulong_t)arch->dbg_reg.dac1;
	else if (dbsr & (DBSR_DAC2R | DBSR_DAC2W))
		report->address = (ulong_t)arch->dbg_reg.dac2;
}

/* Q15: after a software break point arch.dbsr is that of an earlier debug exit. */
static int kvmppc_handle_debug(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct pyexit_run_debug_arch *report = &machine->run[vcpu].debug.arch;
	uint32_t dbsr = arch->dbsr;

	if (!machine->vcpu[vcpu].guest_debug)
		return handle_guest_debug(machine, vcpu, dbsr);
	arch->dbsr = 0;
	report->status = 0;
	report->address = (ulong_t)arch->regs.nip;
	if (dbsr & DBSR_IAC_MASK)
		report->status |= KVMPPC_DEBUG_BREAKPOINT;
	else
		report_watchpoint(arch, dbsr, report);
	return RESUME_HOST;
}

/* MSR bits that can be protected and their MSRP bits, which are the same (exit 1.9). */
#define PROTECTABLE (MSR_UCLE | MSR_DE | MSR_PMM)

static void kvm_guest_protect_msr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t prot_bitmap, int set)
{
	uint32_t *msrp = &machine->vcpu[vcpu].arch.shadow_msrp;

	if (prot_bitmap & ~PROTECTABLE) {
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_PROTECT_MSR);
		return;
	}
	*msrp = set ? *msrp | prot_bitmap : *msrp & ~prot_bitmap;
}

/* Slots of the two kinds that are in use. */
struct debug_slots {
	uint32_t iac, dac;
};

static int set_iac(struct pyexit_debug_reg *reg, uint64_t addr, uint32_t slot)
{
	if (slot >= KVMPPC_BOOKE_IAC_NUM)
		return -KVM_EINVAL;
	*(slot ? &reg->iac2 : &reg->iac1) = (ulong_t)addr;
	reg->dbcr0 |= (slot ? DBCR0_IAC2 : DBCR0_IAC1) | DBCR0_IDM;
	return 0;
}

static int set_dac(struct pyexit_debug_reg *reg, uint64_t addr, uint32_t type, uint32_t slot)
{
	if (slot >= KVMPPC_BOOKE_DAC_NUM)
		return -KVM_EINVAL;
	*(slot ? &reg->dac2 : &reg->dac1) = (ulong_t)addr;
	if (type & KVMPPC_DEBUG_WATCH_READ)
		reg->dbcr0 |= slot ? DBCR0_DAC2R : DBCR0_DAC1R;
	if (type & KVMPPC_DEBUG_WATCH_WRITE)
		reg->dbcr0 |= slot ? DBCR0_DAC2W : DBCR0_DAC1W;
	reg->dbcr0 |= DBCR0_IDM;
	return 0;
}

/* A break point wins over a watch point in the same entry (G6). */
static int set_breakpoint(struct pyexit_debug_reg *reg, const struct kvmppc_breakpoint *bp, struct debug_slots *used)
{
	const uint32_t known = KVMPPC_DEBUG_BREAKPOINT | KVMPPC_DEBUG_WATCH_WRITE | KVMPPC_DEBUG_WATCH_READ;

	if (bp->type == KVMPPC_DEBUG_NONE)
		return 0;
	if (bp->type & ~known)
		return -KVM_EINVAL;
	if (bp->type & KVMPPC_DEBUG_BREAKPOINT)
		return set_iac(reg, bp->addr, used->iac++);
	return set_dac(reg, bp->addr, bp->type, used->dac++);
}

/* G3-G7: an error leaves what was written before it. */
static int take_debug(struct pyexit_machine *machine, uint32_t vcpu, uint32_t control,
		      const struct kvmppc_breakpoint *bp)
{
	struct pyexit_debug_reg *reg = &machine->vcpu[vcpu].arch.dbg_reg;
	struct debug_slots used = { 0, 0 };
	int ret = 0;

	kvm_guest_protect_msr(machine, vcpu, MSR_DE, 1);
	machine->vcpu[vcpu].guest_debug = control;
	reg->dbcr0 = control & KVM_GUESTDBG_SINGLESTEP ? DBCR0_IDM | DBCR0_IC : 0;
	reg->dbcr1 = 0;
	reg->dbcr2 = 0;
	if (!(control & KVM_GUESTDBG_USE_HW_BP))
		return 0;
	for (uint32_t n = 0; n < KVMPPC_BOOKE_IAC_NUM + KVMPPC_BOOKE_DAC_NUM && !ret; n++)
		ret = set_breakpoint(reg, &bp[n], &used);
	return ret;
}

/* Q11: MSR[DE] is forced by a later kvmppc_set_msr() only, and not taken back. */
static void give_debug_back(struct pyexit_machine *machine, uint32_t vcpu)
{
	machine->vcpu[vcpu].arch.dbg_reg.dbcr0 = 0;
	machine->vcpu[vcpu].guest_debug = 0;
	kvm_guest_protect_msr(machine, vcpu, MSR_DE, 0);
}

static int kvm_arch_vcpu_ioctl_set_guest_debug(struct pyexit_machine *machine, uint32_t vcpu, uint32_t control,
					       const struct kvmppc_breakpoint *bp)
{
	uint32_t real = kvmppc_host(machine, vcpu)->real_vcpu_load;
	int ret = 0;

	if (real)
		kvm_arch_vcpu_load(machine, vcpu);
	if (control & KVM_GUESTDBG_ENABLE)
		ret = take_debug(machine, vcpu, control, bp);
	else
		give_debug_back(machine, vcpu);
	if (real)
		kvm_arch_vcpu_put(machine, vcpu);
	return ret;
}
