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
    """Where a test guest stores its exit status: the board ends with it (not a device of the real machine)."""

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
