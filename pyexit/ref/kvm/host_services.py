# SPDX-License-Identifier: BSD-3-Clause
"""kvm/host: what KVM asks of the host kernel (vectors/SCHEMA.md, events and host.*).

Every request is an event, every answer comes from the fields of Host, so runs repeat exactly. What the kernel
cannot survive is an exception here; the call that met it reports it as its outcome, and the state stays as it
was at that moment.
"""

from __future__ import annotations

from pyexit.ref.hw.core import core_of, log, ulong
from pyexit.ref.kvm.host import Host
from pyexit.ref.kvm.trace import (
    EVENT_HALT,
    EVENT_HOST_HANDLER,
    EVENT_HRTIMER_START,
    EVENT_KICK,
    EVENT_MOD_TIMER,
    EVENT_SERVICE,
    SERVICE_COND_RESCHED,
    SERVICE_DEL_TIMER,
    SERVICE_ENTER_GUEST,
    SERVICE_GIVEUP_ALTIVEC,
    SERVICE_GIVEUP_FPU,
    SERVICE_HRTIMER_TRY_TO_CANCEL,
    SERVICE_LOAD_FP_STATE,
    SERVICE_LOAD_VR_STATE,
    SERVICE_SWITCH_BOOKE_DEBUG_REGS,
)
from pyexit.ref.kvm.vcpu import World

# How a call ended (pyexit.h)
RETURNED = 0
BUG = 1
HANG = 2
OOPS = 3

# Where the kernel stops (exit 3.3, 7.6)
SITE_EXIT_NR = 1  # booke.c:1384
SITE_INST_LOAD = 2  # booke.c:999
SITE_EPR_KERNEL = 3  # booke.c:537
SITE_PROTECT_MSR = 4  # booke.c:1951
SITE_NO_PROGRESS = 5  # kvmppc_prepare_to_enter: a request that nothing clears
SITE_HALT_LIMIT = 6  # kvm_vcpu_halt: more than host.halt_limit of them in one call
SITE_MMIO_CLASS = 7  # powerpc.c:1259: io_gpr of no class
SITE_CREATE_NULL = 8  # address 8: the error path of vcpu creation flushes through a NULL pointer
SITE_ENTRY_FETCH = 9  # bookehv_interrupts.S: the fetch's lwepx faulted and no vector knows it (exit 11.6)
SITE_XLATE = 10  # booke.c:2000 kvmppc_xlate: neither instruction nor data

# Errors that the kernel's functions return (exit 1.3)
KVM_ENOENT = 2
KVM_EINTR = 4
KVM_EAGAIN = 11
KVM_ENOMEM = 12
KVM_EFAULT = 14
KVM_EINVAL = 22
KVM_ENOTTY = 25
KVM_ENOSPC = 28
KVM_EOPNOTSUPP = 95
KVM_ENOIOCTLCMD = 515
KVM_ENOTSUPP = 524

#: More sleeps than this in one call never end, whatever host.halt_limit says.
KVM_HALT_LIMIT_MOST = 1000

#: hrtimer_start's mode: the time is relative to now.
HRTIMER_MODE_REL = 1

# MSR bits of the host thread that say whose state is in the units (exit 1.5)
HOST_MSR_FP = 0x00002000
HOST_MSR_VEC = 0x02000000

_NSEC_PER_SEC = 1000000000
_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1


class Stop(Exception):
    """The call cannot go on: `outcome` says why, `site` where."""

    def __init__(self, outcome: int, site: int) -> None:
        super().__init__(outcome, site)
        self.outcome = outcome
        self.site = site


class Bug(Stop):
    """BUG() or BUG_ON(): the host dies (exit 3.3)."""

    def __init__(self, site: int) -> None:
        super().__init__(BUG, site)


class Hang(Stop):
    """A loop that nothing can end any more."""

    def __init__(self, site: int) -> None:
        super().__init__(HANG, site)


class Oops(Stop):
    """A memory fault of the kernel itself."""

    def __init__(self, site: int) -> None:
        super().__init__(OOPS, site)


def host_of(world: World, vcpu: int) -> Host:
    """The host kernel on the hardware thread of a vcpu."""
    return world.host[world.vcpu_thread[vcpu]]


def has_altivec(world: World) -> bool:
    """Does the core have AltiVec, and its kernel the code for it?"""
    return world.hw.params.altivec == 1


def host_handler(world: World, handler: int) -> None:
    """Call the host's own interrupt handler (HOST_*)."""
    log(world.hw, EVENT_HOST_HANDLER, handler)


def service(world: World, number: int) -> None:
    """A service of the host kernel without arguments (SERVICE_*)."""
    log(world.hw, EVENT_SERVICE, number)


def set_irqs(world: World, vcpu: int, enabled: bool) -> None:
    """Host interrupts on or off."""
    host_of(world, vcpu).irq_enabled = int(enabled)


def kvmppc_fix_ee_before_entry(world: World, vcpu: int) -> None:
    """3.1 H10: a 64-bit host marks interrupts as enabled in software while MSR[EE] stays 0."""
    if world.hw.params.width == 64:
        set_irqs(world, vcpu, True)


def cond_resched(world: World, vcpu: int) -> None:
    """Let other tasks run."""
    service(world, SERVICE_COND_RESCHED)
    host_of(world, vcpu).need_resched = 0


