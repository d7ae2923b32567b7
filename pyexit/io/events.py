# SPDX-License-Identifier: BSD-3-Clause
"""Events: what a machine's ring holds, and their text (vectors/SCHEMA.md "events", exit.md 14.1).

The kinds that the kernel vectors have print exactly as they do there; the others, which only pyexit has
(tlbilx with T other than 0, tlbivax, multi_hit, host_exception), print in the same manner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyexit.layout import constants

#: Numbers of enum pyexit_event_kind and enum pyexit_message by lower-case name.
KINDS = constants("event_kind", "PYEXIT_EVENT_")
MESSAGES = constants("message", "PYEXIT_MSG_")

_ALL_ONES = (1 << 64) - 1

#: exit.md 14.1: level and text of each message; {0:08x} is %08lx, which prints up to 16 digits.
_FETCH = "kvmppc_load_last_inst: Instruction emulation from "
_PRINTK = {
    MESSAGES["fetch_no_execute"]: (
        3,
        _FETCH + "guest address {0:08x} without execute permission",
    ),
    MESSAGES["fetch_attributes"]: (
        3,
        _FETCH + "guest address {0:08x} mismatches storage attributes",
    ),
    MESSAGES["fetch_not_ram"]: (
        3,
        _FETCH + "non-RAM host address {0:08x} is not supported",
    ),
}


class Event(NamedTuple):
    """One event: `kind` of enum pyexit_event_kind, `detail`, and 8 arguments (struct pyexit_event)."""

    kind: int
    detail: int
    arg: tuple[int, ...]

    def __str__(self) -> str:
        text = _TEXTS.get(self.kind)
        return text(self) if text else f"event {self.kind} {self.detail} {' '.join(map(hex, self.arg))}"


def _words(names: str, values: tuple[int, ...]) -> str:
    """`names` with their values in hex: ``mas5=0x80000002 mas6=0x0``."""
    return " ".join(f"{name}={value:#x}" for name, value in zip(names.split(), values, strict=False))


def _tlbsx(event: Event) -> str:
    hit = -1 if event.arg[4] == _ALL_ONES else event.arg[4]
    return f"tlbsx {event.arg[0]:#x} {_words('mas5 mas6 mas4', event.arg[1:])} hit={hit}"


def _tlbilx(event: Event) -> str:
    if event.detail == 0:
        return f"tlbilxlpid {_words('mas5', event.arg)}"
    return f"tlbilx t={event.detail} {_words('mas5 mas6 ea', event.arg)}"


def _printk(event: Event) -> str:
    if event.detail not in _PRINTK:
        return f"printk -1 message {event.detail} {' '.join(map(hex, event.arg))}"
    level, text = _PRINTK[event.detail]
    return f"printk {level} {text.format(*event.arg)}"


_TEXTS: dict[int, Callable[[Event], str]] = {
    KINDS["tlbsx"]: _tlbsx,
    KINDS["tlbwe"]: lambda event: f"tlbwe {_words('mas0 mas1 mas2 mas3 mas7 mas8', event.arg)}",
    KINDS["tlbilx"]: _tlbilx,
    KINDS["tlbivax"]: lambda event: f"tlbivax {event.arg[0]:#x} {_words('mas5 mas6', event.arg[1:])}",
    KINDS["multi_hit"]: lambda event: f"multi_hit {event.arg[0]:#x} {event.arg[1]} {event.arg[2]}",
    KINDS["kmap"]: lambda event: f"kmap {event.arg[0]:#x}",
    KINDS["printk"]: _printk,
    KINDS["host_exception"]: lambda event: f"host_exception {event.arg[0]} {event.arg[1]:#x}",
    KINDS["mtspr"]: lambda event: f"mtspr {event.arg[0]} {event.arg[1]:#x}",
}
