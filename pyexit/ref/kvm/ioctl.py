# SPDX-License-Identifier: BSD-3-Clause
"""kvm/ioctl: what a VMM asks of a vcpu or VM besides running it (exit 7.1, 12.4, 12.5, 12.7).

Covers booke.c, e500mc.c, e500_mmu.c, powerpc.c. Userspace's structures are the fields of User, each at its
own address; every other address faults.
"""

from __future__ import annotations

from pyexit.ref.hw.core import ppc_mfspr, ppc_mtspr, ulong
from pyexit.ref.hw.regs import (
    SPR_GDEAR,
    SPR_GESR,
    SPR_GSPRG0,
    SPR_GSRR0,
    SPR_GSRR1,
)
from pyexit.ref.kvm.config_tlb import kvm_vcpu_ioctl_config_tlb, kvm_vcpu_ioctl_dirty_tlb
from pyexit.ref.kvm.create import kvmppc_sanity_check
from pyexit.ref.kvm.emulate_booke import IVORS
from pyexit.ref.kvm.entry import ioctl_vcpu_load, ioctl_vcpu_put
from pyexit.ref.kvm.gtlb import kvmppc_core_vcpu_translate
from pyexit.ref.kvm.host_services import (
    KVM_EFAULT,
    KVM_EINVAL,
    KVM_ENOIOCTLCMD,
    KVM_ENOTTY,
    KVM_EOPNOTSUPP,
    get_tb,
    kvm_vcpu_kick,
)
from pyexit.ref.kvm.irqprio import (
    BOOKE_IRQPRIO_DBELL,
    BOOKE_IRQPRIO_DBELL_CRIT,
    BOOKE_IRQPRIO_PERFORMANCE_MONITOR,
    KVMPPC_EPR_USER,
    kvmppc_core_dequeue_external,
    kvmppc_core_pending_dec,
    kvmppc_core_queue_external,
    kvmppc_set_msr,
)
from pyexit.ref.kvm.one_reg import kvm_vcpu_ioctl_get_one_reg, kvm_vcpu_ioctl_set_one_reg
from pyexit.ref.kvm.timer import kvmppc_emulate_dec, kvmppc_get_dec, kvmppc_set_tcr, kvmppc_set_tsr
from pyexit.ref.kvm.user import (
    USER_CAP,
    USER_CONFIG_TLB,
    USER_DIRTY,
    USER_IRQ,
    USER_ONE_REG,
    USER_PVINFO,
    UserRegs,
    UserSregs,
)
from pyexit.ref.kvm.vcpu import World

# Requests (vectors/SCHEMA.md)
KVM_INTERRUPT = 0x8004AE86
KVM_ENABLE_CAP = 0x8068AEA3
KVM_PPC_GET_PVINFO = 0x8080AEA1
KVM_DIRTY_TLB = 0x8010AEAA
KVM_GET_ONE_REG = 0x8010AEAB
KVM_SET_ONE_REG = 0x8010AEAC

#: The number of KVM_INTERRUPT that takes the interrupt back (exit 1.4).
KVM_INTERRUPT_UNSET = 0xFFFFFFFE

# Groups of struct kvm_sregs, and what its update_special asks for (exit 12.5)
KVM_SREGS_E_IMPL_FSL = 1
KVM_SREGS_E_BASE = 1 << 0
KVM_SREGS_E_ARCH206 = 1 << 1
KVM_SREGS_E_IVOR = 1 << 5
KVM_SREGS_E_ARCH206_MMU = 1 << 6
KVM_SREGS_E_PC = 1 << 12
KVM_SREGS_E_PM = 1 << 14
KVM_SREGS_E_UPDATE_TSR = 1 << 1
KVM_SREGS_E_UPDATE_DEC = 1 << 2

# KVM_PPC_GET_PVINFO (exit 10): `sc 1` and three no-ops; EV_IDLE is there
_SC1 = 0x44000022
_NOP = 0x60000000
KVM_PPC_PVINFO_FLAGS_EV_IDLE = 1

