# SPDX-License-Identifier: BSD-3-Clause
"""Makes a finding small: fewer steps, fewer fields over the state of reset, fewer words of RAM.

Delta debugging: ever smaller groups are left out, and stay out where the two backends still differ in the
same part. What is left out of the state has the value of reset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from pyexit.fuzz.pair import Difference, Pair
from pyexit.options import make_options
from pyexit.scenario import Scenario, Step

T = TypeVar("T")

NAMES = ("native", "ref")
EVENTS = 4096

#: Whether a variant of the scenario still differs.
Test = Callable[[Scenario], bool]

#: The most runs of one minimisation.
MAX_RUNS = 5000


class Replayer:
    """Runs variants of one scenario on a pair of backends."""

    def __init__(self, scenario: Scenario, names: tuple[str, str] = NAMES) -> None:
        self.scenario = scenario
        counts = {"cores": scenario.cores, "vms": scenario.vms, "vcpus": scenario.vcpus, "events": EVENTS}
        wires = {"vcpu_thread": scenario.vcpu_thread, "vcpu_vm": scenario.vcpu_vm}
        options = make_options(
            scenario.model,
            scenario.params,
            scenario.fetch,
            counts,
            wires,
            scenario.ram,
            {},
            scenario.handler,
            scenario.sw_tlb,
        )
        self.pair = Pair(names, options)
        self.reset = self.pair.a.core.state()
        self.runs = 0

    def run(self, scenario: Scenario) -> tuple[list[Step], Difference | None]:
        """The steps that were made, and the first difference."""
        self.runs += 1
        layout = self.pair.layout
        state = self.reset if scenario.state is None else layout.pack(scenario.state)
        return self.pair.run(state, scenario.mem, scenario.steps, following=False)

    def close(self) -> None:
        """Free the machines."""
        self.pair.close()


def minimise(replayer: Replayer, scenario: Scenario, difference: Difference) -> Scenario:
    """The smallest scenario found that still differs in the same part."""
    part = difference.part

    def differs(variant: Scenario) -> bool:
        return replayer.runs < MAX_RUNS and _part(replayer.run(variant)[1]) == part

    scenario = replace(scenario, steps=list(scenario.steps[: difference.step + 1]))
    scenario = _over_reset(replayer, scenario)
    while True:
        smaller = _round(replayer, scenario, differs)
        if _size(smaller) >= _size(scenario) or replayer.runs >= MAX_RUNS:
            return smaller
        scenario = smaller


def _round(replayer: Replayer, scenario: Scenario, differs: Test) -> Scenario:
    """Each kind of part left out once, as far as it goes."""

    def with_steps(steps: list[Step]) -> Scenario:
        return replace(scenario, steps=steps)

    small = with_steps(shrink(scenario.steps, lambda steps: differs(with_steps(steps))))
    for number in range(len(small.steps)):
        small = _fewer_settings(small, number, differs)
    small = _fewer_fields(replayer, small, differs)

    def with_words(items: list[tuple[int, int]]) -> Scenario:
        return replace(small, mem=dict(items))

    return with_words(shrink(list(small.mem.items()), lambda items: differs(with_words(items))))


def _part(difference: Difference | None) -> str | None:
    return None if difference is None else difference.part


def _size(scenario: Scenario) -> int:
    settings = sum(len(step.set) + len(step.ram) for step in scenario.steps)
    return len(scenario.steps) + settings + len(scenario.state or ()) + len(scenario.mem)


def _over_reset(replayer: Replayer, scenario: Scenario) -> Scenario:
    """The scenario with a state that is written out."""
    if scenario.state is not None:
        return scenario
    return replace(scenario, state=replayer.pair.layout.values(replayer.reset))


def _fewer_fields(replayer: Replayer, scenario: Scenario, differs: Test) -> Scenario:
    """The state with as many fields as possible at their value of reset."""
    reset, state = replayer.pair.layout.values(replayer.reset), scenario.state or {}
    changed = [name for name in dict.fromkeys([*state, *reset]) if state.get(name, 0) != reset.get(name, 0)]

    def with_only(names: Sequence[str]) -> Scenario:
        values = {**reset, **{name: state.get(name, 0) for name in names}}
        return replace(scenario, state={name: value for name, value in values.items() if value})

    return with_only(shrink(changed, lambda names: differs(with_only(names))))


def _fewer_settings(scenario: Scenario, number: int, differs: Test) -> Scenario:
    """A step with as few fields set as possible."""
    step = scenario.steps[number]

    def with_only(items: list[tuple[str, int]]) -> Scenario:
        steps = list(scenario.steps)
        steps[number] = replace(step, set=dict(items))
        return replace(scenario, steps=steps)

    return with_only(shrink(list(step.set.items()), lambda items: differs(with_only(items))))


def shrink(items: Sequence[T], holds: Callable[[list[T]], bool]) -> list[T]:
    """A subsequence that holds and from which nothing can be left out, by groups that halve."""
    kept = list(items)
    if kept and holds([]):
        return []
    size = max(len(kept) // 2, 1)
    while kept:
        start, shorter = 0, False
        while start < len(kept):
            without = kept[:start] + kept[start + size :]
            if len(without) < len(kept) and holds(without):
                kept, shorter = without, True
            else:
                start += size
        if size == 1 and not shorter:
            break
        size = max(size // 2, 1) if not shorter or size > 1 else 1
    return kept
