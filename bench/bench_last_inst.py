# SPDX-License-Identifier: BSD-3-Clause
"""What reading the guest's last instruction costs, by strategy and TLB state (design.md 6, exit 11.6-11.8).

``pytest bench/bench_last_inst.py`` times with pytest-benchmark; ``python bench/bench_last_inst.py`` prints
the table of docs/six-ways.md: hardware operations exactly, ns as the smallest of interleaved rounds
beside the spread of one variant against itself, and the reference beside it. The timing loop is C
(pyexit_repeat); the clock is outside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter_ns

import pytest
from instructions import instructions

from pyexit import Machine
from pyexit.bench.machines import RAM_SIZE, STATES, STRATEGIES, prepare
from pyexit.bench.timing import Timing, interleaved

TIMES = 20_000
ROUNDS = 11


def operations(fetch: str, state: str) -> tuple[dict[str, int], str]:
    """The hardware operations of one fetch, entry path and C, and what it came to."""
    m = prepare(fetch, state, lookaside="off")
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
    with prepare(fetch, state, lookaside="off") as m:
        benchmark(loop, m, 1000)
        assert m.counters()


def measure(state: str) -> dict[str, Timing]:
    """Each strategy's ns, interleaved."""
    machines = {fetch: prepare(fetch, state, lookaside="off") for fetch in STRATEGIES}
    try:
        return interleaved({fetch: partial(loop, m, TIMES) for fetch, m in machines.items()}, ROUNDS)
    finally:
        for m in machines.values():
            m.close()


def reference(fetch: str, state: str) -> float:
    """ns of a fetch on the reference."""
    with prepare(fetch, state, backend="ref") as m:
        return min(loop(m, 200) for _ in range(3))


def counted_instructions(fetch: str, state: str) -> str:
    """Instructions of the host for one fetch, entry path and C; a dash where they cannot be counted."""
    with prepare(fetch, state, lookaside="off") as m:
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
            timing = times[fetch]
            ref = reference(fetch, state)
            count = counted_instructions(fetch, state)
            numbers = f"{timing.ns:.0f} | {timing.noise:.0f} | {count} | {ref:.0f}"
            print(f"| {state} | {fetch} | {result} | {ops} | {numbers} |")


if __name__ == "__main__":
    main()
