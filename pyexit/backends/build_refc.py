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

#: How much to optimize: most what every fetch goes through; not at all, as that halves the time to compile,
#: what neither a fetch nor a plain exit goes through; the rest in between.
_HOT = ("hw.core", "hw.tlb", "hw.tlbops", "kvm.last_inst", "kvm.lowlevel")
_COLD = (
    *("hw.doorbell", "hw.epid", "hw.guestop", "hw.lrat", "hw.walk"),
    *("kvm.calls", "kvm.config_tlb", "kvm.create", "kvm.debug", "kvm.ioctl", "kvm.kvm_run", "kvm.loadstore"),
    *("kvm.memslot", "kvm.mmio", "kvm.one_reg", "kvm.user", "kvm.vcpu"),
)


def optimization(module: str) -> str:
    """The compiler's flag for a module of pyexit.refc."""
    room = module.removeprefix("pyexit.refc.")
    return "-O2" if room in _HOT else "-O0" if room in _COLD else "-O1"


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
            extra_compile_args=[optimization(name), "-g0", "-w"],
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
