/* SPDX-License-Identifier: BSD-3-Clause */
#include "irqprio.h"

#include "../hw/doorbell.h"
#include "entry.h"
#include "host.h"
#include "stlb.h"
#include "timer.h"
#include "timing.h"
#include "trace.h"

static void kvmppc_booke_queue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority)
{
	trace_kvm_booke_queue_irqprio(machine, vcpu, priority);
	machine->vcpu[vcpu].arch.pending_exceptions |= (uint64_t)1 << priority;
}

static void kvmppc_booke_dequeue_irqprio(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority)
{
	machine->vcpu[vcpu].arch.pending_exceptions &= ~((uint64_t)1 << priority);
}

static void queue_with_dear(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority, uint64_t dear,
			    uint64_t esr)
{
	machine->vcpu[vcpu].arch.queued_dear = (ulong_t)dear;
	machine->vcpu[vcpu].arch.queued_esr = (ulong_t)esr;
	kvmppc_booke_queue_irqprio(machine, vcpu, priority);
}

static void queue_with_esr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority, uint64_t esr)
{
	machine->vcpu[vcpu].arch.queued_esr = (ulong_t)esr;
	kvmppc_booke_queue_irqprio(machine, vcpu, priority);
}

static void kvmppc_core_queue_dtlb_miss(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr)
{
	queue_with_dear(machine, vcpu, BOOKE_IRQPRIO_DTLB_MISS, dear, esr);
}

static void kvmppc_core_queue_data_storage(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr)
{
	queue_with_dear(machine, vcpu, BOOKE_IRQPRIO_DATA_STORAGE, dear, esr);
}

static void kvmppc_core_queue_alignment(struct pyexit_machine *machine, uint32_t vcpu, uint64_t dear, uint64_t esr)
{
	queue_with_dear(machine, vcpu, BOOKE_IRQPRIO_ALIGNMENT, dear, esr);
}

static void kvmppc_core_queue_inst_storage(struct pyexit_machine *machine, uint32_t vcpu, uint64_t esr)
{
	queue_with_esr(machine, vcpu, BOOKE_IRQPRIO_INST_STORAGE, esr);
}

static void kvmppc_core_queue_program(struct pyexit_machine *machine, uint32_t vcpu, uint64_t esr)
{
	queue_with_esr(machine, vcpu, BOOKE_IRQPRIO_PROGRAM, esr);
}

/* Q33: any number but SET_LEVEL is an edge */
static void kvmppc_core_queue_external(struct pyexit_machine *machine, uint32_t vcpu, uint32_t irq)
{
	kvmppc_booke_queue_irqprio(machine, vcpu, irq == KVM_INTERRUPT_SET_LEVEL ? BOOKE_IRQPRIO_EXTERNAL_LEVEL :
								       BOOKE_IRQPRIO_EXTERNAL);
}

static void kvmppc_core_dequeue_external(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_booke_dequeue_irqprio(machine, vcpu, BOOKE_IRQPRIO_EXTERNAL);
	kvmppc_booke_dequeue_irqprio(machine, vcpu, BOOKE_IRQPRIO_EXTERNAL_LEVEL);
}

static int kvmppc_core_pending_dec(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->vcpu[vcpu].arch.pending_exceptions >> BOOKE_IRQPRIO_DECREMENTER & 1;
}

/* How a priority is delivered (exit 7.2 D4). */
#define DELIVERS 1u
#define UPDATES_ESR 2u
#define UPDATES_DEAR 4u
#define STAYS_PENDING 8u	/* Q4: until its source is cleared */
#define NEEDS_ALTIVEC 16u

#define KEEPS_NONCRIT (MSR_CE | MSR_ME | MSR_DE)

struct delivery_row {
	uint32_t enable;	/* MSR bit that must be on outside a critical section; 0: always delivered */
	uint32_t keeps;		/* MSR bits that survive */
	uint8_t class;		/* INT_CLASS_*: which save registers */
	uint8_t flags;
};

