# SPDX-License-Identifier: BSD-3-Clause
"""What the machine tells its caller: outcomes, and events in program order (vectors/SCHEMA.md, events)."""

from __future__ import annotations

from typing import NamedTuple

# What a verb or a hardware instruction came to (design.md 5).
DONE = 0  # executed; a translation: hit
TAKEN_BY_GUEST = 1
EXIT = 2  # from guest state to the hypervisor
TAKEN_BY_HOST = 3  # from hypervisor state: the host's own fault
DROPPED = 4  # a touch that ended without access

# Added to a data access: external PID, in the context of EPLC or EPSC (mmu-hardware 9).
EXTERNAL = 8

# Asynchronous causes: bits of Thread.pins (mmu-hardware 12, exit 7.4).
PIN_MACHINE_CHECK = 0
PIN_CRITICAL = 1
PIN_WATCHDOG = 2
PIN_DBELL_CRIT = 3
PIN_GDBELL_MC = 4
PIN_GDBELL_CRIT = 5
PIN_EXTERNAL = 6  # a level: stays until it is lowered
PIN_FIT = 7
PIN_DECREMENTER = 8
PIN_DBELL = 9
PIN_GDBELL = 10
PIN_PERFORMANCE_MONITOR = 11
PINS = 12

# Kinds of event; behind each, its arguments. A place in a TLB is tlbsel << 16 | index.
EVENT_TLBSX = 1  # ea mas5 mas6 mas4 hit: a place, or all ones
EVENT_TLBWE = 2  # mas0 mas1 mas2 mas3 mas7 mas8
EVENT_TLBILX = 3  # mas5 mas6 ea; detail = T
EVENT_TLBIVAX = 4  # ea mas5 mas6
EVENT_MULTI_HIT = 5  # ea first second: two places
EVENT_KMAP = 6  # pfn
EVENT_PRINTK = 7  # the values of the message; detail = MSG_*
EVENT_HOST_EXCEPTION = 8  # ivor, ea or pc
EVENT_MTSPR = 9  # spr value
EVENT_RELOAD = 10  # ea entry pte: the page-table walk made TLB0 entry `entry`
EVENT_MSGSND = 12  # message

# Kernel log lines (exit 14.1).
MSG_FETCH_NO_EXECUTE = 1  # pc
MSG_FETCH_ATTRIBUTES = 2  # pc
MSG_FETCH_NOT_RAM = 3  # real address

_ARGS = 8


class Event(NamedTuple):
    """One event; always eight arguments, the unused ones 0."""

    kind: int
    detail: int
    arg: tuple[int, ...]


def new_event(kind: int, detail: int, *args: int) -> Event:
    """An event with its arguments filled up."""
    return Event(kind, detail, args + (0,) * (_ARGS - len(args)))
