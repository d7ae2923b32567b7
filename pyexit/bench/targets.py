# SPDX-License-Identifier: BSD-3-Clause
"""The targets that pyexit sets itself, measured: ``pyexit bench --targets`` (perf-anchors.md 6).

Each is a ratio of two things that are timed in turn in this run, or a size. What cannot be measured here
is not passed: it says why.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Thread
from time import perf_counter_ns, thread_time_ns
from typing import Any

from pyexit.backends._core import ffi, lib
from pyexit.backends.base import built
from pyexit.batch import ExitRecord
from pyexit.bench.machines import EXIT_HV_PRIV, MSR_GS, PC, fill, prepare
from pyexit.bench.timing import interleaved, noise_floor
from pyexit.machine import Machine

TIMES = 20_000
BATCH = 1_000_000
KIB = 1024


@dataclass(frozen=True)
class Target:
    """One row: what was found, the limit, and whether it holds; `found` is None if it was not measured."""

    what: str
    found: float | None
    limit: float
    unit: str = "x"
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Is it measured, and within its limit?"""
        if self.found is None:
            return False
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def per_call(m: Machine, name: str, *args: int, times: int = TIMES) -> Callable[[], float]:
    """ns of one call, in a loop in C."""

    def run() -> float:
        begin = perf_counter_ns()
        m.repeat(name, *args, times=times)
        return (perf_counter_ns() - begin) / times

    return run


