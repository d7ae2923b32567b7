# SPDX-License-Identifier: BSD-3-Clause
"""The command ``run``: bad input is status 2 and one line, a missing library says how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyexit.cli import main


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere.elf"], "no such file"),
        (["--model", "e5500"], "32-bit guests only"),
        (["--memory", "1"], "--memory is 64 to 2048 MiB"),
        (["--backend", "nativ"], "did you mean 'native'"),
        (["--ticks", "0"], "--ticks"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert error.count("\n") == 1


def test_an_image_that_is_no_guest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("unicorn")
    pytest.importorskip("elftools")
    image = tmp_path / "bad.elf"
    image.write_bytes(b"\x7fELF" + bytes(10))
    assert main(["run", str(image)]) == 2
    assert "not a whole ELF file" in capsys.readouterr().err


def test_without_unicorn_it_says_how_to_get_it() -> None:
    program = "import sys; sys.modules['unicorn'] = None; from pyexit.cli import main; exit(main(['run']))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "pyexit: unicorn is not installed: pip install pyexit[guest]\n"


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", "--help"])
    assert end.value.code == 0
    assert "pyexit run uboot.elf --script" in capsys.readouterr().out


def test_a_folder_and_a_script_that_is_no_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("unicorn")
    script = tmp_path / "script"
    script.write_bytes(b"\xff\xfe")
    assert main(["run", str(tmp_path)]) == 2
    assert main(["run", "--script", str(script)]) == 2
    folder, text = capsys.readouterr().err.splitlines()
    assert "is a folder" in folder
    assert "UTF-8" in text