_WORD = (1 << 32) - 1


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1]


def _mtspr(world: World, vcpu: int, spr: int, value: int) -> None:
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], spr, value)


# KVM_GET_REGS, KVM_SET_REGS (exit 12.4)


def kvm_arch_vcpu_ioctl_get_regs(world: World, vcpu: int) -> int:
    """The guest's registers; those that live in the hardware while the vcpu is loaded, from there."""
    ioctl_vcpu_load(world, vcpu)
    arch, regs = world.vcpu[vcpu].arch, world.user[vcpu].regs
    regs.pc, regs.cr, regs.ctr = arch.regs.nip, arch.regs.ccr & _WORD, arch.regs.ctr
    regs.lr, regs.xer, regs.msr = arch.regs.link, arch.regs.xer, arch.shared.msr
    regs.srr0 = _mfspr(world, vcpu, SPR_GSRR0)
    regs.srr1 = _mfspr(world, vcpu, SPR_GSRR1)
    regs.pid = arch.pid
    for n in range(4):
        setattr(regs, f"sprg{n}", _mfspr(world, vcpu, SPR_GSPRG0 + n))
    for n in range(4, 8):
        setattr(regs, f"sprg{n}", getattr(arch.shared, f"sprg{n}"))
    regs.gpr[:] = arch.regs.gpr
    ioctl_vcpu_put(world, vcpu)
    return 0


def kvm_arch_vcpu_ioctl_set_regs(world: World, vcpu: int) -> int:
    """The same, written; MSR as kvmppc_set_msr lets it be. What is pending and the last instruction stay."""
    ioctl_vcpu_load(world, vcpu)
    _set_general(world, vcpu, world.user[vcpu].regs)
    _set_special(world, vcpu, world.user[vcpu].regs)
    ioctl_vcpu_put(world, vcpu)
    return 0


def _set_general(world: World, vcpu: int, regs: UserRegs) -> None:
    """Unsigned longs but for the condition register, which has 32 bits on every host."""
    params, saved = world.hw.params, world.vcpu[vcpu].arch.regs
    saved.nip, saved.ccr = ulong(params, regs.pc), regs.cr & _WORD
    saved.ctr, saved.link = ulong(params, regs.ctr), ulong(params, regs.lr)
    saved.xer = ulong(params, regs.xer)
    saved.gpr[:] = [ulong(params, gpr) for gpr in regs.gpr]


def _set_special(world: World, vcpu: int, regs: UserRegs) -> None:
    arch = world.vcpu[vcpu].arch
    kvmppc_set_msr(world, vcpu, regs.msr)
    _mtspr(world, vcpu, SPR_GSRR0, regs.srr0)
    _mtspr(world, vcpu, SPR_GSRR1, regs.srr1)
    arch.pid = regs.pid & _WORD
    for n in range(4):
        _mtspr(world, vcpu, SPR_GSPRG0 + n, getattr(regs, f"sprg{n}"))
    for n in range(4, 8):
        setattr(arch.shared, f"sprg{n}", getattr(regs, f"sprg{n}"))


# KVM_GET_SREGS, KVM_SET_SREGS (exit 12.5)

#: ivor_low by index, and what of ivor_high there is: vectors by IRQPRIO, with the group that offers them.
IVOR_LOW = IVORS
IVOR_HIGH = (
    (3, BOOKE_IRQPRIO_PERFORMANCE_MONITOR, KVM_SREGS_E_PM),
    (4, BOOKE_IRQPRIO_DBELL, KVM_SREGS_E_PC),
    (5, BOOKE_IRQPRIO_DBELL_CRIT, KVM_SREGS_E_PC),
)


