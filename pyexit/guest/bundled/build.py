# SPDX-License-Identifier: BSD-3-Clause
"""Rebuild the bundled guest: ``python -m pyexit.guest.bundled.build`` (Debian: gcc-powerpc-linux-gnu)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pyexit.guest.bundled import FOLDER, IMAGE

COMPILER = "powerpc-linux-gnu-gcc"
OPTIONS = (
    *("-O1", "-ffreestanding", "-fno-builtin", "-fno-pic", "-fno-stack-protector", "-G0", "-msoft-float"),
    *("-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns", "-Wall", "-Wextra", "-Werror"),
    *("-Wa,-me500mc", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,-N", "-Wl,--build-id=none"),
    *("-Wl,--no-warn-rwx-segments", "-s"),
)


def build(target: Path = IMAGE) -> None:
    """Compile and link; CalledProcessError if that fails."""
    subprocess.run((COMPILER, *OPTIONS, "-o", str(target), "entry.S", "guest.c"), cwd=FOLDER, check=True)


if __name__ == "__main__":
    build()
