# SPDX-License-Identifier: BSD-3-Clause
"""hw/doorbell: messages between threads, asynchronous interrupts (exit 1.10, 7.4; mmu-hardware 12)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import (
    DONE,
    EVENT_MSGSND,
    PIN_CRITICAL,
    PIN_DBELL,
    PIN_DBELL_CRIT,
    PIN_DECREMENTER,
    PIN_EXTERNAL,
    PIN_FIT,
    PIN_GDBELL,
    PIN_GDBELL_CRIT,
    PIN_GDBELL_MC,
    PIN_MACHINE_CHECK,
    PIN_PERFORMANCE_MONITOR,
    PIN_WATCHDOG,
)
from pyexit.ref.hw.core import OP_MSGSND, End, Hardware, count, log
from pyexit.ref.hw.interrupt import ppc_raise
from pyexit.ref.hw.regs import (
    EPCR_EXTGS,
    IVOR_CRITICAL,
    IVOR_DBELL,
    IVOR_DBELL_CRIT,
    IVOR_DECREMENTER,
    IVOR_EXTERNAL,
    IVOR_FIT,
    IVOR_GDBELL,
    IVOR_GDBELL_CRIT,
    IVOR_MACHINE_CHECK,
    IVOR_PERFORMANCE_MONITOR,
    IVOR_WATCHDOG,
    MSG_BROADCAST,
    MSG_DBELL,
    MSG_DBELL_CRIT,
    MSG_GDBELL,
    MSG_GDBELL_CRIT,
    MSG_GDBELL_MC,
    MSG_LPID_SHIFT,
    MSG_PIR_MASK,
    MSG_TAG_MASK,
    MSG_TYPE_MASK,
    MSG_TYPE_SHIFT,
    MSR_CE,
    MSR_EE,
    MSR_GS,
    MSR_ME,
)

_WORD = 0xFFFFFFFF

#: The pin that a message of a type sets; other types reach nobody (exit 1.10).
PINS_OF = {
    MSG_DBELL: PIN_DBELL,
    MSG_DBELL_CRIT: PIN_DBELL_CRIT,
    MSG_GDBELL: PIN_GDBELL,
    MSG_GDBELL_CRIT: PIN_GDBELL_CRIT,
    MSG_GDBELL_MC: PIN_GDBELL_MC,
}
_HYPERVISOR_TYPES = (MSG_DBELL, MSG_DBELL_CRIT)


class Row(NamedTuple):
    """How a pin interrupts a guest: its vector, and the MSR bit that must be set, if one must."""

    pin: int
    ivor: int
    enable: int = 0


#: In the order of their priority. What the hypervisor takes for itself, MSR cannot hold up in guest state.
PRIORITIES = (
    Row(PIN_MACHINE_CHECK, IVOR_MACHINE_CHECK),
    Row(PIN_CRITICAL, IVOR_CRITICAL),
    Row(PIN_WATCHDOG, IVOR_WATCHDOG),
    Row(PIN_DBELL_CRIT, IVOR_DBELL_CRIT),
    Row(PIN_GDBELL_MC, IVOR_GDBELL_CRIT, MSR_ME),
    Row(PIN_GDBELL_CRIT, IVOR_GDBELL_CRIT, MSR_CE),
    Row(PIN_EXTERNAL, IVOR_EXTERNAL, MSR_EE),
    Row(PIN_FIT, IVOR_FIT),
    Row(PIN_DECREMENTER, IVOR_DECREMENTER),
    Row(PIN_DBELL, IVOR_DBELL),
    Row(PIN_GDBELL, IVOR_GDBELL, MSR_EE),
    Row(PIN_PERFORMANCE_MONITOR, IVOR_PERFORMANCE_MONITOR),
)


def ppc_msgsnd(hw: Hardware, thread: int, message: int) -> End:
    """Send a message: every thread that it reaches latches it."""
    count(hw, thread, OP_MSGSND)
    message &= _WORD
    log(hw, EVENT_MSGSND, 0, message)
    for other, state in enumerate(hw.thread):
        if _reaches(hw, other, message):
            state.pins |= _latch(message)
    return End(DONE)


def ppc_msgclr(hw: Hardware, thread: int, message: int) -> End:
    """Drop what the thread itself has latched of the message's type."""
    hw.thread[thread].pins &= ~_latch(message)
    return End(DONE)


def _type(message: int) -> int:
    """The type code of a message."""
    return message >> MSG_TYPE_SHIFT & MSG_TYPE_MASK


def _latch(message: int) -> int:
    """The bit of Thread.pins that a message of this type sets; 0 for an unknown type."""
    pin = PINS_OF.get(_type(message))
    return 0 if pin is None else 1 << pin


def _reaches(hw: Hardware, thread: int, message: int) -> bool:
    """Whether a message is for a thread: PIR, or LPID and GPIR of the guest on it (exit 1.10)."""
    spr = hw.spr[thread]
    if _type(message) in _HYPERVISOR_TYPES:
        return _addresses(message, spr.PIR)
    lpid = (message & MSG_TAG_MASK & ~MSG_BROADCAST) >> MSG_LPID_SHIFT
    return lpid == spr.LPID & hw.params.lpid_mask and _addresses(message, spr.GPIR)


def _addresses(message: int, pir: int) -> bool:
    """Broadcast, or the number of the processor."""
    return bool(message & MSG_BROADCAST) or message & MSG_PIR_MASK == pir & MSG_PIR_MASK


def ppc_pending(hw: Hardware, thread: int) -> End:
    """Take the first asynchronous interrupt that is due and enabled; the host is left to its caller."""
    state = hw.thread[thread]
    if not state.msr & MSR_GS:
        return End(DONE)
    for row in PRIORITIES:
        if state.pins >> row.pin & 1 and _enabled(hw, thread, row):
            if row.pin != PIN_EXTERNAL:  # a level: who raised it lowers it
                state.pins &= ~(1 << row.pin)
            return ppc_raise(hw, thread, row.ivor)
    return End(DONE)


def _enabled(hw: Hardware, thread: int, row: Row) -> bool:
    """The MSR bit of the row; an external input that is the hypervisor's needs none (EPCR[EXTGS])."""
    if row.pin == PIN_EXTERNAL and not hw.spr[thread].EPCR & EPCR_EXTGS:
        return True
    return not row.enable or bool(hw.thread[thread].msr & row.enable)
