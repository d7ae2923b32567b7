# SPDX-License-Identifier: BSD-3-Clause
"""kvm/entry: what is settled before the guest runs, running it, loading a vcpu (exit 7.6, 7.7, 12.3).

Covers booke.c, powerpc.c, e500mc.c.
"""

from __future__ import annotations

from dataclasses import replace

from pyexit.ref.hw.core import ppc_mfspr, ppc_mtspr
from pyexit.ref.hw.regs import (
    EPC_EGS,
    EPC_ELPID_SHIFT,
    EPCR_GICM,
    EPCR_ICM,
    MSR_WE,
    SPR_DBSR,
    SPR_EPCR,
    SPR_EPLC,
    SPR_EPSC,
    SPR_GDEAR,
    SPR_GEPR,
    SPR_GESR,
    SPR_GIVOR2,
    SPR_GIVOR8,
    SPR_GIVPR,
    SPR_GPIR,
    SPR_GSPRG0,
    SPR_GSPRG1,
    SPR_GSPRG2,
    SPR_GSPRG3,
    SPR_GSRR0,
    SPR_GSRR1,
    SPR_LPID,
    SPR_MSRP,
    SPR_PIR,
    SPR_VRSAVE,
)
from pyexit.ref.kvm.host import DebugReg
from pyexit.ref.kvm.host_services import (
    KVM_EINTR,
    KVM_EINVAL,
    SITE_NO_PROGRESS,
    Hang,
    cond_resched,
    enter_guest,
    host_of,
    kvm_vcpu_halt,
    kvmppc_fix_ee_before_entry,
    kvmppc_load_guest_altivec,
    kvmppc_load_guest_fp,
    kvmppc_save_guest_altivec,
    kvmppc_save_guest_fp,
    set_irqs,
    switch_booke_debug_regs,
)
from pyexit.ref.kvm.irqprio import (
    BOOKE_IRQPRIO_DATA_STORAGE,
    BOOKE_IRQPRIO_SYSCALL,
    KVM_REQ_EPR_EXIT,
    KVM_REQ_PENDING_TIMER,
    KVM_REQ_TLB_FLUSH,
    KVM_REQ_WATCHDOG,
    kvm_check_request,
    kvm_requests,
    kvmppc_core_check_exceptions,
)
from pyexit.ref.kvm.kvm_run import (
    KVM_EXIT_EPR,
    KVM_EXIT_INTERNAL_ERROR,
    KVM_EXIT_INTR,
    KVM_EXIT_WATCHDOG,
    set_epr,
)
from pyexit.ref.kvm.stlb import kvmppc_core_flush_tlb, kvmppc_e500_tlbil_all
from pyexit.ref.kvm.timer import update_timer_ints
from pyexit.ref.kvm.timing import (
    EMULATED_MTMSRWE_EXITS,
    SIGNAL_EXITS,
    kvmppc_account_exit,
    kvmppc_set_exit_type,
)
from pyexit.ref.kvm.trace import (
    WARN_CORE_PREPARE_TO_ENTER,
    WARN_PREPARE_TO_ENTER,
    trace_kvm_check_requests,
    warn,
)
from pyexit.ref.kvm.vcpu import World, kvmppc_get_lpid

# What the exit handler tells the low-level code (exit 1.3)
RESUME_FLAG_NV = 1
RESUME_FLAG_HOST = 2
RESUME_GUEST = 0
RESUME_GUEST_NV = 1
RESUME_HOST = 2
RESUME_HOST_NV = 3

# vcpu.mode (exit 1.4)
OUTSIDE_GUEST_MODE = 0
IN_GUEST_MODE = 1

#: vcpu.cpu when the vcpu is loaded nowhere: -1 (exit 12.3).
NO_CPU = 0xFFFFFFFF

#: What kvmppc_prepare_to_enter says when the guest can be entered; all else is a result for user space.
_ENTER = 1
_AGAIN = None

