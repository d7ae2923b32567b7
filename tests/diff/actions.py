# SPDX-License-Identifier: BSD-3-Clause
"""What can be done to a machine in lockstep, each action with operands from the pools (mmu-hardware 5-7, 12).

An action counts what it came to. What the two backends answer is not looked at here: lockstep compares it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from pyexit import Machine, Outcome

from .pools import CM, MODELS, RAM, TGS, Access, Entry, Pick, access, entry_or_near_miss, msr_of, params

ACCESSES = ("fetch", "load", "store", "cache_load", "touch_load", "touch_store")
FETCHES = {0: "DONE", 2: "FAIL", 3: "AGAIN"}

#: SPRs for moves: MMUCSR0, TLB and interrupt registers, pairs, read-only ones, two unknown, MAS0-4.
_SINGLE = (1012, 48, 307, 311, 338, 339, 341, 630, 944, 1008, 348, 349, 372, 373, 947, 62, 1015, 572, 633, 99)
SPRS = (*_SINGLE, *range(624, 629))
VALUES = (0, 1, 5, 0x80000000, 0x10000104, 0x00400000, 0x40000080, 0x7FFFFFFF, 0xFFFFFFFF)

#: EPCR: nothing, all to the guest, DMIUH, the mode bits (exit 1.9).
EPCRS = (0, 0, 0xF8000000, 0x00400000, 0x40400000, 0x03000000)

WORDS_AT = (0x7234, 0x7FFC, 0x100000, 0x101FFC)


class Actions:
    """A machine in lockstep and what was done to it."""

    def __init__(self, pick: Pick, counts: Counter[str]) -> None:
        """A model, a geometry, a reading of the open points, a strategy; two entries and some RAM."""
        self.counts = counts
        options: dict[str, Any] = {"params": params(pick), "fetch": pick(("merged", "seed-v4")), "ram": RAM}
        self.m = Machine(pick(MODELS), backend="lockstep", vcpus=2, events=64, **options)
        self.width: int = self.m.params["width"]
        self.threads = self.m.shape.threads
        for at in WORDS_AT:
            self.m.store_word(at, 0x7C000000 | at & 0xFFFF)
        self.place_entries(pick)

    # TLB instructions

    def write_entry(self, pick: Pick) -> None:
        """tlbwe."""
        words, tlbsel, esel = self._drawn_entry(pick)
        thread = pick(range(self.threads))
        mas0 = tlbsel << 28 | esel << 16 | pick((0, 0, 0x4000, 0x1000)) | pick((0, 1, 7))
        self._set_mas(thread, MAS0=mas0, MAS1=words.mas1, MAS2=words.mas2, MAS3=words.mas3)
        self._set_mas(thread, MAS7=words.mas7, MAS8=words.mas8)
        self._count("tlbwe", Outcome(self.m.tlbwe(thread=thread).ret).name)

    def place_entries(self, pick: Pick) -> None:
        """Two entries as they are, without the rules of tlbwe."""
        ways, sets, entries = self.m.geometry
        for _ in range(2):
            words, tlbsel, esel = self._drawn_entry(pick)
            index = esel % entries if tlbsel else (words.mas2 >> 12) % sets * ways + esel % ways
            names = (f"htlb{tlbsel}.mas{n}[{index}]" for n in (1, 2, 3, 7, 8))
            self.m.set(dict(zip(names, words, strict=True)))

    def read_entry(self, pick: Pick) -> None:
        """tlbre of any entry."""
        thread = pick(range(self.threads))
        mas0 = pick((0, 1)) << 28 | pick(range(9)) << 16
        self._set_mas(thread, MAS0=mas0, MAS2=access(pick, self.width).ea & ~0xFFF)
        self.m.tlbre(thread=thread)

    def search(self, pick: Pick) -> None:
        """tlbsx with the tags of an access."""
        wanted, thread = self._aimed(pick), pick(range(self.threads))
        self._set_tags(thread, wanted)
        self.m.set({f"thread{thread or ''}.msr": pick((0, CM)) if self.width == 64 else 0})
        result = self.m.tlbsx(wanted.ea, thread=thread)
        hit = self.m[f"spr{thread or ''}.MAS1"] >> 31
        self._count("tlbsx", "machine check" if result.ret else "hit" if hit else "miss")

    def invalidate(self, pick: Pick) -> None:
        """tlbilx, all forms."""
        t, wanted, thread = pick((0, 1, 3, 3, 3, 2, 7)), self._aimed(pick), pick(range(self.threads))
        self._set_tags(thread, wanted, pick((0x100, 0x100, 0)))
        self._removed("tlbilx", lambda: self.m.tlbilx(t, wanted.ea, thread=thread))

    def invalidate_everywhere(self, pick: Pick) -> None:
        """tlbivax of a page, or with IA of a whole TLB."""
        ea = self._aimed(pick).ea & ~0xFFF | pick((0, 8, 0, 8, 0, 8, 4, 12))
        self._removed("tlbivax", lambda: self.m.tlbivax(ea))

    # The rest

    def move(self, pick: Pick) -> None:
        """mtspr and mfspr; HID0 and the MSR are brought back afterwards."""
        thread, spr = pick(range(self.threads)), pick(SPRS)
        self._count("mtspr", Outcome(self.m.mtspr(spr, pick(VALUES), thread=thread).ret).name)
        self.m.call("ppc_mfspr", thread, spr)
        self.m.set({f"spr{thread or ''}.HID0": 0x80, f"thread{thread or ''}.msr": 0})

    def translate(self, pick: Pick) -> None:
        """An access of a thread in some state, or a probe of it."""
        wanted, vcpu = self._aimed(pick), pick((0, 1))
        thread = vcpu % self.threads
        spr, msr = f"spr{thread or ''}", msr_of(pick, wanted, self.width)
        self.m.set({f"{spr}.PID": wanted.pid, f"{spr}.LPID": wanted.lpid, f"thread{thread or ''}.msr": msr})
        self.m.set({f"{spr}.EPCR": pick(EPCRS), f"{spr}.HID0": pick((0x80, 0x80, 0x80, 0x40000080))})
        size, probe = pick((1, 4, 4, 4, 4, 8, 4096)), pick((False, False, True))
        found = self.m.translate(wanted.ea, size, pick(ACCESSES), vcpu, probe)
        self._count("translate", found.outcome.name)

    def fetch(self, pick: Pick) -> None:
        """kvmppc_load_last_inst or kvmppc_get_last_inst."""
        wanted, n = self._aimed(pick), pick((0, 1))
        arch, msr = f"vcpu{n or ''}.arch", msr_of(pick, wanted, self.width)
        self.m.set({f"{arch}.regs.nip": wanted.ea, f"{arch}.pid": wanted.pid, f"{arch}.shared.msr": msr})
        cached = pick((0xFFFFFFFF, 0xFFFFFFFF, 0x60000000))
        self.m.set({f"{arch}.last_inst": cached, "kvm.arch.lpid": wanted.lpid})
        result = pick((self.m.load_last_inst, self.m.get_last_inst))(n)
        self._count("fetch", FETCHES[result.ret])

    def store(self, pick: Pick) -> None:
        """A word of RAM changes."""
        self.m.store_word(pick(WORDS_AT), pick((0, 0x7C0007A4, 0xFFFFFFFF)))

    # Operands

    def _drawn_entry(self, pick: Pick) -> tuple[Entry, int, int]:
        """An entry of the pool, TLBSEL and ESEL."""
        words = entry_or_near_miss(pick, self.m.params, access(pick, self.width))
        return words, pick((0, 1)), pick(range(9))

    def _aimed(self, pick: Pick) -> Access:
        """An access of the pool, or, two in three, one that a valid entry serves."""
        wanted, entries = access(pick, self.width), self.m.tlb()
        if not entries or not pick((True, True, False)):
            return wanted
        found = pick(entries)
        pid, lpid = found.tid or wanted.pid, found.tlpid or wanted.lpid
        return Access(found.epn << 12 | wanted.ea & 0xFFF, pid, lpid, found.tgs, found.ts)

    def _set_tags(self, thread: int, wanted: Access, isize: int = 0) -> None:
        mas6 = wanted.pid << 16 | isize & self.m.params["mas_mask"][6] | wanted.space
        self._set_mas(thread, MAS5=wanted.gs * TGS | wanted.lpid, MAS6=mas6)

    def _set_mas(self, thread: int, **values: int) -> None:
        word, masks = f"spr{thread or ''}", self.m.params["mas_mask"]
        self.m.set({f"{word}.{name}": value & masks[int(name[3])] for name, value in values.items()})

    # Counts

    def _removed(self, kind: str, act: Callable[[], object]) -> None:
        before = len(self.m.tlb())
        act()
        self._count(kind, "some" if len(self.m.tlb()) < before else "none")

    def _count(self, kind: str, outcome: str) -> None:
        self.counts[f"{kind} {outcome}"] += 1


#: By name, with weights that keep the TLBs filled.
WEIGHTS = {
    "write_entry": 3,
    "place_entries": 2,
    "read_entry": 1,
    "search": 3,
    "invalidate": 2,
    "invalidate_everywhere": 1,
    "move": 2,
    "translate": 5,
    "fetch": 5,
    "store": 1,
}
