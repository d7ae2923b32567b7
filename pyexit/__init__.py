# SPDX-License-Identifier: BSD-3-Clause
"""pyexit: Linux KVM's Book E hypervisor exit path (e500mc, e5500, e6500) as a library (design.md 1).

``Machine`` is the face; ``scenario`` the currency of replays and bug reports; ``pyexit check`` on the command
line replays what real Linux code answered.
"""

from __future__ import annotations

from pyexit.actions import Action
from pyexit.batch import ExitRecord, dtype
from pyexit.errors import Divergence, FieldError, ScenarioError, VectorError
from pyexit.explore import Finding
from pyexit.io.events import Event
from pyexit.layout import Difference
from pyexit.machine import End, Fetch, Geometry, Machine, Outcome, Resume, Snapshot, Translation, Where
from pyexit.scenario import Expect, Mismatch, Scenario, Step, recorded, replay
from pyexit.tlbentry import TlbEntry

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Difference",
    "Divergence",
    "End",
    "Event",
    "ExitRecord",
    "Expect",
    "Fetch",
    "FieldError",
    "Finding",
    "Geometry",
    "Machine",
    "Mismatch",
    "Outcome",
    "Resume",
    "Scenario",
    "ScenarioError",
    "Snapshot",
    "Step",
    "TlbEntry",
    "Translation",
    "VectorError",
    "Where",
    "dtype",
    "recorded",
    "replay",
]
