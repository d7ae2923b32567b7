/* SPDX-License-Identifier: BSD-3-Clause */
#include "lowlevel.h"

#include "../hw/interrupt.h"
#include "entry.h"
#include "entry_fetch.h"
#include "exit.h"
#include "host.h"
#include "mmio.h"

/* What a handler saves for C (exit 11.2) */
#define NEED_EMU 1u
#define NEED_DEAR 2u
#define NEED_ESR 4u

/* One hooked vector: its first save register, the second is the next SPR. */
struct handler_row {
	uint16_t save;		/* 0: not hooked */
	uint8_t flags;		/* NEED_* */
	uint8_t width;		/* 0, or the only one of 32 and 64 that has it */
};

/* exit 11.2; of the two DEBUG handlers the one that these cores' DSRR0/1 reach; Q12: GDBELL took the guest's GSRR0/1 */
static const struct handler_row handler_rows[] = {
	[IVOR_CRITICAL] = { SPR_CSRR0, 0, 0 },
	[IVOR_MACHINE_CHECK] = { SPR_MCSRR0, 0, 0 },
	[IVOR_DATA_STORAGE] = { SPR_SRR0, NEED_EMU | NEED_DEAR | NEED_ESR, 0 },
	[IVOR_INST_STORAGE] = { SPR_SRR0, NEED_ESR, 0 },
	[IVOR_EXTERNAL] = { SPR_SRR0, 0, 0 },
	[IVOR_ALIGNMENT] = { SPR_SRR0, NEED_DEAR | NEED_ESR, 0 },
	[IVOR_PROGRAM] = { SPR_SRR0, NEED_EMU | NEED_ESR, 0 },
	[IVOR_FP_UNAVAIL] = { SPR_SRR0, 0, 0 },
	[IVOR_SYSCALL] = { SPR_SRR0, 0, 32 },
	[IVOR_AP_UNAVAIL] = { SPR_SRR0, 0, 0 },
	[IVOR_DECREMENTER] = { SPR_SRR0, 0, 0 },
	[IVOR_FIT] = { SPR_SRR0, 0, 0 },
	[IVOR_WATCHDOG] = { SPR_CSRR0, 0, 0 },
	[IVOR_DTLB_MISS] = { SPR_SRR0, NEED_EMU | NEED_DEAR | NEED_ESR, 0 },
	[IVOR_ITLB_MISS] = { SPR_SRR0, 0, 0 },
	[IVOR_DEBUG] = { SPR_DSRR0, 0, 0 },
	[IVOR_ALTIVEC_UNAVAIL] = { SPR_SRR0, 0, 64 },
	[IVOR_ALTIVEC_ASSIST] = { SPR_SRR0, 0, 64 },
	[IVOR_PERFORMANCE_MONITOR] = { SPR_SRR0, 0, 0 },
	[IVOR_DBELL] = { SPR_SRR0, 0, 0 },
	[IVOR_DBELL_CRIT] = { SPR_CSRR0, 0, 0 },
	[IVOR_GDBELL] = { SPR_GSRR0, 0, 0 },
	[IVOR_GDBELL_CRIT] = { SPR_CSRR0, 0, 0 },
	[IVOR_HV_SYSCALL] = { SPR_SRR0, 0, 0 },
	[IVOR_HV_PRIV] = { SPR_SRR0, NEED_EMU, 0 },	/* Q29: no ESR */
	[IVOR_LRAT_ERROR] = { SPR_SRR0, NEED_EMU | NEED_DEAR | NEED_ESR, 64 },
};

static int kvmppc_exit_hooked(uint32_t exit_nr)
{
	const struct handler_row *row;

	if (exit_nr >= sizeof(handler_rows) / sizeof(handler_rows[0]))
		return 0;
	row = &handler_rows[exit_nr];
	return row->save && (!row->width || row->width == PYEXIT_WIDTH);
}

static struct pyexit_thread *thread_of_vcpu(struct pyexit_machine *machine, uint32_t vcpu)
{
	return &machine->hw.thread[kvmppc_thread(machine, vcpu)];
}

/* Q39: a 32-bit kernel stores and loads the low word of fields that have 64 bits. */
static void store_ulong(uint64_t *field, ulong_t value)
{
	*field = PYEXIT_WIDTH == 64 ? value : (*field & ~(uint64_t)UINT32_MAX) | value;
}

