# SPDX-License-Identifier: BSD-3-Clause
"""kvm/timer: the guest's decrementer and watchdog (exit 8; covers emulate.c's and booke.c's timers)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import core_of, ulong
from pyexit.ref.kvm.host_services import (
    del_timer,
    get_tb,
    host_of,
    hrtimer_start,
    hrtimer_try_to_cancel,
    kvm_vcpu_kick,
    mod_timer,
)
from pyexit.ref.kvm.irqprio import (
    KVM_REQ_PENDING_TIMER,
    KVM_REQ_WATCHDOG,
    kvm_clear_request,
    kvm_make_request,
    kvmppc_core_dequeue_dec,
    kvmppc_core_dequeue_watchdog,
    kvmppc_core_queue_dec,
    kvmppc_core_queue_watchdog,
)
from pyexit.ref.kvm.vcpu import World

# TCR (exit 1.8)
TCR_WP_MASK = 0xC0000000
TCR_WPEXT_MASK = 0x001E0000
TCR_WRC_MASK = 0x30000000
TCR_WIE = 0x08000000
TCR_DIE = 0x04000000
TCR_ARE = 0x00400000

# TSR (exit 1.8)
TSR_ENW = 0x80000000
TSR_WIS = 0x40000000
TSR_DIS = 0x08000000

# Where the two parts of the watchdog's period number are (exit 1.8)
TCR_WP_SHIFT = 30
TCR_WPEXT_SHIFT = 15

#: The longest wait of a host timer, in jiffies (exit 8.2): the watchdog is not armed for it.
NEXT_TIMER_MAX_DELTA = (1 << 30) - 1

_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1


def kvmppc_emulate_dec(world: World, vcpu: int) -> None:
    """8.1: arch.dec was written. TSR[DIS] and the pending bit stay; Q38: 0 leaves dec_jiffies old."""
    arch = world.vcpu[vcpu].arch
    hrtimer_try_to_cancel(world, vcpu)
    dec = ulong(world.hw.params, arch.dec)
    if dec == 0:
        return
    hrtimer_start(world, vcpu, dec)
    arch.dec_jiffies = get_tb(world, vcpu)


def kvmppc_get_dec(world: World, vcpu: int, tb: int) -> int:
    """8.1: what the guest reads in DEC; never negative."""
    arch = world.vcpu[vcpu].arch
    passed = (tb - arch.dec_jiffies) & _DOUBLEWORD
    dec = ulong(world.hw.params, arch.dec)
    return 0 if dec < passed else (dec - passed) & _WORD


def kvmppc_decrementer_func(world: World, vcpu: int) -> None:
    """8.1: the decrementer's host timer has expired."""
    arch = world.vcpu[vcpu].arch
    if arch.tcr & TCR_ARE:
        arch.dec = arch.decar
        kvmppc_emulate_dec(world, vcpu)
    kvmppc_set_tsr_bits(world, vcpu, TSR_DIS)


def kvmppc_set_tsr_bits(world: World, vcpu: int, bits: int) -> None:
    """8.1: the interrupt itself is queued when the request is looked at."""
    arch = world.vcpu[vcpu].arch
    arch.tsr |= bits & _WORD
    _tell_vcpu(world, vcpu)


def _tell_vcpu(world: World, vcpu: int) -> None:
    """Have the vcpu look at its timers."""
    kvm_make_request(world, vcpu, KVM_REQ_PENDING_TIMER)
    kvm_vcpu_kick(world, vcpu)


def kvmppc_clr_tsr_bits(world: World, vcpu: int, bits: int) -> None:
    """8.1: the written mask decides about the watchdog, not whether a bit was set."""
    arch = world.vcpu[vcpu].arch
    arch.tsr &= ~(bits & _WORD)
    if bits & (TSR_ENW | TSR_WIS):
        arm_next_watchdog(world, vcpu)
    update_timer_ints(world, vcpu)


def kvmppc_set_tsr(world: World, vcpu: int, value: int) -> None:
    """8.1: sregs and one_reg; the watchdog is armed anew if its bits change."""
    arch = world.vcpu[vcpu].arch
    changed = arch.tsr ^ value
    arch.tsr = value & _WORD
    if changed & (TSR_ENW | TSR_WIS):
        arm_next_watchdog(world, vcpu)
    update_timer_ints(world, vcpu)


def kvmppc_set_tcr(world: World, vcpu: int, value: int) -> None:
    """8.1: the watchdog is armed anew, whatever changed."""
    world.vcpu[vcpu].arch.tcr = value & _WORD
    arm_next_watchdog(world, vcpu)
    update_timer_ints(world, vcpu)


