# SPDX-License-Identifier: BSD-3-Clause
"""The compiled reference as a backend (design.md 4): ref_backend over the modules of pyexit.refc."""

from __future__ import annotations

from pyexit.backends.base import Options
from pyexit.backends.ref_backend import Reference


def create(options: Options) -> Reference:
    """A machine of the compiled reference."""
    return Reference("refc", options)
