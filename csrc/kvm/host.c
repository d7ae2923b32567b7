/* SPDX-License-Identifier: BSD-3-Clause */
#include "host.h"

static void kvmppc_service(struct pyexit_machine *machine, enum pyexit_service service)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_SERVICE, (uint32_t)service, 0, 0, 0);
}

static void kvmppc_host_handler(struct pyexit_machine *machine, uint32_t vcpu, enum pyexit_host_handler handler)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_HOST_HANDLER, (uint32_t)handler, 0, 0, 0);
	if (machine->ops.host_handler)
		machine->ops.host_handler(machine->ops.context, vcpu, (uint32_t)handler);
}

static void kvmppc_warn(struct pyexit_machine *machine, enum pyexit_warn site)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_WARN, (uint32_t)site, 0, 0, 0);
}

static void kvmppc_printk(struct pyexit_machine *machine, enum pyexit_message message, uint64_t arg0, uint64_t arg1,
			  uint64_t arg2)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_PRINTK, (uint32_t)message, arg0, arg1, arg2);
}

static struct pyexit_wake wait_for_wake(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_host *host = kvmppc_host(machine, vcpu);
	struct pyexit_wake wake = { 0 };

	if (machine->ops.halt)
		machine->ops.halt(machine->ops.context, vcpu, &wake);
	else
		wake = (struct pyexit_wake){
			.pending_exceptions = host->wake_pending_exceptions,
			.requests = host->wake_requests,
			.signal = host->wake_signal,
		};
	return wake;
}

static void kvm_vcpu_halt(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);
	struct pyexit_vcpu *v = &machine->vcpu[vcpu];
	struct pyexit_wake wake;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_HALT, 0, host->irq_enabled, 0, 0);
	if (machine->halts++ >= (host->halt_limit < KVM_HALT_LIMIT_MOST ? host->halt_limit : KVM_HALT_LIMIT_MOST)) {
		kvmppc_stop(machine, PYEXIT_HANG, PYEXIT_SITE_HALT_LIMIT);
		return;
	}
	wake = wait_for_wake(machine, vcpu);
	if (wake.signal)
		host->signal_pending = 1;
	v->arch.pending_exceptions |= (ulong_t)wake.pending_exceptions;
	v->requests |= (ulong_t)wake.requests;
}

static void kvm_vcpu_kick(struct pyexit_machine *machine, uint32_t vcpu)
{
	ppc_event(&machine->hw.events, PYEXIT_EVENT_KICK, 0, vcpu, 0, 0);
	if (machine->ops.kick)
		machine->ops.kick(machine->ops.context, vcpu);
}

static void kvmppc_cond_resched(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_COND_RESCHED);
	if (machine->ops.cond_resched)
		machine->ops.cond_resched(machine->ops.context, vcpu);
	kvmppc_host(machine, vcpu)->need_resched = 0;
}

static void load_unit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t unit, enum pyexit_service service)
{
	uint32_t *msr = &kvmppc_host(machine, vcpu)->thread_regs_msr;

	if (*msr & unit)
		return;
	kvmppc_service(machine, service);
	*msr |= unit;
}

static void save_unit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t unit, enum pyexit_service service)
{
	uint32_t *msr = &kvmppc_host(machine, vcpu)->thread_regs_msr;

	if (!(*msr & unit))
		return;
	kvmppc_service(machine, service);
	*msr &= ~unit;
}

static void kvmppc_load_guest_units(struct pyexit_machine *machine, uint32_t vcpu)
{
	load_unit(machine, vcpu, HOST_MSR_FP, PYEXIT_SERVICE_LOAD_FP_STATE);
	if (machine->hw.params.altivec)
		load_unit(machine, vcpu, HOST_MSR_VEC, PYEXIT_SERVICE_LOAD_VR_STATE);
}

static void kvmppc_save_guest_units(struct pyexit_machine *machine, uint32_t vcpu)
{
	save_unit(machine, vcpu, HOST_MSR_FP, PYEXIT_SERVICE_GIVEUP_FPU);
	if (machine->hw.params.altivec)
		save_unit(machine, vcpu, HOST_MSR_VEC, PYEXIT_SERVICE_GIVEUP_ALTIVEC);
}

static void switch_booke_debug_regs(struct pyexit_machine *machine)
{
	kvmppc_service(machine, PYEXIT_SERVICE_SWITCH_BOOKE_DEBUG_REGS);
}

static void kvmppc_mod_wdt_timer(struct pyexit_machine *machine, uint32_t vcpu, uint64_t expires)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	ppc_event(&machine->hw.events, PYEXIT_EVENT_MOD_TIMER, 0, expires, 0, 0);
	arch->wdt_timer_armed = 1;
	arch->wdt_timer_expires = expires;
}

static void kvmppc_del_wdt_timer(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_DEL_TIMER);
	machine->vcpu[vcpu].arch.wdt_timer_armed = 0;
}

/* High half of a 64 by 64 bit product. */
static uint64_t mulhdu(uint64_t a, uint64_t b)
{
	uint64_t low = (uint64_t)(uint32_t)a * (uint32_t)b;
	uint64_t mid1 = (a >> 32) * (uint32_t)b + (low >> 32);
	uint64_t mid2 = (uint64_t)(uint32_t)a * (b >> 32) + (uint32_t)mid1;

	return (a >> 32) * (b >> 32) + (mid1 >> 32) + (mid2 >> 32);
}

/* The first 64 binary digits of @n / @d after the point, for n < d < 2^63. */
static uint64_t binary_fraction(uint64_t n, uint64_t d)
{
	uint64_t digits = 0;

	for (int i = 0; i < 64; i++) {
		n <<= 1;
		digits = digits << 1 | (n >= d);
		n -= n >= d ? d : 0;
	}
	return digits;
}

/*
 * mulhdu(ticks, scale) << shift, where scale / 2^64 << shift is nanoseconds
 * a tick: the kernel's rounding (vectors/SCHEMA.md host.tb_freq).
 */
static uint64_t tb_to_ns(const struct pyexit_host *host, uint64_t ticks)
{
	const uint64_t nsec_per_sec = 1000000000;
	uint64_t high, scale;
	uint32_t shift = 0;

	if (!host->tb_freq || host->tb_freq >> 63)
		return 0;
	high = nsec_per_sec / host->tb_freq;
	scale = binary_fraction(nsec_per_sec % host->tb_freq, host->tb_freq);
	for (; high; high >>= 1, shift++)
		scale = scale >> 1 | high << 63;
	return mulhdu(ticks, scale) << shift;
}

static void kvmppc_start_dec_timer(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ticks)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t ns = tb_to_ns(kvmppc_host(machine, vcpu), ticks);

	ppc_event(&machine->hw.events, PYEXIT_EVENT_HRTIMER_START, 0, ns, HRTIMER_MODE_REL, 0);
	arch->dec_timer_armed = 1;
	arch->dec_timer_expires = get_tb(machine, vcpu) + ticks;
}

static void kvmppc_cancel_dec_timer(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_service(machine, PYEXIT_SERVICE_HRTIMER_TRY_TO_CANCEL);
	machine->vcpu[vcpu].arch.dec_timer_armed = 0;
}

static uint64_t get_tb(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return machine->hw.core[ppc_core_of(&machine->hw, kvmppc_thread(machine, vcpu))].tb;
}