def watchdog_next_timeout(world: World, vcpu: int) -> int:
    """8.2: jiffies until bit 63 - P of the timebase next goes from 0 to 1; wraps only for P = 0."""
    bit = 1 << (63 - _watchdog_period(world.vcpu[vcpu].arch.tcr))
    tb = get_tb(world, vcpu)
    ticks = (tb & bit) + bit - (tb & (bit - 1)) & _DOUBLEWORD
    per_jiffy = host_of(world, vcpu).tb_ticks_per_jiffy
    # A host without a clock never gets there.
    return min(-(-ticks // per_jiffy), NEXT_TIMER_MAX_DELTA) if per_jiffy else NEXT_TIMER_MAX_DELTA


def _watchdog_period(tcr: int) -> int:
    """1.8: the period number P of E500, 0 to 63."""
    return (tcr & TCR_WP_MASK) >> TCR_WP_SHIFT | (tcr & TCR_WPEXT_MASK) >> TCR_WPEXT_SHIFT


def arm_next_watchdog(world: World, vcpu: int) -> None:
    """8.3: armed whatever TCR[WIE] and TCR[WRC] say."""
    final = TSR_ENW | TSR_WIS
    if world.vcpu[vcpu].arch.tsr & final != final:
        kvm_clear_request(world, vcpu, KVM_REQ_WATCHDOG)
    timeout = watchdog_next_timeout(world, vcpu)
    if timeout < NEXT_TIMER_MAX_DELTA:
        mod_timer(world, vcpu, timeout)
    else:
        del_timer(world, vcpu)


class Expiry(NamedTuple):
    """What an expiry of the watchdog does: the bit that it sets in TSR, and whether it is the final one."""

    sets: int
    final: bool


#: 8.3: (ENW, WIS) -> expiry.
WATCHDOG = {
    (False, False): Expiry(TSR_ENW, False),
    (False, True): Expiry(TSR_ENW, False),
    (True, False): Expiry(TSR_WIS, False),
    (True, True): Expiry(0, True),
}


def kvmppc_watchdog_func(world: World, vcpu: int) -> None:
    """8.3: the watchdog's host timer has expired; after the final expiry it stays unarmed."""
    arch = world.vcpu[vcpu].arch
    expiry = WATCHDOG[bool(arch.tsr & TSR_ENW), bool(arch.tsr & TSR_WIS)]
    arch.tsr |= expiry.sets
    if arch.tsr & TSR_WIS:
        _tell_vcpu(world, vcpu)
    if not expiry.final:
        arm_next_watchdog(world, vcpu)
    elif arch.tcr & TCR_WRC_MASK and arch.watchdog_enabled:
        kvm_make_request(world, vcpu, KVM_REQ_WATCHDOG)
        kvm_vcpu_kick(world, vcpu)


def update_timer_ints(world: World, vcpu: int) -> None:
    """8.4. Q10: TSR[WIS] queues the watchdog again on every call. The fixed-interval timer is not there."""
    arch = world.vcpu[vcpu].arch
    if arch.tcr & TCR_DIE and arch.tsr & TSR_DIS:
        kvmppc_core_queue_dec(world, vcpu)
    else:
        kvmppc_core_dequeue_dec(world, vcpu)
    if arch.tcr & TCR_WIE and arch.tsr & TSR_WIS:
        kvmppc_core_queue_watchdog(world, vcpu)
    else:
        kvmppc_core_dequeue_watchdog(world, vcpu)


def advance(world: World, ticks: int) -> None:
    """pyexit_advance(): time moves, then the host timers that are due fire, once each, vcpu by vcpu."""
    for thread, host in enumerate(world.host):
        core = world.hw.core[core_of(world.hw, thread)]
        host.jiffies = host.jiffies + _jiffies_passed(core.tb, ticks, host.tb_ticks_per_jiffy) & _DOUBLEWORD
    for core in world.hw.core:
        core.tb = core.tb + ticks & _DOUBLEWORD
    for vcpu in range(len(world.vcpu)):
        _fire_decrementer(world, vcpu)
        _fire_watchdog(world, vcpu)


def _jiffies_passed(tb: int, ticks: int, per_jiffy: int) -> int:
    """The multiples of a jiffy that the timebase passes; none on a host without a clock."""
    return (tb + ticks) // per_jiffy - tb // per_jiffy if per_jiffy else 0


def _fire_decrementer(world: World, vcpu: int) -> None:
    """Its timer counts in ticks of the timebase."""
    arch = world.vcpu[vcpu].arch
    if arch.dec_timer_armed and arch.dec_timer_expires <= get_tb(world, vcpu):
        arch.dec_timer_armed = 0
        kvmppc_decrementer_func(world, vcpu)


def _fire_watchdog(world: World, vcpu: int) -> None:
    """Jiffies wrap, so what is less than half of them ago is past."""
    arch, params = world.vcpu[vcpu].arch, world.hw.params
    late = ulong(params, host_of(world, vcpu).jiffies - arch.wdt_timer_expires)
    if arch.wdt_timer_armed and not late >> (params.width - 1):
        arch.wdt_timer_armed = 0
        kvmppc_watchdog_func(world, vcpu)
