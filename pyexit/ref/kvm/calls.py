# SPDX-License-Identifier: BSD-3-Clause
"""kvm/calls: the exit handler's functions by their names, for api.CALLS (pyexit.h, pyexit_call)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyexit.ref.kvm.debug import (
    kvm_arch_vcpu_ioctl_set_guest_debug,
    kvm_guest_protect_msr,
    kvmppc_handle_debug,
)
from pyexit.ref.kvm.entry import (
    kvm_arch_vcpu_load,
    kvm_arch_vcpu_put,
    kvm_arch_vcpu_runnable,
    kvmppc_core_check_requests,
    kvmppc_core_prepare_to_enter,
    kvmppc_core_vcpu_load,
    kvmppc_core_vcpu_put,
    kvmppc_prepare_to_enter,
    kvmppc_set_epcr,
    kvmppc_vcpu_run,
)
from pyexit.ref.kvm.exit import kvmppc_handle_exit
from pyexit.ref.kvm.hcall import kvmppc_kvm_pv
from pyexit.ref.kvm.host_services import RETURNED, Stop
from pyexit.ref.kvm.irqprio import (
    kvmppc_booke_irqprio_deliver,
    kvmppc_booke_queue_irqprio,
    kvmppc_core_check_exceptions,
    kvmppc_core_dequeue_debug,
    kvmppc_core_dequeue_dec,
    kvmppc_core_dequeue_external,
    kvmppc_core_pending_dec,
    kvmppc_core_queue_alignment,
    kvmppc_core_queue_data_storage,
    kvmppc_core_queue_debug,
    kvmppc_core_queue_dec,
    kvmppc_core_queue_dtlb_miss,
    kvmppc_core_queue_external,
    kvmppc_core_queue_fpunavail,
    kvmppc_core_queue_inst_storage,
    kvmppc_core_queue_itlb_miss,
    kvmppc_core_queue_program,
    kvmppc_core_queue_vec_unavail,
    kvmppc_set_msr,
)
from pyexit.ref.kvm.stlb import kvmppc_core_flush_tlb
from pyexit.ref.kvm.timer import (
    arm_next_watchdog,
    kvmppc_clr_tsr_bits,
    kvmppc_decrementer_func,
    kvmppc_emulate_dec,
    kvmppc_get_dec,
    kvmppc_set_tcr,
    kvmppc_set_tsr,
    kvmppc_set_tsr_bits,
    kvmppc_watchdog_func,
    update_timer_ints,
    watchdog_next_timeout,
)
from pyexit.ref.kvm.timing import kvmppc_init_timing_stats, kvmppc_update_timing_stats
from pyexit.ref.kvm.vcpu import World

_WORD = (1 << 32) - 1


class CallResult(NamedTuple):
    """struct pyexit_result: ret counts only if the outcome is RETURNED."""

    ret: int
    value: tuple[int, int, int, int, int]
    outcome: int
    site: int


class KvmCall(NamedTuple):
    """A function: the arguments that it uses, those that it accepts (the vcpu included), itself."""

    arguments: int
    accepted: range
    function: Callable[..., int | None]


def _uint(function: Callable[[World, int, int], int | None]) -> Callable[..., int | None]:
    """A function whose argument is an unsigned int in the kernel."""
    return lambda world, vcpu, value: function(world, vcpu, value & _WORD)


def _exactly(arguments: int, function: Callable[..., int | None]) -> KvmCall:
    return KvmCall(arguments, range(arguments, arguments + 1), function)


def _queue(arguments: int, function: Callable[..., int | None]) -> KvmCall:
    """The vectors give every one of these a DEAR and an ESR, used or not."""
    return KvmCall(arguments, range(arguments, 4), function)


#: Breakpoints of struct kvm_guest_debug; each is an address and a type.
_BREAKPOINTS = 16

#: In pyexit.h's order.
KVM_CALLS = {
    "kvmppc_handle_exit": _exactly(2, _uint(kvmppc_handle_exit)),
    "kvmppc_vcpu_run": _exactly(1, kvmppc_vcpu_run),
    "kvmppc_prepare_to_enter": _exactly(1, kvmppc_prepare_to_enter),
    "kvmppc_core_prepare_to_enter": _exactly(1, kvmppc_core_prepare_to_enter),
    "kvmppc_core_check_requests": _exactly(1, kvmppc_core_check_requests),
    "kvmppc_core_check_exceptions": _exactly(1, kvmppc_core_check_exceptions),
    "kvmppc_booke_irqprio_deliver": _exactly(2, _uint(kvmppc_booke_irqprio_deliver)),
    "kvmppc_booke_queue_irqprio": _queue(2, _uint(kvmppc_booke_queue_irqprio)),
    "kvmppc_core_queue_dtlb_miss": _queue(3, kvmppc_core_queue_dtlb_miss),
    "kvmppc_core_queue_data_storage": _queue(3, kvmppc_core_queue_data_storage),
    "kvmppc_core_queue_alignment": _queue(3, kvmppc_core_queue_alignment),
    "kvmppc_core_queue_inst_storage": _queue(2, kvmppc_core_queue_inst_storage),
    "kvmppc_core_queue_program": _queue(2, kvmppc_core_queue_program),
    "kvmppc_core_queue_itlb_miss": _queue(1, kvmppc_core_queue_itlb_miss),
    "kvmppc_core_queue_fpunavail": _queue(1, kvmppc_core_queue_fpunavail),
    "kvmppc_core_queue_vec_unavail": _queue(1, kvmppc_core_queue_vec_unavail),
    "kvmppc_core_queue_dec": _queue(1, kvmppc_core_queue_dec),
    "kvmppc_core_queue_debug": _queue(1, kvmppc_core_queue_debug),
    "kvmppc_core_dequeue_dec": _queue(1, kvmppc_core_dequeue_dec),
    "kvmppc_core_dequeue_debug": _queue(1, kvmppc_core_dequeue_debug),
    "kvmppc_core_dequeue_external": _queue(1, kvmppc_core_dequeue_external),
    "kvmppc_core_pending_dec": _queue(1, kvmppc_core_pending_dec),
    "kvmppc_core_queue_external": _queue(2, _uint(kvmppc_core_queue_external)),
    "kvm_arch_vcpu_runnable": _exactly(1, kvm_arch_vcpu_runnable),
    "kvmppc_set_msr": _exactly(2, kvmppc_set_msr),
    "kvmppc_set_epcr": _exactly(2, kvmppc_set_epcr),
    "kvmppc_core_vcpu_load": _exactly(1, kvmppc_core_vcpu_load),
    "kvmppc_core_vcpu_put": _exactly(1, kvmppc_core_vcpu_put),
    "kvm_arch_vcpu_load": KvmCall(1, range(1, 3), kvm_arch_vcpu_load),  # its cpu is the thread
    "kvm_arch_vcpu_put": _exactly(1, kvm_arch_vcpu_put),
    "kvmppc_core_flush_tlb": _exactly(1, kvmppc_core_flush_tlb),
    "kvmppc_set_tcr": _exactly(2, kvmppc_set_tcr),
    "kvmppc_set_tsr": _exactly(2, kvmppc_set_tsr),
    "kvmppc_set_tsr_bits": _exactly(2, kvmppc_set_tsr_bits),
    "kvmppc_clr_tsr_bits": _exactly(2, kvmppc_clr_tsr_bits),
    "update_timer_ints": _exactly(1, update_timer_ints),
    "arm_next_watchdog": _exactly(1, arm_next_watchdog),
    "watchdog_next_timeout": _exactly(1, watchdog_next_timeout),
    "kvmppc_watchdog_func": _exactly(1, kvmppc_watchdog_func),
    "kvmppc_decrementer_func": _exactly(1, kvmppc_decrementer_func),
    "kvmppc_emulate_dec": _exactly(1, kvmppc_emulate_dec),
    "kvmppc_get_dec": _exactly(2, kvmppc_get_dec),
    "kvmppc_kvm_pv": _exactly(1, kvmppc_kvm_pv),
    "kvmppc_handle_debug": _exactly(1, kvmppc_handle_debug),
    "kvm_guest_protect_msr": _exactly(3, kvm_guest_protect_msr),
    "kvm_arch_vcpu_ioctl_set_guest_debug": KvmCall(
        2 + 2 * _BREAKPOINTS, range(2, 3 + 2 * _BREAKPOINTS, 2), kvm_arch_vcpu_ioctl_set_guest_debug
    ),
    "kvmppc_update_timing_stats": _exactly(1, kvmppc_update_timing_stats),
    "kvmppc_init_timing_stats": _exactly(1, kvmppc_init_timing_stats),
}


def kvm_call(world: World, entry: KvmCall, vcpu: int, *args: int) -> CallResult:
    """Call a function; a BUG or hang ends it with the state as it was at that moment."""
    world.halts = 0
    try:
        ret = entry.function(world, vcpu, *args[: entry.arguments - 1])
    except Stop as stop:
        return CallResult(0, (0, 0, 0, 0, 0), stop.outcome, stop.site)
    return CallResult(ret or 0, (0, 0, 0, 0, 0), RETURNED, 0)
