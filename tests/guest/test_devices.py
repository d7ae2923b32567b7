# SPDX-License-Identifier: BSD-3-Clause
"""The devices of the board, without a guest."""

from __future__ import annotations

import pytest

from pyexit.guest.devices import Bus, Mpic, Ones, Scratch, Uart


def test_bus_reads_zero_where_nobody_answers() -> None:
    bus = Bus()
    bus.add(0x1000, 4, Ones())
    assert bus.read(0x1000, 4) == b"\xff" * 4
    assert bus.read(0x2000, 2) == b"\0\0"


def test_uart_sends_and_receives() -> None:
    sent: list[int] = []
    levels: list[bool] = []
    uart = Uart(sent.append, levels.append)
    uart.write(Uart.RBR, 1, 0x41)
    uart.receive(b"z")
    assert sent == [0x41]
    assert uart.read(Uart.LSR, 1) == Uart.EMPTY | Uart.READY
    assert uart.read(Uart.RBR, 1) == ord("z")
    assert uart.read(Uart.LSR, 1) == Uart.EMPTY
    assert not any(levels)


def test_uart_interrupts_follow_ier() -> None:
    levels: list[bool] = []
    uart = Uart(lambda byte: None, levels.append)
    uart.write(Uart.IER, 1, 2)
    assert levels[-1]
    assert uart.read(Uart.IIR, 1) == 2
    assert not levels[-1]
    uart.write(Uart.IER, 1, 1)
    uart.receive(b"z")
    assert levels[-1]
    assert uart.read(Uart.IIR, 1) == 4


@pytest.mark.parametrize(("mcr", "msr"), [(0x1B, 0xB0), (0x1A, 0x90), (0x1F, 0xF0)])
def test_uart_loopback_shows_the_outputs(mcr: int, msr: int) -> None:
    uart = Uart(lambda byte: None, lambda level: None)
    uart.write(Uart.MCR, 1, mcr)
    assert uart.read(Uart.MSR, 1) == msr


def test_uart_divisor_is_behind_dlab() -> None:
    uart = Uart(lambda byte: pytest.fail("sent"), lambda level: None)
    uart.write(Uart.LCR, 1, Uart.DLAB)
    uart.write(0, 1, 0x12)
    assert uart.read(0, 1) == 0x12


def test_mpic_acknowledges_by_priority() -> None:
    levels: list[bool] = []
    mpic = Mpic(levels.append)
    for source, priority in ((42, 5), (43, 7)):
        mpic.write(Mpic.SOURCE0 + 0x20 * source, 4, priority << 16 | source)
        mpic.line(source, True)
    assert not levels[-1]
    mpic.write(Mpic.CTPR, 4, 0)
    assert levels[-1]
    assert mpic.read(Mpic.IACK, 4) == 43
    assert mpic.read(Mpic.IACK, 4) == Mpic.SPURIOUS
    mpic.line(43, False)
    mpic.write(Mpic.EOI, 4, 0)
    assert mpic.read(Mpic.IACK, 4) == 42


def test_scratch_keeps_bytes_of_every_width() -> None:
    scratch = Scratch(8)
    scratch.write(0, 4, 0x01020304)
    scratch.write(1, 1, 0xAA)
    assert scratch.read(0, 2) == 0x01AA
    scratch.write(6, 4, 0x05060708)
    assert scratch.read(6, 2) == 0x0506
