# SPDX-License-Identifier: BSD-3-Clause
"""TLB operations, register moves, translations and fetches on lockstep, in any order (hardware 5-7, 12)."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from pyexit import Machine, Outcome

from .pools import CM, MODELS, RAM, TGS, Access, Entry, Pick, access, entry_or_near_miss, msr_of, params

EXAMPLES, STEPS = 40, 30

ACCESSES = ("fetch", "load", "store", "cache_load", "touch_load", "touch_store")
FETCHES = {0: "DONE", 2: "FAIL", 3: "AGAIN"}

#: At least this share of each kind must succeed, or the test has lost its aim.
# Far under what a short run usually has (the shares are printed), far over uniform states (0.2 %).
FLOOR = {"tlbsx hit": 0.05, "translate DONE": 0.05, "fetch DONE": 0.05}

#: SPRs for moves: MMUCSR0, TLB and interrupt registers, pairs, read-only ones and two that no core has.
SPRS = (
    1012,
    48,
    307,
    311,
    338,
    339,
    341,
    *range(624, 629),
    630,
    944,
    1008,
    348,
    349,
    372,
    373,
    947,
    62,
    1015,
    572,
    633,
    99,
)
VALUES = (0, 1, 5, 0x80000000, 0x10000104, 0x00400000, 0x40000080, 0x7FFFFFFF, 0xFFFFFFFF)

#: EPCR: nothing, all to the guest, DMIUH, the mode bits (exit 1.9).
EPCRS = (0, 0, 0xF8000000, 0x00400000, 0x40400000, 0x03000000)


class HwMachine(RuleBasedStateMachine):
    """One machine in lockstep; every verb compares the two."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.m: Any = None
        self.threads = 1

    @initialize(data=st.data(), model=st.sampled_from(MODELS), fetch=st.sampled_from(("merged", "seed-v4")))
    def make(self, data: st.DataObject, model: str, fetch: str) -> None:
        """A model, a geometry, a reading of the open points."""
        chosen = params(self.pick(data))
        self.m = Machine(model, backend="lockstep", params=chosen, fetch=fetch, ram=RAM, vcpus=2, events=64)
        self.width = self.m.params["width"]
        self.threads = self.m.shape.threads
        for at in (0x7234, 0x7FFC, 0x100000, 0xF234):
            self.m.store_word(at, 0x7C000000 | at & 0xFFFF)
        self.place(self.pick(data))

    def teardown(self) -> None:
        if self.m is not None:
            self.m.close()

    @staticmethod
    def pick(data: st.DataObject) -> Pick:
        return lambda values: data.draw(st.sampled_from(values))

    def set_mas(self, thread: int, **values: int) -> None:
        word = f"spr{thread or ''}"
        self.m.set({f"{word}.{name}": value for name, value in values.items()})

    def drawn_entry(self, pick: Pick) -> tuple[Entry, int, int]:
        """An entry of the pool, TLBSEL and ESEL."""
        words = entry_or_near_miss(pick, self.m.params, access(pick, self.width))
        return words, pick((0, 1)), pick(range(9))

    @rule(data=st.data())
    def write_entry(self, data: st.DataObject) -> None:
        """tlbwe."""
        pick = self.pick(data)
        words, tlbsel, esel = self.drawn_entry(pick)
        thread = pick(range(self.threads))
        mas0 = tlbsel << 28 | esel << 16 | pick((0, 0, 0x4000, 0x1000)) | pick((0, 1, 7))
        mas0 &= self.m.params["mas_mask"][0]
        self.set_mas(thread, MAS0=mas0, MAS1=words.mas1, MAS2=words.mas2, MAS3=words.mas3)
        self.set_mas(thread, MAS7=words.mas7, MAS8=words.mas8)
        self.count("tlbwe", Outcome(self.m.tlbwe(thread=thread).ret).name)

    @rule(data=st.data())
    def place_entries(self, data: st.DataObject) -> None:
        """Two entries as they are, without the rules of tlbwe."""
        self.place(self.pick(data))

    def place(self, pick: Pick) -> None:
        ways, sets, entries = self.m.geometry
        for _ in range(2):
            words, tlbsel, esel = self.drawn_entry(pick)
            index = esel % entries if tlbsel else (words.mas2 >> 12) % sets * ways + esel % ways
            names = (f"htlb{tlbsel}.mas{n}[{index}]" for n in (1, 2, 3, 7, 8))
            self.m.set(dict(zip(names, words, strict=True)))

    @rule(data=st.data())
    def search(self, data: st.DataObject) -> None:
        """tlbsx with the tags of an access."""
        pick = self.pick(data)
        wanted, thread = self.aimed(pick), pick(range(self.threads))
        self.set_mas(thread, MAS5=wanted.gs * TGS | wanted.lpid, MAS6=wanted.pid << 16 | wanted.space)
        self.m.set({f"thread{thread or ''}.msr": pick((0, CM)) if self.width == 64 else 0})
        result = self.m.tlbsx(wanted.ea, thread=thread)
        hit = self.m[f"spr{thread or ''}.MAS1"] >> 31
        self.count("tlbsx", "machine check" if result.ret else "hit" if hit else "miss")

    @rule(data=st.data())
    def read_entry(self, data: st.DataObject) -> None:
        """tlbre of any entry."""
        pick = self.pick(data)
        thread = pick(range(self.threads))
        self.set_mas(
            thread, MAS0=pick((0, 1)) << 28 | pick(range(9)) << 16, MAS2=access(pick, self.width).ea & ~0xFFF
        )
        self.m.tlbre(thread=thread)

    @rule(data=st.data(), t=st.sampled_from((0, 1, 3, 3, 3, 2, 7)))
    def invalidate(self, data: st.DataObject, t: int) -> None:
        """tlbilx with the tags of an access."""
        pick = self.pick(data)
        wanted, thread = self.aimed(pick), pick(range(self.threads))
        isize = pick((0x100, 0x100, 0)) & self.m.params["mas_mask"][6]
        self.set_mas(thread, MAS5=wanted.gs * TGS | wanted.lpid, MAS6=wanted.pid << 16 | isize | wanted.space)
        self.removed("tlbilx", lambda: self.m.tlbilx(t, wanted.ea, thread=thread))

    @rule(data=st.data(), low=st.sampled_from((0, 8, 0, 8, 0, 8, 4, 12)))
    def invalidate_all_cores(self, data: st.DataObject, low: int) -> None:
        """tlbivax of a page, or with IA of a whole TLB."""
        page = self.aimed(self.pick(data)).ea & ~0xFFF
        self.removed("tlbivax", lambda: self.m.tlbivax(page | low))

    @rule(data=st.data(), spr=st.sampled_from(SPRS), value=st.sampled_from(VALUES))
    def move(self, data: st.DataObject, spr: int, value: int) -> None:
        """mtspr and mfspr."""
        thread = self.pick(data)(range(self.threads))
        self.count("mtspr", Outcome(self.m.mtspr(spr, value, thread=thread).ret).name)
        self.m.call("ppc_mfspr", thread, spr)
        self.m.set({f"spr{thread or ''}.HID0": 0x80, f"thread{thread or ''}.msr": 0})

    @rule(data=st.data(), kind=st.sampled_from(ACCESSES), probe=st.sampled_from((False, False, True)))
    def translate(self, data: st.DataObject, kind: str, probe: bool) -> None:
        """An access of a thread in some state; aimed at the first valid entry half of the time."""
        pick = self.pick(data)
        wanted, vcpu = self.aimed(pick), pick((0, 1))
        thread = vcpu % self.threads
        msr = msr_of(pick, wanted, self.width)
        spr = f"spr{thread or ''}"
        self.m.set({f"{spr}.PID": wanted.pid, f"{spr}.LPID": wanted.lpid, f"thread{thread or ''}.msr": msr})
        self.m.set({f"{spr}.EPCR": pick(EPCRS), f"{spr}.HID0": pick((0x80, 0x80, 0x80, 0x40000080))})
        found = self.m.translate(wanted.ea, pick((1, 4, 8, 4096)), kind, vcpu, probe)
        self.count("translate", found.outcome.name)

    def aimed(self, pick: Pick) -> Access:
        """An access of the pool, or, two in three, one that a valid entry serves."""
        wanted = access(pick, self.width)
        entries = self.m.tlb()
        if not entries or not pick((True, True, False)):
            return wanted
        found = pick(entries)
        pid, lpid = found.tid or wanted.pid, found.tlpid or wanted.lpid
        return Access(found.epn << 12 | wanted.ea & 0xFFF, pid, lpid, found.tgs, found.ts)

    @rule(data=st.data(), cached=st.sampled_from((0xFFFFFFFF, 0xFFFFFFFF, 0x60000000)))
    def fetch(self, data: st.DataObject, cached: int) -> None:
        """kvmppc_load_last_inst or kvmppc_get_last_inst; the pc comes from an entry half of the time."""
        pick = self.pick(data)
        wanted, n = self.aimed(pick), pick((0, 1))
        arch = f"vcpu{n or ''}.arch"
        msr = msr_of(pick, wanted, self.width)
        self.m.set({f"{arch}.regs.nip": wanted.ea, f"{arch}.pid": wanted.pid, f"{arch}.shared.msr": msr})
        self.m.set({f"{arch}.last_inst": cached, "kvm.arch.lpid": wanted.lpid})
        result = pick((self.m.load_last_inst, self.m.get_last_inst))(n)
        self.count("fetch", FETCHES[result.ret])

    @rule(data=st.data(), word=st.sampled_from((0, 0x7C0007A4, 0xFFFFFFFF)))
    def store(self, data: st.DataObject, word: int) -> None:
        """A word of RAM changes."""
        self.m.store_word(self.pick(data)((0x7234, 0x7FFC, 0x100000, 0x101FFC)), word)

    def removed(self, kind: str, act: Any) -> None:
        before = len(self.m.tlb())
        act()
        self.count(kind, "some" if len(self.m.tlb()) < before else "none")

    def count(self, kind: str, outcome: str) -> None:
        self.counts[f"{kind} {outcome}"] += 1


