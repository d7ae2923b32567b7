# SPDX-License-Identifier: BSD-3-Clause
"""kvm/calls: the exit handler's functions by their names, for api.CALLS (pyexit.h, pyexit_call)."""

from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL
from typing import NamedTuple

from pyexit.ref.kvm.config_tlb import kvm_vcpu_ioctl_config_tlb, kvm_vcpu_ioctl_dirty_tlb
from pyexit.ref.kvm.create import (
    kvm_arch_destroy_vm,
    kvm_arch_init_vm,
    kvm_arch_vcpu_create,
    kvm_arch_vcpu_destroy,
    kvmppc_alloc_lpid,
    kvmppc_core_check_processor_compat,
    kvmppc_core_destroy_vm,
    kvmppc_core_vcpu_create,
    kvmppc_core_vcpu_free,
    kvmppc_core_vcpu_setup,
    kvmppc_free_lpid,
    kvmppc_sanity_check,
    kvmppc_subarch_vcpu_init,
    kvmppc_subarch_vcpu_uninit,
)
from pyexit.ref.kvm.debug import (
    kvm_arch_vcpu_ioctl_set_guest_debug,
    kvm_guest_protect_msr,
    kvmppc_handle_debug,
)
from pyexit.ref.kvm.emulate import kvmppc_emulate_instruction
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
from pyexit.ref.kvm.exit import emulation_exit, kvmppc_handle_exit
from pyexit.ref.kvm.gtlb import (
    kvmppc_core_vcpu_translate,
    kvmppc_e500_emul_mt_mmucsr0,
    kvmppc_e500_emul_tlbilx,
    kvmppc_e500_emul_tlbivax,
    kvmppc_e500_emul_tlbre,
    kvmppc_e500_emul_tlbsx,
    kvmppc_e500_emul_tlbwe,
    kvmppc_mmu_dtlb_index,
    kvmppc_mmu_dtlb_miss,
    kvmppc_mmu_itlb_index,
    kvmppc_mmu_itlb_miss,
    kvmppc_mmu_xlate,
)
from pyexit.ref.kvm.hcall import kvmppc_kvm_pv
from pyexit.ref.kvm.host_services import KVM_ENOENT, RETURNED, Stop
from pyexit.ref.kvm.ioctl import (
    kvm_arch_vcpu_async_ioctl,
    kvm_arch_vcpu_ioctl,
    kvm_arch_vcpu_ioctl_get_fpu,
    kvm_arch_vcpu_ioctl_get_mpstate,
    kvm_arch_vcpu_ioctl_get_regs,
    kvm_arch_vcpu_ioctl_get_sregs,
    kvm_arch_vcpu_ioctl_set_fpu,
    kvm_arch_vcpu_ioctl_set_mpstate,
    kvm_arch_vcpu_ioctl_set_regs,
    kvm_arch_vcpu_ioctl_set_sregs,
    kvm_arch_vcpu_ioctl_translate,
    kvm_arch_vm_ioctl,
    kvm_cpu_has_pending_timer,
    kvm_vcpu_ioctl_interrupt,
    kvm_vm_ioctl_check_extension,
    kvm_vm_ioctl_enable_cap,
)
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
from pyexit.ref.kvm.loadstore import kvmppc_emulate_loadstore, kvmppc_emulate_mmio
from pyexit.ref.kvm.mmio import (
    GUEST_BYTES,
    kvm_arch_vcpu_ioctl_run,
    kvmppc_complete_mmio_load,
    kvmppc_handle_load,
    kvmppc_handle_loads,
    kvmppc_handle_store,
    kvmppc_ld,
    kvmppc_st,
    kvmppc_xlate,
)
from pyexit.ref.kvm.one_reg import kvm_vcpu_ioctl_get_one_reg, kvm_vcpu_ioctl_set_one_reg
from pyexit.ref.kvm.stlb import (
    inval_gtlbe_on_host,
    kvmppc_core_flush_tlb,
    kvmppc_e500_tlbil_one,
    kvmppc_mmu_map,
    mmu_notifier_invalidate,
)
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


#: What a function gives: nothing, a number, or a number and further results.
Answer = int | tuple[int, ...] | None

_VALUES = 5


class KvmCall(NamedTuple):
    """A function: the arguments that it uses, those that it accepts (the vcpu included), itself."""

    arguments: int
    accepted: range
    function: Callable[..., Answer]
    kind: str = "vcpu"  # what the first argument numbers


def _uint(function: Callable[[World, int, int], Answer]) -> Callable[..., Answer]:
    """A function whose argument is an unsigned int in the kernel."""
    return lambda world, vcpu, value: function(world, vcpu, value & _WORD)


def _exactly(arguments: int, function: Callable[..., Answer]) -> KvmCall:
    return KvmCall(arguments, range(arguments, arguments + 1), function)


def _queue(arguments: int, function: Callable[..., Answer]) -> KvmCall:
    """The vectors give every one of these a DEAR and an ESR, used or not."""
    return KvmCall(arguments, range(arguments, 4), function)


