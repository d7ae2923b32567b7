# SPDX-License-Identifier: BSD-3-Clause
"""Instructions of the host that one call of the core takes, counted by valgrind (perf-anchors.md 2).

The core is compiled from csrc with the system's compiler, -O2, as `cc -O2 -Icsrc/include` does it. valgrind
has no AVX-512, so the search that is counted is at best the AVX2 one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from pyexit import Machine
from pyexit.backends.base import FETCHES, MODELS

ROOT = Path(__file__).parent.parent
SOURCES = ("csrc/width32.c", "csrc/width64.c", "csrc/api/*.c")
TIMES = (200, 1200)  # the difference leaves out what starting costs


@cache
def _program() -> Path | None:
    """The compiled driver; None where there is no compiler or no valgrind."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("valgrind") is None:
        return None
    target = Path(tempfile.mkdtemp(prefix="pyexit-bench-")) / "instructions"
    sources = [path for pattern in SOURCES for path in sorted(ROOT.glob(pattern))]
    here = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-O2", f"-I{ROOT / 'csrc/include'}", here, *sources, "-o", target], check=True)
    return target


def instructions(machine: Machine, ram_size: int, *calls: tuple[str | int, ...]) -> int | None:
    """Instructions of `calls`, each (name, *args), on a machine of one vcpu with RAM at 0.

    None without compiler or valgrind.
    """
    program = _program()
    if program is None:
        return None
    state = program.with_name("state")
    state.write_bytes(machine.snapshot().data + machine.read_ram(0, ram_size))
    numbers = [str(MODELS[machine.model]), str(FETCHES[machine.fetch]), str(ram_size), str(state)]
    words = [":".join(map(str, call)) for call in calls]
    low, high = (_count([str(program), *numbers, str(times), *words]) for times in TIMES)
    return round((high - low) / (TIMES[1] - TIMES[0]))


def _count(command: list[str]) -> int:
    """The instructions of a run."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    if found is None:
        raise ValueError(f"valgrind printed no count: {run.stderr[-200:]}")
    return int(found[1])
