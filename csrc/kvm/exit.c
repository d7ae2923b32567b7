/* SPDX-License-Identifier: BSD-3-Clause */
#include "exit.h"

#include "debug.h"
#include "emulate.h"
#include "entry.h"
#include "gtlb.h"
#include "hcall.h"
#include "host.h"
#include "irqprio.h"
#include "last_inst.h"
#include "memslot.h"
#include "stlb.h"
#include "timing.h"
#include "trace.h"

/* Which exits fetch the instruction before anything else (H3). */
enum exit_fetch {
	FETCH_NEVER,
	FETCH_ALWAYS,
	FETCH_SW_BREAKPOINT	/* when userspace uses them, and not in the seed's v4 (exit 3.2) */
};

/* What the switch does (H9). */
enum exit_kind {
	EXIT_NO_CASE,	/* BUG */
	EXIT_ACCOUNT,	/* count it, no more */
	EXIT_QUEUE,	/* reflect it to the guest, then count it */
	EXIT_CALL	/* a function decides; counts itself */
};

#define NO_ACCOUNT NUMBER_OF_KVM_EXIT_TYPES

/* Which of the saved syndrome goes with a queued interrupt. */
#define WITH_ESR 1u
#define WITH_DEAR 2u

struct exit_row {
	uint8_t kind;		/* enum exit_kind */
	uint8_t fetch;		/* enum exit_fetch */
	uint8_t host_handler;	/* enum pyexit_host_handler that H2 calls, 0 = none */
	uint8_t priority;	/* of EXIT_QUEUE */
	uint8_t syndrome;	/* of EXIT_QUEUE */
	uint8_t account;	/* of EXIT_ACCOUNT and EXIT_QUEUE */
	uint8_t altivec;	/* a case only in a kernel with AltiVec */
	int (*call)(struct pyexit_machine *machine, uint32_t vcpu);
};

static struct pyexit_arch *arch_of(struct pyexit_machine *machine, uint32_t vcpu)
{
	return &machine->vcpu[vcpu].arch;
}

static void dump_gprs(struct pyexit_machine *machine, const uint64_t *gpr, uint32_t n)
{
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_PRINTK, PYEXIT_MSG_DUMP_GPR);

	if (!event)
		return;
	event->arg[0] = n;
	for (uint32_t i = 0; i < 4; i++)
		event->arg[1 + i] = (ulong_t)gpr[n + i];
}

/* exit 3.4; Q9: srr0 and srr1 are the shared page's, stale while the vcpu is loaded. */
static void kvmppc_dump_vcpu(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_arch *arch = arch_of(machine, vcpu);
	const struct pyexit_regs *regs = &arch->regs;

	kvmppc_printk(machine, PYEXIT_MSG_DUMP_PC, (ulong_t)regs->nip, arch->shared.msr, 0);
	kvmppc_printk(machine, PYEXIT_MSG_DUMP_LR, (ulong_t)regs->link, (ulong_t)regs->ctr, 0);
	kvmppc_printk(machine, PYEXIT_MSG_DUMP_SRR, arch->shared.srr0, arch->shared.srr1, 0);
	kvmppc_printk(machine, PYEXIT_MSG_DUMP_EXCEPTIONS, (ulong_t)arch->pending_exceptions, 0, 0);
	for (uint32_t n = 0; n < 32; n += 4)
		dump_gprs(machine, regs->gpr, n);
}

/* Nothing of it reaches the guest, nothing counts it, MCSR stays; exit_reason says UNKNOWN. */
static int exit_machine_check(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_printk(machine, PYEXIT_MSG_MACHINE_CHECK, kvmppc_mfspr(machine, vcpu, SPR_MCSR), 0, 0);
	kvmppc_dump_vcpu(machine, vcpu);
	machine->run[vcpu].hw.hardware_exit_reason = KVM_EXIT_MACHINE_CHECK | kvmppc_mfspr(machine, vcpu, SPR_MCSR);
	return RESUME_HOST;
}

/* exit 5: userspace is told what the guest gets a program interrupt for when it comes back. */
static int emulation_failed(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t last_inst = arch_of(machine, vcpu)->last_inst;

	kvmppc_printk(machine, PYEXIT_MSG_EMULATION_FAILED, (ulong_t)arch_of(machine, vcpu)->regs.nip, last_inst, 0);
	machine->run[vcpu].hw.hardware_exit_reason = KVM_EXIT_INST_FAILED | last_inst;
	kvmppc_core_queue_program(machine, vcpu, ESR_PIL);
	return RESUME_HOST;
}

