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

/* What the path works on, looked up once. */
struct path {
	struct pyexit_machine *machine;
	struct pyexit_arch *arch;
	struct pyexit_thread *t;
	struct pyexit_spr *spr;
	struct pyexit_host *host;
	uint32_t vcpu;
};

static inline struct path path_of(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t thread = kvmppc_thread(machine, vcpu);

	return (struct path){
		.machine = machine,
		.arch = &machine->vcpu[vcpu].arch,
		.t = &machine->hw.thread[thread],
		.spr = &machine->hw.spr[thread],
		.host = &machine->host[thread],
		.vcpu = vcpu,
	};
}

/* mfspr and mtspr of this path: their groups are counted by who calls them. */
PPC_FOLDED ulong_t get_spr(const struct path *p, uint32_t spr)
{
	return (ulong_t)ppc_spr_get(p->spr, spr);
}

PPC_FOLDED void put_spr(const struct path *p, uint32_t spr, uint64_t value)
{
	ppc_spr_put(&p->machine->hw, p->spr, spr, (ulong_t)value);
}

/* Q39: a 32-bit kernel stores and loads the low word of fields that have 64 bits. */
static inline void store_ulong(uint64_t *field, ulong_t value)
{
	*field = PYEXIT_WIDTH == 64 ? value : (*field & ~(uint64_t)UINT32_MAX) | value;
}

static inline void store_word(uint32_t *field, ulong_t value)
{
	*field = (uint32_t)value;
}

/* SPRs of the guest's that the thread holds while it runs, and the word or ulong that keeps them (E9, exit 11.5) */
#define KEPT_SPRS(MOVE)                           \
	MOVE(SPR_VRSAVE, vrsave, word)            \
	MOVE(SPR_SPRG0 + 4, shared.sprg4, ulong)  \
	MOVE(SPR_SPRG0 + 5, shared.sprg5, ulong)  \
	MOVE(SPR_SPRG0 + 6, shared.sprg6, ulong)  \
	MOVE(SPR_SPRG0 + 7, shared.sprg7, ulong)  \
	MOVE(SPR_SPRG9, sprg9, ulong)

/* The guest's MAS but MAS3 and MAS7, which share a field. */
#define KEPT_MAS(MOVE)                       \
	MOVE(SPR_MAS0, shared.mas0, word)    \
	MOVE(SPR_MAS1, shared.mas1, word)    \
	MOVE(SPR_MAS2, shared.mas2, ulong)   \
	MOVE(SPR_MAS4, shared.mas4, word)    \
	MOVE(SPR_MAS6, shared.mas6, word)

#define SAVE(number, field, type) store_##type(&p->arch->field, get_spr(p, number));
#define LOAD(number, field, type) put_spr(p, number, p->arch->field);
#define ONE(number, field, type) +1
#define KEPT (0u KEPT_SPRS(ONE) KEPT_MAS(ONE))

/* Counted by the caller, one of each; the isync here. */
static inline void set_dmiuh(const struct path *p, uint32_t dmiuh)
{
	put_spr(p, SPR_EPCR, (get_spr(p, SPR_EPCR) & ~(ulong_t)EPCR_DMIUH) | dmiuh);
	p->t->ops[PYEXIT_OP_ISYNC]++;
}

/* E5: the host's interrupts of a class that this exit does not use come on again. */
static inline void fix_msr(const struct path *p, uint32_t guest_msr, uint32_t save)
{
	uint64_t *msr = &p->t->msr;

	if (guest_msr == (guest_msr | MSR_CE | MSR_ME | MSR_RI))
		return;
	if (save != SPR_CSRR0 && save != SPR_MCSRR0)
		*msr |= MSR_CE;
	if (save != SPR_MCSRR0)
		*msr |= MSR_ME | MSR_RI;
}

/* r0 to r14, and r15 to r31: each a run of plain moves. */
static inline void copy_volatile(uint64_t *restrict to, const uint64_t *restrict from)
{
	for (uint32_t i = 0; i < 14; i++)
		to[i] = (ulong_t)from[i];
	to[14] = (ulong_t)from[14];
}

