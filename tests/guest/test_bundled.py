# SPDX-License-Identifier: BSD-3-Clause
"""The bundled guest checks itself, on every backend; and it is made of the sources beside it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pyexit.cli import main
from pyexit.guest.bundled import IMAGE, build

LINE = re.compile(r"(\d+) of (\d+) checks passed")


def test_every_check_passes(backend: str, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    transcript = tmp_path / "out.txt"
    status = main(["run", "--backend", backend, "--transcript", str(transcript)])
    text = transcript.read_text()
    assert "FAIL" not in text
    passed, checks = LINE.findall(text)[0]
    assert passed == checks
    assert status == 0


def test_transcripts_of_native_runs_are_equal(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("unicorn")
    outputs = [tmp_path / "1.txt", tmp_path / "2.txt"]
    for path in outputs:
        assert main(["run", "--backend", "native", "--transcript", str(path)]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.skipif(shutil.which(build.COMPILER) is None, reason=f"{build.COMPILER} is not installed")
def test_the_committed_image_is_what_the_sources_give(tmp_path: Path) -> None:
    made = tmp_path / "guest.elf"
    build.build(made)
    assert made.read_bytes() == IMAGE.read_bytes()