/* SPRs of the guest's that the thread holds while it runs, and the word or ulong that keeps them (E9, exit 11.5) */
struct kept_spr {
	uint16_t spr;
	uint16_t at;		/* byte offset in struct pyexit_arch */
	uint8_t word;		/* 1: uint32_t */
};

#define KEPT(spr, field, word) { spr, offsetof(struct pyexit_arch, field), word }

static const struct kept_spr kept_sprs[] = {
	KEPT(SPR_VRSAVE, vrsave, 1),
	KEPT(SPR_SPRG0 + 4, shared.sprg4, 0),
	KEPT(SPR_SPRG0 + 5, shared.sprg5, 0),
	KEPT(SPR_SPRG0 + 6, shared.sprg6, 0),
	KEPT(SPR_SPRG0 + 7, shared.sprg7, 0),
	KEPT(SPR_SPRG9, sprg9, 0),
};

/* The guest's MAS but MAS3 and MAS7, which share a field. */
static const struct kept_spr kept_mas[] = {
	KEPT(SPR_MAS0, shared.mas0, 1),
	KEPT(SPR_MAS1, shared.mas1, 1),
	KEPT(SPR_MAS2, shared.mas2, 0),
	KEPT(SPR_MAS4, shared.mas4, 1),
	KEPT(SPR_MAS6, shared.mas6, 1),
};

static void save_spr(struct pyexit_machine *machine, uint32_t vcpu, const struct kept_spr *row)
{
	void *field = (uint8_t *)&machine->vcpu[vcpu].arch + row->at;
	ulong_t value = kvmppc_mfspr(machine, vcpu, row->spr);

	if (row->word)
		*(uint32_t *)field = (uint32_t)value;
	else
		store_ulong(field, value);
}

static void load_spr(struct pyexit_machine *machine, uint32_t vcpu, const struct kept_spr *row)
{
	const void *field = (const uint8_t *)&machine->vcpu[vcpu].arch + row->at;

	kvmppc_mtspr(machine, vcpu, row->spr, row->word ? *(const uint32_t *)field : *(const uint64_t *)field);
}

#define FOR_EACH(row, rows) for (const struct kept_spr *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++)

static void set_dmiuh(struct pyexit_machine *machine, uint32_t vcpu, uint32_t dmiuh)
{
	ulong_t epcr = kvmppc_mfspr(machine, vcpu, SPR_EPCR) & ~(ulong_t)EPCR_DMIUH;

	kvmppc_mtspr(machine, vcpu, SPR_EPCR, epcr | dmiuh);
	ppc_count(&machine->hw, kvmppc_thread(machine, vcpu), PYEXIT_OP_ISYNC);
}

/* E5: the host's interrupts of a class that this exit does not use come on again. */
static void fix_msr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t guest_msr, uint32_t save)
{
	uint64_t *msr = &thread_of_vcpu(machine, vcpu)->msr;

	if (guest_msr == (guest_msr | MSR_CE | MSR_ME | MSR_RI))
		return;
	if (save != SPR_CSRR0 && save != SPR_MCSRR0)
		*msr |= MSR_CE;
	if (save != SPR_MCSRR0)
		*msr |= MSR_ME | MSR_RI;
}

/* E1-E5: r0 to r14, CR and CTR; whose pc and MSR; the PID changes hands. */
static void save_volatile(struct pyexit_machine *machine, uint32_t vcpu, const struct handler_row *row)
{
	const struct pyexit_thread *t = thread_of_vcpu(machine, vcpu);
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	ulong_t pc = kvmppc_mfspr(machine, vcpu, row->save);
	ulong_t msr = kvmppc_mfspr(machine, vcpu, row->save + 1u);

	for (uint32_t i = 0; i <= 14; i++)
		arch->regs.gpr[i] = (ulong_t)t->gpr[i];
	arch->regs.ccr = (uint32_t)t->cr;
	arch->regs.ctr = (ulong_t)t->ctr;
	arch->pid = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_PID);
	kvmppc_mtspr(machine, vcpu, SPR_PID, arch->host_pid);
	arch->timing_exit = get_tb(machine, vcpu);
	store_ulong(&arch->shared.msr, msr);
	arch->regs.nip = pc;
	fix_msr(machine, vcpu, (uint32_t)msr, row->save);
}

static void save_non_volatile(struct pyexit_machine *machine, uint32_t vcpu)
{
	for (uint32_t i = 15; i < 32; i++)
		machine->vcpu[vcpu].arch.regs.gpr[i] = (ulong_t)thread_of_vcpu(machine, vcpu)->gpr[i];
}

