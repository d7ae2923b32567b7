# SPDX-License-Identifier: BSD-3-Clause
"""U-Boot boots, and prints what it prints on QEMU 7.2, byte for byte (uboot-transcript.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyexit.cli import main

UBOOT = Path("/usr/lib/u-boot/qemu-ppce500/uboot.elf")
HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not UBOOT.exists(), reason="u-boot-qemu is not installed")


def test_commands_print_what_they_print_on_qemu(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("unicorn")
    out = tmp_path / "out.txt"
    script = HERE / "uboot-commands.txt"
    status = main(
        ["run", str(UBOOT), "--backend", "native", "--script", str(script), "--transcript", str(out)]
    )
    assert status == 0
    assert out.read_bytes() == (HERE / "uboot-transcript.txt").read_bytes()


def test_the_boot_prints_the_same_on_every_backend(
    backend: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("unicorn")
    script, out = tmp_path / "none.txt", tmp_path / "out.txt"
    script.write_text("")
    arguments = ["--script", str(script), "--transcript", str(out)]
    assert main(["run", str(UBOOT), "--backend", backend, *arguments]) == 0
    boot, prompt, _ = (HERE / "uboot-transcript.txt").read_bytes().partition(b"=> ")
    assert out.read_bytes() == boot + prompt
