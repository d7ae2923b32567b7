# SPDX-License-Identifier: BSD-3-Clause
"""A guest's run is a scenario: it replays without the engine, and ends in the same state on each backend."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyexit.cli import main
from pyexit.playback import replays
from pyexit.scenario import read

UBOOT = Path("/usr/lib/u-boot/qemu-ppce500/uboot.elf")
SAMPLE = Path(__file__).parent / "uboot-boot.scn"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled guest, recorded."""
    pytest.importorskip("unicorn")
    path = tmp_path_factory.mktemp("record") / "bundled.scn"
    assert main(["run", "--backend", "native", "--record", str(path)]) == 0
    return path


def test_the_bundled_guest_replays(backend: str, bundled: Path) -> None:
    (replay,) = replays(bundled, [backend])
    assert replay.found == []
    assert replay.steps > 5000


def test_runs_on_two_backends_are_recorded_alike(bundled: Path, tmp_path: Path) -> None:
    path = tmp_path / "ref.scn"
    assert main(["run", "--backend", "ref", "--record", str(path)]) == 0
    assert path.read_bytes() == bundled.read_bytes()


@pytest.mark.skipif(not UBOOT.exists(), reason="u-boot-qemu is not installed")
def test_the_boot_of_uboot_replays(
    backend: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("unicorn")
    script, path = tmp_path / "none.txt", tmp_path / "boot.scn"
    script.write_text("")
    arguments = ["--script", str(script), "--backend", "native", "--record", str(path)]
    assert main(["run", str(UBOOT), *arguments]) == 0
    (replay,) = replays(path, [backend])
    assert replay.found == []
    assert replay.steps > 10000


def test_the_recorded_boot_replays_without_unicorn(backend: str) -> None:
    """uboot-boot.scn: outcomes only, no CRC, so that a new field of the state does not spoil it."""
    if backend == "lockstep":
        pytest.skip("native and ref, each on its own, are enough here")
    (replay,) = replays(SAMPLE, [backend])
    assert replay.found == []
    assert replay.steps > 10000


def test_ctrl_c_leaves_a_whole_recording(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    path = tmp_path / "r.scn"
    command = [sys.executable, "-P", "-m", "pyexit", "run", "--backend", "ref", "--record", str(path)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.read(40)  # it runs
    os.kill(running.pid, signal.SIGINT)
    _, error = running.communicate(timeout=120)
    assert error.endswith(b"pyexit: interrupted\n")
    assert [item.name for item in tmp_path.iterdir()] == ["r.scn"]
    (replay,) = replays(path, ["native"])
    assert replay.found == []
    assert replay.steps == len(read(path).steps)


@pytest.mark.parametrize(("name", "word"), [("r.txt", "ends in .scn"), ("nowhere/r.scn", "no such folder")])
def test_a_name_that_cannot_be_recorded_to_is_refused(
    name: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--record", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
