# SPDX-License-Identifier: BSD-3-Clause
"""What a guest engine is: the verbs of design.md 5, seen from the other side.

An engine executes the guest's instructions until it meets something that only the machine can decide, and
says what that is. It holds the registers while it runs; the driver (vcpu.py) carries them to the machine and
back. It caches translations and forgets them when it is told to: a processor's TLB is the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol


class Page(NamedTuple):
    """What a translation gives to the engine: the real page and what may be done there."""

    real: int
    read: bool
    write: bool
    execute: bool


class Mmu(Protocol):
    """Whom an engine asks while it runs."""

    def page(self, ea: int, access: str) -> Page | None:
        """The page at `ea` for "fetch", "load" or "store"; None if the access cannot be done: stop there."""


@dataclass(slots=True)
class Registers:
    """The registers that an engine holds. `msr` is the guest's own, with what the engine needs of it."""

    gpr: tuple[int, ...]
    lr: int
    ctr: int
    cr: int
    pc: int
    msr: int


class Cause(Enum):
    """Why an engine stopped. `pc` is the instruction in question, but for SLICE and WAIT the next one."""

    FETCH = "fetch"  # the page of pc cannot be fetched from
    DATA = "data"  # the instruction's data access was refused; stop.ea says in which page
    INSTRUCTION = "instruction"  # privileged, or not one of the engine's: the machine's guest_op()
    INTERRUPT = "interrupt"  # an interrupt of the instruction's own: stop.ivor, stop.esr
    WAIT = "wait"  # the wait instruction is done: nothing to do until an interrupt
    SLICE = "slice"  # the instruction budget is used up
    ASKED = "asked"  # stop() was called


class Stop(NamedTuple):
    """Where and why an engine stopped."""

    cause: Cause
    pc: int
    ea: int = 0
    store: bool = False
    ivor: int = 0
    esr: int = 0


class Engine(Protocol):
    """A guest processor without privileges."""

    def run(self, limit: int) -> Stop:
        """Execute up to `limit` instructions from pc on."""

    def stop(self) -> None:
        """Ask for a stop, from any thread or signal handler; it comes before the next slice."""

    def read(self) -> Registers:
        """The registers."""

    def write(self, registers: Registers) -> None:
        """Set the registers."""

    def forget(self) -> None:
        """Ask the Mmu again for every page: the TLB, PID or an address space has changed."""

    def code_changed(self, real: int, size: int) -> None:
        """Somebody other than the guest has stored to RAM: forget what was made of it."""

    def close(self) -> None:
        """Give everything back."""