def kvm_arch_vcpu_ioctl_get_sregs(world: World, vcpu: int) -> int:
    """Every group that KVM offers here; the others are not touched."""
    ioctl_vcpu_load(world, vcpu)
    sregs = world.user[vcpu].sregs
    sregs.pvr = world.vcpu[vcpu].arch.pvr
    sregs.features = (
        KVM_SREGS_E_BASE
        | KVM_SREGS_E_ARCH206
        | KVM_SREGS_E_IVOR
        | KVM_SREGS_E_ARCH206_MMU
        | KVM_SREGS_E_PC
        | KVM_SREGS_E_PM
    )
    _get_base(world, vcpu, sregs)
    _get_arch206(world, vcpu, sregs)
    _get_fsl(world, vcpu, sregs)
    _get_mmu(world, vcpu, sregs)
    _get_ivors(world, vcpu, sregs)
    ioctl_vcpu_put(world, vcpu)
    return 0


def _get_base(world: World, vcpu: int, sregs: UserSregs) -> None:
    arch, tb = world.vcpu[vcpu].arch, get_tb(world, vcpu)
    sregs.csrr0, sregs.csrr1, sregs.mcsr = arch.csrr0, arch.csrr1 & _WORD, arch.mcsr
    sregs.esr = _mfspr(world, vcpu, SPR_GESR) & _WORD
    sregs.dear = _mfspr(world, vcpu, SPR_GDEAR)
    sregs.tsr, sregs.tcr = arch.tsr & _WORD, arch.tcr
    sregs.dec, sregs.tb = kvmppc_get_dec(world, vcpu, tb), tb
    sregs.vrsave = arch.vrsave


def _get_arch206(world: World, vcpu: int, sregs: UserSregs) -> None:
    arch = world.vcpu[vcpu].arch
    sregs.pir = world.vcpu[vcpu].vcpu_id
    sregs.mcsrr0, sregs.mcsrr1 = arch.mcsrr0, arch.mcsrr1 & _WORD
    sregs.decar, sregs.ivpr = arch.decar, arch.ivpr


def _get_fsl(world: World, vcpu: int, sregs: UserSregs) -> None:
    e500, fsl = world.e500[vcpu], sregs.impl.fsl
    sregs.impl_id, fsl.features = KVM_SREGS_E_IMPL_FSL, 0
    fsl.svr, fsl.hid0, fsl.mcar = e500.svr, e500.hid0, e500.mcar


def _get_mmu(world: World, vcpu: int, sregs: UserSregs) -> None:
    arch = world.vcpu[vcpu].arch
    shared = arch.shared
    sregs.mas0, sregs.mas1, sregs.mas2 = shared.mas0, shared.mas1, shared.mas2
    sregs.mas7_3, sregs.mas4, sregs.mas6 = shared.mas7_3, shared.mas4, shared.mas6
    sregs.mmucfg = arch.mmucfg
    sregs.tlbcfg[:] = [*arch.tlbcfg[:2], 0, 0]


def _get_ivors(world: World, vcpu: int, sregs: UserSregs) -> None:
    ivor = world.vcpu[vcpu].arch.ivor
    sregs.ivor_low[:] = [ivor[priority] for priority in IVOR_LOW]
    for index, priority, _ in IVOR_HIGH:
        sregs.ivor_high[index] = ivor[priority]


def kvm_arch_vcpu_ioctl_set_sregs(world: World, vcpu: int) -> int:
    """The groups that features names, and those of the implementation that impl_id does."""
    ioctl_vcpu_load(world, vcpu)
    ret = _set_sregs(world, vcpu, world.user[vcpu].sregs)
    ioctl_vcpu_put(world, vcpu)
    return ret


