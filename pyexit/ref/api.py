# SPDX-License-Identifier: BSD-3-Clause
"""The reference's only face: a machine, the table of its functions, and the verbs of an engine (pyexit.h)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import E2BIG, EBUSY, EINVAL, ENOENT
from functools import partial
from typing import NamedTuple

from pyexit.ref.events import DONE, EXTERNAL, PINS, TAKEN_BY_HOST
from pyexit.ref.hw.core import E500MC, E6500, End, Params, ea_of, new_hardware, ppc_mfspr, ppc_mtspr
from pyexit.ref.hw.doorbell import ppc_msgclr, ppc_msgsnd, ppc_pending
from pyexit.ref.hw.epid import ppc_lwepx
from pyexit.ref.hw.guestop import ppc_guest_op
from pyexit.ref.hw.interrupt import ppc_raise
from pyexit.ref.hw.memory import PAGE_SIZE, Memory, Ram
from pyexit.ref.hw.regs import (
    IVOR_ALIGNMENT,
    IVOR_ALTIVEC_ASSIST,
    IVOR_ALTIVEC_UNAVAIL,
    IVOR_AP_UNAVAIL,
    IVOR_DEBUG,
    IVOR_FP_UNAVAIL,
    IVOR_HV_SYSCALL,
    IVOR_PROGRAM,
    IVOR_SYSCALL,
)
from pyexit.ref.hw.tlbops import ppc_tlbilx, ppc_tlbivax, ppc_tlbre, ppc_tlbsx, ppc_tlbwe
from pyexit.ref.hw.translate import FETCH, TOUCH_STORE, Translation, ppc_translate
from pyexit.ref.kvm import timer
from pyexit.ref.kvm.calls import KVM_CALLS, CallResult, KvmCall, kvm_call
from pyexit.ref.kvm.entry_fetch import kvmppc_do_kvm, kvmppc_entry_fetch
from pyexit.ref.kvm.host import new_host
from pyexit.ref.kvm.host_services import RETURNED, Stop
from pyexit.ref.kvm.interleave import ACTION_CALL, ACTION_PREEMPT, ACTIONS, POINT_READ
from pyexit.ref.kvm.invariant import Violation, violations
from pyexit.ref.kvm.last_inst import (
    FETCH_LWEPX_HIJACK,
    FETCH_MERGED,
    Fetch,
    kvmppc_get_last_inst,
    kvmppc_load_last_inst,
)
from pyexit.ref.kvm.lowlevel import (
    ExitRecord,
    Handler,
    Way,
    kvmppc_enter,
    kvmppc_exit,
    kvmppc_handler,
    kvmppc_set_exit,
    kvmppc_thread_busy,
)
from pyexit.ref.kvm.user import Swtlb, User
from pyexit.ref.kvm.vcpu import Action, Run, World, new_e500, new_kvm, new_vcpu

#: What kvmppc_load_last_inst's caller finds where nothing was written (vectors/SCHEMA.md).
_NOT_WRITTEN = 0xDEADBEEF

#: The interrupts that an engine finds itself.
ENGINE_INTERRUPTS = (
    IVOR_ALIGNMENT,
    IVOR_PROGRAM,
    IVOR_FP_UNAVAIL,
    IVOR_SYSCALL,
    IVOR_AP_UNAVAIL,
    IVOR_DEBUG,
    IVOR_ALTIVEC_UNAVAIL,
    IVOR_ALTIVEC_ASSIST,
    IVOR_HV_SYSCALL,
)


class Call(NamedTuple):
    """One function: the kind of object that its first argument names, the numbers of arguments, itself."""

    kind: str
    accepted: range
    function: Callable[..., CallResult]


def new_world(
    model: int,
    params: Params,
    fetch: int,
    cores: int,
    vms: int,
    vcpus: int,
    vcpu_thread: list[int],
    vcpu_vm: list[int],
    ranges: list[Ram],
    handler: int = 0,
    sw_tlb: bool = False,
) -> World:
    """A machine after reset; vcpu n runs on thread vcpu_thread[n] and belongs to VM vcpu_vm[n]."""
    _check_range("new_world: model", model, E500MC, E6500 + 1)
    _check_range("new_world: fetch", fetch, FETCH_MERGED, FETCH_LWEPX_HIJACK + 1)
    threads = range(cores * params.threads)
    return World(
        hw=new_hardware(params, cores, Memory(ranges)),
        host=[new_host(thread, params.threads) for thread in threads],
        kvm=[new_kvm(vm, params.threads) for vm in range(vms)],
        vcpu=[new_vcpu(vcpu, vcpu_thread[vcpu], params) for vcpu in range(vcpus)],
        run=[Run() for _ in range(vcpus)],
        e500=[new_e500(params) for _ in range(vcpus)],
        user=[User() for _ in range(vcpus)],
        swtlb=[Swtlb() for _ in range(vcpus if sw_tlb else 0)],
        fetch=fetch,
        handler=handler,
        vcpu_thread=vcpu_thread,
        vcpu_vm=vcpu_vm,
    )


# The functions that call() knows


def _result(ret: int, value: int) -> CallResult:
    return CallResult(ret, (value, 0, 0, 0, 0), RETURNED, 0)


def _ended(end: End, value: int = 0) -> CallResult:
    """An instruction's end: its value, or the interrupt that it took."""
    return _result(end.outcome, value if end.outcome == DONE else end.ivor)