#: Requests that kvmppc_core_check_requests takes; nothing takes the others.
_CHECKED_REQUESTS = (
    1 << KVM_REQ_TLB_FLUSH | 1 << KVM_REQ_WATCHDOG | 1 << KVM_REQ_EPR_EXIT | 1 << KVM_REQ_PENDING_TIMER
)

_WORD = (1 << 32) - 1


# Before the guest runs (exit 7.6)


def kvm_arch_vcpu_runnable(world: World, vcpu: int) -> int:
    """Anything pending or asked for, masked or not (Q25)."""
    state = world.vcpu[vcpu]
    return int(bool(state.arch.pending_exceptions or kvm_requests(world, vcpu)))


def kvmppc_core_check_requests(world: World, vcpu: int) -> int:
    """Serve the requests in this order; 1, or 0 for user space. Q8: EPR_EXIT hides WATCHDOG, now gone."""
    state, run = world.vcpu[vcpu], world.run[vcpu]
    ret = 1
    if kvm_check_request(world, vcpu, KVM_REQ_PENDING_TIMER):
        update_timer_ints(world, vcpu)
    if kvm_check_request(world, vcpu, KVM_REQ_TLB_FLUSH):
        kvmppc_core_flush_tlb(world, vcpu)
    if kvm_check_request(world, vcpu, KVM_REQ_WATCHDOG):
        run.exit_reason = KVM_EXIT_WATCHDOG
        ret = 0
    if kvm_check_request(world, vcpu, KVM_REQ_EPR_EXIT):
        set_epr(run, 0)
        state.arch.epr_needed = 1
        run.exit_reason = KVM_EXIT_EPR
        ret = 0
    return ret


def kvmppc_core_prepare_to_enter(world: World, vcpu: int) -> int:
    """Deliver; 1 if all has to be looked at once more. Q26: only a delivery or user space clears MSR[WE]."""
    state = world.vcpu[vcpu]
    if host_of(world, vcpu).irq_enabled:
        warn(world, WARN_CORE_PREPARE_TO_ENTER)
    kvmppc_core_check_exceptions(world, vcpu)
    if kvm_requests(world, vcpu):
        return 1
    if not state.arch.shared.msr & MSR_WE:
        return 0
    set_irqs(world, vcpu, True)
    kvm_vcpu_halt(world, vcpu)
    set_irqs(world, vcpu, False)
    kvmppc_set_exit_type(world, vcpu, EMULATED_MTMSRWE_EXITS)
    return 1


def kvmppc_prepare_to_enter(world: World, vcpu: int) -> int:
    """1: interrupts are off, enter the guest; else they are on and user space gets this.

    Q6: every turn of the loop may deliver one more interrupt on top of the last.
    """
    if host_of(world, vcpu).irq_enabled == 0:
        warn(world, WARN_PREPARE_TO_ENTER)
    set_irqs(world, vcpu, False)
    ret = _AGAIN
    while ret is _AGAIN:
        ret = _try_to_enter(world, vcpu)
    if ret != _ENTER:
        set_irqs(world, vcpu, True)
    return ret


def _try_to_enter(world: World, vcpu: int) -> int | None:
    """One turn: enter, leave for user space, or again."""
    host, state = host_of(world, vcpu), world.vcpu[vcpu]
    if host.need_resched:
        set_irqs(world, vcpu, True)
        cond_resched(world, vcpu)
        set_irqs(world, vcpu, False)
        return _AGAIN
    if host.signal_pending:
        kvmppc_account_exit(world, vcpu, SIGNAL_EXITS)
        world.run[vcpu].exit_reason = KVM_EXIT_INTR
        return -KVM_EINTR
    state.mode = IN_GUEST_MODE
    if kvm_requests(world, vcpu):
        return _serve_requests(world, vcpu)
    return _AGAIN if kvmppc_core_prepare_to_enter(world, vcpu) else _ENTER