/* Q36: delivery is in the order of these numbers; Q34: PERFORMANCE_MONITOR has no row. */
static const struct delivery_row delivery_rows[BOOKE_IRQPRIO_MAX] = {
	[BOOKE_IRQPRIO_DATA_STORAGE] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | UPDATES_ESR | UPDATES_DEAR },
	[BOOKE_IRQPRIO_INST_STORAGE] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | UPDATES_ESR },
	[BOOKE_IRQPRIO_ALIGNMENT] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | UPDATES_ESR | UPDATES_DEAR },
	[BOOKE_IRQPRIO_PROGRAM] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | UPDATES_ESR },
	[BOOKE_IRQPRIO_FP_UNAVAIL] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_ALTIVEC_UNAVAIL] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | NEEDS_ALTIVEC },
	[BOOKE_IRQPRIO_ALTIVEC_ASSIST] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | NEEDS_ALTIVEC },
	[BOOKE_IRQPRIO_SYSCALL] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_AP_UNAVAIL] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_DTLB_MISS] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | UPDATES_ESR | UPDATES_DEAR },
	[BOOKE_IRQPRIO_ITLB_MISS] = { 0, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_MACHINE_CHECK] = { MSR_ME, 0, INT_CLASS_MC, DELIVERS },	/* Q24 */
	[BOOKE_IRQPRIO_DEBUG] = { MSR_DE, MSR_ME, INT_CLASS_DBG, DELIVERS },
	[BOOKE_IRQPRIO_CRITICAL] = { MSR_CE, MSR_ME, INT_CLASS_CRIT, DELIVERS },
	[BOOKE_IRQPRIO_WATCHDOG] = { MSR_CE, MSR_ME, INT_CLASS_CRIT, DELIVERS },
	[BOOKE_IRQPRIO_EXTERNAL] = { MSR_EE, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_FIT] = { MSR_EE, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | STAYS_PENDING },
	[BOOKE_IRQPRIO_DECREMENTER] = { MSR_EE, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | STAYS_PENDING },
	[BOOKE_IRQPRIO_EXTERNAL_LEVEL] = { MSR_EE, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS | STAYS_PENDING },
	[BOOKE_IRQPRIO_DBELL] = { MSR_EE, KEEPS_NONCRIT, INT_CLASS_NONCRIT, DELIVERS },
	[BOOKE_IRQPRIO_DBELL_CRIT] = { MSR_CE, MSR_ME, INT_CLASS_CRIT, DELIVERS },
};

/*
 * D1, Q1: no guest of this hypervisor can set shared.critical, so "critical
 * section" is r1 with low 32 bits of 0.  MSR[SF] is bit 63, which is never
 * on in a 64-bit guest: that is MSR[CM].
 */
static int in_critical_section(const struct pyexit_arch *arch)
{
	ulong_t raw = (ulong_t)arch->shared.critical, r1 = (ulong_t)arch->regs.gpr[1];

	if (!kvmppc_msr_sf(arch)) {
		raw = (uint32_t)raw;
		r1 = (uint32_t)r1;
	}
	return raw == r1 && !(arch->shared.msr & MSR_PR);
}

static int allowed(const struct pyexit_machine *machine, const struct pyexit_arch *arch,
		   const struct delivery_row *row)
{
	if (!(row->flags & DELIVERS) || (row->flags & NEEDS_ALTIVEC && !machine->hw.params.altivec))
		return 0;
	return !row->enable || (arch->shared.msr & row->enable && !in_critical_section(arch));
}

/* D5.1: the saved MSR is cut to 32 bits. */
static void save_for(struct pyexit_machine *machine, uint32_t vcpu, uint32_t class)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t pc = (ulong_t)arch->regs.nip;
	uint32_t msr = (uint32_t)arch->shared.msr;

	switch (class) {
	case INT_CLASS_CRIT:
		arch->csrr0 = pc;
		arch->csrr1 = msr;
		break;
	case INT_CLASS_MC:
		arch->mcsrr0 = pc;
		arch->mcsrr1 = msr;
		break;
	case INT_CLASS_DBG:
		arch->dsrr0 = pc;
		arch->dsrr1 = msr;
		break;
	default:
		kvmppc_mtspr(machine, vcpu, SPR_GSRR0, pc);
		kvmppc_mtspr(machine, vcpu, SPR_GSRR1, msr);
		break;
	}
}

/* D5.5: the external interrupt's vector comes from userspace, or from a PIC that this kernel does not have. */
static void update_epr(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (arch->epr_flags & KVMPPC_EPR_USER)
		kvm_make_request(machine, vcpu, KVM_REQ_EPR_EXIT);
	else if (arch->epr_flags & KVMPPC_EPR_KERNEL && arch->irq_type != KVMPPC_IRQ_MPIC)
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_EPR_KERNEL);
}

