# SPDX-License-Identifier: BSD-3-Clause
"""The devices of the board, and the bus on which a VMM finds them (linux-guest.md, Devices).

A device sees offsets in its window and big-endian integers; what no device answers reads as zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Device(Protocol):
    """Something that answers loads and stores."""

    def read(self, offset: int, size: int) -> int:
        """The value of a load of `size` bytes."""

    def write(self, offset: int, size: int, value: int) -> None:
        """A store of `size` bytes."""


class Window(NamedTuple):
    """Where a device is: guest physical addresses."""

    base: int
    size: int
    device: Device


class Bus:
    """Finds the device of an address; the first window that has it counts."""

    def __init__(self) -> None:
        self._windows: list[Window] = []

    def add(self, base: int, size: int, device: Device) -> None:
        """Put a device at an address."""
        self._windows.append(Window(base, size, device))

    def read(self, address: int, size: int) -> bytes:
        """What a load gets: `size` bytes, the guest's byte order."""
        for base, length, device in self._windows:
            if base <= address < base + length:
                value = device.read(address - base, size) & ((1 << 8 * size) - 1)
                return value.to_bytes(size, "big")
        return bytes(size)

    def write(self, address: int, data: bytes) -> None:
        """A store."""
        for base, length, device in self._windows:
            if base <= address < base + length:
                device.write(address - base, len(data), int.from_bytes(data, "big"))
                return


