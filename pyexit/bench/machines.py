# SPDX-License-Identifier: BSD-3-Clause
"""Machines prepared for timing: the guest's last instruction is in one place of the host's TLB, or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyexit.machine import Machine
from pyexit.tlbentry import TlbEntry

STRATEGIES = ("merged", "seed-v4", "review", "lwepx", "lwepx-do-kvm", "lwepx-hijack")
PC, REAL = 0x00100234, 0x00200234
MFSPR_TSR = 0x7C7052A6  # mfspr r3, 336: emulated in a few instructions
WORD = MFSPR_TSR
RAM_SIZE = 0x400000
EXIT_HV_PRIV = 41
MSR_GS = 0x10000000


def page(epn: int, perms: str = "UX SX UR SR", rpn: int = REAL >> 12) -> TlbEntry:
    """A guest's page as KVM enters it: TGS, the VM's LPID, M."""
    return TlbEntry(epn=epn, rpn=rpn, tid=5, tgs=1, tlpid=1, wimge="M", perms=perms)


def first(m: Machine) -> None:
    """The pc's entry is the only one, in TLB1."""
    m.set_tlb_entry(1, 0, page(PC >> 12))


def fill(m: Machine, valid: int = 64) -> None:
    """`valid` entries in TLB1, the pc's is the last of them."""
    for index in range(valid - 1):
        m.set_tlb_entry(1, index, page(0x40000 + index))
    m.set_tlb_entry(1, valid - 1, page(PC >> 12))


def tlb0(m: Machine) -> None:
    """The pc's entry is in TLB0."""
    m.set_tlb_entry(0, ((PC >> 12) % 128) * 4, page(PC >> 12))


def execute_only(m: Machine) -> None:
    """A page that can be executed and not read: the case that lwepx cannot read."""
    m.set_tlb_entry(1, 0, page(PC >> 12, "UX SX"))


def missing(m: Machine) -> None:
    """No entry: evicted between the exit and the fetch."""


STATES: dict[str, Callable[[Machine], None]] = {
    "TLB1 first": first,
    "TLB1 last of 64": fill,
    "TLB0": tlb0,
    "execute only": execute_only,
    "missing": missing,
}


def prepare(fetch: str = "merged", state: str = "TLB1 last of 64", **options: Any) -> Machine:
    """An e500mc whose host has loaded the vcpu: EPLC carries the guest's state and LPID."""
    m = Machine("e500mc", **{"fetch": fetch, "ram": ((0, RAM_SIZE),), "events": 0, **options})
    m.store_word(REAL, WORD)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": 5, "spr.EPLC": 0x20010000})
    STATES[state](m)
    return m
