/* SPDX-License-Identifier: BSD-3-Clause */
#include "ioctl.h"

#include "config_tlb.h"
#include "create.h"
#include "entry.h"
#include "gtlb.h"
#include "host.h"
#include "irqprio.h"
#include "one_reg.h"
#include "timer.h"

/* vcpu_load() and vcpu_put() around an ioctl (vectors/SCHEMA.md host.real_vcpu_load). */
static void vcpu_load(struct pyexit_machine *machine, uint32_t vcpu)
{
	if (kvmppc_host(machine, vcpu)->real_vcpu_load)
		kvm_arch_vcpu_load(machine, vcpu);
}

static void vcpu_put(struct pyexit_machine *machine, uint32_t vcpu)
{
	if (kvmppc_host(machine, vcpu)->real_vcpu_load)
		kvm_arch_vcpu_put(machine, vcpu);
}

/* Registers (exit 12.4) ------------------------------------------------- */

static void get_live_regs(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_regs *regs)
{
	regs->srr0 = kvmppc_mfspr(machine, vcpu, SPR_GSRR0);
	regs->srr1 = kvmppc_mfspr(machine, vcpu, SPR_GSRR1);
	regs->sprg0 = kvmppc_mfspr(machine, vcpu, SPR_GSPRG0);
	regs->sprg1 = kvmppc_mfspr(machine, vcpu, SPR_GSPRG1);
	regs->sprg2 = kvmppc_mfspr(machine, vcpu, SPR_GSPRG2);
	regs->sprg3 = kvmppc_mfspr(machine, vcpu, SPR_GSPRG3);
}

static void set_live_regs(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_regs *regs)
{
	kvmppc_mtspr(machine, vcpu, SPR_GSRR0, regs->srr0);
	kvmppc_mtspr(machine, vcpu, SPR_GSRR1, regs->srr1);
	kvmppc_mtspr(machine, vcpu, SPR_GSPRG0, regs->sprg0);
	kvmppc_mtspr(machine, vcpu, SPR_GSPRG1, regs->sprg1);
	kvmppc_mtspr(machine, vcpu, SPR_GSPRG2, regs->sprg2);
	kvmppc_mtspr(machine, vcpu, SPR_GSPRG3, regs->sprg3);
}

static int kvm_arch_vcpu_ioctl_get_regs(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	struct pyexit_user_regs *regs = &machine->user[vcpu].regs;

	vcpu_load(machine, vcpu);
	regs->pc = (ulong_t)arch->regs.nip;
	regs->cr = (uint32_t)arch->regs.ccr;
	regs->ctr = (ulong_t)arch->regs.ctr;
	regs->lr = (ulong_t)arch->regs.link;
	regs->xer = (ulong_t)arch->regs.xer;
	regs->msr = arch->shared.msr;
	get_live_regs(machine, vcpu, regs);
	regs->pid = arch->pid;
	regs->sprg4 = arch->shared.sprg4;
	regs->sprg5 = arch->shared.sprg5;
	regs->sprg6 = arch->shared.sprg6;
	regs->sprg7 = arch->shared.sprg7;
	for (uint32_t i = 0; i < 32; i++)
		regs->gpr[i] = (ulong_t)arch->regs.gpr[i];
	vcpu_put(machine, vcpu);
	return 0;
}

static int kvm_arch_vcpu_ioctl_set_regs(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	const struct pyexit_user_regs *regs = &machine->user[vcpu].regs;

	vcpu_load(machine, vcpu);
	arch->regs.nip = (ulong_t)regs->pc;
	arch->regs.ccr = (uint32_t)regs->cr;
	arch->regs.ctr = (ulong_t)regs->ctr;
	arch->regs.link = (ulong_t)regs->lr;
	arch->regs.xer = (ulong_t)regs->xer;
	kvmppc_set_msr(machine, vcpu, (uint32_t)regs->msr);
	set_live_regs(machine, vcpu, regs);
	arch->pid = (uint32_t)regs->pid;
	arch->shared.sprg4 = regs->sprg4;
	arch->shared.sprg5 = regs->sprg5;
	arch->shared.sprg6 = regs->sprg6;
	arch->shared.sprg7 = regs->sprg7;
	for (uint32_t i = 0; i < 32; i++)
		arch->regs.gpr[i] = (ulong_t)regs->gpr[i];
	vcpu_put(machine, vcpu);
	return 0;
}

