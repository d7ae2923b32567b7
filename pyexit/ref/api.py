# SPDX-License-Identifier: BSD-3-Clause
"""The reference's only face: a machine, the table of its functions, translation (pyexit.h)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import E2BIG, EINVAL, ENOENT
from typing import NamedTuple

from pyexit.ref.events import DONE
from pyexit.ref.hw.core import E500MC, E6500, End, Params, ea_of, new_hardware, ppc_mfspr, ppc_mtspr
from pyexit.ref.hw.memory import PAGE_SIZE, Memory, Ram
from pyexit.ref.hw.tlbops import ppc_tlbilx, ppc_tlbivax, ppc_tlbre, ppc_tlbsx, ppc_tlbwe
from pyexit.ref.hw.translate import FETCH, TOUCH_STORE, Translation, ppc_translate
from pyexit.ref.kvm.host import new_host
from pyexit.ref.kvm.last_inst import (
    FETCH_MERGED,
    FETCH_SEED_V4,
    Fetch,
    kvmppc_get_last_inst,
    kvmppc_load_last_inst,
)
from pyexit.ref.kvm.vcpu import Run, World, new_e500, new_kvm, new_vcpu

#: What kvmppc_load_last_inst's caller finds where nothing was written (vectors/SCHEMA.md).
_NOT_WRITTEN = 0xDEADBEEF


class Result(NamedTuple):
    """struct pyexit_result."""

    ret: int
    value: tuple[int, int, int, int]


class Call(NamedTuple):
    """One function: the kind of object that its first argument names, its number of arguments, itself."""

    kind: str
    arguments: int
    function: Callable[..., Result]


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
) -> World:
    """A machine after reset; vcpu n runs on thread vcpu_thread[n] and belongs to VM vcpu_vm[n]."""
    _check_range("new_world: model", model, E500MC, E6500 + 1)
    _check_range("new_world: fetch", fetch, FETCH_MERGED, FETCH_SEED_V4 + 1)
    threads = range(cores * params.threads)
    return World(
        hw=new_hardware(params, cores, Memory(ranges)),
        host=[new_host(thread, params.threads) for thread in threads],
        kvm=[new_kvm(vm, params.threads) for vm in range(vms)],
        vcpu=[new_vcpu(vcpu, vcpu_thread[vcpu], params) for vcpu in range(vcpus)],
        run=[Run() for _ in range(vcpus)],
        e500=[new_e500(params) for _ in range(vcpus)],
        fetch=fetch,
        vcpu_thread=vcpu_thread,
        vcpu_vm=vcpu_vm,
    )


def _result(ret: int, value: int) -> Result:
    return Result(ret, (value, 0, 0, 0))


def _ended(end: End, value: int = 0) -> Result:
    """An instruction's end: its value, or the interrupt that it took."""
    return _result(end.outcome, value if end.outcome == DONE else end.ivor)


def _fetched(fetch: Fetch) -> Result:
    return _result(fetch.ret, _NOT_WRITTEN if fetch.instr is None else fetch.instr)


def _mtspr(world: World, thread: int, spr: int, value: int) -> Result:
    return _ended(ppc_mtspr(world.hw, thread, spr, value))


def _mfspr(world: World, thread: int, spr: int) -> Result:
    return _ended(*ppc_mfspr(world.hw, thread, spr))


def _tlbsx(world: World, thread: int, ea: int) -> Result:
    return _ended(ppc_tlbsx(world.hw, thread, ea_of(world.hw, thread, ea)))


def _tlbre(world: World, thread: int) -> Result:
    return _ended(ppc_tlbre(world.hw, thread))


def _tlbwe(world: World, thread: int) -> Result:
    return _ended(ppc_tlbwe(world.hw, thread))


def _tlbilx(world: World, thread: int, t: int, ea: int) -> Result:
    return _ended(ppc_tlbilx(world.hw, thread, t, ea_of(world.hw, thread, ea)))


def _tlbivax(world: World, thread: int, ea: int) -> Result:
    return _ended(ppc_tlbivax(world.hw, thread, ea_of(world.hw, thread, ea)))


def _load_last_inst(world: World, vcpu: int, type: int) -> Result:
    return _fetched(kvmppc_load_last_inst(world, vcpu, type))


def _get_last_inst(world: World, vcpu: int, type: int) -> Result:
    return _fetched(kvmppc_get_last_inst(world, vcpu, type))


#: The functions that call() knows, in pyexit.h's order.
CALLS = {
    "ppc_mtspr": Call("thread", 3, _mtspr),
    "ppc_mfspr": Call("thread", 2, _mfspr),
    "ppc_tlbsx": Call("thread", 2, _tlbsx),
    "ppc_tlbre": Call("thread", 1, _tlbre),
    "ppc_tlbwe": Call("thread", 1, _tlbwe),
    "ppc_tlbilx": Call("thread", 3, _tlbilx),
    "ppc_tlbivax": Call("thread", 2, _tlbivax),
    "kvmppc_load_last_inst": Call("vcpu", 2, _load_last_inst),
    "kvmppc_get_last_inst": Call("vcpu", 2, _get_last_inst),
}


def call(world: World, name: str, args: Sequence[int]) -> Result:
    """pyexit_call(): one function by its name; the first argument is the number of its thread or vcpu."""
    entry = CALLS.get(name)
    if entry is None:
        raise OSError(ENOENT, f"no function {name!r}; there are {', '.join(CALLS)}")
    if len(args) != entry.arguments:
        raise OSError(E2BIG, f"{name} takes {entry.arguments} arguments, not {len(args)}")
    objects = {"thread": len(world.hw.thread), "vcpu": len(world.vcpu)}
    _check_range(f"{name}: {entry.kind}", args[0], 0, objects[entry.kind])
    return entry.function(world, *args)


def translate(world: World, vcpu: int, ea: int, size: int, access: int, probe: bool) -> Translation:
    """pyexit_translate(): for the code that runs on the thread of `vcpu`."""
    _check_range("translate: vcpu", vcpu, 0, len(world.vcpu))
    _check_range("translate: size", size, 1, PAGE_SIZE + 1)
    _check_range("translate: access", access, FETCH, TOUCH_STORE + 1)
    return ppc_translate(world.hw, world.vcpu_thread[vcpu], ea, size, access, probe)


def _check_range(what: str, value: int, first: int, end: int) -> None:
    """EINVAL unless first <= value < end."""
    if not first <= value < end:
        raise OSError(EINVAL, f"{what}={value} is not in {first}..{end - 1}")
