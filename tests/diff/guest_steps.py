# SPDX-License-Identifier: BSD-3-Clause
"""A guest that runs step by step on a machine with invariants: TLB instructions, loads, stores, MMIO, exits.

Its memory is ordinary pages at 0, huge pages at 400000, a device's mapping at 800000, and holes, which are
MMIO. Its TLB entries do not overlap, as no sane guest's do: every entry has addresses of its own.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pyexit import Machine

#: Real memory: 2 MiB for the ordinary pages and where they move to, 4 MiB of huge pages, 2 MiB of a device.
RAM = ((0, 0xA00000),)
HVA = 0x10000000
CODE, MOVED = 0x100, 0x100000
PC, DEVICE = 0x00700100, 0xC0000000
GS, PR, IS_DS, EE = 0x10000000, 0x4000, 0x30, 0x8000
V, IPROT, TS = 0x80000000, 0x40000000, 0x1000

DTLB_EXIT, MMIO = 13, 6
EXIT = 2

#: Guest real pages, with the sizes whose page stays in one kind of memory.
PLACES = (
    (0x10000, (2, 4, 6)),
    (0x40000, (2, 4, 8)),
    (0x80000, (2, 6)),
    (0x400000, (2, 6, 10, 12)),
    (0x400000, (12,)),
    (0x500000, (2, 10)),
    (0x800000, (2, 6, 10, 12)),
    (0x900000, (2, 10)),
    (0x200000, (2, 10)),
)
PERMS = (0x3F, 0x3F, 0x3F, 0x15, 0x05, 0x01, 0x11, 0x0F)
ATTRIBUTES = (0x4, 0x4, 0x6, 0x5, 0xC, 0x0, 0x1F)
OFFSETS = (0, 0x234, 0xFF8, 0xFFC, 0x13000)
VALUES = (0, 1, 0x80, 0x8000, 0xDEADBEEF, 0xFFFFFFFF, 0x7FFFFFFF)

#: Extended opcodes of loads and stores (31), and primary ones, with D-forms.
XLOADS = (23, 87, 279, 343, 534, 790, 55, 119, 311, 375)
XSTORES = (151, 215, 407, 662, 918, 183, 247, 439)
LOADS, STORES = (32, 33, 34, 40, 42, 41, 35), (36, 37, 38, 44, 39)
#: SPRs that the emulator knows, and a few that it does not.
SPRS = (
    1012,
    1012,
    1012,
    688,
    689,
    1015,
    340,
    336,
    22,
    54,
    61,
    62,
    400,
    415,
    1010,
    1008,
    0x3B0,
    348,
    371,
    560,
    979,
)

Pick = Callable[[Sequence[Any]], Any]


class Guest:
    """One machine and its guest; `pick` draws from a sequence; `reached` counts what came about."""

    def __init__(self, m: Machine, pick: Pick, reached: Counter[str] | None = None) -> None:
        self.m, self.pick = m, pick
        self.reached = Counter() if reached is None else reached
        self.running = False
        self._lay_memory()
        self._write_first_entries()
        self._write_others()

    def _lay_memory(self) -> None:
        m = self.m
        areas: tuple[tuple[int, int, dict[str, Any]], ...] = (
            (0, 0x100000, {}),
            (0x400000, 0x400000, {"hugetlb": 0x400000}),
            (0x800000, 0x200000, {"pfnmap": True}),
        )
        for slot, (gpa, size, kind) in enumerate(areas):
            m.mmap(HVA + gpa, size, gpa, **kind)
            m.set_user_memory_region(slot, gpa, size, HVA + gpa)
        m.set({"vcpu.arch.shared.msr": GS | EE, "vcpu.arch.pid": 5, "host.irq_enabled": 1})
        m["host.tlbcam_index"] = 61  # two slots of host TLB1, so that they are taken in turn
        m.set({"vcpu.arch.ivpr": 0x00700000} | {f"vcpu.arch.ivor[{n}]": 0x100 for n in range(64)})
        m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.last_inst": 0xFFFFFFFF})

    def _write_first_entries(self) -> None:
        """The code's page, in both address spaces, and a device's; IPROT, so that they stay."""
        rows = ((PC & ~0xFFF, 0, 0), (PC & ~0xFFF, TS, 0), (DEVICE, 0, 0x200000))
        for entry, (ea, space, gpa) in enumerate(rows):
            self._tlbwe(0, 1 << 28 | entry << 16, V | IPROT | space | 2 << 7, ea | 4, gpa | 0x3F)

    def _tlbwe(self, vcpu: int, *words: int) -> None:
        names = ("mas0", "mas1", "mas2", "mas7_3")
        word = f"vcpu{vcpu or ''}.arch.shared."
        self.m.set({word + name: value for name, value in zip(names, words, strict=True)})
        self.m.call("kvmppc_e500_emul_tlbwe", vcpu)

    def _write_others(self) -> None:
        """What else is in the host's TLB for the guest's addresses: the host's own, another VM's."""
        names = ("mas1", "mas2", "mas3")
        words = (V | IPROT | 14 << 7, 0x10000000 | 4, 0x15)
        self.m.set({f"htlb1.{name}[0]": word for name, word in zip(names, words, strict=True)})
        self.m.add_memory(0, 0x100000, vm=1)
        for entry, ea in enumerate((0x10000000, 0x20000000, 0x30000000, 0xE0000000)):
            self._tlbwe(1, 1 << 28 | entry << 16, V | 2 << 7, ea | 4, 0x1003F)

    # One step

    def step(self) -> None:
        """Something happens around the guest, or it executes one instruction."""
        self.pick(STEPS)(self)
        self.m.events()

    def execute(self) -> None:
        """An instruction of the guest's, fetched, executed or emulated."""
        if not self._enter():
            return
        word = self._instruction()
        for at in (CODE, CODE + MOVED):
            self.m.store_word(at, word)
        self.m.set({"thread.pc": PC, "thread.msr": self.pick((GS | EE, GS | EE, GS | EE | IS_DS))})
        if not self._fetched():
            return
        self.reached["executed"] += 1
        try:
            self._ended(self.m.guest_op(word))
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            self._access(word)

    def _enter(self) -> bool:
        if not self.running:
            self.running = not self.m.enter().where
            if self.running:
                self.m["spr.PID"] = self.pick((5, 5, 0))
        return self.running

    def _fetched(self) -> bool:
        for _ in range(3):
            found = self.m.translate(PC, 4, "fetch")
            if not found.outcome:
                return True
            if not self._ended(found):
                return False
        return False

    def _ended(self, end: Any) -> bool:
        """Serve the exit that an end asks for; is the guest still running at the same place?"""
        if end.outcome != EXIT:
            return not end.outcome
        resume = self.m.exit(end.ivor)
        self.reached[f"exit {end.ivor}"] += 1
        self.running = not resume.where and not resume.outcome
        if resume.where:
            self._userspace()
        return self.running and self.m["thread.pc"] == PC

    def _userspace(self) -> None:
        """What the VMM answers; with MMIO the data of a load."""
        run = self.m.kvm_run()
        self.reached[f"host {run.exit_reason}"] += 1
        if run.exit_reason == MMIO:
            self.m.set({f"run.mmio.data[{n}]": self.pick((0, 0x80, 0xFF, 0x12)) for n in range(8)})
        self.m.set({"host.signal_pending": 0})

    def _access(self, word: int) -> None:
        """A load or store: the engine's business if it finds its page, else an exit."""
        kind = "store" if word >> 26 in STORES or word >> 1 & 0x3FF in XSTORES else "load"
        for _ in range(2):
            found = self.m.translate(self.m["thread.gpr[4]"], 4, kind)
            self.reached["access"] += 1
            if not self._ended(found) or not found.outcome:
                return

    # What it executes

    def _instruction(self) -> int:
        """A word of the emulated set, now and then with one bit turned round; its operands."""
        ea = self._operands()
        rt, ra, rb = self.pick((3, 5, 0)), 0, 4
        form = rt << 21 | ra << 16 | rb << 11
        word = 31 << 26 | form | self.pick((0, 0)) | self.pick(XLOADS + XSTORES) << 1
        match self.pick(("tlb", "tlb", "tlb", "load", "load", "store", "d", "spr", "inval")):
            case "tlb":
                word = 31 << 26 | form | self.pick((978, 978, 978, 946, 914)) << 1
            case "load":
                word = 31 << 26 | form | self.pick(XLOADS) << 1
            case "store":
                word = 31 << 26 | form | self.pick(XSTORES) << 1
            case "d":
                word = self.pick(LOADS + STORES) << 26 | rt << 21 | 4 << 16
            case "spr":
                spr = self.pick(SPRS)
                word = 31 << 26 | rt << 21 | (spr & 31) << 16 | spr >> 5 << 11 | self.pick((339, 467)) << 1
            case "inval":
                word = 31 << 26 | self.pick((0, 1, 3, 3)) << 21 | 4 << 11 | self.pick((18, 18, 786)) << 1
                self.m["thread.gpr[4]"] = ea if self.pick((1, 1, 0)) else self.pick((4, 12, ea & ~0xFFF | 8))
        return int(word ^ 1 << self.pick(range(32)) if self.pick(range(12)) == 0 else word)

    def _operands(self) -> int:
        """Registers and MAS of an entry; its address is in GPR 4."""
        tlbsel, esel, ea, mas1 = self._entry()
        gpa, sizes = self.pick(PLACES)
        size = self.pick(sizes) if tlbsel else 2
        if tlbsel and size > 2 and self.pick(range(6)) == 0:
            ea += 0x5000  # an EPN that is not aligned (mmu-kvm 16.2)
        mas1 |= self.pick((V, V, V, V, 0)) | size << 7
        self.m.set(
            {
                "spr.MAS0": tlbsel << 28 | esel << 16,
                "spr.MAS1": mas1,
                "spr.MAS2": ea | self.pick(ATTRIBUTES),
                "spr.MAS3": gpa | self.pick(PERMS),
                "spr.MAS4": self.pick((0x100, 0x1000011F)),
                "spr.MAS7": 0,
                "spr.MAS6": self.pick((0x50000, 0x50000, 0, 0x50001)),
                "thread.gpr[0]": self.pick(VALUES),
                "thread.gpr[3]": self.pick(VALUES),
                "thread.gpr[5]": self.pick(VALUES),
            }
        )
        self.m["thread.gpr[4]"] = where = ea + self.pick(OFFSETS)
        return int(where)

    def _entry(self) -> tuple[int, int, int, int]:
        """An entry of the guest's TLBs, the address that is its own, and its TID and space."""
        if self.pick((0, 1)):
            region, esel = self.pick(((1, 3), (2, 4), (3, 5), (4, 14), (5, 15)))
            return 1, esel, region << 28, self.pick((0, 5)) << 16 | self.pick((0, 0, TS))
        page = self.pick(range(6))
        ea = 0xE0000000 + (page // 2) * 0x1000 + (page % 2) * 0x80000
        return 0, page % 2, ea, self.pick((0, 5, 5)) << 16 | self.pick((0, 0, TS))

    # What happens around it

    def touch(self) -> None:
        """An access without an instruction: what the guest's other instructions do."""
        if self._enter():
            self._operands()
            self.m.set({"thread.pc": PC, "thread.msr": GS | EE})
            for at in (CODE, CODE + MOVED):
                self.m.store_word(at, 0x7C60202E)  # lwzx 3,0,4
            if self._fetched():
                self._access(0x7C60202E)

    def device(self) -> None:
        """A load from the device, of a width and sign that its data show."""
        if self._enter():
            self._operands()
            word = 31 << 26 | 3 << 21 | 4 << 11 | self.pick((343, 343, 341, 23, 279, 534)) << 1
            self.m.set({"thread.pc": PC, "thread.msr": GS | EE, "thread.gpr[4]": DEVICE})
            for at in (CODE, CODE + MOVED):
                self.m.store_word(at, word)
            if self._fetched():
                self._access(word)

    def notify(self) -> None:
        """The host moves the ordinary pages, or changes their attributes, and says so (mmu-kvm 11)."""
        name, mask = self.pick((("kvm.backing.pfn[0]", MOVED >> 12), ("host.pte_wimge", 8)))
        for vm in (0, 1):
            self.m.call("mmu_notifier_invalidate", vm)
        self.m[name] ^= mask
        self.reached["notified"] += 1

    def disturb(self) -> None:
        """An asynchronous interrupt, time, a signal: the guest leaves, and comes back."""
        self.m.advance(self.pick((1, 1000)))
        self.m.pin(0, "external", 1)
        if self._enter():
            self._ended(self.m.pending())
        self.m.pin(0, "external", 0)
        self.m["host.signal_pending"] = self.pick((0, 0, 1))

    def leave(self) -> None:
        """A signal ends KVM_RUN at the next exit; another vcpu used the core meanwhile."""
        self.m.set({"host.signal_pending": 1})
        if self._enter():
            self._ended(self.m.translate(0xD0000000, 4, "load"))
        self.m.set({"host.signal_pending": 0, "host.last_vcpu_self": 0})


def machine(model: str, backend: str, invariants: bool = True) -> Machine:
    """A machine for a guest: its VM and another one, on one hardware thread."""
    return Machine(model, backend=backend, ram=RAM, vms=2, vcpus=2, vcpu_thread=(0, 0), invariants=invariants)


#: How often each kind of step is taken.
STEPS: tuple[Callable[[Guest], None], ...] = (
    *(Guest.execute,) * 14, *(Guest.touch,) * 3, Guest.device, Guest.device,
    Guest.notify, Guest.disturb, Guest.leave,
)  # fmt: skip
