/* SPDX-License-Identifier: BSD-3-Clause */
#include "timer.h"

#include "host.h"
#include "irqprio.h"

static void follow(struct pyexit_machine *machine, uint32_t vcpu, int due, uint32_t priority)
{
	if (due)
		kvmppc_booke_queue_irqprio(machine, vcpu, priority);
	else
		kvmppc_booke_dequeue_irqprio(machine, vcpu, priority);
}

/* Q10: while TSR[WIS] is on every call queues the watchdog again.  There is no FIT: TSR[FIS] has no effect. */
static void update_timer_ints(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	follow(machine, vcpu, arch->tcr & TCR_DIE && arch->tsr & TSR_DIS, BOOKE_IRQPRIO_DECREMENTER);
	follow(machine, vcpu, arch->tcr & TCR_WIE && arch->tsr & TSR_WIS, BOOKE_IRQPRIO_WATCHDOG);
}

/* exit 1.8: six bits of TCR name the timebase bit whose rise is a watchdog period. */
static uint32_t watchdog_period(uint32_t tcr)
{
	return (tcr & TCR_WP_MASK) >> TCR_WP_SHIFT | (tcr & TCR_WPEXT_MASK) >> TCR_WPEXT_SHIFT;
}

static uint64_t watchdog_next_timeout(const struct pyexit_machine *machine, uint32_t vcpu)
{
	uint64_t per_jiffy = kvmppc_host(machine, vcpu)->tb_ticks_per_jiffy;
	uint64_t bit = (uint64_t)1 << (63 - watchdog_period(machine->vcpu[vcpu].arch.tcr));
	uint64_t tb = get_tb(machine, vcpu);
	uint64_t ticks = (tb & bit) + bit - (tb & (bit - 1));
	uint64_t jiffies;

	if (!per_jiffy)		/* a host without a clock tick: the timer never fires */
		return NEXT_TIMER_MAX_DELTA;
	jiffies = ticks / per_jiffy + (ticks % per_jiffy != 0);
	return jiffies < NEXT_TIMER_MAX_DELTA ? jiffies : NEXT_TIMER_MAX_DELTA;
}

static int watchdog_is_final(uint64_t tsr)
{
	return (tsr & (TSR_ENW | TSR_WIS)) == (TSR_ENW | TSR_WIS);
}

static void arm_next_watchdog(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint64_t jiffies;

	if (!watchdog_is_final(machine->vcpu[vcpu].arch.tsr))
		kvm_clear_request(machine, vcpu, KVM_REQ_WATCHDOG);
	jiffies = watchdog_next_timeout(machine, vcpu);
	if (jiffies < NEXT_TIMER_MAX_DELTA)
		kvmppc_mod_wdt_timer(machine, vcpu, (ulong_t)(kvmppc_host(machine, vcpu)->jiffies + jiffies));
	else
		kvmppc_del_wdt_timer(machine, vcpu);
}

static void kvmppc_set_tcr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value)
{
	machine->vcpu[vcpu].arch.tcr = value;
	arm_next_watchdog(machine, vcpu);
	update_timer_ints(machine, vcpu);
}

static void kvmppc_set_tsr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t value)
{
	uint64_t changed = machine->vcpu[vcpu].arch.tsr ^ value;

	machine->vcpu[vcpu].arch.tsr = value;
	if (changed & (TSR_ENW | TSR_WIS))
		arm_next_watchdog(machine, vcpu);
	update_timer_ints(machine, vcpu);
}

/* From a timer: the vcpu itself brings its interrupts up to date, before it enters the guest. */
static void request_update(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvm_make_request(machine, vcpu, KVM_REQ_PENDING_TIMER);
	kvm_vcpu_kick(machine, vcpu);
}

static void kvmppc_set_tsr_bits(struct pyexit_machine *machine, uint32_t vcpu, uint32_t bits)
{
	machine->vcpu[vcpu].arch.tsr |= bits;
	request_update(machine, vcpu);
}

/* What counts is the mask that is written, not which bits were on. */
static void kvmppc_clr_tsr_bits(struct pyexit_machine *machine, uint32_t vcpu, uint32_t bits)
{
	machine->vcpu[vcpu].arch.tsr &= ~(uint64_t)bits;
	if (bits & (TSR_ENW | TSR_WIS))
		arm_next_watchdog(machine, vcpu);
	update_timer_ints(machine, vcpu);
}

/* exit 8.3: first expiry ENW, second WIS, third the reset, which is userspace's. */
static void kvmppc_watchdog_func(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	int final = watchdog_is_final(arch->tsr);

	if (!final)
		arch->tsr |= arch->tsr & TSR_ENW ? TSR_WIS : TSR_ENW;
	if (arch->tsr & TSR_WIS)
		request_update(machine, vcpu);
	if (!final) {
		arm_next_watchdog(machine, vcpu);
	} else if (arch->tcr & TCR_WRC_MASK && arch->watchdog_enabled) {
		kvm_make_request(machine, vcpu, KVM_REQ_WATCHDOG);
		kvm_vcpu_kick(machine, vcpu);
	}
}

/* Q38: a decrementer of 0 has no timer, and its start stays that of the last one. */
static void kvmppc_emulate_dec(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	kvmppc_cancel_dec_timer(machine, vcpu);
	if (!(ulong_t)arch->dec)
		return;
	kvmppc_start_dec_timer(machine, vcpu, (ulong_t)arch->dec);
	arch->dec_jiffies = get_tb(machine, vcpu);
}

static uint32_t kvmppc_get_dec(const struct pyexit_machine *machine, uint32_t vcpu, uint64_t tb)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t passed = tb - arch->dec_jiffies;

	return (ulong_t)arch->dec < passed ? 0 : (uint32_t)((ulong_t)arch->dec - passed);
}

static void kvmppc_decrementer_func(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (arch->tcr & TCR_ARE) {
		arch->dec = arch->decar;
		kvmppc_emulate_dec(machine, vcpu);
	}
	kvmppc_set_tsr_bits(machine, vcpu, TSR_DIS);
}

/* Jiffies wrap: what is less than half the range ahead has not come. */
static int jiffies_reached(uint64_t now, uint64_t expires)
{
	return !((ulong_t)(now - expires) >> (PYEXIT_WIDTH - 1));
}

static void kvmppc_run_timers(struct pyexit_machine *machine)
{
	for (uint32_t n = 0; n < machine->vcpus; n++) {
		struct pyexit_arch *arch = &machine->vcpu[n].arch;

		if (arch->dec_timer_armed && arch->dec_timer_expires <= get_tb(machine, n)) {
			arch->dec_timer_armed = 0;
			kvmppc_decrementer_func(machine, n);
		}
		if (arch->wdt_timer_armed &&
		    jiffies_reached(kvmppc_host(machine, n)->jiffies, arch->wdt_timer_expires)) {
			arch->wdt_timer_armed = 0;
			kvmppc_watchdog_func(machine, n);
		}
	}
}
