# SPDX-License-Identifier: BSD-3-Clause
"""Real guests: an engine that executes PowerPC code, a board, and the VMM's loop (design.md 2, 5).

The engine only executes what a user program could. Every translation, privileged instruction, interrupt and
MMIO access goes through the Machine, as on the hardware. Needs ``pip install pyexit[guest]``.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class MissingDependency(ValueError):
    """A library of the extra ``guest`` is not installed."""


def library(name: str) -> ModuleType:
    """An optional library; MissingDependency says how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependency(f"{name} is not installed: pip install pyexit[guest]") from error
