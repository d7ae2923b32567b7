/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/host: what KVM asks of the host kernel.  Every request is an event,
 * every answer an input in struct pyexit_host (vectors/SCHEMA.md host.*), so
 * runs repeat exactly.
 */
#ifndef KVM_HOST_H
#define KVM_HOST_H

#include "vcpu.h"

/* current->thread.regs->msr: the guest's unit state is loaded (vectors/SCHEMA.md) */
#define HOST_MSR_FP 0x2000u
#define HOST_MSR_VEC 0x02000000u

/* More halts than this in one call never end, whatever host.halt_limit says. */
#define KVM_HALT_LIMIT_MOST 1000u

/* hrtimer mode (vectors/SCHEMA.md) */
#define HRTIMER_MODE_REL 1u

static inline struct pyexit_host *kvmppc_host(const struct pyexit_machine *machine, uint32_t vcpu)
{
	return &machine->host[kvmppc_thread(machine, vcpu)];
}

/* The processor's SPRs as KVM reaches them from @vcpu's thread; those it names exist. */
static inline ulong_t kvmppc_mfspr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t spr)
{
	uint64_t value;

	(void)ppc_mfspr(&machine->hw, kvmppc_thread(machine, vcpu), spr, &value);
	return (ulong_t)value;
}

static inline void kvmppc_mtspr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t spr, uint64_t value)
{
	(void)ppc_mtspr(&machine->hw, kvmppc_thread(machine, vcpu), spr, (ulong_t)value);
}

static void kvmppc_service(struct pyexit_machine *machine, enum pyexit_service service);
static void kvmppc_host_handler(struct pyexit_machine *machine, uint32_t vcpu, enum pyexit_host_handler handler);
static void kvmppc_warn(struct pyexit_machine *machine, enum pyexit_warn site);

/* One line of the kernel's log with up to three values. */
static void kvmppc_printk(struct pyexit_machine *machine, enum pyexit_message message, uint64_t arg0, uint64_t arg1,
			  uint64_t arg2);

/*
 * Wait until the vcpu can run; the host's answer is wake_*.  Stops the call
 * after halt_limit times.  Q25: the kernel's returns at once if anything is
 * pending, also if it is masked, and then spins; here every halt is asked.
 */
static void kvm_vcpu_halt(struct pyexit_machine *machine, uint32_t vcpu);
static void kvm_vcpu_kick(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_cond_resched(struct pyexit_machine *machine, uint32_t vcpu);

/* Guest FP and vector state into the units, unless the thread holds it; and back (exit 3.1, 7.7). */
static void kvmppc_load_guest_units(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_save_guest_units(struct pyexit_machine *machine, uint32_t vcpu);

/* The debug registers of the thread change owner (exit 7.7). */
static void switch_booke_debug_regs(struct pyexit_machine *machine);

/* The watchdog's timer, to fire at @expires jiffies, or never. */
static void kvmppc_mod_wdt_timer(struct pyexit_machine *machine, uint32_t vcpu, uint64_t expires);
static void kvmppc_del_wdt_timer(struct pyexit_machine *machine, uint32_t vcpu);

/* The decrementer's timer, to fire @ticks of the timebase from now, or never. */
static void kvmppc_start_dec_timer(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ticks);
static void kvmppc_cancel_dec_timer(struct pyexit_machine *machine, uint32_t vcpu);

static uint64_t get_tb(const struct pyexit_machine *machine, uint32_t vcpu);

#endif