def _serve_requests(world: World, vcpu: int) -> int | None:
    """Step 4. A request that nothing takes keeps the loop from ever coming to step 5."""
    set_irqs(world, vcpu, True)
    trace_kvm_check_requests(world, vcpu)
    ret = kvmppc_core_check_requests(world, vcpu)
    set_irqs(world, vcpu, False)
    if ret <= 0:
        return ret
    if kvm_requests(world, vcpu) & ~_CHECKED_REQUESTS:
        raise Hang(SITE_NO_PROGRESS)
    return _AGAIN


# Running it (exit 7.7)


def kvmppc_vcpu_run(world: World, vcpu: int) -> int:
    """KVM_RUN, inside: what the guest's last exit came to."""
    ret = kvmppc_vcpu_run_begin(world, vcpu)
    if ret <= 0:
        return ret
    ret = enter_guest(world, vcpu)
    kvmppc_vcpu_run_end(world, vcpu)
    return ret


def kvmppc_vcpu_run_begin(world: World, vcpu: int) -> int:
    """R1 to R5: positive if the guest can be entered, else what user space gets."""
    if not world.vcpu[vcpu].arch.sane:
        world.run[vcpu].exit_reason = KVM_EXIT_INTERNAL_ERROR
        return -KVM_EINVAL
    ret = kvmppc_prepare_to_enter(world, vcpu)
    if ret <= 0:
        world.vcpu[vcpu].mode = OUTSIDE_GUEST_MODE
        return ret
    kvmppc_load_guest_fp(world, vcpu)
    kvmppc_load_guest_altivec(world, vcpu)
    _debug_guest(world, vcpu)
    kvmppc_fix_ee_before_entry(world, vcpu)
    return ret


def kvmppc_vcpu_run_end(world: World, vcpu: int) -> None:
    """R7 to R9: the thread gets its debug registers and units back."""
    host = host_of(world, vcpu)
    switch_booke_debug_regs(world, vcpu)
    host.thread_debug, host.saved_debug = host.saved_debug, DebugReg()
    kvmppc_save_guest_fp(world, vcpu)
    kvmppc_save_guest_altivec(world, vcpu)
    world.vcpu[vcpu].mode = OUTSIDE_GUEST_MODE


def _debug_guest(world: World, vcpu: int) -> None:
    """R4: the thread takes the guest's debug registers over; its own are kept."""
    host = host_of(world, vcpu)
    switch_booke_debug_regs(world, vcpu)
    host.saved_debug, host.thread_debug = host.thread_debug, replace(world.vcpu[vcpu].arch.dbg_reg)


# Loading a vcpu on a thread (exit 12.2, 12.3)


def kvmppc_set_epcr(world: World, vcpu: int, value: int) -> None:
    """12.2: the guest's EPCR, on 64-bit hosts; ICM becomes the hardware's GICM at the next load."""
    arch = world.vcpu[vcpu].arch
    if world.hw.params.width == 64:
        arch.epcr = value & _WORD
        arch.shadow_epcr &= ~EPCR_GICM
        arch.shadow_epcr |= EPCR_GICM if value & EPCR_ICM else 0


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1]


def _mtspr(world: World, vcpu: int, spr: int, value: int) -> None:
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], spr, value)