/* D5; @priority is 16 also for EXTERNAL_LEVEL, whose row @row may be. */
static void deliver(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority, const struct delivery_row *row)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t new_msr = (uint32_t)arch->shared.msr & row->keeps;

	save_for(machine, vcpu, row->class);
	arch->regs.nip = (ulong_t)arch->ivpr | arch->ivor[priority];
	if (row->flags & UPDATES_ESR)
		kvmppc_mtspr(machine, vcpu, SPR_GESR, arch->queued_esr);
	if (row->flags & UPDATES_DEAR)
		kvmppc_mtspr(machine, vcpu, SPR_GDEAR, arch->queued_dear);
	if (priority == BOOKE_IRQPRIO_EXTERNAL)
		update_epr(machine, vcpu);
	if (kvmppc_stopped(machine))
		return;
	if (PYEXIT_WIDTH == 64 && arch->epcr & EPCR_ICM)
		new_msr |= MSR_CM;
	kvmppc_set_msr(machine, vcpu, new_msr);
	if (!(row->flags & STAYS_PENDING))
		kvmppc_booke_dequeue_irqprio(machine, vcpu, priority);
}

/* exit 7.4: a guest doorbell to the vcpu itself brings it back when it enables the interrupt. */
static void kvmppc_set_pending_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type)
{
	uint32_t tag = kvmppc_get_lpid(machine, vcpu) << MSG_LPID_SHIFT | machine->vcpu[vcpu].vcpu_id;

	(void)ppc_msgsnd(&machine->hw, kvmppc_thread(machine, vcpu), type << MSG_TYPE_SHIFT | (tag & MSG_TAG_MASK));
}

/* D6 */
static void announce_pending(struct pyexit_machine *machine, uint32_t vcpu)
{
	const uint64_t *pending = &machine->vcpu[vcpu].arch.pending_exceptions;

	if (*pending & BOOKE_IRQMASK_EE)
		kvmppc_set_pending_interrupt(machine, vcpu, MSG_GDBELL);
	if (*pending & BOOKE_IRQMASK_CE)
		kvmppc_set_pending_interrupt(machine, vcpu, MSG_GDBELL_CRIT);
	if (*pending & BOOKE_IRQPRIO_MACHINE_CHECK)	/* Q3: a number as a mask: ALIGNMENT and PROGRAM */
		kvmppc_set_pending_interrupt(machine, vcpu, MSG_GDBELL_MC);
}

static int kvmppc_booke_irqprio_deliver(struct pyexit_machine *machine, uint32_t vcpu, uint32_t priority)
{
	static const struct delivery_row no_row;
	const struct delivery_row *row = priority < BOOKE_IRQPRIO_MAX ? &delivery_rows[priority] : &no_row;
	int delivers = allowed(machine, &machine->vcpu[vcpu].arch, row);

	if (delivers)
		deliver(machine, vcpu,
			priority == BOOKE_IRQPRIO_EXTERNAL_LEVEL ? BOOKE_IRQPRIO_EXTERNAL : priority, row);
	if (kvmppc_stopped(machine))
		return 0;
	announce_pending(machine, vcpu);
	return delivers;
}

/* exit 7.5: at most one is delivered, but every one that is tried announces what is pending. */
static void kvmppc_core_check_exceptions(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t untried = arch->pending_exceptions & (((uint64_t)1 << BOOKE_IRQPRIO_MAX) - 1);

	for (; untried; untried &= untried - 1) {	/* what is not delivered changes nothing that is pending */
		if (kvmppc_booke_irqprio_deliver(machine, vcpu, (uint32_t)__builtin_ctzll(untried)))
			break;
		if (kvmppc_stopped(machine))
			return;
	}
	arch->shared.int_pending = (ulong_t)arch->pending_exceptions != 0;
}

static int take_request(struct pyexit_machine *machine, uint32_t vcpu, uint32_t request)
{
	int due = machine->vcpu[vcpu].requests >> request & 1;

	kvm_clear_request(machine, vcpu, request);
	return due;
}