def _set_sregs(world: World, vcpu: int, sregs: UserSregs) -> int:
    """Q31: BASE is applied before ARCH206 may refuse; without IVOR, PM and PC count for nothing."""
    if sregs.pvr != world.vcpu[vcpu].arch.pvr:
        return -KVM_EINVAL
    if sregs.features & KVM_SREGS_E_BASE:
        _set_base(world, vcpu, sregs)
    if sregs.features & KVM_SREGS_E_ARCH206:
        if sregs.pir != world.vcpu[vcpu].vcpu_id:
            return -KVM_EINVAL
        _set_arch206(world, vcpu, sregs)
    if sregs.impl_id == KVM_SREGS_E_IMPL_FSL:
        _set_fsl(world, vcpu, sregs)
    if sregs.features & KVM_SREGS_E_ARCH206_MMU:
        _set_mmu(world, vcpu, sregs)
    if sregs.features & KVM_SREGS_E_IVOR:
        _set_ivors(world, vcpu, sregs)
    return 0


def _set_base(world: World, vcpu: int, sregs: UserSregs) -> None:
    """The timebase is not set; Q31: MCSR is, whatever update_special says."""
    params, arch = world.hw.params, world.vcpu[vcpu].arch
    arch.csrr0, arch.csrr1 = ulong(params, sregs.csrr0), sregs.csrr1
    arch.mcsr = ulong(params, sregs.mcsr)
    _mtspr(world, vcpu, SPR_GESR, sregs.esr)
    _mtspr(world, vcpu, SPR_GDEAR, sregs.dear)
    arch.vrsave = sregs.vrsave
    kvmppc_set_tcr(world, vcpu, sregs.tcr)
    if sregs.update_special & KVM_SREGS_E_UPDATE_DEC:
        arch.dec = sregs.dec
        kvmppc_emulate_dec(world, vcpu)
    if sregs.update_special & KVM_SREGS_E_UPDATE_TSR:
        kvmppc_set_tsr(world, vcpu, sregs.tsr)


def _set_arch206(world: World, vcpu: int, sregs: UserSregs) -> None:
    """The hardware's GIVPR follows when the vcpu is loaded next."""
    params, arch = world.hw.params, world.vcpu[vcpu].arch
    arch.mcsrr0, arch.mcsrr1 = ulong(params, sregs.mcsrr0), sregs.mcsrr1
    arch.decar, arch.ivpr = sregs.decar, ulong(params, sregs.ivpr)


def _set_fsl(world: World, vcpu: int, sregs: UserSregs) -> None:
    e500, fsl = world.e500[vcpu], sregs.impl.fsl
    e500.svr, e500.hid0, e500.mcar = fsl.svr, fsl.hid0, fsl.mcar


def _set_mmu(world: World, vcpu: int, sregs: UserSregs) -> None:
    """mmu-kvm 14: unchecked; the configuration registers are not set."""
    shared = world.vcpu[vcpu].arch.shared
    shared.mas0, shared.mas1, shared.mas2 = sregs.mas0, sregs.mas1, sregs.mas2
    shared.mas7_3, shared.mas4, shared.mas6 = sregs.mas7_3, sregs.mas4, sregs.mas6


def _set_ivors(world: World, vcpu: int, sregs: UserSregs) -> None:
    """AltiVec's vectors are in no group (Q31)."""
    ivor = world.vcpu[vcpu].arch.ivor
    for index, priority, group in IVOR_HIGH:
        if sregs.features & group:
            ivor[priority] = sregs.ivor_high[index]
    for index, priority in enumerate(IVOR_LOW):
        ivor[priority] = sregs.ivor_low[index]


# What Book E refuses (exit 12.4)


def kvm_arch_vcpu_ioctl_get_fpu(world: World, vcpu: int) -> int:
    """KVM_GET_FPU."""
    return -KVM_EOPNOTSUPP


def kvm_arch_vcpu_ioctl_set_fpu(world: World, vcpu: int) -> int:
    """KVM_SET_FPU."""
    return -KVM_EOPNOTSUPP


def kvm_arch_vcpu_ioctl_get_mpstate(world: World, vcpu: int) -> int:
    """KVM_GET_MP_STATE."""
    return -KVM_EINVAL


def kvm_arch_vcpu_ioctl_set_mpstate(world: World, vcpu: int, state: int) -> int:
    """KVM_SET_MP_STATE."""
    return -KVM_EINVAL