static inline void copy_non_volatile(uint64_t *restrict to, const uint64_t *restrict from)
{
	to[15] = (ulong_t)from[15];
	for (uint32_t i = 16; i < 32; i++)
		to[i] = (ulong_t)from[i];
}

/* E1-E5: r0 to r14, CR and CTR; whose pc and MSR; the PID changes hands. */
static inline void save_volatile(const struct path *p, const struct handler_row *row)
{
	struct pyexit_arch *arch = p->arch;
	ulong_t pc = get_spr(p, row->save), msr = get_spr(p, row->save + 1u);

	copy_volatile(arch->regs.gpr, p->t->gpr);
	arch->regs.ccr = (uint32_t)p->t->cr;
	arch->regs.ctr = (ulong_t)p->t->ctr;
	arch->pid = (uint32_t)get_spr(p, SPR_PID);
	put_spr(p, SPR_PID, arch->host_pid);
	ppc_count_moves(p->t, 3, 1);
	arch->timing_exit = get_tb(p->machine, p->vcpu);
	store_ulong(&arch->shared.msr, msr);
	arch->regs.nip = pc;
	fix_msr(p, (uint32_t)msr, row->save);
}

/* E7, E8 */
static inline void save_syndrome(const struct path *p, uint32_t flags)
{
	if (flags & NEED_ESR) {
		p->arch->fault_esr = get_spr(p, SPR_ESR);
		ppc_count_moves(p->t, 1, 0);
	}
	if (flags & NEED_DEAR) {
		p->arch->fault_dear = get_spr(p, SPR_DEAR);
		ppc_count_moves(p->t, 1, 0);
	}
}

/* The load whose fault is to be survived would take the guest's syndrome with it (exit 11.7). */
static int fetch_recovers(const struct pyexit_machine *machine)
{
	return machine->fetch == PYEXIT_FETCH_LWEPX_DO_KVM || machine->fetch == PYEXIT_FETCH_LWEPX_HIJACK;
}

/* E6-E8; stops where the load of the old fetch faults and nobody knows the fault. */
static inline void save_for_c(const struct path *p, uint32_t flags)
{
	int recovers = fetch_recovers(p->machine);

	if (recovers)
		save_syndrome(p, flags);
	if (flags & NEED_EMU) {
		copy_non_volatile(p->arch->regs.gpr, p->t->gpr);
		if (kvmppc_entry_fetch(p->machine, p->vcpu).outcome != PYEXIT_DONE) {
			kvmppc_stop(p->machine, PYEXIT_OOPS, PYEXIT_SITE_ENTRY_FETCH);
			return;
		}
	}
	if (!recovers)
		save_syndrome(p, flags);
}

/* E9 */
static inline void save_special(const struct path *p)
{
	struct pyexit_arch *arch = p->arch;

	arch->regs.link = (ulong_t)p->t->lr;
	KEPT_SPRS(SAVE)
	arch->regs.xer = (ulong_t)p->t->xer;
	KEPT_MAS(SAVE)
	arch->shared.mas7_3 = (uint64_t)get_spr(p, SPR_MAS7) << 32 | (uint32_t)get_spr(p, SPR_MAS3);
	put_spr(p, SPR_MAS4, arch->host_mas4);
	put_spr(p, SPR_MAS6, arch->host_mas6);
	set_dmiuh(p, 0);
	ppc_count_moves(p->t, KEPT + 3, 3);	/* and MAS3, MAS7, EPCR; MAS4, MAS6, EPCR */
	p->host->irq_enabled = 0;
}

/* exit 11.5, the SPRs: the host's go into the vcpu where KVM wants them back. */
static inline void load_special(const struct path *p)
{
	struct pyexit_arch *arch = p->arch;

	arch->host_pid = (uint32_t)get_spr(p, SPR_PID);
	put_spr(p, SPR_PID, arch->pid);
	set_dmiuh(p, EPCR_DMIUH);
	arch->host_mas4 = (uint32_t)get_spr(p, SPR_MAS4);
	arch->host_mas6 = (uint32_t)get_spr(p, SPR_MAS6);
	KEPT_MAS(LOAD)
	put_spr(p, SPR_MAS3, (uint32_t)arch->shared.mas7_3);
	put_spr(p, SPR_MAS7, arch->shared.mas7_3 >> 32);
	KEPT_SPRS(LOAD)
	put_spr(p, SPR_SRR0, arch->regs.nip);
	put_spr(p, SPR_SRR1, arch->shared.msr);
	ppc_count_moves(p->t, 4, KEPT + 6);	/* PID, EPCR, MAS4, MAS6; and PID, EPCR, MAS3, MAS7, SRR0, SRR1 */
}

