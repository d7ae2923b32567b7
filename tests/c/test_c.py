# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the plain C programs of this folder: as they are, and under the address and UB sanitizers.

No Python stands between them and the core, so a sanitizer sees every access. CC names the compiler.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tree import C11, UNITS, c_compiler, run

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted(HERE.glob("*.c"))
MODES = {
    "plain": ("-O2",),
    "sanitized": ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
}


@pytest.fixture(scope="module", params=MODES)
def core(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], list[Path]]:
    """A compile command of one mode, and the core's objects built with it."""
    folder = tmp_path_factory.mktemp(request.param)
    compile_ = [*c_compiler(), *MODES[request.param], *C11]
    if request.param == "sanitized":
        need_sanitizers(compile_, folder)
    objects = [folder / f"{unit.stem}.o" for unit in UNITS]
    for unit, made in zip(UNITS, objects, strict=True):
        run([*compile_, "-c", unit, "-o", made])
    return compile_, objects


def need_sanitizers(compile_: list[str], folder: Path) -> None:
    """A visible skip where the compiler has no sanitizer runtime."""
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    done = subprocess.run(
        [*compile_, str(probe), "-o", str(folder / "probe")], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{compile_[0]} cannot link the address and undefined-behaviour sanitizers")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program(program: Path, core: tuple[list[str], list[Path]], tmp_path: Path) -> None:
    compile_, objects = core
    binary = tmp_path / program.stem
    run([*compile_, program, *objects, "-o", binary])
    verdict = re.search(r"^(\d+) checks, 0 failed$", run([binary]), re.MULTILINE)
    assert verdict
    assert int(verdict[1]) > 0