def _fetched(fetch: Fetch) -> CallResult:
    return _result(fetch.ret, _NOT_WRITTEN if fetch.instr is None else fetch.instr)


def _mtspr(world: World, thread: int, spr: int, value: int) -> CallResult:
    return _ended(ppc_mtspr(world.hw, thread, spr, value))


def _mfspr(world: World, thread: int, spr: int) -> CallResult:
    return _ended(*ppc_mfspr(world.hw, thread, spr))


def _tlbsx(world: World, thread: int, ea: int) -> CallResult:
    return _ended(ppc_tlbsx(world.hw, thread, ea_of(world.hw, thread, ea)))


def _tlbre(world: World, thread: int) -> CallResult:
    return _ended(ppc_tlbre(world.hw, thread))


def _tlbwe(world: World, thread: int) -> CallResult:
    return _ended(ppc_tlbwe(world.hw, thread))


def _tlbilx(world: World, thread: int, t: int, ea: int) -> CallResult:
    return _ended(ppc_tlbilx(world.hw, thread, t, ea_of(world.hw, thread, ea)))


def _tlbivax(world: World, thread: int, ea: int) -> CallResult:
    return _ended(ppc_tlbivax(world.hw, thread, ea_of(world.hw, thread, ea)))


def _lwepx(world: World, thread: int, ea: int) -> CallResult:
    return _ended(*ppc_lwepx(world.hw, thread, ea_of(world.hw, thread, ea), True))


def _msgsnd(world: World, thread: int, message: int) -> CallResult:
    return _ended(ppc_msgsnd(world.hw, thread, message))


def _msgclr(world: World, thread: int, message: int) -> CallResult:
    return _ended(ppc_msgclr(world.hw, thread, message))


def _entry_fetch(world: World, vcpu: int) -> CallResult:
    return _ended(kvmppc_entry_fetch(world, vcpu))


def _load_last_inst(world: World, vcpu: int, type: int) -> CallResult:
    return _fetched(kvmppc_load_last_inst(world, vcpu, type))


def _get_last_inst(world: World, vcpu: int, type: int) -> CallResult:
    return _fetched(kvmppc_get_last_inst(world, vcpu, type))


def _exactly(kind: str, arguments: int, function: Callable[..., CallResult]) -> Call:
    return Call(kind, range(arguments, arguments + 1), function)


def _of_kvm(entry: KvmCall) -> Call:
    """A row of kvm/calls."""

    def function(world: World, *args: int) -> CallResult:
        return kvm_call(world, entry, *args)

    return Call(entry.kind, entry.accepted, function)


#: In pyexit.h's order.
CALLS = {
    "ppc_mtspr": _exactly("thread", 3, _mtspr),
    "ppc_mfspr": _exactly("thread", 2, _mfspr),
    "ppc_tlbsx": _exactly("thread", 2, _tlbsx),
    "ppc_tlbre": _exactly("thread", 1, _tlbre),
    "ppc_tlbwe": _exactly("thread", 1, _tlbwe),
    "ppc_tlbilx": _exactly("thread", 3, _tlbilx),
    "ppc_tlbivax": _exactly("thread", 2, _tlbivax),
    "ppc_lwepx": _exactly("thread", 2, _lwepx),
    "ppc_msgsnd": _exactly("thread", 2, _msgsnd),
    "ppc_msgclr": _exactly("thread", 2, _msgclr),
    "kvmppc_entry_fetch": _exactly("vcpu", 1, _entry_fetch),
    "kvmppc_load_last_inst": _exactly("vcpu", 2, _load_last_inst),
    "kvmppc_get_last_inst": _exactly("vcpu", 2, _get_last_inst),
    **{name: _of_kvm(entry) for name, entry in KVM_CALLS.items()},
}