def kvm_vm_ioctl_enable_cap(world: World, vcpu: int, cap: int, flags: int) -> int:
    """KVM_ENABLE_CAP of a VM: no capability of these is Book E's."""
    return -KVM_EINVAL


def kvm_cpu_has_pending_timer(world: World, vcpu: int) -> int:
    """Asked by kvm_vcpu_halt: the decrementer's bit (exit 7.6)."""
    return kvmppc_core_pending_dec(world, vcpu)


# KVM_TRANSLATE (exit 12.4)


def kvm_arch_vcpu_ioctl_translate(
    world: World, vcpu: int, linear_address: int
) -> tuple[int, int, int, int, int]:
    """Result, valid, writeable, usermode, physical address; the two between are left as they are, 0."""
    ioctl_vcpu_load(world, vcpu)
    translated = kvmppc_core_vcpu_translate(world, vcpu, linear_address)
    ioctl_vcpu_put(world, vcpu)
    return 0, translated.valid, 0, 0, translated.physical_address


# KVM_INTERRUPT (exit 7.1)


def kvm_vcpu_ioctl_interrupt(world: World, vcpu: int, irq: int) -> int:
    """Q33: taking it back wakes nobody; every number but two is an edge."""
    irq &= _WORD
    if irq == KVM_INTERRUPT_UNSET:
        kvmppc_core_dequeue_external(world, vcpu)
        return 0
    kvmppc_core_queue_external(world, vcpu, irq)
    kvm_vcpu_kick(world, vcpu)
    return 0


def kvm_arch_vcpu_async_ioctl(world: World, vcpu: int, request: int, pointer: int, irq: int) -> int:
    """Requests that do not wait for the vcpu; `irq` is the word at the pointer."""
    if request != KVM_INTERRUPT:
        return -KVM_ENOIOCTLCMD
    if ulong(world.hw.params, pointer) != USER_IRQ:
        return -KVM_EFAULT
    return kvm_vcpu_ioctl_interrupt(world, vcpu, irq)


# The other requests of a vcpu (exit 12.6, 12.7)

#: Where the structure of each request lies.
VCPU_REQUESTS = {
    KVM_ENABLE_CAP: USER_CAP,
    KVM_DIRTY_TLB: USER_DIRTY,
    KVM_GET_ONE_REG: USER_ONE_REG,
    KVM_SET_ONE_REG: USER_ONE_REG,
}


def kvm_arch_vcpu_ioctl(world: World, vcpu: int, request: int, pointer: int) -> int:
    """The structure first, then the vcpu is loaded, then the request; ONE_REG does not load it (Q13)."""
    if request not in VCPU_REQUESTS:
        return -KVM_EINVAL
    if ulong(world.hw.params, pointer) != VCPU_REQUESTS[request]:
        return -KVM_EFAULT
    one_reg = world.user[vcpu].one_reg
    if request == KVM_GET_ONE_REG:
        return kvm_vcpu_ioctl_get_one_reg(world, vcpu, one_reg.id, one_reg.addr)
    if request == KVM_SET_ONE_REG:
        return kvm_vcpu_ioctl_set_one_reg(world, vcpu, one_reg.id, one_reg.addr)
    ioctl_vcpu_load(world, vcpu)
    enable = request == KVM_ENABLE_CAP
    ret = kvm_vcpu_ioctl_enable_cap(world, vcpu) if enable else kvm_vcpu_ioctl_dirty_tlb(world, vcpu)
    ioctl_vcpu_put(world, vcpu)
    return ret


# Capabilities (exit 1.4, 12.7)
KVM_CAP_PPC_OSI = 52
KVM_CAP_PPC_PAPR = 68
KVM_CAP_SW_TLB = 69
KVM_CAP_PPC_BOOKE_WATCHDOG = 83
KVM_CAP_PPC_EPR = 86


