# SPDX-License-Identifier: BSD-3-Clause
"""Who sits at the guest's serial line: a script, or the terminal (Ctrl-A x quits)."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

AUTOBOOT = re.compile(rb"stop autoboot: *\d")
PROMPT = b"=> "
_REST = 0.005  # seconds
_KEPT = 256  # bytes of output that are looked at for a prompt


class Console(Protocol):
    """The other end of the line."""

    def sent(self, byte: int) -> bytes | None:
        """The guest has sent a byte; what is typed then; None: that was all, end."""

    @property
    def open(self) -> bool:
        """Whether anything can still be typed."""

    def typed(self, rest: bool) -> bytes | None:
        """What was typed without being asked for; None: end. `rest`: take a moment if nothing was."""


class Script:
    """Presses a key at the autoboot line, types a line at each prompt, ends at the prompt after the last."""

    def __init__(self, path: Path) -> None:
        try:
            self._lines: Iterator[str] = iter(path.read_text("utf-8").splitlines())
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: a script is UTF-8 text: {error}") from error
        self._tail = b"\n"
        self._pressed = False

    def sent(self, byte: int) -> bytes | None:
        """What the script types at this byte."""
        self._tail = self._tail[-_KEPT:] + bytes((byte,))
        if not self._pressed and AUTOBOOT.search(self._tail):
            self._pressed = True
            return b" "
        return self._line() if self._tail.endswith(b"\n" + PROMPT) else b""

    def _line(self) -> bytes | None:
        self._tail = b""
        line = next(self._lines, None)
        return None if line is None else line.encode() + b"\r"

    open = False

    def typed(self, rest: bool) -> bytes | None:
        """A prompt behind other text, as after ``echo -n``, is one if the guest then waits."""
        return self._line() if rest and self._tail.endswith(PROMPT) else b""


class Silent:
    """Nobody."""

    def sent(self, byte: int) -> bytes | None:
        """No answer."""
        return b""

    open = False

    def typed(self, rest: bool) -> bytes | None:
        """Nothing."""
        return b""


class Keyboard:
    """The terminal: keys go to the guest, Ctrl-A x ends, Ctrl-A Ctrl-A is one Ctrl-A."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._escaped = False
        self.open = True

    def sent(self, byte: int) -> bytes | None:
        """The person looks; no answer."""
        return b""

    def typed(self, rest: bool) -> bytes | None:
        """The keys since the last question."""
        if not self.open or not select.select([self._descriptor], [], [], _REST if rest else 0)[0]:
            return b""
        data = os.read(self._descriptor, 256)
        if not data:  # end of a pipe: nobody types any more
            self.open = False
        return self._filter(data)

    def _filter(self, data: bytes) -> bytes | None:
        keys = bytearray()
        for key in data:
            if not self._escaped and key == 1:
                self._escaped = True
                continue
            if self._escaped and key in b"xX":
                return None
            self._escaped = False
            keys.append(key)
        return bytes(keys)


@contextmanager
def keyboard() -> Iterator[Console]:
    """Standard input as the console; a terminal is raw meanwhile."""
    descriptor = sys.stdin.fileno()
    if not os.isatty(descriptor):
        yield Keyboard(descriptor)
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Transcript:
    """What a guest printed, from its first visible character on, without U-Boot's autoboot line.

    The digits of that line depend on when the key comes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._line = b""
        self._begun = False

    def sent(self, byte: int) -> None:
        """One more byte."""
        self._line += bytes((byte,))
        if byte == 0x0A:
            self._flush()

    def _flush(self) -> None:
        line, self._line = self._line, b""
        if not self._begun:
            line = line.lstrip(b"\r\n")
        if line and b"Hit any key to stop autoboot" not in line:
            self._begun = True
            self._stream.write(line)

    def close(self) -> None:
        """The last line, which may be a prompt."""
        self._flush()
        self._stream.close()


Sink = Callable[[int], None]