/* Special registers (exit 12.5) ----------------------------------------- */

/* Vectors in the order of IVOR0 to IVOR15, and those of ivor_high that exist. */
static const uint8_t ivor_low_prio[16] = {
	BOOKE_IRQPRIO_CRITICAL, BOOKE_IRQPRIO_MACHINE_CHECK, BOOKE_IRQPRIO_DATA_STORAGE, BOOKE_IRQPRIO_INST_STORAGE,
	BOOKE_IRQPRIO_EXTERNAL, BOOKE_IRQPRIO_ALIGNMENT, BOOKE_IRQPRIO_PROGRAM, BOOKE_IRQPRIO_FP_UNAVAIL,
	BOOKE_IRQPRIO_SYSCALL, BOOKE_IRQPRIO_AP_UNAVAIL, BOOKE_IRQPRIO_DECREMENTER, BOOKE_IRQPRIO_FIT,
	BOOKE_IRQPRIO_WATCHDOG, BOOKE_IRQPRIO_DTLB_MISS, BOOKE_IRQPRIO_ITLB_MISS, BOOKE_IRQPRIO_DEBUG,
};

struct ivor_high_row {
	uint8_t index, priority;
	uint32_t feature;
};

static const struct ivor_high_row ivor_high_rows[] = {
	{ 3, BOOKE_IRQPRIO_PERFORMANCE_MONITOR, KVM_SREGS_E_PM },
	{ 4, BOOKE_IRQPRIO_DBELL, KVM_SREGS_E_PC },
	{ 5, BOOKE_IRQPRIO_DBELL_CRIT, KVM_SREGS_E_PC },
};

#define IVOR_HIGH_ROWS (sizeof(ivor_high_rows) / sizeof(ivor_high_rows[0]))

static void get_sregs_base(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t tb = get_tb(machine, vcpu);

	sregs->features |= KVM_SREGS_E_BASE;
	sregs->csrr0 = (ulong_t)arch->csrr0;
	sregs->csrr1 = (uint32_t)arch->csrr1;
	sregs->mcsr = (ulong_t)arch->mcsr;
	sregs->esr = (uint32_t)kvmppc_mfspr(machine, vcpu, SPR_GESR);
	sregs->dear = kvmppc_mfspr(machine, vcpu, SPR_GDEAR);
	sregs->tsr = (uint32_t)arch->tsr;
	sregs->tcr = arch->tcr;
	sregs->dec = kvmppc_get_dec(machine, vcpu, tb);
	sregs->tb = tb;
	sregs->vrsave = arch->vrsave;
}

static int set_sregs_base(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (!(sregs->features & KVM_SREGS_E_BASE))
		return 0;
	arch->csrr0 = (ulong_t)sregs->csrr0;
	arch->csrr1 = sregs->csrr1;
	arch->mcsr = (ulong_t)sregs->mcsr;	/* Q31: whatever update_special says */
	kvmppc_mtspr(machine, vcpu, SPR_GESR, sregs->esr);
	kvmppc_mtspr(machine, vcpu, SPR_GDEAR, sregs->dear);
	arch->vrsave = sregs->vrsave;
	kvmppc_set_tcr(machine, vcpu, sregs->tcr);
	if (sregs->update_special & KVM_SREGS_E_UPDATE_DEC) {
		arch->dec = sregs->dec;
		kvmppc_emulate_dec(machine, vcpu);
	}
	if (sregs->update_special & KVM_SREGS_E_UPDATE_TSR)
		kvmppc_set_tsr(machine, vcpu, sregs->tsr);
	return 0;
}

static void get_sregs_arch206(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	sregs->features |= KVM_SREGS_E_ARCH206;
	sregs->pir = machine->vcpu[vcpu].vcpu_id;
	sregs->mcsrr0 = (ulong_t)arch->mcsrr0;
	sregs->mcsrr1 = (uint32_t)arch->mcsrr1;
	sregs->decar = arch->decar;
	sregs->ivpr = (ulong_t)arch->ivpr;
}

static int set_sregs_arch206(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	if (!(sregs->features & KVM_SREGS_E_ARCH206))
		return 0;
	if (sregs->pir != machine->vcpu[vcpu].vcpu_id)
		return -KVM_EINVAL;
	arch->mcsrr0 = (ulong_t)sregs->mcsrr0;
	arch->mcsrr1 = sregs->mcsrr1;
	arch->decar = sregs->decar;
	arch->ivpr = (ulong_t)sregs->ivpr;
	return 0;
}

