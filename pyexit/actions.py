# SPDX-License-Identifier: BSD-3-Clause
"""What another thread does while a fetch is under way (design.md 6; pyexit.h, struct pyexit_action)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyexit.backends._core import lib
from pyexit.errors import nearest
from pyexit.layout import constants

#: Points of a fetch by name; with lwepx: mas_set = EPLC is set, read = the word is loaded.
POINTS = {f"fetch:{name}": number for name, number in constants("point", "PYEXIT_POINT_").items()}
KINDS = constants("action_kind", "PYEXIT_ACTION_")

#: What an action can do besides calling a function, with the number of its arguments.
STORE, PREEMPT = "store", "preempt"
OTHERS = {STORE: 2, PREEMPT: 0}

#: The most actions that can wait, and the most arguments that one has.
MAX_ACTIONS: int = lib.PYEXIT_ACTIONS
MAX_ARGS = 3

_U64 = (1 << 64) - 1


class Action(NamedTuple):
    """At `point`, once: an instruction of a thread, a store to RAM, or a preemption of the vcpu's task.

    `do` is the name of a ppc_* function, whose first argument is the thread; "store" with a real address and
    a 32-bit word; or "preempt".
    """

    point: str
    do: str
    args: tuple[int, ...] = ()


class RawAction(NamedTuple):
    """An action as numbers: `call` is an index into the table of functions."""

    point: int
    kind: int
    call: int
    args: tuple[int, ...]


def raw(action: Action, functions: Sequence[str]) -> RawAction:
    """The numbers of an action for a backend that has these functions."""
    point = POINTS[action.point]
    if action.do in OTHERS:
        return RawAction(point, KINDS[action.do], 0, action.args)
    return RawAction(point, KINDS["call"], functions.index(action.do), action.args)


def check(actions: Sequence[Action], functions: Sequence[str] | None = None) -> tuple[Action, ...]:
    """The actions, if each is well formed; ValueError or TypeError says what is not."""
    if len(actions) > MAX_ACTIONS:
        raise ValueError(f"{len(actions)} actions, at most {MAX_ACTIONS} can wait")
    return tuple(_check(Action(*action), functions) for action in actions)


def _check(action: Action, functions: Sequence[str] | None) -> Action:
    point, do, args = action.point, action.do, tuple(action.args)
    if point not in POINTS:
        raise ValueError(f"no point {point!r}; there are {', '.join(POINTS)}{nearest(str(point), POINTS)}")
    _check_do(do, functions)
    if do in OTHERS and len(args) != OTHERS[do]:
        raise ValueError(f"{do} takes {OTHERS[do]} arguments, not {len(args)}")
    if not (do in OTHERS or 1 <= len(args) <= MAX_ARGS):
        raise ValueError(f"{do} takes 1 to {MAX_ARGS} arguments, not {len(args)}")
    for value in args:
        if not isinstance(value, int):
            raise TypeError(f"{do} takes integers, not {type(value).__name__}")
        if not 0 <= value <= _U64:
            raise ValueError(f"{do}: {value:#x} is not a 64-bit number")
    return Action(point, do, args)


def _check_do(do: object, functions: Sequence[str] | None) -> None:
    if not isinstance(do, str):
        raise TypeError(f"an action does something by name, not by {type(do).__name__}")
    if do in OTHERS or (do.startswith("ppc_") and (functions is None or do in functions)):
        return
    known = [*OTHERS, *(name for name in functions or () if name.startswith("ppc_"))]
    raise ValueError(f"no action {do!r}; there are {', '.join(known)}{nearest(do, known)}")