def per_fetch(m: Machine, pcs: list[int], times: int = TIMES) -> Callable[[], float]:
    """ns of one fetch at each of `pcs` in turn, in a loop in C."""
    array = ffi.new("uint64_t[]", pcs * (times // len(pcs)))
    words = ffi.new("uint32_t[]", len(array))

    def run() -> float:
        begin = perf_counter_ns()
        lib.pyexit_load_last_insts(m.raw, 0, array, len(array), words)
        return (perf_counter_ns() - begin) / len(array)

    return run


def exit_records(vcpus: int, count: int) -> Any:
    """`count` HV_PRIV exits, vcpus in turn."""
    records = ffi.new("struct pyexit_exit_record[]", count)
    for index in range(count):
        records[index] = (index % vcpus, EXIT_HV_PRIV, PC, MSR_GS, 0, 0, 0)
    return records


def per_exit(m: Machine, vcpus: int = 1, times: int = 2000) -> Callable[[], float]:
    """ns of one whole HV_PRIV exit: entry path, fetch, emulation, and the way back into the guest."""
    records, resume = exit_records(vcpus, times), ffi.new("struct pyexit_resume[]", times)
    for vcpu in range(vcpus):
        m.enter(vcpu)
    fill(m)  # the first load of a vcpu has flushed its LPID

    def run() -> float:
        begin = perf_counter_ns()
        done = lib.pyexit_exits(m.raw, records, times, resume)
        taken = perf_counter_ns() - begin
        if done != times:
            raise ValueError(f"{done} of {times} exits were done: {lib.pyexit_strerror(min(done, -1))}")
        return taken / times

    return run


# The rows


def exit_against_lwepx() -> Iterator[Target]:
    """The seed's question, inside the simulator."""
    search, direct = per_exit(prepare()), per_exit(prepare("lwepx"))
    found = interleaved({"search": search, "lwepx": direct})
    floor = noise_floor(direct)
    ratio = found["search"].ns / found["lwepx"].ns
    note = f"{found['search'].ns:.0f} ns, {found['lwepx'].ns:.0f} ns; limit 1.01 and the noise floor"
    yield Target("HV_PRIV exit, TLB search against lwepx", ratio, 1.01 + floor, note=note)


def vector_search() -> Iterator[Target]:
    """The vector form against the scalar one, tlbsx with its write-back, nothing cached."""
    fast, slow = (prepare(search=search, lookaside="off") for search in ("auto", "scalar"))
    if fast.search == "scalar":
        yield Target(
            "vector search against scalar", None, 4, at_least=True, note="no vector form on this machine"
        )
        return
    last, random_one = (5, 3) if fast.search == "avx512" else (4, 2.5)
    for m in (fast, slow):
        m.set({"spr.MAS5": 0x80000001, "spr.MAS6": 5 << 16})
    for what, pcs, limit in (("last entry", [PC], last), ("random entry", _random_pcs(), random_one)):
        found = interleaved({"fast": _searches(fast, pcs), "slow": _searches(slow, pcs)})
        note = (
            f"{fast.search}: {found['fast'].ns:.1f} ns, scalar {found['slow'].ns:.1f} ns, with MAS write-back"
        )
        yield Target(f"{what} of 64", found["slow"].ns / found["fast"].ns, limit, at_least=True, note=note)


def _random_pcs() -> list[int]:
    pcs = [(0x40000 + index) << 12 for index in range(63)] + [PC]
    random.Random(1).shuffle(pcs)
    return pcs


def _searches(m: Machine, pcs: list[int]) -> Callable[[], float]:
    loops = [per_call(m, "ppc_tlbsx", 0, pc, times=TIMES // len(pcs)) for pc in pcs]
    return lambda: statistics.fmean(loop() for loop in loops)


def batches() -> Iterator[Target]:
    """A million from Python in one call."""
    m = prepare()
    fetch = interleaved({"fetch": per_fetch(m, [PC], BATCH)}, rounds=5)["fetch"]
    yield Target("batch of 10^6 fetches", fetch.ns, 5, "ns")
    run = per_exit(prepare(), times=100_000)
    yield Target("batch of HV_PRIV exits", interleaved({"exit": run}, rounds=5)["exit"].ns, 15, "ns")


def raw_call() -> Iterator[Target]:
    """One fetch by a raw cffi call against an empty cffi call."""
    m = prepare()
    word, raw, fetch, empty = ffi.new("uint32_t *"), m.raw, lib.pyexit_load_last_inst, lib.pyexit_abi_check

    def loop(call: Callable[..., int], *args: Any) -> Callable[[], float]:
        def run() -> float:
            begin = perf_counter_ns()
            for _ in range(TIMES):
                call(*args)
            return (perf_counter_ns() - begin) / TIMES

        return run

    found = interleaved({"fetch": loop(fetch, raw, 0, word), "empty": loop(empty, 0, 0)})
    note = f"{found['fetch'].ns:.0f} ns, empty {found['empty'].ns:.0f} ns"
    yield Target("one fetch by a raw cffi call", found["fetch"].ns / found["empty"].ns, 1.4, note=note)


def growth() -> Iterator[Target]:
    """The cost against the number of valid entries, and of vcpus."""
    for lookaside, limit in (("on", 1.15), ("off", 2.0)):
        one, many = (_filled(valid, lookaside) for valid in (1, 64))
        found = interleaved({"1": per_fetch(one, [PC]), "64": per_fetch(many, [PC])})
        note = f"{found['1'].ns:.1f} ns, {found['64'].ns:.1f} ns"
        yield Target(
            f"1 to 64 TLB entries, lookaside {lookaside}", found["64"].ns / found["1"].ns, limit, note=note
        )


def _filled(valid: int, lookaside: str) -> Machine:
    m = prepare(state="missing", lookaside="off" if lookaside == "off" else None)
    fill(m, valid)
    return m


def threads() -> Iterator[Target]:
    """Two machines on two threads, by the threads' own CPU time."""
    if (os.cpu_count() or 1) < 2:
        yield Target("two machines on two threads", None, 1.9, at_least=True, note="one processor")
        return
    alone = min(_cpu_times(1)[0] for _ in range(5))
    both = min(max(_cpu_times(2)) for _ in range(5))
    yield Target("two machines on two threads, CPU time", 2 * alone / both, 1.9, at_least=True)


def _cpu_times(count: int) -> list[int]:
    times = [0] * count

    def work(index: int) -> None:
        run = per_fetch(prepare(), [PC], 200_000)
        begin = thread_time_ns()
        for _ in range(10):
            run()
        times[index] = thread_time_ns() - begin

    workers = [Thread(target=work, args=(index,)) for index in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return times


def sizes() -> Iterator[Target]:
    """Memory of a vcpu, and what importing pyexit costs."""
    each = (_machine_size(65) - _machine_size(1)) / 64 / KIB
    yield Target("memory per vcpu", each, 48, "KiB", note="its records and 1,024 lines of lookaside")
    bare, ours = (_start(code) for code in ("pass", "import pyexit"))
    yield Target("import of pyexit beyond bare python", (ours - bare) / 1e6, 5, "ms")


def _machine_size(vcpus: int) -> int:
    memory = ffi.new("uint8_t[]", 4096)
    ram = ffi.new("struct pyexit_ram *", {"size": 4096, "host": memory})
    counts = {"cores": 1, "vms": 1, "vcpus": vcpus, "ram_count": 1, "lookaside": lib.PYEXIT_LOOKASIDE}
    fields = {"size": ffi.sizeof("struct pyexit_options"), "ram": ram, **counts}
    return int(lib.pyexit_machine_size(ffi.new("struct pyexit_options *", fields)))


def _start(code: str) -> int:
    """ns of a python that runs `code`, the smallest of nine."""

    def once() -> int:
        begin = perf_counter_ns()
        subprocess.run([sys.executable, "-c", code], check=True)
        return perf_counter_ns() - begin

    return min(once() for _ in range(9))


def compiled() -> Iterator[Target]:
    """The compiled reference against the same modules as Python runs them."""
    if "refc" not in built():
        yield Target("refc against ref", None, 5, at_least=True, note="refc is not built here")
        return
    for what, loop in (("fetch", per_reference_fetch), ("HV_PRIV exit", per_reference_exit)):
        found = interleaved({name: loop(name) for name in ("ref", "refc")}, rounds=41)
        note = f"{found['ref'].ns / 1000:.0f} us, {found['refc'].ns / 1000:.0f} us"
        ratio = found["ref"].ns / found["refc"].ns
        yield Target(f"refc against ref, {what}", ratio, 5, at_least=True, note=note)


def per_reference_fetch(backend: str, times: int = 20) -> Callable[[], float]:
    """ns of one fetch on a backend that has no loop in C; the entry is the last of 64."""
    m = prepare(backend=backend)
    return per_call(m, "kvmppc_load_last_inst", 0, 0, times=times)


def per_reference_exit(backend: str, times: int = 10) -> Callable[[], float]:
    """ns of one whole HV_PRIV exit on such a backend."""
    m = prepare(backend=backend)
    m.enter(0)
    fill(m)  # the first load of a vcpu has flushed its LPID
    records = [ExitRecord(0, EXIT_HV_PRIV, PC, MSR_GS, 0, 0)] * times

    def run() -> float:
        begin = perf_counter_ns()
        m.exits(records)
        return (perf_counter_ns() - begin) / times

    return run


def not_built() -> Iterator[Target]:
    """What this version does not have."""
    yield Target("tlbsx against Unicorn's", None, 10, at_least=True, note="the peer is not in this bench yet")


ROWS = (exit_against_lwepx, vector_search, batches, raw_call, growth, threads, sizes, compiled, not_built)


def measure() -> Iterator[Target]:
    """All rows, each when it is done."""
    for row in ROWS:
        yield from row()
