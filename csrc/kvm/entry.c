/* SPDX-License-Identifier: BSD-3-Clause */
#include "entry.h"

#include "host.h"
#include "irqprio.h"
#include "stlb.h"

static void kvmppc_set_msr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t new_msr)
{
	uint32_t debug = machine->vcpu[vcpu].guest_debug ? MSR_DE : 0;

	machine->vcpu[vcpu].arch.shared.msr = new_msr | MSR_GS | debug;
}

/* A 32-bit guest's interrupts always come in 32-bit mode: nothing to choose. */
static void kvmppc_set_epcr(struct pyexit_machine *machine, uint32_t vcpu, uint32_t new_epcr)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (PYEXIT_WIDTH != 64)
		return;
	arch->epcr = new_epcr;
	arch->shadow_epcr &= ~EPCR_GICM;
	if (new_epcr & EPCR_ICM)
		arch->shadow_epcr |= EPCR_GICM;
}

/* Guest registers that live in the thread while the vcpu is loaded (exit 2.3): shared page copy and SPR. */
struct live_register {
	uint16_t spr;
	uint16_t shared;	/* byte offset in struct pyexit_shared */
};

static const struct live_register live_registers[] = {
	{ SPR_GSPRG0, offsetof(struct pyexit_shared, sprg0) },
	{ SPR_GSPRG1, offsetof(struct pyexit_shared, sprg1) },
	{ SPR_GSPRG2, offsetof(struct pyexit_shared, sprg2) },
	{ SPR_GSPRG3, offsetof(struct pyexit_shared, sprg3) },
	{ SPR_GSRR0, offsetof(struct pyexit_shared, srr0) },
	{ SPR_GSRR1, offsetof(struct pyexit_shared, srr1) },
	{ SPR_GDEAR, offsetof(struct pyexit_shared, dar) },
};

#define LIVE_REGISTERS (sizeof(live_registers) / sizeof(live_registers[0]))

static uint64_t *shared_copy(struct pyexit_arch *arch, const struct live_register *row)
{
	return (uint64_t *)(void *)((uint8_t *)&arch->shared + row->shared);
}

static void load_live_registers(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	for (size_t i = 0; i < LIVE_REGISTERS; i++)
		kvmppc_mtspr(machine, vcpu, live_registers[i].spr, *shared_copy(arch, &live_registers[i]));
	kvmppc_mtspr(machine, vcpu, SPR_GEPR, arch->epr);
	kvmppc_mtspr(machine, vcpu, SPR_GESR, arch->shared.esr);
}

static void put_live_registers(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	for (size_t i = 0; i < LIVE_REGISTERS; i++)
		*shared_copy(arch, &live_registers[i]) = kvmppc_mfspr(machine, vcpu, live_registers[i].spr);
	arch->epr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_GEPR);
	arch->shared.esr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_GESR);
}

/* What the thread must know to run this guest. */
static void load_context(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t lpid = kvmppc_get_lpid(machine, vcpu);

	kvmppc_mtspr(machine, vcpu, SPR_LPID, lpid);
	kvmppc_mtspr(machine, vcpu, SPR_EPCR, arch->shadow_epcr);
	kvmppc_mtspr(machine, vcpu, SPR_GPIR, machine->vcpu[vcpu].vcpu_id);
	kvmppc_mtspr(machine, vcpu, SPR_MSRP, arch->shadow_msrp);
	arch->eplc = EPC_EGS | lpid << EPC_ELPID_SHIFT;
	arch->epsc = arch->eplc;
	kvmppc_mtspr(machine, vcpu, SPR_EPLC, arch->eplc);
	kvmppc_mtspr(machine, vcpu, SPR_EPSC, arch->epsc);
	kvmppc_mtspr(machine, vcpu, SPR_GIVPR, arch->ivpr);
	kvmppc_mtspr(machine, vcpu, SPR_GIVOR2, arch->ivor[BOOKE_IRQPRIO_DATA_STORAGE]);
	kvmppc_mtspr(machine, vcpu, SPR_GIVOR8, arch->ivor[BOOKE_IRQPRIO_SYSCALL]);
}