def test_native_and_ref_agree_step_by_step(shares: Counter[str]) -> None:
    """Any order of operations, on all models, parameter sets and tiny geometries."""
    made = type("CountedHwMachine", (HwMachine,), {"counts": shares})
    limits = settings(
        max_examples=EXAMPLES,
        derandomize=True,  # the same run everywhere: a finding can be repeated, and the floors hold or do not
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(made, settings=limits)
    for outcome, floor in FLOOR.items():
        kind = outcome.split()[0]
        total = sum(count for name, count in shares.items() if name.split()[0] == kind)
        assert total
        assert shares[outcome] / total >= floor, f"{outcome} {shares[outcome]} of {total}"


@pytest.mark.parametrize("model", MODELS)
def test_pools_reach_hits_and_near_misses(model: str) -> None:
    """The generator itself: without it the two tests above would compare misses only."""
    import random

    rng = random.Random(model)
    with Machine(model, backend="native", ram=RAM) as m:
        hits = 0
        for _ in range(400):
            wanted = access(rng.choice, m.params["width"])
            words = entry_or_near_miss(rng.choice, m.params, wanted)
            names = (f"htlb1.mas{n}[0]" for n in (1, 2, 3, 7, 8))
            m.set(dict(zip(names, words, strict=True)))
            state = {
                "thread.msr": wanted.gs << 28 | wanted.space << 4 | 0x80000000 * (m.params["width"] == 64)
            }
            m.set(state | {"spr.PID": wanted.pid, "spr.LPID": wanted.lpid})
            hits += m.translate(wanted.ea, 1, "load", probe=True).page_size > 0
    assert 0.3 < hits / 400 < 0.9
