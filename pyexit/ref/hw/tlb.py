# SPDX-License-Identifier: BSD-3-Clause
"""hw/tlb: TLB0 (set associative), TLB1 (fully associative), the match, the search (mmu-hardware 4, 5)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import EVENT_MULTI_HIT
from pyexit.ref.hw.core import Hardware, Htlb0, Htlb1, Params, is_mav2, log
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    HID0_EN_L2MMU_MHD,
    MAS1_IND,
    MAS1_TID_MASK,
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS8_TGS,
)

_PAGE_SHIFT = 12
#: The bits of an address within a page of 4 KiB.
PAGE_OFFSET = PAGE_SIZE - 1


class Entry(NamedTuple):
    """The five MAS words of an entry."""

    mas1: int = 0
    mas2: int = 0
    mas3: int = 0
    mas7: int = 0
    mas8: int = 0


class Place(NamedTuple):
    """Where an entry is: which TLB, and its number there."""

    tlbsel: int
    entry: int


class Space(NamedTuple):
    """What a search compares besides the address (mmu-hardware 5.2-5.5, 5.7)."""

    ts: int
    pid: int
    gs: int
    lpid: int
    ind: int = 0


def htlb(hw: Hardware, core: int, tlbsel: int) -> Htlb0 | Htlb1:
    """TLB0 or TLB1 of a core."""
    return hw.htlb1[core] if tlbsel else hw.htlb0[core]


def entries(params: Params, tlbsel: int) -> int:
    """How many entries a TLB has (mmu-hardware 4.1, 4.3)."""
    return params.tlb1_entries if tlbsel else params.tlb0_ways * params.tlb0_sets


def set_of(params: Params, ea: int) -> int:
    """The set of TLB0 that an address belongs to (mmu-hardware 4.2)."""
    return (ea >> _PAGE_SHIFT) % params.tlb0_sets


def page_size(mas1: int) -> int:
    """Bytes that an entry maps, in either TLB: 2^TSIZE KiB, never under 4 KiB (mmu-hardware 0.4, 5.6)."""
    return max(PAGE_SIZE, 1024 << tsize_of(mas1))


def tsize_of(mas1: int) -> int:
    """MAS1[TSIZE]."""
    return (mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT


def tid_of(params: Params, mas1: int) -> int:
    """MAS1[TID]; MAS6[SPID] has the same place and width."""
    return (mas1 & MAS1_TID_MASK) >> MAS1_TID_SHIFT & params.pid_mask


def same_page(mas1: int, mas2: int, ea: int) -> bool:
    """Whether an entry's EPN and an address agree above the page offset (mmu-hardware 5.6)."""
    return (mas2 ^ ea) & ~(page_size(mas1) - 1) == 0


def entry_matches(hw: Hardware, core: int, place: Place, ea: int, space: Space) -> bool:
    """Whether a valid entry translates `ea` in `space` (mmu-hardware 5)."""
    params, tlb = hw.params, htlb(hw, core, place.tlbsel)
    mas1, mas8 = tlb.mas1[place.entry], tlb.mas8[place.entry]
    return (
        bool(mas1 & MAS1_TS) == bool(space.ts)
        and tid_of(params, mas1) in (0, space.pid)
        and bool(mas8 & MAS8_TGS) == bool(space.gs)
        and mas8 & params.lpid_mask in (0, space.lpid)
        and same_page(mas1, tlb.mas2[place.entry], ea)
        and (not is_mav2(params) or bool(mas1 & MAS1_IND) == bool(space.ind))
    )


def candidates(hw: Hardware, core: int, ea: int) -> list[Place]:
    """The valid entries that `ea` can have, in the order of the search (mmu-hardware 5.3)."""
    params, tlb0, tlb1 = hw.params, hw.htlb0[core], hw.htlb1[core]
    first = set_of(params, ea) * params.tlb0_ways
    ways, entries1 = range(first, first + params.tlb0_ways), range(params.tlb1_entries)
    return [
        *[Place(0, entry) for entry in ways if tlb0.mas1[entry] & MAS1_V],
        *[Place(1, entry) for entry in entries1 if tlb1.mas1[entry] & MAS1_V],
    ]


def ppc_tlb_search(hw: Hardware, core: int, ea: int, space: Space) -> list[Place]:
    """All entries that translate `ea` in `space`; the first is the one that counts (mmu-hardware 5.3)."""
    return [place for place in candidates(hw, core, ea) if entry_matches(hw, core, place, ea, space)]


def log_multi_hit(hw: Hardware, ea: int, found: list[Place]) -> None:
    """The trace event of a search that found more than one entry (mmu-hardware 5.3)."""
    if len(found) > 1:
        log(hw, EVENT_MULTI_HIT, 0, ea, place_word(found[0]), place_word(found[1]))


def multi_hit_checked(hw: Hardware, thread: int, found: list[Place]) -> bool:
    """Whether a search ended in a machine check; the recorded host never does (mmu-hardware 0.4, 5.3)."""
    enabled = hw.spr[thread].HID0 & HID0_EN_L2MMU_MHD and not hw.params.raw
    return bool(enabled) and len(found) > 1


def place_word(place: Place) -> int:
    """An entry's place as events have it."""
    return place.tlbsel << 16 | place.entry