class Ones:
    """A PCI configuration window without devices: every read is all ones."""

    def read(self, offset: int, size: int) -> int:
        """No device answers."""
        return (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Nobody listens."""


class Guts:
    """The global utilities: the processor's version, and the reset request."""

    PVR, RSTCR, HRESET_REQ = 0xA0, 0xB0, 2

    def __init__(self, pvr: int, reset: Callable[[], None]) -> None:
        self._pvr, self._reset = pvr, reset

    def read(self, offset: int, size: int) -> int:
        """PVR; everything else is 0."""
        return self._pvr if offset == self.PVR else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """A reset, if asked for."""
        if offset == self.RSTCR and value & self.HRESET_REQ:
            self._reset()


class Verdict:
    """Where a test guest stores its exit status, and the run ends (not a device of the real machine)."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end = end

    def read(self, offset: int, size: int) -> int:
        """Nothing to read."""
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """The guest's verdict."""
        self._end(value)


class Uart:
    """An NS16550: FIFO, interrupts, loopback; `send` gets each byte that the guest transmits."""

    RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR = 0, 1, 2, 3, 4, 5, 6, 7
    DLAB, LOOP = 0x80, 0x10
    READY, EMPTY = 0x01, 0x60  # LSR: data ready; THR and transmitter empty

    def __init__(self, send: Callable[[int], None], interrupt: Callable[[bool], None]) -> None:
        self._send, self._interrupt = send, interrupt
        self._input: deque[int] = deque()
        self._registers = [0] * 8
        self._divisor = [0, 0]
        self._fifo = False
        self._thr_empty = False  # the latch behind the THR interrupt

    def receive(self, data: bytes) -> None:
        """Bytes from the line."""
        self._input.extend(data)
        self._update()

    @property
    def drained(self) -> bool:
        """Whether the guest has read everything."""
        return not self._input

    def read(self, offset: int, size: int) -> int:
        """A register; they are bytes."""
        if self._registers[self.LCR] & self.DLAB and offset < 2:
            return self._divisor[offset]
        value = self._read(offset & 7)
        self._update()
        return value

    def _read(self, register: int) -> int:
        if register == self.RBR:
            return self._input.popleft() if self._input else 0
        if register == self.IIR:
            return self._identify()
        if register == self.LSR:
            return self.EMPTY | (self.READY if self._input else 0)
        if register == self.MSR:
            return self._modem()
        return self._registers[register]

    def _identify(self) -> int:
        """IIR; reading it takes back a THR interrupt."""
        fifo = 0xC0 if self._fifo else 0
        enabled = self._registers[self.IER]
        if enabled & 1 and self._input:
            return fifo | 4
        if enabled & 2 and self._thr_empty:
            self._thr_empty = False
            return fifo | 2
        return fifo | 1

    def _modem(self) -> int:
        """MSR: in loopback the outputs of MCR come back; else the other side is there."""
        mcr = self._registers[self.MCR]
        if not mcr & self.LOOP:
            return 0xB0
        return (mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 0xC) << 4

    def write(self, offset: int, size: int, value: int) -> None:
        """A register."""
        register, value = offset & 7, value & 0xFF
        if self._registers[self.LCR] & self.DLAB and register < 2:
            self._divisor[register] = value
            return
        self._write(register, value)
        self._update()

    def _write(self, register: int, value: int) -> None:
        if register == self.RBR:
            self._transmit(value)
        elif register == self.IIR:
            self._fifo = bool(value & 1)
            if value & 2:
                self._input.clear()
        elif register == self.IER:
            if value & 2 and not self._registers[self.IER] & 2:
                self._thr_empty = True
            self._registers[self.IER] = value & 0xF
        elif register not in (self.LSR, self.MSR):
            self._registers[register] = value

    def _transmit(self, value: int) -> None:
        self._thr_empty = True
        if self._registers[self.MCR] & self.LOOP:
            self._input.append(value)
        else:
            self._send(value)

    def _update(self) -> None:
        enabled = self._registers[self.IER]
        self._interrupt(bool((enabled & 1 and self._input) or (enabled & 2 and self._thr_empty)))


class Scratch:
    """A few bytes that keep what is stored, whatever the width (not a device of the real machine)."""

    def __init__(self, size: int) -> None:
        self._data = bytearray(size)

    def read(self, offset: int, size: int) -> int:
        """The bytes, big-endian."""
        return int.from_bytes(self._data[offset : offset + size], "big")

    def write(self, offset: int, size: int, value: int) -> None:
        """Keep the bytes; those beyond the end are lost."""
        end = min(offset + size, len(self._data))
        self._data[offset:end] = value.to_bytes(size, "big")[: end - offset]


class Mpic:
    """The interrupt controller, what one CPU without message interrupts needs (linux-guest.md, Devices).

    Interrupts are acknowledged by reading IACK (BRR1 below 0x400); all sources are levels.
    """

    SOURCES = 256
    BRR1, FRR, GCR, SOURCE0 = 0x0, 0x1000, 0x1020, 0x10000
    CTPR, WHOAMI, IACK, EOI = 0x20080, 0x20090, 0x200A0, 0x200B0
    VERSION, FEATURES, SPURIOUS = 0x00400200, 0xFF << 16 | 2, 0xFFFF
    MASK, PRIORITY = 1 << 31, 0xF

    def __init__(self, output: Callable[[bool], None]) -> None:
        self._output = output
        self._vectors = [self.MASK] * self.SOURCES
        self._plain: dict[int, int] = {self.CTPR: self.PRIORITY}
        self._levels: set[int] = set()
        self._in_service: list[int] = []

    def line(self, source: int, level: bool) -> None:
        """A source's level changes."""
        (self._levels.add if level else self._levels.discard)(source)
        self._update()

    def _priority(self, source: int) -> int:
        return self._vectors[source] >> 16 & self.PRIORITY

    def _due(self) -> int | None:
        """The source to be acknowledged next."""
        threshold = max([self._plain[self.CTPR], *map(self._priority, self._in_service)])
        due = [n for n in self._levels if not self._vectors[n] & self.MASK and self._priority(n) > threshold]
        return max(due, key=self._priority, default=None)

    def _update(self) -> None:
        self._output(self._due() is not None)

    def read(self, offset: int, size: int) -> int:
        """A register."""
        if offset in (self.BRR1, self.FRR):
            return self.VERSION if offset == self.BRR1 else self.FEATURES
        if offset == self.IACK:
            return self._acknowledge()
        source, register = divmod(offset - self.SOURCE0, 0x20)
        if 0 <= source < self.SOURCES and register == 0:
            return self._vectors[source]
        return self._plain.get(offset, 0)

    def _acknowledge(self) -> int:
        source = self._due()
        if source is None:
            return self.SPURIOUS
        self._in_service.append(source)
        self._update()
        return self._vectors[source] & 0xFFFF

    def write(self, offset: int, size: int, value: int) -> None:
        """A register."""
        source, register = divmod(offset - self.SOURCE0, 0x20)
        if offset == self.EOI:
            if self._in_service:
                self._in_service.pop()
        elif 0 <= source < self.SOURCES and register == 0:
            self._vectors[source] = value
        elif offset == self.CTPR:
            self._plain[offset] = value & self.PRIORITY
        elif offset != self.GCR:  # its reset bit reads 0
            self._plain[offset] = value
        self._update()