def _translate(world: World, vcpu: int, linear_address: int) -> Answer:
    return 0, *kvmppc_core_vcpu_translate(world, vcpu, linear_address)


def _mmu_xlate(world: World, vcpu: int, index: int, ea: int) -> Answer:
    """An address has 64 bits, a return value a sign."""
    gpa = kvmppc_mmu_xlate(world, vcpu, index, ea)
    return gpa - (1 << 64) if gpa >> 63 else gpa


def _tlbilx(world: World, vcpu: int, type: int, ea: int) -> Answer:
    return kvmppc_e500_emul_tlbilx(world, vcpu, type & _WORD, ea)


def _inval(world: World, vcpu: int, tlbsel: int, esel: int) -> None:
    inval_gtlbe_on_host(world, vcpu, tlbsel & 1, esel & _WORD)


def _load(function: Callable[[World, int, int, int, int], int]) -> Callable[..., Answer]:
    """A load: register, bytes and byte order are unsigned ints in the kernel."""
    return lambda world, vcpu, rt, length, default_endian: function(
        world, vcpu, rt & _WORD, length & _WORD, default_endian & _WORD
    )


def _store(world: World, vcpu: int, value: int, length: int, default_endian: int) -> Answer:
    return kvmppc_handle_store(world, vcpu, value, length & _WORD, default_endian & _WORD)


def _buffer_size(size: int) -> int:
    """The buffer is four doublewords, and the kernel's callers never ask for more than theirs."""
    if size > GUEST_BYTES:
        raise OSError(EINVAL, f"size={size} is more than the {GUEST_BYTES} bytes of the buffer")
    return size


def _ld(world: World, vcpu: int, eaddr: int, size: int, is_data: int) -> Answer:
    """The address as it is afterwards, and the buffer in doublewords."""
    access = kvmppc_ld(world, vcpu, eaddr, _buffer_size(size), is_data & _WORD)
    words = (int.from_bytes(access.data[n : n + 8], "big") for n in range(0, GUEST_BYTES, 8))
    return (access.ret, access.eaddr, *words)


def _st(world: World, vcpu: int, eaddr: int, size: int, is_data: int, *buffer: int) -> Answer:
    """The address as it is afterwards."""
    data = b"".join(word.to_bytes(8, "big") for word in buffer)
    access = kvmppc_st(world, vcpu, eaddr, data[: _buffer_size(size)], is_data & _WORD)
    return (access.ret, access.eaddr)