static void get_sregs_fsl(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs)
{
	const struct pyexit_e500 *e500 = &machine->e500[vcpu];

	sregs->impl_id = KVM_SREGS_E_IMPL_FSL;
	sregs->impl.fsl.features = 0;
	sregs->impl.fsl.svr = e500->svr;
	sregs->impl.fsl.hid0 = e500->hid0;
	sregs->impl.fsl.mcar = e500->mcar;
}

static int set_sregs_fsl(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs)
{
	struct pyexit_e500 *e500 = &machine->e500[vcpu];

	if (sregs->impl_id != KVM_SREGS_E_IMPL_FSL)
		return 0;
	e500->svr = sregs->impl.fsl.svr;
	e500->hid0 = sregs->impl.fsl.hid0;
	e500->mcar = sregs->impl.fsl.mcar;
	return 0;
}

static void get_sregs_mmu(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs)
{
	const struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	sregs->features |= KVM_SREGS_E_ARCH206_MMU;
	sregs->mas0 = arch->shared.mas0;
	sregs->mas1 = arch->shared.mas1;
	sregs->mas2 = arch->shared.mas2;
	sregs->mas7_3 = arch->shared.mas7_3;
	sregs->mas4 = arch->shared.mas4;
	sregs->mas6 = arch->shared.mas6;
	sregs->mmucfg = arch->mmucfg;
	sregs->tlbcfg[0] = arch->tlbcfg[0];
	sregs->tlbcfg[1] = arch->tlbcfg[1];
	sregs->tlbcfg[2] = 0;
	sregs->tlbcfg[3] = 0;
}

static int set_sregs_mmu(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs)
{
	struct pyexit_shared *shared = &machine->vcpu[vcpu].arch.shared;

	if (!(sregs->features & KVM_SREGS_E_ARCH206_MMU))
		return 0;
	shared->mas0 = sregs->mas0;
	shared->mas1 = sregs->mas1;
	shared->mas2 = sregs->mas2;
	shared->mas7_3 = sregs->mas7_3;
	shared->mas4 = sregs->mas4;
	shared->mas6 = sregs->mas6;
	return 0;
}

static void get_sregs_ivor(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs)
{
	const uint32_t *ivor = machine->vcpu[vcpu].arch.ivor;

	sregs->features |= KVM_SREGS_E_IVOR;
	for (uint32_t i = 0; i < 16; i++)
		sregs->ivor_low[i] = ivor[ivor_low_prio[i]];
	for (uint32_t i = 0; i < IVOR_HIGH_ROWS; i++) {
		sregs->features |= ivor_high_rows[i].feature;
		sregs->ivor_high[ivor_high_rows[i].index] = ivor[ivor_high_rows[i].priority];
	}
}

/* Q31: PM and PC count with IVOR only, and AltiVec's vectors are not among them. */
static int set_sregs_ivor(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs)
{
	uint32_t *ivor = machine->vcpu[vcpu].arch.ivor;

	if (!(sregs->features & KVM_SREGS_E_IVOR))
		return 0;
	for (uint32_t i = 0; i < 16; i++)
		ivor[ivor_low_prio[i]] = sregs->ivor_low[i];
	for (uint32_t i = 0; i < IVOR_HIGH_ROWS; i++)
		if (sregs->features & ivor_high_rows[i].feature)
			ivor[ivor_high_rows[i].priority] = sregs->ivor_high[ivor_high_rows[i].index];
	return 0;
}

/* The groups in their order: Q31, one that refuses leaves those before it set. */
struct sregs_group {
	void (*get)(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_user_sregs *sregs);
	int (*set)(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_sregs *sregs);
};

static const struct sregs_group sregs_groups[] = {
	{ get_sregs_base, set_sregs_base },
	{ get_sregs_arch206, set_sregs_arch206 },
	{ get_sregs_fsl, set_sregs_fsl },
	{ get_sregs_mmu, set_sregs_mmu },
	{ get_sregs_ivor, set_sregs_ivor },
};

#define SREGS_GROUPS (sizeof(sregs_groups) / sizeof(sregs_groups[0]))