def call(world: World, name: str, args: Sequence[int]) -> CallResult:
    """pyexit_call(): one function by its name; the first argument is the number of its thread or vcpu."""
    entry = CALLS.get(name)
    if entry is None:
        raise OSError(ENOENT, f"no function {name!r}; there are {', '.join(CALLS)}")
    if len(args) not in entry.accepted:
        raise OSError(E2BIG, f"{name} takes {_counts(entry.accepted)} arguments, not {len(args)}")
    _check_object(world, name, entry.kind, args[0])
    return entry.function(world, *args)


def _counts(accepted: range) -> str:
    """A number of arguments, or the least and the most."""
    return f"{accepted[0]}" if len(accepted) == 1 else f"{accepted[0]} to {accepted[-1]}"


# The verbs of an engine (design.md 5)


def translate(world: World, vcpu: int, ea: int, size: int, access: int, probe: bool) -> Translation:
    """pyexit_translate(): for the code that runs on the thread of `vcpu`."""
    _check_object(world, "translate", "vcpu", vcpu)
    _check_range("translate: size", size, 1, PAGE_SIZE + 1)
    # An access through EPLC or EPSC is one to data.
    first = FETCH + 1 if access & EXTERNAL else FETCH
    _check_range("translate: access", access & ~EXTERNAL, first, TOUCH_STORE + 1)
    thread = world.vcpu_thread[vcpu]
    answer = ppc_translate(world.hw, thread, ea, size, access, probe)
    if answer.outcome == TAKEN_BY_HOST and not probe:
        # The price of the first alternative: every fault of the host's own is asked (exit 11.7).
        kvmppc_do_kvm(world, thread, answer.ivor)
    return answer


def guest_op(world: World, vcpu: int, instruction: int) -> End:
    """pyexit_guest_op(): a privileged instruction of the code on the thread of `vcpu`."""
    _check_object(world, "guest_op", "vcpu", vcpu)
    return ppc_guest_op(world.hw, world.vcpu_thread[vcpu], instruction)


def interrupt(world: World, vcpu: int, ivor: int, esr: int, dear: int) -> End:
    """pyexit_interrupt(): an interrupt that the engine found."""
    _check_object(world, "interrupt", "vcpu", vcpu)
    if ivor not in ENGINE_INTERRUPTS:
        known = ", ".join(map(str, ENGINE_INTERRUPTS))
        raise OSError(EINVAL, f"interrupt {ivor} is not one that an engine finds: {known} are")
    return ppc_raise(world.hw, world.vcpu_thread[vcpu], ivor, esr, dear)


class Resume(NamedTuple):
    """struct pyexit_resume: where and ret count only if the outcome is RETURNED."""

    outcome: int
    site: int
    where: int  # WHERE_*
    ret: int  # with HOST: what KVM_RUN returns


def enter(world: World, vcpu: int) -> Resume:
    """pyexit_enter(): KVM_RUN up to the guest."""
    _check_object(world, "enter", "vcpu", vcpu)
    if kvmppc_thread_busy(world, vcpu):
        thread = world.vcpu_thread[vcpu]
        raise OSError(EBUSY, f"enter: a vcpu of hardware thread {thread} is in the guest already")
    return _resume(world, partial(kvmppc_enter, world, vcpu))


def exit_(world: World, vcpu: int, exit_nr: int) -> Resume:
    """pyexit_exit(): an exit that translate(), guest_op(), interrupt() or pending() reported."""
    handler = _handler(world, "exit", vcpu, exit_nr)
    return _resume(world, partial(kvmppc_exit, world, vcpu, exit_nr, handler))