static int kvmppc_core_check_requests(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_run *run = &machine->run[vcpu];
	int ret = 1;

	if (take_request(machine, vcpu, KVM_REQ_PENDING_TIMER))
		update_timer_ints(machine, vcpu);
	if (take_request(machine, vcpu, KVM_REQ_TLB_FLUSH))
		kvmppc_core_flush_tlb(machine, vcpu);
	if (take_request(machine, vcpu, KVM_REQ_WATCHDOG)) {
		run->exit_reason = KVM_EXIT_WATCHDOG;
		ret = 0;
	}
	if (take_request(machine, vcpu, KVM_REQ_EPR_EXIT)) {	/* Q8: the watchdog's exit is lost */
		run->epr.epr = 0;
		machine->vcpu[vcpu].arch.epr_needed = 1;
		run->exit_reason = KVM_EXIT_EPR;
		ret = 0;
	}
	return ret;
}

/* Q26: MSR[WE] stays on; what wakes the vcpu must also clear it, else it halts again. */
static void idle(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);

	host->irq_enabled = 1;
	kvm_vcpu_halt(machine, vcpu);
	if (kvmppc_stopped(machine))
		return;
	host->irq_enabled = 0;
	kvmppc_set_exit_type(machine, vcpu, EMULATED_MTMSRWE_EXITS);
}

static int kvmppc_core_prepare_to_enter(struct pyexit_machine *machine, uint32_t vcpu)
{
	if (kvmppc_host(machine, vcpu)->irq_enabled)
		kvmppc_warn(machine, PYEXIT_WARN_CORE_PREPARE_TO_ENTER);
	kvmppc_core_check_exceptions(machine, vcpu);
	if (kvmppc_stopped(machine) || kvm_requests(machine, vcpu))
		return 1;
	if (!(machine->vcpu[vcpu].arch.shared.msr & MSR_WE))
		return 0;
	idle(machine, vcpu);
	return 1;
}

/* exit 7.6: a request that nothing clears, and no signal that would end the loop. */
static int cannot_progress(const struct pyexit_machine *machine, uint32_t vcpu)
{
	const ulong_t clearable = 1u << KVM_REQ_PENDING_TIMER | 1u << KVM_REQ_TLB_FLUSH | 1u << KVM_REQ_WATCHDOG |
				  1u << KVM_REQ_EPR_EXIT;

	return kvm_requests(machine, vcpu) & ~clearable && !kvmppc_host(machine, vcpu)->signal_pending;
}

/* Step 4: the answer of kvmppc_core_check_requests(), made with interrupts on. */
static int serve_requests(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);
	int ret;

	host->irq_enabled = 1;
	trace_kvm_check_requests(machine, vcpu);
	ret = kvmppc_core_check_requests(machine, vcpu);
	host->irq_enabled = 0;
	if (ret > 0 && cannot_progress(machine, vcpu))
		kvmppc_stop(machine, PYEXIT_HANG, PYEXIT_SITE_NO_PROGRESS);
	return ret;
}

#define LOOK_AGAIN 2

/* One turn of the loop: LOOK_AGAIN, or the answer. */
static int prepare_once(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);
	int ret;

	if (host->need_resched) {
		kvmppc_cond_resched(machine, vcpu);
		return LOOK_AGAIN;
	}
	if (host->signal_pending) {
		kvmppc_account_exit(machine, vcpu, SIGNAL_EXITS);
		machine->run[vcpu].exit_reason = KVM_EXIT_INTR;
		return -KVM_EINTR;
	}
	machine->vcpu[vcpu].mode = IN_GUEST_MODE;
	if (kvm_requests(machine, vcpu)) {
		ret = serve_requests(machine, vcpu);
		return ret > 0 ? LOOK_AGAIN : ret;
	}
	return kvmppc_core_prepare_to_enter(machine, vcpu) ? LOOK_AGAIN : 1;
}

/* Q6: each turn may deliver one more interrupt on top of the last. */
static int kvmppc_prepare_to_enter(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);
	int ret;

	if (!host->irq_enabled)
		kvmppc_warn(machine, PYEXIT_WARN_PREPARE_TO_ENTER);
	host->irq_enabled = 0;
	do {
		ret = prepare_once(machine, vcpu);
		if (kvmppc_stopped(machine))
			return 0;
	} while (ret == LOOK_AGAIN);
	if (ret <= 0)
		host->irq_enabled = 1;
	return ret;
}

static int kvm_arch_vcpu_runnable(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return (ulong_t)machine->vcpu[vcpu].arch.pending_exceptions != 0 || kvm_requests(machine, vcpu) != 0;
}