static int kvm_arch_vcpu_ioctl_get_sregs(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_user_sregs *sregs = &machine->user[vcpu].sregs;

	vcpu_load(machine, vcpu);
	sregs->pvr = machine->vcpu[vcpu].arch.pvr;
	sregs->features = 0;
	for (size_t i = 0; i < SREGS_GROUPS; i++)
		sregs_groups[i].get(machine, vcpu, sregs);
	vcpu_put(machine, vcpu);
	return 0;
}

static int kvm_arch_vcpu_ioctl_set_sregs(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_user_sregs *sregs = &machine->user[vcpu].sregs;
	int ret;

	vcpu_load(machine, vcpu);
	ret = sregs->pvr == machine->vcpu[vcpu].arch.pvr ? 0 : -KVM_EINVAL;
	for (size_t i = 0; i < SREGS_GROUPS && !ret; i++)
		ret = sregs_groups[i].set(machine, vcpu, sregs);
	vcpu_put(machine, vcpu);
	return ret;
}

static int kvm_arch_vcpu_ioctl_translate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t linear_address,
					 uint64_t *valid, uint64_t *physical_address)
{
	vcpu_load(machine, vcpu);
	*valid = kvmppc_core_vcpu_translate(machine, vcpu, linear_address, physical_address) != 0;
	vcpu_put(machine, vcpu);
	return 0;
}

/* Capabilities of a vcpu (exit 12.7) ------------------------------------ */

static int enable_sw_tlb(struct pyexit_machine *machine, uint32_t vcpu, const struct pyexit_user_cap *cap)
{
	if ((ulong_t)cap->args[0] != PYEXIT_USER_CONFIG_TLB)
		return -KVM_EFAULT;
	return kvm_vcpu_ioctl_config_tlb(machine, vcpu);
}

/* Q32: what is enabled stays so when the vcpu is insane with it. */
static int kvm_vcpu_ioctl_enable_cap(struct pyexit_machine *machine, uint32_t vcpu)
{
	const struct pyexit_user_cap *cap = &machine->user[vcpu].cap;
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	int ret = 0;

	if (cap->flags)
		return -KVM_EINVAL;
	switch (cap->cap) {
	case KVM_CAP_PPC_OSI:
		arch->osi_enabled = 1;
		break;
	case KVM_CAP_PPC_PAPR:
		arch->papr_enabled = 1;
		break;
	case KVM_CAP_PPC_EPR:
		arch->epr_flags = (uint8_t)(arch->epr_flags & ~KVMPPC_EPR_USER);
		arch->epr_flags |= cap->args[0] ? KVMPPC_EPR_USER : 0;
		break;
	case KVM_CAP_PPC_BOOKE_WATCHDOG:
		arch->watchdog_enabled = 1;
		break;
	case KVM_CAP_SW_TLB:
		ret = enable_sw_tlb(machine, vcpu, cap);
		break;
	default:
		ret = -KVM_EINVAL;
		break;
	}
	return ret ? ret : kvmppc_sanity_check(machine, vcpu);
}

/* Requests -------------------------------------------------------------- */

static int loaded(struct pyexit_machine *machine, uint32_t vcpu,
		  int (*ioctl)(struct pyexit_machine *machine, uint32_t vcpu))
{
	int ret;

	vcpu_load(machine, vcpu);
	ret = ioctl(machine, vcpu);
	vcpu_put(machine, vcpu);
	return ret;
}

static int kvm_arch_vcpu_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request, uint64_t pointer)
{
	const struct pyexit_user_one_reg *reg = &machine->user[vcpu].one_reg;

	switch (request) {
	case KVM_ENABLE_CAP:
		if ((ulong_t)pointer != PYEXIT_USER_CAP)
			return -KVM_EFAULT;
		return loaded(machine, vcpu, kvm_vcpu_ioctl_enable_cap);
	case KVM_DIRTY_TLB:
		if ((ulong_t)pointer != PYEXIT_USER_DIRTY)
			return -KVM_EFAULT;
		return loaded(machine, vcpu, kvm_vcpu_ioctl_dirty_tlb);
	case KVM_GET_ONE_REG:
		if ((ulong_t)pointer != PYEXIT_USER_ONE_REG)
			return -KVM_EFAULT;
		return kvm_vcpu_ioctl_get_one_reg(machine, vcpu, reg->id, reg->addr);
	case KVM_SET_ONE_REG:
		if ((ulong_t)pointer != PYEXIT_USER_ONE_REG)
			return -KVM_EFAULT;
		return kvm_vcpu_ioctl_set_one_reg(machine, vcpu, reg->id, reg->addr);
	default:
		return -KVM_EINVAL;
	}
}