/* exit 5: the emulator's answers; DO_MMIO, the kernel's BUG, is none of them. */
static int emulation_exit(struct pyexit_machine *machine, uint32_t vcpu)
{
	switch (kvmppc_emulate_instruction(machine, vcpu)) {
	case EMULATE_DONE:
		machine->vcpu[vcpu].stat.emulated_inst_exits++;	/* the type stays the emulator's */
		return RESUME_GUEST_NV;
	case EMULATE_AGAIN:
		return RESUME_GUEST;
	case EMULATE_EXIT_USER:
		return RESUME_HOST;
	default:
		return emulation_failed(machine, vcpu);
	}
}

static int exit_debug(struct pyexit_machine *machine, uint32_t vcpu)
{
	int ret = kvmppc_handle_debug(machine, vcpu);

	if (ret == RESUME_HOST)
		machine->run[vcpu].exit_reason = KVM_EXIT_DEBUG;
	kvmppc_account_exit(machine, vcpu, DEBUG_EXITS);
	return ret;
}

static int uses_sw_breakpoints(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->handler == PYEXIT_HANDLER_MERGED &&
	       machine->vcpu[vcpu].guest_debug & KVM_GUESTDBG_USE_SW_BP;
}

/* The early fetch has put the instruction into the cache. */
static int exit_program(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = arch_of(machine, vcpu);

	if (uses_sw_breakpoints(machine, vcpu) && arch->last_inst == KVMPPC_INST_SW_BREAKPOINT)
		return exit_debug(machine, vcpu);
	if (!(arch->shared.msr & (MSR_PR | MSR_GS)))
		return emulation_exit(machine, vcpu);
	kvmppc_core_queue_program(machine, vcpu, arch->fault_esr);
	kvmppc_account_exit(machine, vcpu, USR_PR_INST);
	return RESUME_GUEST;
}

/* Q16: the privileged-instruction interrupt of a user's sc 1 has the pc after it. */
static int exit_hv_syscall(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = arch_of(machine, vcpu);
	ulong_t ret;

	if (arch->shared.msr & MSR_PR) {
		kvmppc_core_queue_program(machine, vcpu, ESR_PPR);
		return RESUME_GUEST;
	}
	ret = kvmppc_kvm_pv(machine, vcpu);
	if (!kvmppc_stopped(machine))
		arch->regs.gpr[3] = ret;
	return RESUME_GUEST;
}

/* A device's register: what reads as an access to no memory (exit 3.5.7). */
static int emulate_mmio(struct pyexit_machine *machine, uint32_t vcpu, uint64_t gpaddr)
{
	struct pyexit_arch *arch = arch_of(machine, vcpu);
	int ret;

	arch->paddr_accessed = gpaddr;
	arch->vaddr_accessed = (ulong_t)arch->fault_dear;
	ret = kvmppc_emulate_mmio(machine, vcpu);
	if (!kvmppc_stopped(machine))
		kvmppc_account_exit(machine, vcpu, MMIO_EXITS);
	return ret;
}

/* exit 3.5 */
static int exit_dtlb_miss(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_arch *arch = arch_of(machine, vcpu);
	ulong_t eaddr = (ulong_t)arch->fault_dear;
	int32_t index = kvmppc_mmu_dtlb_index(machine, vcpu, eaddr);
	uint64_t gpaddr;

	if (index < 0) {
		kvmppc_core_queue_dtlb_miss(machine, vcpu, arch->fault_dear, arch->fault_esr);
		kvmppc_mmu_dtlb_miss(machine, vcpu);
		kvmppc_account_exit(machine, vcpu, DTLB_REAL_MISS_EXITS);
		return RESUME_GUEST;
	}
	gpaddr = kvmppc_mmu_xlate(machine, vcpu, (uint32_t)index, eaddr);
	if (!kvm_is_visible_gfn(machine, vcpu, gpaddr >> PPC_PAGE_SHIFT))
		return emulate_mmio(machine, vcpu, gpaddr);
	kvmppc_mmu_map(machine, vcpu, eaddr, gpaddr, (uint32_t)index);
	kvmppc_account_exit(machine, vcpu, DTLB_VIRT_MISS_EXITS);
	return RESUME_GUEST;
}

/* exit 3.6; Q24: code that is not in memory is a machine check without a reason. */
static int exit_itlb_miss(struct pyexit_machine *machine, uint32_t vcpu)
{
	ulong_t eaddr = (ulong_t)arch_of(machine, vcpu)->regs.nip;
	int32_t index = kvmppc_mmu_itlb_index(machine, vcpu, eaddr);
	uint64_t gpaddr;

	if (index < 0) {
		kvmppc_booke_queue_irqprio(machine, vcpu, BOOKE_IRQPRIO_ITLB_MISS);
		kvmppc_mmu_itlb_miss(machine, vcpu);
		kvmppc_account_exit(machine, vcpu, ITLB_REAL_MISS_EXITS);
		return RESUME_GUEST;
	}
	kvmppc_account_exit(machine, vcpu, ITLB_VIRT_MISS_EXITS);
	gpaddr = kvmppc_mmu_xlate(machine, vcpu, (uint32_t)index, eaddr);
	if (kvm_is_visible_gfn(machine, vcpu, gpaddr >> PPC_PAGE_SHIFT))
		kvmppc_mmu_map(machine, vcpu, eaddr, gpaddr, (uint32_t)index);
	else
		kvmppc_booke_queue_irqprio(machine, vcpu, BOOKE_IRQPRIO_MACHINE_CHECK);
	return RESUME_GUEST;
}

