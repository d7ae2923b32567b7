# SPDX-License-Identifier: BSD-3-Clause
"""Builds pyexit.refc: the reference's own modules, compiled by Cython (design.md 4).

setup.py asks for ``extensions()``. The file runs from the project's root, before the package can be imported;
what Cython compiles is written below build/.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from setuptools import Extension

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "pyexit" / "ref"

#: The checks that make a slip an exception stay on: None, indices, numbers that do not fit, division by 0.
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "boundscheck": True,
    "wraparound": True,
    "nonecheck": True,
    "cdivision": False,
    "embedsignature": False,
    "auto_pickle": False,
}

#: The rooms that a fetch and an exit go through: optimized, which takes twice as long to compile.
HOT = {
    *(f"pyexit.refc.hw.{room}" for room in ("core", "interrupt", "memory", "tlb", "tlbops", "translate")),
    *(f"pyexit.refc.kvm.{room}" for room in ("entry", "entry_fetch", "exit", "host_services", "irqprio")),
    *(f"pyexit.refc.kvm.{room}" for room in ("last_inst", "lowlevel", "interleave", "trace", "timing")),
    "pyexit.refc.events",
}


def extensions() -> list[Extension]:
    """One extension module for each module of the reference."""
    try:
        from Cython.Build import cythonize
    except ImportError as error:
        raise SystemExit(
            f"pyexit.refc is compiled by Cython, which cannot be imported ({error}); "
            "install Cython>=3.1, or set PYEXIT_NO_REFC=1 to build without it"
        ) from error
    sources = ROOT / "build" / "refc"
    write_tree: Any = runpy.run_path(str(Path(__file__).with_name("refc_source.py")))["write_tree"]
    modules = [
        Extension(
            name,
            [(sources.joinpath(*name.split("."))).with_suffix(".py").relative_to(ROOT).as_posix()],
            extra_compile_args=["-O1" if name in HOT else "-O0", "-g0", "-w"],
        )
        for name in write_tree(REFERENCE, sources)
    ]
    made: list[Extension] = cythonize(  # type: ignore[no-untyped-call]
        modules,
        nthreads=os.cpu_count() or 1,
        include_path=[str(sources)],
        compiler_directives=DIRECTIVES,
        quiet=True,
    )
    return made
