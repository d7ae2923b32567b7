# SPDX-License-Identifier: BSD-3-Clause
"""Scenario files replayed on several backends side by side, a batch at a time (docs/scenario.md).

A recorded boot has millions of steps: neither they nor the answers are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from pyexit.errors import Divergence
from pyexit.machine import Machine
from pyexit.scenario import Mismatch, Scenario, Step, compare, perform, stream

T = TypeVar("T")

BATCH = 1024  # steps that are read at a time
MISMATCHES = 100  # differences after which a replay ends


class Replay:
    """A scenario on one backend; it ends at a divergence, or behind the batch that has MISMATCHES.

    `found` are the differences, `seconds` what the steps took, `steps` how many were performed.
    """

    def __init__(self, backend: str, scenario: Scenario) -> None:
        self.backend, self.found, self.seconds, self.steps = backend, list[Mismatch](), 0.0, 0
        self._machine = self._attempt(lambda: scenario.machine(backend))

    def run(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Perform steps; those that had no expectation come back with what this backend answered."""
        machine = self._machine
        if machine is None:
            return steps
        filled = self._attempt(lambda: self._perform(machine, steps))
        if filled is None or len(self.found) >= MISMATCHES:
            self.close()
        return steps if filled is None else filled

    def _perform(self, machine: Machine, steps: Sequence[Step]) -> list[Step]:
        filled = []
        for step in steps:
            got = perform(machine, step, step.expect)
            if step.expect is None:
                step = replace(step, expect=got)
            elif got != step.expect:  # it has more, or something is wrong
                self.found += [Mismatch(self.steps, *part) for part in compare(step.expect, got)]
            filled.append(step)
            self.steps += 1
        return filled

    def _attempt(self, act: Callable[[], T]) -> T | None:
        start = perf_counter()
        try:
            return act()
        except Divergence as found:
            self.found.append(Mismatch(self.steps, found.field, found.a, found.b))
            return None
        finally:
            self.seconds += perf_counter() - start

    def close(self) -> None:
        """Free the machine."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None


def replays(path: str | Path, backends: Sequence[str]) -> list[Replay]:
    """Replay a file on every backend; steps that expect nothing take what the first answers.

    ScenarioError as scenario.read(); the errors of Machine for a header or a step that it refuses.
    """
    scenario, steps = stream(path)
    with ExitStack() as stack:
        found = []
        for backend in backends:
            found.append(Replay(backend, scenario))
            stack.callback(found[-1].close)
        while batch := list(islice(steps, BATCH)):
            expected: Sequence[Step] = batch
            for replay in found:
                expected = replay.run(expected)
    return found