def kvm_vcpu_halt(world: World, vcpu: int) -> None:
    """Sleep until something wakes the vcpu: what host.wake_* say; too many sleeps in one call are a hang."""
    host, state = host_of(world, vcpu), world.vcpu[vcpu]
    log(world.hw, EVENT_HALT, 0, host.irq_enabled)
    world.halts += 1
    if world.halts > min(host.halt_limit, KVM_HALT_LIMIT_MOST):
        raise Hang(SITE_HALT_LIMIT)
    if host.wake_signal:
        host.signal_pending = 1
    state.arch.pending_exceptions |= ulong(world.hw.params, host.wake_pending_exceptions)
    state.requests |= ulong(world.hw.params, host.wake_requests)


def kvm_vcpu_kick(world: World, vcpu: int) -> None:
    """Get a vcpu out of the guest, or out of its sleep."""
    log(world.hw, EVENT_KICK, 0, vcpu)


def get_tb(world: World, vcpu: int) -> int:
    """The timebase."""
    return world.hw.core[core_of(world.hw, world.vcpu_thread[vcpu])].tb


def tb_to_ns(world: World, vcpu: int, ticks: int) -> int:
    """Nanoseconds of timebase ticks: the high half of a product, shifted (vectors/SCHEMA.md, tb_freq)."""
    scale, shift = _tb_to_ns_scale(host_of(world, vcpu).tb_freq)
    return (ticks * scale >> 64) << shift & _DOUBLEWORD


def _tb_to_ns_scale(frequency: int) -> tuple[int, int]:
    """2^64 ns per tick, shifted until it fits a doubleword; a host without a clock has no time."""
    scale = (_NSEC_PER_SEC << 64) // frequency if frequency else 0
    shift = max(scale.bit_length() - 64, 0)
    return scale >> shift, shift


def hrtimer_try_to_cancel(world: World, vcpu: int) -> None:
    """Stop the decrementer's timer, without waiting for its function."""
    service(world, SERVICE_HRTIMER_TRY_TO_CANCEL)
    world.vcpu[vcpu].arch.dec_timer_armed = 0


def hrtimer_start(world: World, vcpu: int, ticks: int) -> None:
    """Arm the decrementer's timer, relative to now."""
    arch = world.vcpu[vcpu].arch
    log(world.hw, EVENT_HRTIMER_START, 0, tb_to_ns(world, vcpu, ticks), HRTIMER_MODE_REL)
    arch.dec_timer_armed = 1
    arch.dec_timer_expires = get_tb(world, vcpu) + ticks & _DOUBLEWORD


def mod_timer(world: World, vcpu: int, delay: int) -> None:
    """Arm the watchdog's timer, `delay` jiffies from now; jiffies are an unsigned long."""
    arch = world.vcpu[vcpu].arch
    arch.wdt_timer_armed = 1
    arch.wdt_timer_expires = ulong(world.hw.params, host_of(world, vcpu).jiffies + delay)
    log(world.hw, EVENT_MOD_TIMER, 0, arch.wdt_timer_expires)


def del_timer(world: World, vcpu: int) -> None:
    """Stop the watchdog's timer."""
    service(world, SERVICE_DEL_TIMER)
    world.vcpu[vcpu].arch.wdt_timer_armed = 0


def kvmppc_load_guest_fp(world: World, vcpu: int) -> None:
    """3.1: the FPU gets the guest's registers, unless it holds them."""
    _load_unit(world, vcpu, HOST_MSR_FP, SERVICE_LOAD_FP_STATE)


def kvmppc_load_guest_altivec(world: World, vcpu: int) -> None:
    """3.1: the same for AltiVec."""
    if has_altivec(world):
        _load_unit(world, vcpu, HOST_MSR_VEC, SERVICE_LOAD_VR_STATE)


def _load_unit(world: World, vcpu: int, unit: int, number: int) -> None:
    host = host_of(world, vcpu)
    if not host.thread_regs_msr & unit:
        service(world, number)
        host.thread_regs_msr |= unit


def kvmppc_save_guest_fp(world: World, vcpu: int) -> None:
    """7.7 R8: the guest's registers leave the FPU, if they are there."""
    _save_unit(world, vcpu, HOST_MSR_FP, SERVICE_GIVEUP_FPU)


def kvmppc_save_guest_altivec(world: World, vcpu: int) -> None:
    """7.7 R8: the same for AltiVec."""
    if has_altivec(world):
        _save_unit(world, vcpu, HOST_MSR_VEC, SERVICE_GIVEUP_ALTIVEC)


def _save_unit(world: World, vcpu: int, unit: int, number: int) -> None:
    host = host_of(world, vcpu)
    if host.thread_regs_msr & unit:
        service(world, number)
        host.thread_regs_msr &= ~unit


def switch_booke_debug_regs(world: World, vcpu: int) -> None:
    """7.7: hand the debug registers over."""
    service(world, SERVICE_SWITCH_BOOKE_DEBUG_REGS)


def enter_guest(world: World, vcpu: int) -> int:
    """__kvmppc_vcpu_run: the guest runs outside; its result is host.guest_enter_ret."""
    service(world, SERVICE_ENTER_GUEST)
    ret = host_of(world, vcpu).guest_enter_ret & _WORD
    return ret - (1 << 32) if ret >> 31 else ret