static void kvmppc_core_vcpu_load(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct pyexit_host *host = kvmppc_host(machine, vcpu);

	machine->vcpu[vcpu].cpu = host->cpu;
	load_context(machine, vcpu);
	load_live_registers(machine, vcpu);
	/* Entries of this LPID are another vcpu's, or those that this one left here when it moved away. */
	if (arch->oldpir != kvmppc_mfspr(machine, vcpu, SPR_PIR) || host->last_vcpu_self != vcpu + 1) {
		kvmppc_e500_tlbil_all(machine, vcpu);
		host->last_vcpu_self = vcpu + 1;
	}
}

static void kvmppc_core_vcpu_put(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->eplc = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_EPLC);
	arch->epsc = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_EPSC);
	put_live_registers(machine, vcpu);
	arch->oldpir = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_PIR);
	machine->vcpu[vcpu].cpu = UINT32_MAX;
	kvmppc_mtspr(machine, vcpu, SPR_DBSR, kvmppc_mfspr(machine, vcpu, SPR_DBSR));
}

static void kvm_arch_vcpu_load(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_mtspr(machine, vcpu, SPR_VRSAVE, machine->vcpu[vcpu].arch.vrsave);
	kvmppc_core_vcpu_load(machine, vcpu);
}

static void kvm_arch_vcpu_put(struct pyexit_machine *machine, uint32_t vcpu)
{
	kvmppc_core_vcpu_put(machine, vcpu);
	machine->vcpu[vcpu].arch.vrsave = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_VRSAVE);
}

static void kvmppc_fix_ee_before_entry(struct pyexit_machine *machine, uint32_t vcpu)
{
	if (PYEXIT_WIDTH == 64)
		kvmppc_host(machine, vcpu)->irq_enabled = 1;
}

/* R4: the thread's debug registers are the guest's until it comes back. */
static void load_debug_registers(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);

	switch_booke_debug_regs(machine);
	host->saved_debug = host->thread_debug;
	host->thread_debug = machine->vcpu[vcpu].arch.dbg_reg;
}

/* R7 */
static void put_debug_registers(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_host *host = kvmppc_host(machine, vcpu);

	switch_booke_debug_regs(machine);
	host->thread_debug = host->saved_debug;
	host->saved_debug = (struct pyexit_debug_reg){ 0 };
}

static int kvmppc_vcpu_run_begin(struct pyexit_machine *machine, uint32_t vcpu)
{
	int ret;

	if (!machine->vcpu[vcpu].arch.sane) {
		machine->run[vcpu].exit_reason = KVM_EXIT_INTERNAL_ERROR;
		return -KVM_EINVAL;
	}
	ret = kvmppc_prepare_to_enter(machine, vcpu);
	if (kvmppc_stopped(machine))
		return 0;
	if (ret <= 0) {
		machine->vcpu[vcpu].mode = OUTSIDE_GUEST_MODE;
		return ret;
	}
	kvmppc_load_guest_units(machine, vcpu);
	load_debug_registers(machine, vcpu);
	kvmppc_fix_ee_before_entry(machine, vcpu);
	kvmppc_service(machine, PYEXIT_SERVICE_ENTER_GUEST);
	return 1;
}

static void kvmppc_vcpu_run_end(struct pyexit_machine *machine, uint32_t vcpu)
{
	put_debug_registers(machine, vcpu);
	kvmppc_save_guest_units(machine, vcpu);
	machine->vcpu[vcpu].mode = OUTSIDE_GUEST_MODE;
}

static int kvmppc_vcpu_run(struct pyexit_machine *machine, uint32_t vcpu)
{
	int ret = kvmppc_vcpu_run_begin(machine, vcpu);

	if (ret <= 0)
		return ret;
	kvmppc_vcpu_run_end(machine, vcpu);
	return (int32_t)kvmppc_host(machine, vcpu)->guest_enter_ret;
}
