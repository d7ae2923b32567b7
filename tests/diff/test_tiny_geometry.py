# SPDX-License-Identifier: BSD-3-Clause
"""Every class of TLB entry against every class of look-up, on TLBs of one entry each (mmu-hardware 5).

An entry differs from what is looked for in any of its tags, its size, its page or V; a look-up is tlbsx or a
translation. Native and ref must agree on the answer and on every register that it leaves, and the hits must
be those that the rules of mmu-hardware 5 name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from pyexit import Machine

from .pools import GS, IND, MODELS, TGS, V

TINY = {"tlb0_ways": 1, "tlb0_sets": 1, "tlb1_entries": 1}
EA, PID, LPID = 0x10003234, 5, 3
TS, IS, SAS, SGS = 0x1000, 0x20, 1, 0x80000000

#: What the entry has; the look-up is for (PID, LPID, EA). Sizes: 4 KiB, 16 KiB, 1 GiB.
TIDS, LPIDS, SIZES = (0, PID, 6), (0, LPID, 4), (2, 4, 20)
PAGES = (0x10003000, 0x10000000, 0x10007000, 0x00003000)  # same page, same 16 KiB, other 16 KiB, other 1 GiB


class Content(NamedTuple):
    """A class of entry content."""

    v: int
    ts: int
    tgs: int
    tid: int
    tlpid: int
    size: int
    page: int
    ind: int

    def words(self) -> dict[int, int]:
        """The entry's MAS words."""
        mas1 = V * self.v | self.tid << 16 | TS * self.ts | self.size << 7 | IND * self.ind
        return {1: mas1, 2: self.page | 4, 3: 0x703F, 7: 0, 8: TGS * self.tgs | self.tlpid}

    def holds(self, space: int, guest: int) -> bool:
        """The match rule, in its words."""
        shift = self.size + 10
        tags = self.ts == space and self.tgs == guest and self.tid in (0, PID) and self.tlpid in (0, LPID)
        return bool(self.v and tags and not self.ind and self.page >> shift == EA >> shift)


def contents(mav: int) -> Iterator[Content]:
    """All classes; IND exists with MAV 2 only."""
    inds = (0, 1) if mav == 2 else (0,)
    for fields in product((1, 0), (0, 1), (0, 1), TIDS, LPIDS, SIZES, PAGES, inds):
        yield Content(*fields)


def place(m: Machine, tlbsel: int, content: Content) -> None:
    m.set({f"htlb{tlbsel}.mas{n}[0]": word for n, word in content.words().items()})


def answers(m: Machine, space: int, guest: int) -> tuple[bool, list[object]]:
    """Does tlbsx hit; and all that tlbsx and a probing translation of a fetch say."""
    m.set({"spr.MAS5": SGS * guest | LPID, "spr.MAS6": PID << 16 | SAS * space})
    m.set({"thread.msr": GS * guest | IS * space, "spr.PID": PID, "spr.LPID": LPID})
    result = m.tlbsx(EA)
    registers = [m[f"spr.MAS{n}"] for n in (0, 1, 2, 3, 7, 8)]
    return bool(registers[1] & V), [result, *registers, m.translate(EA, 4, "fetch", probe=True)]


@pytest.mark.parametrize("tlbsel", [0, 1])
@pytest.mark.parametrize("model", MODELS)
def test_every_entry_against_every_look_up(model: str, tlbsel: int) -> None:
    hits = 0
    with (
        Machine(model, params=TINY, backend="native", ram=((0, 0x10000),), events=0) as native,
        Machine(model, params=TINY, backend="ref", ram=((0, 0x10000),), events=0) as ref,
    ):
        for content in contents(native.params["mav"]):
            if tlbsel == 0 and content.size != 2:
                continue  # 4 KiB is the only size of TLB0
            for m in (native, ref):
                place(m, tlbsel, content)
            for space, guest in product((0, 1), (0, 1)):
                hit, ours = answers(native, space, guest)
                assert (hit, ours) == answers(ref, space, guest), (content, space, guest)
                assert hit == content.holds(space, guest), (content, space, guest)
                hits += hit
    assert hits