/* Q23: numbers without a row are hooked in the vectors all the same, or cannot occur: BUG. */
static const struct exit_row exit_rows[] = {
	[IVOR_CRITICAL] = { .kind = EXIT_NO_CASE, .host_handler = PYEXIT_HOST_UNKNOWN_EXCEPTION },
	[IVOR_MACHINE_CHECK] = { .kind = EXIT_CALL, .call = exit_machine_check },
	[IVOR_DATA_STORAGE] = { .kind = EXIT_QUEUE, .fetch = FETCH_ALWAYS, .priority = BOOKE_IRQPRIO_DATA_STORAGE,
				.syndrome = WITH_ESR | WITH_DEAR, .account = DSI_EXITS },
	[IVOR_INST_STORAGE] = { .kind = EXIT_QUEUE, .priority = BOOKE_IRQPRIO_INST_STORAGE, .syndrome = WITH_ESR,
				.account = ISI_EXITS },
	[IVOR_EXTERNAL] = { .kind = EXIT_ACCOUNT, .host_handler = PYEXIT_HOST_DO_IRQ, .account = EXT_INTR_EXITS },
	[IVOR_ALIGNMENT] = { .kind = EXIT_QUEUE, .priority = BOOKE_IRQPRIO_ALIGNMENT,
			     .syndrome = WITH_ESR | WITH_DEAR, .account = NO_ACCOUNT },
	[IVOR_PROGRAM] = { .kind = EXIT_CALL, .fetch = FETCH_SW_BREAKPOINT, .call = exit_program },
	[IVOR_FP_UNAVAIL] = { .kind = EXIT_QUEUE, .priority = BOOKE_IRQPRIO_FP_UNAVAIL, .account = FP_UNAVAIL },
	[IVOR_DECREMENTER] = { .kind = EXIT_ACCOUNT, .host_handler = PYEXIT_HOST_TIMER_INTERRUPT,
			       .account = DEC_EXITS },
	/* without CONFIG_BOOKE_WDT */
	[IVOR_WATCHDOG] = { .kind = EXIT_ACCOUNT, .host_handler = PYEXIT_HOST_UNKNOWN_EXCEPTION,
			    .account = NO_ACCOUNT },
	[IVOR_DTLB_MISS] = { .kind = EXIT_CALL, .fetch = FETCH_ALWAYS, .call = exit_dtlb_miss },
	[IVOR_ITLB_MISS] = { .kind = EXIT_CALL, .call = exit_itlb_miss },
	[IVOR_DEBUG] = { .kind = EXIT_CALL, .call = exit_debug },
	[IVOR_ALTIVEC_UNAVAIL] = { .kind = EXIT_QUEUE, .priority = BOOKE_IRQPRIO_ALTIVEC_UNAVAIL,
				   .account = NO_ACCOUNT, .altivec = 1 },
	[IVOR_ALTIVEC_ASSIST] = { .kind = EXIT_QUEUE, .priority = BOOKE_IRQPRIO_ALTIVEC_ASSIST,
				  .account = NO_ACCOUNT, .altivec = 1 },
	[IVOR_PERFORMANCE_MONITOR] = { .kind = EXIT_ACCOUNT,
				       .host_handler = PYEXIT_HOST_PERFORMANCE_MONITOR_EXCEPTION,
				       .account = NO_ACCOUNT },
	[IVOR_DBELL] = { .kind = EXIT_ACCOUNT, .host_handler = PYEXIT_HOST_DOORBELL_EXCEPTION,
			 .account = DBELL_EXITS },
	[IVOR_GDBELL] = { .kind = EXIT_ACCOUNT, .account = GDBELL_EXITS },
	[IVOR_GDBELL_CRIT] = { .kind = EXIT_ACCOUNT, .account = GDBELL_EXITS },
	[IVOR_HV_SYSCALL] = { .kind = EXIT_CALL, .call = exit_hv_syscall },
	[IVOR_HV_PRIV] = { .kind = EXIT_CALL, .fetch = FETCH_ALWAYS, .call = emulation_exit },
};

static const struct exit_row *row_of(uint32_t exit_nr)
{
	static const struct exit_row no_case;

	return exit_nr < sizeof(exit_rows) / sizeof(exit_rows[0]) ? &exit_rows[exit_nr] : &no_case;
}

