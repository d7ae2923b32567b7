# SPDX-License-Identifier: BSD-3-Clause
"""Every interleaving of a fetch: Machine.explore(), issue of the races that the seed speaks of (design.md 6).

A placement gives each action a point, and an order to those that share one. Each placement runs on a fresh
copy: the machine's state and the RAM words that a scenario or a store names are put back before the next.

    machine.explore(lambda m: m.load_last_inst(), [("ppc_tlbwe", 1), ("store", 0x2010, 0)])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexit import scenario as scenarios
from pyexit.actions import OTHERS, POINTS, STORE, Action, check

if TYPE_CHECKING:
    from pyexit.machine import Machine, Snapshot

#: More placements than this are refused: an exploration is of a few actions.
MAX_PLACEMENTS = 100_000

Placement = tuple[Action, ...]  # in the order in which the actions happen


@dataclass(frozen=True)
class Finding:
    """An outcome, and the placements that lead to it."""

    outcome: Any
    placements: tuple[Placement, ...]

    def __str__(self) -> str:
        first = ", ".join(f"{action.do} at {action.point}" for action in self.placements[0]) or "undisturbed"
        return f"{self.outcome}: {len(self.placements)} placements, such as: {first}"


def explore(
    machine: Machine,
    run: scenarios.Scenario | Callable[[Machine], Any],
    actions: Sequence[tuple[Any, ...]],
    points: Sequence[str] = tuple(POINTS),
) -> list[Finding]:
    """Run every placement of `actions` at `points`; the distinct outcomes, in the order first found.

    `run` is a function of the machine, which must not store in RAM, and its outcome is what it returns; or a
    scenario for a machine of this shape, from its own state if it has one, and its outcome is what each step
    came to: (ret, value, error, stop). An action is what it does and its arguments, as behind the point of an
    Action. The first placement is that without actions; the machine ends as it began.
    """
    placements = _placements(machine, actions, points)
    before = machine.snapshot()
    act, words = _prepare(run, before)
    ram = _saved(machine, [*words, *_stored(placements)])
    found: dict[Any, list[Placement]] = {}
    try:
        for placement in placements:
            machine.interleave(placement)
            found.setdefault(_hashable(act(machine)), []).append(placement)
            _put_back(machine, before, ram)
    finally:
        _put_back(machine, before, ram)
    return [Finding(outcome, tuple(group)) for outcome, group in found.items()]


def _placements(
    machine: Machine, actions: Sequence[tuple[Any, ...]], points: Sequence[str]
) -> list[Placement]:
    """All placements, checked; those without actions first."""
    for point in points:
        check([Action(point, do, tuple(args)) for do, *args in actions], machine.functions)
    order = sorted(set(points), key=lambda point: POINTS[point])
    found: list[Placement] = [()]
    for placement in _orders(actions, order) if actions else ():
        found.append(placement)
        if len(found) > MAX_PLACEMENTS:
            raise ValueError(f"more than {MAX_PLACEMENTS} placements: explore fewer actions or points")
    return found


def _orders(actions: Sequence[tuple[Any, ...]], points: Sequence[str]) -> Iterator[Placement]:
    """Every distinct placement once: at each point an action that is left, or on to the next point."""
    left = Counter((do, tuple(args)) for do, *args in actions)

    def place(points: Sequence[str], placed: Placement) -> Iterator[Placement]:
        if len(placed) == len(actions):
            yield placed
            return
        if not points:
            return
        for act in [act for act, count in left.items() if count]:
            left[act] -= 1
            yield from place(points, (*placed, Action(points[0], *act)))
            left[act] += 1
        yield from place(points[1:], placed)

    return place(points, ())


def _prepare(
    run: scenarios.Scenario | Callable[[Machine], Any], before: Snapshot
) -> tuple[Callable[[Machine], Any], list[int]]:
    """What is done for a placement, and the addresses of the RAM words that it stores to."""
    if not isinstance(run, scenarios.Scenario):
        return run, []
    steps = [step for step in run.steps if step.verb != "interleave"]
    if len(steps) < len(run.steps):
        raise ValueError("explore() sets the actions: its scenario has no interleave step")
    state = before if run.state is None else type(before).zero(before.shape).replace(run.state)
    words = dict(run.mem)

    def act(machine: Machine) -> Any:
        for address, word in words.items():
            machine.store_word(address, word)
        machine.set({change.field: change.b for change in before.diff(state)})
        return tuple(map(_answer, (scenarios.perform(machine, step) for step in steps)))

    return act, [*words, *(address for step in steps for address in step.ram)]


def _answer(got: scenarios.Expect) -> Any:
    return got.ret, got.value, got.error, got.stop


def _stored(placements: Iterable[Placement]) -> Iterator[int]:
    """The addresses of the words that actions store to."""
    for placement in placements:
        for action in placement:
            if action.do in OTHERS and action.do == STORE:
                yield action.args[0]


def _saved(machine: Machine, addresses: Iterable[int]) -> dict[int, bytes]:
    """The bytes that are RAM of the words at `addresses`."""
    found: dict[int, bytes] = {}
    for address in set(addresses):
        for at in range(address, address + 4):
            try:
                found[at] = machine.read_ram(at, 1)
            except (OSError, ValueError):
                continue  # a store to what is not RAM changes nothing
    return found


def _put_back(machine: Machine, before: Snapshot, ram: dict[int, bytes]) -> None:
    """The machine as it was, with no action left and no event waiting."""
    machine.restore(before)
    for address, byte in ram.items():
        machine.write_ram(address, byte)
    machine.events()


def _hashable(outcome: Any) -> Any:
    """The outcome, or its text where it cannot be a key."""
    try:
        hash(outcome)
    except TypeError:
        return repr(outcome)
    return outcome