/* emulate 6.11; Q33 */
static int kvm_vcpu_ioctl_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t irq)
{
	if (irq == KVM_INTERRUPT_UNSET) {
		kvmppc_core_dequeue_external(machine, vcpu);
		return 0;
	}
	kvmppc_core_queue_external(machine, vcpu, irq);
	kvm_vcpu_kick(machine, vcpu);
	return 0;
}

static int kvm_arch_vcpu_async_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request,
				     uint64_t pointer, uint32_t irq)
{
	if (request != KVM_INTERRUPT)
		return -KVM_ENOIOCTLCMD;
	if ((ulong_t)pointer != PYEXIT_USER_IRQ)
		return -KVM_EFAULT;
	return kvm_vcpu_ioctl_interrupt(machine, vcpu, irq);
}

/* exit 10: how a guest makes a hypercall: sc 1 and nothing else */
static int kvm_arch_vm_ioctl(struct pyexit_machine *machine, uint32_t vcpu, uint64_t request, uint64_t pointer)
{
	if (request != KVM_PPC_GET_PVINFO)
		return -KVM_ENOTTY;
	if ((ulong_t)pointer != PYEXIT_USER_PVINFO)
		return -KVM_EFAULT;
	machine->user[vcpu].pvinfo = (struct pyexit_user_pvinfo){
		.hcall = { 0x44000022, 0x60000000, 0x60000000, 0x60000000 },
		.flags = KVM_PPC_PVINFO_FLAGS_EV_IDLE,
	};
	return 0;
}

/* Capabilities of the host (exit 12.7) ---------------------------------- */

#define KVM_MAX_VCPUS 24u

/* What a capability's number is worth. */
enum cap_answer {
	CAP_NONE,
	CAP_YES,
	CAP_VCPUS,	/* as many as are online, KVM_MAX_VCPUS at most */
	CAP_MAX_VCPUS
};

static const uint8_t cap_answers[] = {
	[9] = CAP_VCPUS,	/* NR_VCPUS */
	[16] = CAP_YES,		/* SYNC_MMU */
	[23] = CAP_YES,		/* SET_GUEST_DEBUG */
	[36] = CAP_YES,		/* IOEVENTFD */
	[48] = CAP_YES,		/* PPC_PAIRED_SINGLES: whatever is not Book3S HV */
	[KVM_CAP_PPC_OSI] = CAP_YES,
	[53] = CAP_YES,		/* PPC_UNSET_IRQ */
	[54] = CAP_YES,		/* ENABLE_CAP */
	[57] = CAP_YES,		/* PPC_GET_PVINFO */
	[58] = CAP_YES,		/* PPC_IRQ_LEVEL */
	[62] = CAP_YES,		/* PPC_BOOKE_SREGS */
	[66] = CAP_MAX_VCPUS,	/* MAX_VCPUS */
	[KVM_CAP_SW_TLB] = CAP_YES,
	[70] = CAP_YES,		/* ONE_REG */
	[KVM_CAP_PPC_BOOKE_WATCHDOG] = CAP_YES,
	[KVM_CAP_PPC_EPR] = CAP_YES,
	[89] = CAP_YES,		/* DEVICE_CTRL */
	[128] = CAP_MAX_VCPUS,	/* MAX_VCPU_ID */
	[136] = CAP_YES,	/* IMMEDIATE_EXIT */
	[176] = CAP_YES,	/* PPC_GUEST_DEBUG_SSTEP */
};

static int kvm_vm_ioctl_check_extension(struct pyexit_machine *machine, uint32_t vcpu, uint64_t cap)
{
	uint32_t online = kvmppc_host(machine, vcpu)->online_cpus;

	switch (cap < sizeof(cap_answers) ? cap_answers[cap] : CAP_NONE) {
	case CAP_YES:
		return 1;
	case CAP_VCPUS:
		return (int)(online < KVM_MAX_VCPUS ? online : KVM_MAX_VCPUS);
	case CAP_MAX_VCPUS:
		return KVM_MAX_VCPUS;
	default:
		return 0;
	}
}
