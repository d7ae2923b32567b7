# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit info``: what is installed, and how it was built."""

from __future__ import annotations

import argparse
import platform
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pyexit import __version__
from pyexit.backends import _core
from pyexit.backends.base import FETCHES, LOCKSTEP, MODELS, PARAM_SETS, built, default_name
from pyexit.io.vectors import sample

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DEPENDENCIES = ("cffi", "rich")
OPTIONAL = ("numpy", "unicorn", "Cython", "hypothesis", "pytest")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "info",
        help="versions, backends, build facts",
        description="Print versions, backends and build facts, one a line.",
        epilog="example: pyexit info",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command."""
    for name, value in facts().items():
        print(f"{name:16} {value}")
    return 0


def facts() -> dict[str, str]:
    """The facts by name."""
    lib = _core.lib
    return {
        "pyexit": __version__,
        "core ABI": f"{lib.PYEXIT_ABI_MAJOR}.{lib.PYEXIT_ABI_MINOR}",
        "core": str(_core.__file__),
        "machine": f"{platform.machine()}, {sys.byteorder}-endian",
        "compiler": sysconfig.get_config_var("CC") or "unknown",
        "python": f"{platform.python_version()} ({platform.python_compiler()})",
        "models": ", ".join(MODELS),
        "parameter sets": ", ".join(PARAM_SETS),
        "fetch": ", ".join(FETCHES),
        "backends": ", ".join([*built(), LOCKSTEP]),
        "default backend": default_name(),
        "vectors": str(sample()),
        **{name: _version(name) for name in DEPENDENCIES + OPTIONAL},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