def kvmppc_core_vcpu_load(world: World, vcpu: int) -> None:
    """12.3: the guest's registers into the hardware, in the kernel's order; stale TLB entries out."""
    state, host = world.vcpu[vcpu], host_of(world, vcpu)
    arch = state.arch
    state.cpu = host.cpu
    lpid = kvmppc_get_lpid(world, vcpu)
    arch.eplc = arch.epsc = (EPC_EGS | lpid << EPC_ELPID_SHIFT) & _WORD
    for spr, value in (
        (SPR_LPID, lpid),
        (SPR_EPCR, arch.shadow_epcr),
        (SPR_GPIR, state.vcpu_id),
        (SPR_MSRP, arch.shadow_msrp),
        (SPR_EPLC, arch.eplc),
        (SPR_EPSC, arch.epsc),
        (SPR_GIVPR, arch.ivpr),
        (SPR_GIVOR2, arch.ivor[BOOKE_IRQPRIO_DATA_STORAGE]),
        (SPR_GIVOR8, arch.ivor[BOOKE_IRQPRIO_SYSCALL]),
        (SPR_GSPRG0, arch.shared.sprg0),
        (SPR_GSPRG1, arch.shared.sprg1),
        (SPR_GSPRG2, arch.shared.sprg2),
        (SPR_GSPRG3, arch.shared.sprg3),
        (SPR_GSRR0, arch.shared.srr0),
        (SPR_GSRR1, arch.shared.srr1),
        (SPR_GEPR, arch.epr),
        (SPR_GDEAR, arch.shared.dar),
        (SPR_GESR, arch.shared.esr),
    ):
        _mtspr(world, vcpu, spr, value)
    if arch.oldpir != _mfspr(world, vcpu, SPR_PIR) or host.last_vcpu_self != vcpu + 1:
        kvmppc_e500_tlbil_all(world, vcpu)
        host.last_vcpu_self = vcpu + 1


def kvmppc_core_vcpu_put(world: World, vcpu: int) -> None:
    """12.3: the guest's registers out of the hardware, in the kernel's order."""
    state = world.vcpu[vcpu]
    arch, shared = state.arch, state.arch.shared
    arch.eplc = _mfspr(world, vcpu, SPR_EPLC) & _WORD
    arch.epsc = _mfspr(world, vcpu, SPR_EPSC) & _WORD
    shared.sprg0 = _mfspr(world, vcpu, SPR_GSPRG0)
    shared.sprg1 = _mfspr(world, vcpu, SPR_GSPRG1)
    shared.sprg2 = _mfspr(world, vcpu, SPR_GSPRG2)
    shared.sprg3 = _mfspr(world, vcpu, SPR_GSPRG3)
    shared.srr0 = _mfspr(world, vcpu, SPR_GSRR0)
    shared.srr1 = _mfspr(world, vcpu, SPR_GSRR1)
    arch.epr = _mfspr(world, vcpu, SPR_GEPR) & _WORD
    shared.dar = _mfspr(world, vcpu, SPR_GDEAR)
    shared.esr = _mfspr(world, vcpu, SPR_GESR) & _WORD
    arch.oldpir = _mfspr(world, vcpu, SPR_PIR) & _WORD
    state.cpu = NO_CPU
    kvmppc_clear_dbsr(world, vcpu)


def kvmppc_clear_dbsr(world: World, vcpu: int) -> None:
    """DBSR clears where ones are written: its own value clears it."""
    _mtspr(world, vcpu, SPR_DBSR, _mfspr(world, vcpu, SPR_DBSR))


def kvm_arch_vcpu_load(world: World, vcpu: int) -> None:
    """12.3, whole: VRSAVE too."""
    _mtspr(world, vcpu, SPR_VRSAVE, world.vcpu[vcpu].arch.vrsave)
    kvmppc_core_vcpu_load(world, vcpu)


def kvm_arch_vcpu_put(world: World, vcpu: int) -> None:
    """12.3, whole."""
    kvmppc_core_vcpu_put(world, vcpu)
    world.vcpu[vcpu].arch.vrsave = _mfspr(world, vcpu, SPR_VRSAVE) & _WORD


def ioctl_vcpu_load(world: World, vcpu: int) -> None:
    """vcpu_load() in an ioctl; the older vectors' does nothing (vectors/SCHEMA.md, real_vcpu_load)."""
    if host_of(world, vcpu).real_vcpu_load:
        kvm_arch_vcpu_load(world, vcpu)


def ioctl_vcpu_put(world: World, vcpu: int) -> None:
    """vcpu_put() in an ioctl."""
    if host_of(world, vcpu).real_vcpu_load:
        kvm_arch_vcpu_put(world, vcpu)
