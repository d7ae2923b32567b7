# SPDX-License-Identifier: BSD-3-Clause
"""The errors that pyexit raises besides ValueError, TypeError and OSError (design.md 7)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyexit.invariant import Violation
    from pyexit.scenario import Scenario


class FieldError(LookupError):
    """A name that no field of this machine has."""


class ScenarioError(ValueError):
    """A scenario that cannot be read: unknown format, unknown key, wrong value."""


class VectorError(ValueError):
    """A vector file that cannot be read; the message names the file and the line."""


class Divergence(Exception):
    """Two backends answered differently.

    `field` names the first difference (a state field, ``ret``, ``value[i]``, ``error``, ``event[i]``,
    ``lost_events``, ``ram[address]``, ``params.name``), `a` and `b` are what the two have there, and
    `scenario` is what led to it: ``scenario.save(path)`` keeps it, ``pyexit check path`` replays it.
    """

    def __init__(self, field: str, a: object, b: object, scenario: Scenario, names: tuple[str, str]) -> None:
        self.field, self.a, self.b, self.scenario, self.names = field, a, b, scenario, names
        where = f"after step {len(scenario.steps) - 1}" if scenario.steps else "in a new machine"
        super().__init__(f"{field} differs {where}: {names[0]} has {_show(a)}, {names[1]} has {_show(b)}")


class InvariantError(Exception):
    """A verb of a machine made with ``invariants=True`` has broken a rule of the shadow entries.

    `violations` are all that Machine.check_invariants() finds.
    """

    def __init__(self, verb: str, violations: list[Violation]) -> None:
        self.violations = violations
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"after {verb}: {violations[0]}{more}")


def _show(value: object) -> str:
    """An integer in hex, anything else as it prints."""
    return f"{value:#x}" if isinstance(value, int) else str(value)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, if there is one."""
    found = get_close_matches(name, list(names), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