def kvm_vcpu_ioctl_enable_cap(world: World, vcpu: int) -> int:
    """12.7. Q32: PAPR makes a Book E vcpu insane, which is then also the answer."""
    arch, cap = world.vcpu[vcpu].arch, world.user[vcpu].cap
    if cap.flags:
        return -KVM_EINVAL
    if cap.cap == KVM_CAP_SW_TLB:
        ret = _config_tlb(world, vcpu, cap.args[0])
        return kvmppc_sanity_check(world, vcpu) if ret == 0 else ret
    if cap.cap == KVM_CAP_PPC_OSI:
        arch.osi_enabled = 1
    elif cap.cap == KVM_CAP_PPC_PAPR:
        arch.papr_enabled = 1
    elif cap.cap == KVM_CAP_PPC_BOOKE_WATCHDOG:
        arch.watchdog_enabled = 1
    elif cap.cap == KVM_CAP_PPC_EPR:
        arch.epr_flags = arch.epr_flags & ~KVMPPC_EPR_USER | (KVMPPC_EPR_USER if cap.args[0] else 0)
    else:
        return -KVM_EINVAL
    return kvmppc_sanity_check(world, vcpu)


def _config_tlb(world: World, vcpu: int, address: int) -> int:
    """KVM_CAP_SW_TLB: the address of struct kvm_config_tlb."""
    if ulong(world.hw.params, address) != USER_CONFIG_TLB:
        return -KVM_EFAULT
    return kvm_vcpu_ioctl_config_tlb(world, vcpu)


#: The most vcpus of a VM (vectors: KVM_CAP_MAX_VCPUS).
_MAX_VCPUS = 24

_NR_VCPUS = 9
#: 12.7: capabilities by their numbers in the kernel's uapi header, and the answers.
CAPABILITIES = {
    16: 1,  # SYNC_MMU
    23: 1,  # SET_GUEST_DEBUG
    36: 1,  # IOEVENTFD
    48: 1,  # PPC_PAIRED_SINGLES
    KVM_CAP_PPC_OSI: 1,
    53: 1,  # PPC_UNSET_IRQ
    54: 1,  # ENABLE_CAP
    57: 1,  # PPC_GET_PVINFO
    58: 1,  # PPC_IRQ_LEVEL
    62: 1,  # PPC_BOOKE_SREGS
    66: _MAX_VCPUS,  # MAX_VCPUS
    KVM_CAP_SW_TLB: 1,
    70: 1,  # ONE_REG
    KVM_CAP_PPC_BOOKE_WATCHDOG: 1,
    KVM_CAP_PPC_EPR: 1,
    89: 1,  # DEVICE_CTRL
    128: _MAX_VCPUS,  # MAX_VCPU_ID
    136: 1,  # IMMEDIATE_EXIT
    176: 1,  # PPC_GUEST_DEBUG_SSTEP
}


def kvm_vm_ioctl_check_extension(world: World, vcpu: int, cap: int, vm: int) -> int:
    """KVM_CHECK_EXTENSION, of a VM or without one: the answers are the same."""
    if ulong(world.hw.params, cap) == _NR_VCPUS:
        return min(world.host[world.vcpu_thread[vcpu]].online_cpus, _MAX_VCPUS)
    return CAPABILITIES.get(ulong(world.hw.params, cap), 0)


# Requests of a VM (exit 10)


def kvm_arch_vm_ioctl(world: World, vcpu: int, request: int, pointer: int) -> int:
    """KVM_PPC_GET_PVINFO: how the guest calls its hypervisor."""
    if request != KVM_PPC_GET_PVINFO:
        return -KVM_ENOTTY
    if ulong(world.hw.params, pointer) != USER_PVINFO:
        return -KVM_EFAULT
    pvinfo = world.user[vcpu].pvinfo
    pvinfo.hcall[:] = [_SC1, _NOP, _NOP, _NOP]
    pvinfo.flags = KVM_PPC_PVINFO_FLAGS_EV_IDLE
    return 0
