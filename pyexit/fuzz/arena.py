# SPDX-License-Identifier: BSD-3-Clause
"""The machines of a campaign: options, guest memory of every kind, and the state in which scenarios begin.

The vcpu is in the middle of an exit: loaded on its thread, interrupts off, the fetch not yet done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pyexit.backends.base import Options
from pyexit.fuzz.pools import EE, GS, IPROT, ME, V
from pyexit.machine import Machine, Snapshot
from pyexit.options import make_options
from pyexit.tlbentry import TlbEntry

RAM = ((0, 0x1000000), (0x2000000, 0x100000))
EVENTS = 4096


@dataclass(frozen=True)
class Setup:
    """What tells one machine of a campaign from another."""

    model: str
    params: str = "core"
    fetch: str = "merged"
    handler: str = "merged"
    sw_tlb: bool = False

    def arguments(self) -> dict[str, Any]:
        """The arguments of Machine()."""
        return {
            "params": self.params,
            "fetch": self.fetch,
            "handler": self.handler,
            "sw_tlb": self.sw_tlb,
            "vcpus": 2,
            "ram": RAM,
            "events": EVENTS,
        }

    def options(self) -> Options:
        """The options of a backend, with RAM of its own."""
        counts = {"cores": 1, "vms": 1, "vcpus": 2, "events": EVENTS}
        wires = {"vcpu_thread": None, "vcpu_vm": None}
        return make_options(
            self.model, self.params, self.fetch, counts, wires, RAM, {}, self.handler, self.sw_tlb
        )


@cache
def beginning(setup: Setup) -> Snapshot:
    """The state in which the scenarios of a machine begin."""
    with Machine(setup.model, backend="native", **setup.arguments()) as machine:
        _guest_memory(machine)
        _host_entries(machine)
        machine.set(
            {
                "host.irq_enabled": 0,
                "host.io_base": 0xFE001000,
                "host.io_len": 0x10,
                "host.io_data": 0x0123456789ABCDEF,
                "vcpu.arch.shared.msr": GS | EE | ME,
                "vcpu.arch.last_inst": 0xFFFFFFFF,
                "vcpu.arch.regs.nip": 0x10003234,
                "vcpu.arch.ivpr": 0x55550000,
                "core.tb": 0x123456789A,
            }
        )
        machine.call("kvm_arch_vcpu_load", 0)
        machine.set({f"thread.ops[{n}]": 0 for n in range(16)})
        return machine.snapshot()


def _guest_memory(machine: Machine) -> None:
    """A slot of each kind that mmu-kvm 8.1 tells apart; the numbers are those of vectors' world.json."""
    machine.mmap(0x50000000, 0x400000, 0x400000)
    machine.mmap(0x60000000, 0x400000, 0x800000, hugetlb=0x400000)
    machine.mmap(0x70000000, 0x100000, 0x2000000, pfnmap=True)
    machine.mmap(0x64000000, 0x8000, [0xC00000 + 0x3000 * n for n in range(8)])
    for hva in (0x65000000, 0x67000000, 0x68000000):
        machine.mmap(hva, 0x10000, 0xD00000 + (hva - 0x65000000 >> 8))
    regions = (
        (0x0, 0x400000, 0x50000000, 0),
        (0x1000000, 0x400000, 0x60000000, 0),
        (0x2000000, 0x100000, 0x70000000, 0),
        (0x3000000, 0x8000, 0x64000000, 0),
        (0x4000000, 0x10000, 0x65000000, 1),  # KVM_MEMSLOT_INVALID
        (0x5000000, 0x10000, 0x66000000, 0),  # no page can be had
        (0x6000000, 0x10000, 0x67000000, 0),
        (0x7000000, 0x10000, 0x68000000, 0),
    )
    machine.set(
        {"kvm.vma.start[31]": 0x66000000, "kvm.vma.end[31]": 0x66010000, "kvm.vma.page_shift[31]": 12}
    )
    for slot, (gpa, size, hva, flags) in enumerate(regions):
        machine.set_user_memory_region(slot, gpa, size, hva, flags=flags)
    for row in range(32):
        pte = {0x67000000: 1, 0x68000000: 2}.get(machine[f"kvm.backing.hva[{row}]"], 0)
        machine[f"kvm.backing.pte[{row}]"] = pte


def _host_entries(machine: Machine) -> None:
    """The host kernel's own entries (mmu-kvm 8.4)."""
    for index in range(3):
        machine.set_tlb_entry(
            1,
            index,
            TlbEntry.from_mas(V | IPROT | 0x900, 0xC0000000 + index * 0x10000000 | 4, 0x15, 0, 0),
        )