static inline void rfi(const struct path *p)
{
	p->t->msr = p->spr->SRR1;
	p->t->pc = ppc_ea(&p->machine->hw, kvmppc_thread(p->machine, p->vcpu), p->spr->SRR0 & ~(uint64_t)3);
}

/* exit 11.5; r15 to r31 are in the thread already. */
static inline void lightweight_exit(const struct path *p)
{
	struct pyexit_arch *arch = p->arch;

	load_special(p);
	p->t->lr = (ulong_t)arch->regs.link;
	p->t->xer = (ulong_t)arch->regs.xer;
	p->t->ctr = (ulong_t)arch->regs.ctr;
	p->t->cr = (uint32_t)arch->regs.ccr;
	copy_volatile(p->t->gpr, arch->regs.gpr);
	arch->timing_last_enter = get_tb(p->machine, p->vcpu);
	rfi(p);
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
	struct path p = path_of(machine, vcpu);
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
		copy_non_volatile(p.t->gpr, p.arch->regs.gpr);
		lightweight_exit(&p);
		answer_guest(resume);
	}
	return 0;
}

/* exit 11.4; Q42: what C has written to r15 to r31 counts with the NV flag only, to r14 always. */
static inline void go_on(const struct path *p, int ret, struct pyexit_resume *resume)
{
	if (ret & RESUME_FLAG_NV)
		copy_non_volatile(p->t->gpr, p->arch->regs.gpr);
	if (!(ret & RESUME_FLAG_HOST)) {
		lightweight_exit(p);
		answer_guest(resume);
		return;
	}
	copy_non_volatile(p->arch->regs.gpr, p->t->gpr);
	kvmppc_vcpu_run_end(p->machine, p->vcpu);
	answer_host(p->machine, p->vcpu, ret >> 2, resume);
}

static void kvmppc_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, struct pyexit_resume *resume)
{
	const struct handler_row *row = &handler_rows[exit_nr];
	struct path p = path_of(machine, vcpu);
	int ret = RESUME_HOST;

	save_volatile(&p, row);
	save_for_c(&p, row->flags);
	if (!kvmppc_stopped(machine)) {
		save_special(&p);
		ret = kvmppc_handle_exit(machine, vcpu, exit_nr);
	}
	if (kvmppc_stopped(machine))
		answer_stop(machine, resume);
	else
		go_on(&p, ret, resume);
}

static int exit_valid(const struct pyexit_machine *machine, const struct pyexit_exit_record *record)
{
	if (record->vcpu >= machine->vcpus)
		return -EINVAL;
	return kvmppc_exit_hooked(record->exit_nr) ? 0 : -ENOENT;
}

/* The thread as the processor would leave it at the vector. */
static void set_exit(struct pyexit_machine *machine, const struct pyexit_exit_record *record)
{
	uint32_t thread = kvmppc_thread(machine, record->vcpu);
	struct pyexit_spr *spr = &machine->hw.spr[thread];

	ppc_leave_at_vector(&machine->hw, thread, record->exit_nr, (ulong_t)record->pc, (ulong_t)record->msr);
	spr->ESR = record->esr;
	spr->DEAR = (ulong_t)record->dear;
}

static int64_t kvmppc_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
			    struct pyexit_resume *resume)
{
	size_t done = 0;

	while (done < n) {
		const struct pyexit_exit_record *record = &records[done];
		int error = exit_valid(machine, record);

		if (error)
			return error;
		kvmppc_begin(machine);
		set_exit(machine, record);
		kvmppc_exit(machine, record->vcpu, record->exit_nr, &resume[done]);
		if (resume[done++].outcome != PYEXIT_RETURNED)
			break;
	}
	return (int64_t)done;
}
