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
from typing import Any, TypeVar

from pyexit.backends.native import Native
from pyexit.errors import Divergence
from pyexit.machine import Machine
from pyexit.recording import expect_numbers, expect_resume
from pyexit.scenario import Expect, Mismatch, Scenario, Step, compare, errno_name, perform, stream

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
        core = None if self._machine is None else self._machine._core
        self._direct = _Direct(core) if isinstance(core, Native) else None

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
        direct = self._direct
        for step in steps:
            if direct is not None and direct.takes(step):
                got = direct.perform(step)
            else:
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


class _Direct:
    """The frequent steps of a recording on the C core, without the checks and the names of Machine.

    What scenario.perform() does in some thirty function calls; it stays the rule, and takes all other steps.
    """

    def __init__(self, core: Native) -> None:
        self._core = core
        self._acts: dict[str, tuple[Callable[..., Any], Callable[[Any], Expect]]] = {
            "translate": (core.translate, expect_numbers),
            "guest_op": (core.guest_op, expect_numbers),
            "interrupt": (core.interrupt, expect_numbers),
            "pending": (core.pending, expect_numbers),
            "enter": (core.enter, expect_resume),
            "exit": (core.exit, expect_resume),
        }
        self._places: dict[str, tuple[int, int]] = {}  # field to offset and size

    def takes(self, step: Step) -> bool:
        """Whether this is a verb that is known here, and only its answer is expected."""
        expect = step.expect
        return (
            step.verb in self._acts
            and expect is not None
            and expect.out is None
            and expect.events is None
            and expect.crc is None
        )

    def perform(self, step: Step) -> Expect:
        """The answer of a step that takes() accepts."""
        act, answered = self._acts[step.verb or ""]
        try:
            self._store(step)
            try:
                return answered(act(*step.args))
            except OSError as error:
                return Expect(error=errno_name(error))
        except OverflowError as error:
            raise ValueError(f"{step.verb}{step.args}: a number is too wide: {error}") from None

    def _store(self, step: Step) -> None:
        core, places = self._core, self._places
        for address, word in step.ram.items():
            core.write_ram(address, word.to_bytes(4, "big"))
        for name, value in step.set.items():
            if name not in places:
                places[name] = core.layout.field(name)[1:]
            offset, size = places[name]
            core.write(offset, value.to_bytes(size, "little"))


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