static void load_non_volatile(struct pyexit_machine *machine, uint32_t vcpu)
{
	for (uint32_t i = 15; i < 32; i++)
		thread_of_vcpu(machine, vcpu)->gpr[i] = (ulong_t)machine->vcpu[vcpu].arch.regs.gpr[i];
}

/* E7, E8 */
static void save_syndrome(struct pyexit_machine *machine, uint32_t vcpu, uint32_t flags)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (flags & NEED_ESR)
		arch->fault_esr = kvmppc_mfspr(machine, vcpu, SPR_ESR);
	if (flags & NEED_DEAR)
		arch->fault_dear = kvmppc_mfspr(machine, vcpu, SPR_DEAR);
}

/* The load whose fault is to be survived would take the guest's syndrome with it (exit 11.7). */
static int fetch_recovers(const struct pyexit_machine *machine)
{
	return machine->fetch == PYEXIT_FETCH_LWEPX_DO_KVM || machine->fetch == PYEXIT_FETCH_LWEPX_HIJACK;
}

/* E6-E8; stops where the load of the old fetch faults and nobody knows the fault. */
static void save_for_c(struct pyexit_machine *machine, uint32_t vcpu, uint32_t flags)
{
	if (fetch_recovers(machine))
		save_syndrome(machine, vcpu, flags);
	if (flags & NEED_EMU) {
		save_non_volatile(machine, vcpu);
		if (kvmppc_entry_fetch(machine, vcpu).outcome != PYEXIT_DONE) {
			kvmppc_stop(machine, PYEXIT_OOPS, PYEXIT_SITE_ENTRY_FETCH);
			return;
		}
	}
	if (!fetch_recovers(machine))
		save_syndrome(machine, vcpu, flags);
}

/* E9 */
static void save_special(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_thread *t = thread_of_vcpu(machine, vcpu);
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->regs.link = (ulong_t)t->lr;
	FOR_EACH(row, kept_sprs)
		save_spr(machine, vcpu, row);
	arch->regs.xer = (ulong_t)t->xer;
	FOR_EACH(row, kept_mas)
		save_spr(machine, vcpu, row);
	arch->shared.mas7_3 = (uint64_t)kvmppc_mfspr(machine, vcpu, SPR_MAS7) << 32;
	arch->shared.mas7_3 |= (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS3);
	kvmppc_mtspr(machine, vcpu, SPR_MAS4, arch->host_mas4);
	kvmppc_mtspr(machine, vcpu, SPR_MAS6, arch->host_mas6);
	set_dmiuh(machine, vcpu, 0);
	kvmppc_host(machine, vcpu)->irq_enabled = 0;
}

/* exit 11.5, the SPRs: the host's go into the vcpu where KVM wants them back. */
static void load_special(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->host_pid = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_PID);
	kvmppc_mtspr(machine, vcpu, SPR_PID, arch->pid);
	set_dmiuh(machine, vcpu, EPCR_DMIUH);
	arch->host_mas4 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS4);
	arch->host_mas6 = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_MAS6);
	FOR_EACH(row, kept_mas)
		load_spr(machine, vcpu, row);
	kvmppc_mtspr(machine, vcpu, SPR_MAS3, (uint32_t)arch->shared.mas7_3);
	kvmppc_mtspr(machine, vcpu, SPR_MAS7, arch->shared.mas7_3 >> 32);
	FOR_EACH(row, kept_sprs)
		load_spr(machine, vcpu, row);
	kvmppc_mtspr(machine, vcpu, SPR_SRR0, arch->regs.nip);
	kvmppc_mtspr(machine, vcpu, SPR_SRR1, arch->shared.msr);
}

static void rfi(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t thread = kvmppc_thread(machine, vcpu);
	struct pyexit_thread *t = &machine->hw.thread[thread];

	t->msr = machine->hw.spr[thread].SRR1;
	t->pc = ppc_ea(&machine->hw, thread, machine->hw.spr[thread].SRR0 & ~(uint64_t)3);
}

/* exit 11.5; r15 to r31 are in the thread already. */
static void lightweight_exit(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_thread *t = thread_of_vcpu(machine, vcpu);
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	load_special(machine, vcpu);
	t->lr = (ulong_t)arch->regs.link;
	t->xer = (ulong_t)arch->regs.xer;
	t->ctr = (ulong_t)arch->regs.ctr;
	t->cr = (uint32_t)arch->regs.ccr;
	for (uint32_t i = 0; i <= 14; i++)
		t->gpr[i] = (ulong_t)arch->regs.gpr[i];
	arch->timing_last_enter = get_tb(machine, vcpu);
	rfi(machine, vcpu);
}