/* H2, exit 6: the host's own business first.  Q40: DBSR is read twice, and cleared of what the second read shows. */
static void kvmppc_restart_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr)
{
	uint32_t handler = row_of(exit_nr)->host_handler;

	if (handler)
		kvmppc_host_handler(machine, vcpu, (enum pyexit_host_handler)handler);
	if (exit_nr != IVOR_DEBUG)
		return;
	arch_of(machine, vcpu)->dbsr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_DBSR);
	kvmppc_mtspr(machine, vcpu, SPR_DBSR, kvmppc_mfspr(machine, vcpu, SPR_DBSR));
}

/* H3 */
static int fetch_early(struct pyexit_machine *machine, uint32_t vcpu, const struct exit_row *row)
{
	uint32_t instr;

	if (row->fetch == FETCH_NEVER || (row->fetch == FETCH_SW_BREAKPOINT && !uses_sw_breakpoints(machine, vcpu)))
		return EMULATE_DONE;
	return kvmppc_get_last_inst(machine, vcpu, &instr);
}

/* H8, exit 4.3.  Q20: with AGAIN the event itself is dropped and comes again with the instruction. */
static int kvmppc_resume_inst_load(struct pyexit_machine *machine, uint32_t vcpu, int emulated)
{
	switch (emulated) {
	case EMULATE_AGAIN:
		return RESUME_GUEST;
	case EMULATE_FAIL:	/* Q17: the queued interrupt waits for the next KVM_RUN; Q18: all ones */
		machine->run[vcpu].hw.hardware_exit_reason = KVM_EXIT_INST_FAILED | KVM_INST_FETCH_FAILED;
		kvmppc_core_queue_program(machine, vcpu, ESR_PIL);
		return RESUME_HOST;
	default:
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_INST_LOAD);
		return RESUME_GUEST;
	}
}

static void queue_exit(struct pyexit_machine *machine, uint32_t vcpu, const struct exit_row *row)
{
	struct pyexit_arch *arch = arch_of(machine, vcpu);

	if (row->syndrome & WITH_DEAR)
		arch->queued_dear = (ulong_t)arch->fault_dear;
	if (row->syndrome & WITH_ESR)
		arch->queued_esr = (ulong_t)arch->fault_esr;
	kvmppc_booke_queue_irqprio(machine, vcpu, row->priority);
}

/* H9 */
static int handle_case(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, const struct exit_row *row)
{
	if (row->kind == EXIT_NO_CASE || (row->altivec && !machine->hw.params.altivec)) {
		kvmppc_printk(machine, PYEXIT_MSG_EXIT_NR, exit_nr, 0, 0);
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_EXIT_NR);
		return RESUME_HOST;
	}
	if (row->kind == EXIT_CALL)
		return row->call(machine, vcpu);
	if (row->kind == EXIT_QUEUE)
		queue_exit(machine, vcpu, row);
	if (row->account != NO_ACCOUNT)
		kvmppc_account_exit(machine, vcpu, row->account);
	return RESUME_GUEST;
}

/* H10: what stands before the way back into the guest. */
static int go_back(struct pyexit_machine *machine, uint32_t vcpu, int ret)
{
	int entry;

	if (ret & RESUME_FLAG_HOST)
		return ret;
	entry = kvmppc_prepare_to_enter(machine, vcpu);
	if (kvmppc_stopped(machine))
		return ret;
	if (entry <= 0)
		return (int)((uint32_t)entry << 2) | RESUME_HOST | (ret & RESUME_FLAG_NV);
	kvmppc_fix_ee_before_entry(machine, vcpu);
	kvmppc_load_guest_units(machine, vcpu);
	return ret;
}

/*
 * H1-H11.  The two handlers differ in the fetches of H3, and in that v4
 * turns interrupts on before the trace event, which nothing here can see.
 */
static int kvmppc_handle_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr)
{
	const struct exit_row *row = row_of(exit_nr);
	struct pyexit_run *run = &machine->run[vcpu];
	int emulated, ret;

	kvmppc_update_timing_stats(machine, vcpu);
	kvmppc_restart_interrupt(machine, vcpu, exit_nr);
	emulated = fetch_early(machine, vcpu, row);
	trace_kvm_exit(machine, vcpu, exit_nr);
	kvmppc_host(machine, vcpu)->irq_enabled = 1;
	run->exit_reason = KVM_EXIT_UNKNOWN;	/* Q19: on every exit, also a light one */
	run->ready_for_interrupt_injection = 1;
	if (emulated != EMULATE_DONE)
		ret = kvmppc_resume_inst_load(machine, vcpu, emulated);
	else
		ret = handle_case(machine, vcpu, exit_nr, row);
	if (kvmppc_stopped(machine))
		return ret;
	return go_back(machine, vcpu, ret);
}
