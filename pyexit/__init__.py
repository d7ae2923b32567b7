# SPDX-License-Identifier: BSD-3-Clause
"""pyexit: Linux KVM's Book E hypervisor exit path (e500mc, e5500, e6500) as a library (design.md 1).

``Machine`` is the face; ``scenario`` the currency of replays and bug reports; ``pyexit check`` on the command
line replays what real Linux code answered.

The names below come from their modules when they are first used (PEP 562): ``import pyexit`` alone loads
nothing else.
"""

TYPE_CHECKING = False  # typing's own costs more than this whole module
if TYPE_CHECKING:
    from pyexit.actions import Action as Action
    from pyexit.batch import ExitRecord as ExitRecord
    from pyexit.batch import dtype as dtype
    from pyexit.errors import Divergence as Divergence
    from pyexit.errors import FieldError as FieldError
    from pyexit.errors import InvariantError as InvariantError
    from pyexit.errors import ScenarioError as ScenarioError
    from pyexit.errors import VectorError as VectorError
    from pyexit.explore import Finding as Finding
    from pyexit.invariant import Violation as Violation
    from pyexit.io.events import Event as Event
    from pyexit.layout import Difference as Difference
    from pyexit.machine import End as End
    from pyexit.machine import Fetch as Fetch
    from pyexit.machine import Geometry as Geometry
    from pyexit.machine import Machine as Machine
    from pyexit.machine import Outcome as Outcome
    from pyexit.machine import Resume as Resume
    from pyexit.machine import Snapshot as Snapshot
    from pyexit.machine import Translation as Translation
    from pyexit.machine import Where as Where
    from pyexit.scenario import Expect as Expect
    from pyexit.scenario import Mismatch as Mismatch
    from pyexit.scenario import Scenario as Scenario
    from pyexit.scenario import Step as Step
    from pyexit.scenario import recorded as recorded
    from pyexit.scenario import replay as replay
    from pyexit.tlbentry import TlbEntry as TlbEntry

__version__ = "0.1.0"

#: The same names as above, for who runs: name and module.
_HOMES = {
    "Action": "pyexit.actions",
    "Difference": "pyexit.layout",
    "Divergence": "pyexit.errors",
    "End": "pyexit.machine",
    "Event": "pyexit.io.events",
    "ExitRecord": "pyexit.batch",
    "Expect": "pyexit.scenario",
    "Fetch": "pyexit.machine",
    "FieldError": "pyexit.errors",
    "Finding": "pyexit.explore",
    "Geometry": "pyexit.machine",
    "InvariantError": "pyexit.errors",
    "Machine": "pyexit.machine",
    "Mismatch": "pyexit.scenario",
    "Outcome": "pyexit.machine",
    "Resume": "pyexit.machine",
    "Scenario": "pyexit.scenario",
    "ScenarioError": "pyexit.errors",
    "Snapshot": "pyexit.machine",
    "Step": "pyexit.scenario",
    "TlbEntry": "pyexit.tlbentry",
    "Translation": "pyexit.machine",
    "VectorError": "pyexit.errors",
    "Violation": "pyexit.invariant",
    "Where": "pyexit.machine",
    "dtype": "pyexit.batch",
    "recorded": "pyexit.scenario",
    "replay": "pyexit.scenario",
}

__all__ = list(_HOMES)

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
