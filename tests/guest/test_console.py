# SPDX-License-Identifier: BSD-3-Clause
"""Who types at the serial line, without a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyexit.guest.console import Script


def says(script: Script, text: bytes) -> bytes | None:
    """The guest prints `text`; what the script types at its last byte. It types nothing before."""
    *first, last = text
    assert [script.sent(byte) for byte in first] == [b""] * len(first)
    return script.sent(last)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "script"
    path.write_text("one\ntwo\n")
    return Script(path)


def test_a_script_types_a_line_at_each_prompt_and_ends_after_the_last(script: Script) -> None:
    assert says(script, b"U-Boot\r\n=> ") == b"one\r"
    assert says(script, b"one\r\nanswer\r\n=> ") == b"two\r"
    assert says(script, b"two\r\n=> ") is None


def test_a_script_presses_a_key_at_the_autoboot_line_once(script: Script) -> None:
    assert says(script, b"Hit any key to stop autoboot:  1") == b" "
    assert says(script, b"\x08\x08\x08 0 \r\n=> ") == b"one\r"


def test_a_prompt_behind_other_text_counts_when_the_guest_waits(script: Script) -> None:
    """As after ``echo -n``; while the guest prints, it may be text."""
    assert says(script, b"\r\n=> ") == b"one\r"
    assert says(script, b"echo -n text\r\ntext=> ") == b""
    assert script.typed(False) == b""
    assert script.typed(True) == b"two\r"
    assert script.typed(True) == b""