/* The call under way has stopped: that is the answer. */
static void answer_stop(const struct pyexit_machine *machine, struct pyexit_resume *resume)
{
	*resume = (struct pyexit_resume){ .outcome = machine->outcome, .site = machine->site };
}

static void answer_guest(struct pyexit_resume *resume)
{
	*resume = (struct pyexit_resume){ .where = PYEXIT_WHERE_GUEST };
}

/* KVM_RUN returns (exit 7.8). */
static void answer_host(struct pyexit_machine *machine, uint32_t vcpu, int ret, struct pyexit_resume *resume)
{
	if (kvmppc_host(machine, vcpu)->real_vcpu_load)
		kvm_arch_vcpu_put(machine, vcpu);
	*resume = (struct pyexit_resume){ .where = PYEXIT_WHERE_HOST, .ret = ret > 0 ? 0 : ret };
}

/* A thread runs one guest: @vcpu's own or another's that is pinned there. */
static int thread_has_guest(const struct pyexit_machine *machine, uint32_t vcpu)
{
	for (uint32_t v = 0; v < machine->vcpus; v++)
		if (machine->vcpu_thread[v] == machine->vcpu_thread[vcpu] && machine->vcpu[v].mode == IN_GUEST_MODE)
			return 1;
	return 0;
}

/* What the last exit has asked of userspace, then the way in: 1 and the guest is entered, or KVM_RUN's result. */
static int complete_and_begin(struct pyexit_machine *machine, uint32_t vcpu)
{
	if (!kvmppc_complete_exit(machine, vcpu) || kvmppc_stopped(machine))
		return 0;
	return machine->vcpu[vcpu].wants_to_run ? kvmppc_vcpu_run_begin(machine, vcpu) : -KVM_EINTR;
}

static int kvmppc_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume)
{
	int ret;

	if (thread_has_guest(machine, vcpu))
		return -EBUSY;
	machine->vcpu[vcpu].wants_to_run = !machine->run[vcpu].immediate_exit;
	if (kvmppc_host(machine, vcpu)->real_vcpu_load)
		kvm_arch_vcpu_load(machine, vcpu);
	ret = complete_and_begin(machine, vcpu);
	if (kvmppc_stopped(machine)) {
		answer_stop(machine, resume);
	} else if (ret <= 0) {
		answer_host(machine, vcpu, ret, resume);
	} else {
		load_non_volatile(machine, vcpu);
		lightweight_exit(machine, vcpu);
		answer_guest(resume);
	}
	return 0;
}

/* exit 11.4; Q42: what C has written to r15 to r31 counts with the NV flag only, to r14 always. */
static void go_on(struct pyexit_machine *machine, uint32_t vcpu, int ret, struct pyexit_resume *resume)
{
	if (ret & RESUME_FLAG_NV)
		load_non_volatile(machine, vcpu);
	if (!(ret & RESUME_FLAG_HOST)) {
		lightweight_exit(machine, vcpu);
		answer_guest(resume);
		return;
	}
	save_non_volatile(machine, vcpu);
	kvmppc_vcpu_run_end(machine, vcpu);
	answer_host(machine, vcpu, ret >> 2, resume);
}

static void kvmppc_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, struct pyexit_resume *resume)
{
	const struct handler_row *row = &handler_rows[exit_nr];
	int ret = RESUME_HOST;

	save_volatile(machine, vcpu, row);
	save_for_c(machine, vcpu, row->flags);
	if (!kvmppc_stopped(machine)) {
		save_special(machine, vcpu);
		ret = kvmppc_handle_exit(machine, vcpu, exit_nr);
	}
	if (kvmppc_stopped(machine))
		answer_stop(machine, resume);
	else
		go_on(machine, vcpu, ret, resume);
}

static void kvmppc_set_exit(struct pyexit_machine *machine, const struct pyexit_exit_record *record)
{
	uint32_t thread = kvmppc_thread(machine, record->vcpu);
	struct pyexit_spr *spr = &machine->hw.spr[thread];

	ppc_leave_at_vector(&machine->hw, thread, record->exit_nr, (ulong_t)record->pc, (ulong_t)record->msr);
	spr->ESR = record->esr;
	spr->DEAR = (ulong_t)record->dear;
}
