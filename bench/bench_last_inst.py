# SPDX-License-Identifier: BSD-3-Clause
"""What reading the guest's last instruction costs, by strategy and TLB state (design.md 6, exit 11.6-11.8).

``pytest bench/bench_last_inst.py`` times with pytest-benchmark; ``python bench/bench_last_inst.py`` prints
the table of docs/six-ways.md: hardware operations exactly, ns as the smallest of interleaved rounds
beside the spread of one variant against itself, and the reference beside it. The timing loop is C
(pyexit_repeat); the clock is outside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter_ns

import pytest
from instructions import instructions

from pyexit import Machine, TlbEntry

STRATEGIES = ("merged", "seed-v4", "review", "lwepx", "lwepx-do-kvm", "lwepx-hijack")
PC, REAL, WORD = 0x00100234, 0x00200234, 0x7C0007A4
RAM_SIZE = 0x400000
TIMES = 20_000
ROUNDS = 11


def page(epn: int, perms: str) -> TlbEntry:
    """A guest's page as KVM enters it: TGS, the VM's LPID, M."""
    return TlbEntry(epn=epn, rpn=REAL >> 12, tid=5, tgs=1, tlpid=1, wimge="M", perms=perms)


def first(m: Machine) -> None:
    """The pc's entry is the only one, in TLB1."""
    m.set_tlb_entry(1, 0, page(PC >> 12, "UX SX UR SR"))


def last(m: Machine) -> None:
    """64 valid entries in TLB1, the pc's is the last."""
    for index in range(63):
        m.set_tlb_entry(1, index, page(0x40000 + index, "UX SX UR SR"))
    m.set_tlb_entry(1, 63, page(PC >> 12, "UX SX UR SR"))


def tlb0(m: Machine) -> None:
    """The pc's entry is in TLB0."""
    m.set_tlb_entry(0, ((PC >> 12) % 128) * 4, page(PC >> 12, "UX SX UR SR"))


def execute_only(m: Machine) -> None:
    """A page that can be executed and not read: the case that lwepx cannot read."""
    m.set_tlb_entry(1, 0, page(PC >> 12, "UX SX"))


def missing(m: Machine) -> None:
    """No entry: evicted between the exit and the fetch."""


STATES: dict[str, Callable[[Machine], None]] = {
    "TLB1 first": first,
    "TLB1 last of 64": last,
    "TLB0": tlb0,
    "execute only": execute_only,
    "missing": missing,
}


def prepare(fetch: str, state: str, backend: str = "native") -> Machine:
    """An e500mc whose host has loaded the vcpu: EPLC carries the guest's state and LPID."""
    m = Machine("e500mc", fetch=fetch, backend=backend, ram=((0, RAM_SIZE),), events=0)
    m.store_word(REAL, WORD)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": 5, "spr.EPLC": 0x20010000})
    STATES[state](m)
    return m


def operations(fetch: str, state: str) -> tuple[dict[str, int], str]:
    """The hardware operations of one fetch, entry path and C, and what it came to."""
    m = prepare(fetch, state)
    entry = m.entry_fetch()
    if entry.outcome:
        return m.counters(), f"host exception {entry.ivor}"
    result = m.get_last_inst()
    return m.counters(), {0: "DONE", 2: "FAIL", 3: "AGAIN"}[result.ret]


def loop(m: Machine, times: int) -> float:
    """ns of one fetch: the entry path's part, and the search where the strategy has one."""
    begin = perf_counter_ns()
    m.repeat("kvmppc_entry_fetch", 0, times=times)
    m.repeat("kvmppc_load_last_inst", 0, 0, times=times)
    return (perf_counter_ns() - begin) / times


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fetch", STRATEGIES)
def test_fetch(benchmark: Callable[..., object], fetch: str, state: str) -> None:
    """A thousand fetches in one C loop."""
    with prepare(fetch, state) as m:
        benchmark(loop, m, 1000)
        assert m.counters()


def measure(state: str) -> dict[str, tuple[float, float]]:
    """Smallest ns of each strategy over interleaved rounds, and the spread of its rounds' medians."""
    machines = {fetch: prepare(fetch, state) for fetch in STRATEGIES}
    rounds: dict[str, list[float]] = {fetch: [] for fetch in STRATEGIES}
    for _ in range(ROUNDS):
        for fetch, m in machines.items():
            rounds[fetch].append(loop(m, TIMES))
    for m in machines.values():
        m.close()
    return {fetch: (min(ns), statistics.median(ns) - min(ns)) for fetch, ns in rounds.items()}


def reference(fetch: str, state: str) -> float:
    """ns of a fetch on the reference."""
    with prepare(fetch, state, "ref") as m:
        return min(loop(m, 200) for _ in range(3))


def counted_instructions(fetch: str, state: str) -> str:
    """Instructions of the host for one fetch, entry path and C; a dash where they cannot be counted."""
    with prepare(fetch, state) as m:
        calls = (("kvmppc_entry_fetch", 0), ("kvmppc_load_last_inst", 0, 0))
        return str(instructions(m, RAM_SIZE, *calls) or "-")


def main() -> None:
    """Print the table."""
    print(
        "| TLB state | strategy | result | hardware operations | ns | noise | instructions | reference ns |"
    )
    print("|---|---|---|---|--:|--:|--:|--:|")
    for state in STATES:
        times = measure(state)
        for fetch in STRATEGIES:
            counted, result = operations(fetch, state)
            ops = " ".join(f"{name} {n}" for name, n in counted.items())
            ns, noise = times[fetch]
            ref = reference(fetch, state)
            count = counted_instructions(fetch, state)
            print(f"| {state} | {fetch} | {result} | {ops} | {ns:.0f} | {noise:.0f} | {count} | {ref:.0f} |")


if __name__ == "__main__":
    main()