def exits(world: World, records: Sequence[ExitRecord]) -> list[Resume]:
    """pyexit_exits(): one after the other, until one does not return."""
    resumes: list[Resume] = []
    for record in records:
        handler = _handler(world, f"exits: record {len(resumes)}", record.vcpu, record.exit_nr)
        kvmppc_set_exit(world, handler, record)
        resumes.append(exit_(world, record.vcpu, record.exit_nr))
        if resumes[-1].outcome != RETURNED:
            break
    return resumes


def _handler(world: World, what: str, vcpu: int, exit_nr: int) -> Handler:
    """The vector of an exit; ENOENT if none is hooked for it."""
    _check_object(world, what, "vcpu", vcpu)
    handler = kvmppc_handler(world.hw.params, exit_nr)
    if handler is None:
        raise OSError(ENOENT, f"{what}: no vector is hooked for exit {exit_nr}")
    return handler


def _resume(world: World, go: Callable[[], Way]) -> Resume:
    """The way that the vcpu goes on; a BUG or hang leaves the state as it was at that moment."""
    world.halts = 0
    try:
        way = go()
    except Stop as stop:
        return Resume(stop.outcome, stop.site, 0, 0)
    return Resume(RETURNED, 0, way.where, way.ret)


def pin(world: World, thread: int, pin: int, level: int) -> None:
    """pyexit_pin(): raise or lower an asynchronous cause."""
    _check_object(world, "pin", "thread", thread)
    _check_range("pin: pin", pin, 0, PINS)
    pins = world.hw.thread[thread].pins
    world.hw.thread[thread].pins = pins | 1 << pin if level else pins & ~(1 << pin)


def pending(world: World, vcpu: int) -> End:
    """pyexit_pending(): the asynchronous interrupt that is due, if any."""
    _check_object(world, "pending", "vcpu", vcpu)
    return ppc_pending(world.hw, world.vcpu_thread[vcpu])


def advance(world: World, ticks: int) -> None:
    """pyexit_advance(): time moves."""
    timer.advance(world, ticks)


# Interleaving (design.md 6)


def interleave(world: World, actions: Sequence[tuple[int, int, int, Sequence[int]]]) -> None:
    """pyexit_interleave(): each action is its point, kind, index of the function, and arguments."""
    if len(actions) > ACTIONS:
        raise OSError(E2BIG, f"{len(actions)} actions, at most {ACTIONS} can wait")
    world.actions = [_action(world, *action) for action in actions]


def _action(world: World, point: int, kind: int, index: int, args: Sequence[int]) -> Action:
    """An action, checked."""
    _check_range("interleave: point", point, 0, POINT_READ + 1)
    _check_range("interleave: kind", kind, 0, ACTION_PREEMPT + 1)
    if kind == ACTION_CALL:
        return Action(point, kind, tuple(args), _instruction(world, index, args))
    return Action(point, kind, tuple(args), _nothing)


def _instruction(world: World, index: int, args: Sequence[int]) -> Callable[[World], End]:
    """Function `index` of the table, a thread's instruction, with its arguments."""
    _check_range("interleave: call", index, 0, len(CALLS))
    name, entry = list(CALLS.items())[index]
    if entry.kind != "thread" or len(args) not in entry.accepted:
        raise OSError(EINVAL, f"interleave: {name} is no instruction with {len(args)} arguments")
    _check_object(world, name, entry.kind, args[0])
    return partial(_perform, entry, tuple(args))


def _perform(entry: Call, args: tuple[int, ...], world: World) -> End:
    result = entry.function(world, *args)
    return End(result.ret, result.value[0])


def _nothing(world: World) -> End:
    """A store and a preemption are no instructions."""
    return End(DONE)


def invariants(world: World) -> list[Violation]:
    """pyexit_invariants(): what of the shadow entries should not be."""
    return violations(world)


# Arguments


def _check_object(world: World, what: str, kind: str, number: int) -> None:
    """EINVAL unless the thread, vcpu or VM exists."""
    objects = {"thread": len(world.hw.thread), "vcpu": len(world.vcpu), "vm": len(world.kvm)}
    _check_range(f"{what}: {kind}", number, 0, objects[kind])


def _check_range(what: str, value: int, first: int, end: int) -> None:
    """EINVAL unless first <= value < end."""
    if not first <= value < end:
        raise OSError(EINVAL, f"{what}={value} is not in {first}..{end - 1}")