def _xlate(world: World, vcpu: int, eaddr: int, xlid: int, _xlrw: int) -> Answer:
    """The translation; all 0 where there is none."""
    pte = kvmppc_xlate(world, vcpu, eaddr, xlid & _WORD)
    return (-KVM_ENOENT, 0, 0, 0, 0) if pte is None else (0, *pte)


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
    "emulation_exit": _exactly(1, emulation_exit),
    "kvmppc_emulate_instruction": _exactly(1, kvmppc_emulate_instruction),
    "kvmppc_emulate_mmio": _exactly(1, kvmppc_emulate_mmio),
    "kvmppc_emulate_loadstore": _exactly(1, kvmppc_emulate_loadstore),
    "kvmppc_complete_mmio_load": _exactly(1, kvmppc_complete_mmio_load),
    "kvmppc_handle_load": _exactly(4, _load(kvmppc_handle_load)),
    "kvmppc_handle_loads": _exactly(4, _load(kvmppc_handle_loads)),
    "kvmppc_handle_store": _exactly(4, _store),
    "kvm_arch_vcpu_ioctl_run": _exactly(1, kvm_arch_vcpu_ioctl_run),
    "kvmppc_ld": _exactly(4, _ld),
    "kvmppc_st": _exactly(8, _st),
    "kvmppc_xlate": _exactly(4, _xlate),
    "kvmppc_e500_emul_tlbwe": _exactly(1, kvmppc_e500_emul_tlbwe),
    "kvmppc_e500_emul_tlbre": _exactly(1, kvmppc_e500_emul_tlbre),
    "kvmppc_e500_emul_tlbsx": _exactly(2, kvmppc_e500_emul_tlbsx),
    "kvmppc_e500_emul_tlbivax": _exactly(2, kvmppc_e500_emul_tlbivax),
    "kvmppc_e500_emul_tlbilx": _exactly(3, _tlbilx),
    "kvmppc_e500_emul_mt_mmucsr0": _exactly(2, kvmppc_e500_emul_mt_mmucsr0),
    "kvmppc_mmu_itlb_index": _exactly(2, kvmppc_mmu_itlb_index),
    "kvmppc_mmu_dtlb_index": _exactly(2, kvmppc_mmu_dtlb_index),
    "kvmppc_mmu_xlate": _exactly(3, _mmu_xlate),
    "kvmppc_mmu_itlb_miss": _exactly(1, kvmppc_mmu_itlb_miss),
    "kvmppc_mmu_dtlb_miss": _exactly(1, kvmppc_mmu_dtlb_miss),
    "kvmppc_core_vcpu_translate": _exactly(2, _translate),
    "kvmppc_mmu_map": _exactly(4, kvmppc_mmu_map),
    "inval_gtlbe_on_host": _exactly(3, _inval),
    "kvmppc_e500_tlbil_one": _exactly(2, _uint(kvmppc_e500_tlbil_one)),
    "kvm_vcpu_ioctl_dirty_tlb": _exactly(1, kvm_vcpu_ioctl_dirty_tlb),
    "kvm_vcpu_ioctl_config_tlb": _exactly(1, kvm_vcpu_ioctl_config_tlb),
    "mmu_notifier_invalidate": KvmCall(1, range(1, 2), mmu_notifier_invalidate, "vm"),
    "kvm_arch_vcpu_ioctl_get_regs": _exactly(1, kvm_arch_vcpu_ioctl_get_regs),
    "kvm_arch_vcpu_ioctl_set_regs": _exactly(1, kvm_arch_vcpu_ioctl_set_regs),
    "kvm_arch_vcpu_ioctl_get_sregs": _exactly(1, kvm_arch_vcpu_ioctl_get_sregs),
    "kvm_arch_vcpu_ioctl_set_sregs": _exactly(1, kvm_arch_vcpu_ioctl_set_sregs),
    "kvm_arch_vcpu_ioctl_get_fpu": _exactly(1, kvm_arch_vcpu_ioctl_get_fpu),
    "kvm_arch_vcpu_ioctl_set_fpu": _exactly(1, kvm_arch_vcpu_ioctl_set_fpu),
    "kvm_arch_vcpu_ioctl_get_mpstate": _exactly(1, kvm_arch_vcpu_ioctl_get_mpstate),
    "kvm_arch_vcpu_ioctl_set_mpstate": _exactly(2, kvm_arch_vcpu_ioctl_set_mpstate),
    "kvm_vcpu_ioctl_get_one_reg": _exactly(3, kvm_vcpu_ioctl_get_one_reg),
    "kvm_vcpu_ioctl_set_one_reg": _exactly(3, kvm_vcpu_ioctl_set_one_reg),
    "kvm_arch_vcpu_ioctl": _exactly(3, kvm_arch_vcpu_ioctl),
    "kvm_arch_vcpu_async_ioctl": _exactly(4, kvm_arch_vcpu_async_ioctl),
    "kvm_vcpu_ioctl_interrupt": _exactly(2, _uint(kvm_vcpu_ioctl_interrupt)),
    "kvm_arch_vcpu_ioctl_translate": _exactly(2, kvm_arch_vcpu_ioctl_translate),
    "kvm_arch_vcpu_create": _exactly(1, kvm_arch_vcpu_create),
    "kvmppc_core_vcpu_create": _exactly(1, kvmppc_core_vcpu_create),
    "kvmppc_core_vcpu_setup": _exactly(1, kvmppc_core_vcpu_setup),
    "kvmppc_subarch_vcpu_init": _exactly(1, kvmppc_subarch_vcpu_init),
    "kvmppc_subarch_vcpu_uninit": _exactly(1, kvmppc_subarch_vcpu_uninit),
    "kvmppc_core_vcpu_free": _exactly(1, kvmppc_core_vcpu_free),
    "kvm_arch_vcpu_destroy": _exactly(1, kvm_arch_vcpu_destroy),
    "kvmppc_sanity_check": _exactly(1, kvmppc_sanity_check),
    "kvmppc_core_check_processor_compat": _exactly(2, kvmppc_core_check_processor_compat),
    "kvm_arch_init_vm": _exactly(2, kvm_arch_init_vm),
    "kvm_arch_destroy_vm": _exactly(1, kvm_arch_destroy_vm),
    "kvmppc_core_destroy_vm": _exactly(1, kvmppc_core_destroy_vm),
    "kvmppc_alloc_lpid": _exactly(1, kvmppc_alloc_lpid),
    "kvmppc_free_lpid": _exactly(2, kvmppc_free_lpid),
    "kvm_vm_ioctl_check_extension": _exactly(3, kvm_vm_ioctl_check_extension),
    "kvm_vm_ioctl_enable_cap": _exactly(3, kvm_vm_ioctl_enable_cap),
    "kvm_arch_vm_ioctl": _exactly(3, kvm_arch_vm_ioctl),
    "kvm_cpu_has_pending_timer": _exactly(1, kvm_cpu_has_pending_timer),
}


def kvm_call(world: World, entry: KvmCall, vcpu: int, *args: int) -> CallResult:
    """Call a function; a BUG or hang ends it with the state as it was at that moment."""
    world.halts = 0
    try:
        answer = entry.function(world, vcpu, *args[: entry.arguments - 1])
    except Stop as stop:
        return CallResult(0, (0, 0, 0, 0, 0), stop.outcome, stop.site)
    ret, *further = answer if isinstance(answer, tuple) else (answer or 0,)
    first, second, third, fourth, fifth = (further + [0] * _VALUES)[:_VALUES]
    return CallResult(ret, (first, second, third, fourth, fifth), RETURNED, 0)
