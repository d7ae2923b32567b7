# SPDX-License-Identifier: BSD-3-Clause
"""Builds pyexit.backends._core: the C core with cffi's bindings, in API mode (design.md 3).

setup.py names ``ffibuilder``. The file runs from the project's root, before the package can be imported.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "csrc" / "include" / "pyexit.h"

#: The whole core (design.md 3): setuptools wants names relative to the root.
SOURCES = [
    "csrc/width32.c",
    "csrc/width64.c",
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("csrc/api/*.c")),
]
#: The rooms that the width units include: a change there rebuilds them.
DEPENDS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("csrc/**/*.[ch]"))


def declarations() -> str:
    """The header for ``ffi.cdef()``; cdef.py is run by path, as there is no package to import yet."""
    derive = runpy.run_path(str(Path(__file__).with_name("cdef.py")))["cdef"]
    return str(derive(HEADER.read_text(encoding="ascii")))


def builder() -> FFI:
    """The extension module as cffi's setuptools integration wants it."""
    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(
        "pyexit.backends._core",
        '#include "pyexit.h"',
        sources=SOURCES,
        depends=DEPENDS,
        include_dirs=["csrc/include"],
        # Hidden: only PYEXIT_API functions and the module's init leave the shared object.
        extra_compile_args=["-O2", "-std=c11", "-fvisibility=hidden"],
    )
    return ffi


ffibuilder = builder()
