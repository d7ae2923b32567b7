# SPDX-License-Identifier: BSD-3-Clause
"""What the differential tests draw from: small pools in which entries and accesses meet, or miss by one bit.

Uniform random states reach a successful fetch 0.16 % of the time (style.md); so an entry is derived from the
access that it should serve, and then at most one bit of it is turned round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

#: Draws one of a sequence: random.Random.choice, or Hypothesis's sampled_from.
Pick = Callable[[Sequence[Any]], Any]

MODELS = ("e500mc", "e5500", "e6500")

RAM = ((0, 0x10000), (0x100000, 0x2000))

# MAS1, MAS8 and MSR bits (mmu-hardware 2, exit 1.5)
V, IPROT, IND, TS, TGS, VF = 0x80000000, 0x40000000, 0x2000, 0x1000, 0x80000000, 0x40000000
CM, GS, PR, IS, DS = 0x80000000, 0x10000000, 0x4000, 0x20, 0x10

#: Pages whose numbers share sets (10003, 10083), are neighbours, or lie at an end of the address space.
PAGES = (0x10003000, 0x10003000, 0x10083000, 0x10004000, 0x00000000, 0xFFFFF000)
PAGES_64 = (*PAGES, 0x1_10003000, 0xFFFFFFFF_FFFFF000)
PIDS, LPIDS = (0, 5, 0xFF), (0, 1, 3)
OFFSETS = (0x234, 0x000, 0xFFC, 0xFFE, 0xFFF)

#: Real pages: inside, at both ends of a range, and just outside.
REALS = (0x7000, 0x7000, 0x7000, 0x0, 0xF000, 0x100000, 0x101000, 0x10000, 0x102000, 0xE_0000_0000)
PERMS = (0x3F, 0x3F, 0x3F, 0x35, 0x30, 0x10, 0x20, 0x15, 0x0F, 0x00)
ATTRIBUTES = (0x04, 0x04, 0x04, 0x04, 0x06, 0x05, 0x00, 0x0C, 0x14, 0x7F)
SIZES = (2, 2, 2, 2, 2, 2, 3, 4, 4, 6, 10, 11, 16, 22, 30)


class Access(NamedTuple):
    """What is looked up: an address and the state that looks (mmu-hardware 5)."""

    ea: int
    pid: int
    lpid: int
    gs: int
    space: int


class Entry(NamedTuple):
    """A TLB entry as MAS words."""

    mas1: int
    mas2: int
    mas3: int
    mas7: int
    mas8: int


def access(pick: Pick, width: int) -> Access:
    page = pick(PAGES_64 if width == 64 else PAGES)
    return Access(page | pick(OFFSETS), pick(PIDS), pick(LPIDS), pick((1, 1, 0)), pick((0, 0, 1)))


def entry(pick: Pick, params: dict[str, Any], wanted: Access) -> Entry:
    """An entry that serves `wanted`, with wildcards now and then."""
    size = pick(SIZES)
    real = pick(REALS)
    tid = pick((wanted.pid, wanted.pid, 0))
    mas1 = V | pick((0, 0, 0, IPROT)) | tid << 16 | wanted.space * TS | size << 7
    mas2 = wanted.ea & -(1 << max(size + 10, 12)) | pick(ATTRIBUTES)
    mas8 = wanted.gs * TGS | pick((0, 0, 0, 0, 0, VF)) | pick((wanted.lpid, wanted.lpid, 0))
    keep = params["mas_mask"]
    words = (mas1, mas2, real & 0xFFFFFFFF | pick(PERMS), real >> 32, mas8)
    return Entry(*(word & keep[n] for n, word in zip((1, 2, 3, 7, 8), words, strict=True)))


def near_miss(pick: Pick, params: dict[str, Any], made: Entry) -> Entry:
    """The entry with one bit of its tags or its page number turned round."""
    shift = max((made.mas1 >> 7 & 0x1F) + 10, 12)
    top = params["width"] - 1
    flips = {
        "V": made._replace(mas1=made.mas1 ^ V),
        "TID": made._replace(mas1=made.mas1 ^ 1 << (16 + pick((0, 2, 7)))),
        "TS": made._replace(mas1=made.mas1 ^ TS),
        "TGS": made._replace(mas8=made.mas8 ^ TGS),
        "TLPID": made._replace(mas8=made.mas8 ^ 1 << pick((0, 1, 5))),
        "EPN low": made._replace(mas2=made.mas2 ^ 1 << min(shift, top)),
        "EPN high": made._replace(mas2=made.mas2 ^ 1 << top),
        "EPN inside": made._replace(mas2=made.mas2 ^ 1 << min(max(shift - 1, 12), top)),
        "IND": made._replace(mas1=made.mas1 ^ IND & params["mas_mask"][1]),
    }
    return flips[pick(tuple(flips))]


def entry_or_near_miss(pick: Pick, params: dict[str, Any], wanted: Access) -> Entry:
    """Two in three serve the access."""
    made = entry(pick, params, wanted)
    return made if pick((True, True, False)) else near_miss(pick, params, made)


def msr_of(pick: Pick, wanted: Access, width: int) -> int:
    """An MSR in which `wanted` is looked up as it says."""
    mode: int = pick((CM, CM, 0)) if width == 64 else 0
    extra: int = pick((0, 0, PR)) | pick((0, 0x1200))
    return extra | mode | wanted.gs * GS | wanted.space * (IS | DS)


#: Geometries: TLB0 of 4 to 16 entries, TLB1 of 2 to 8; the core's own comes as {}.
GEOMETRIES: tuple[dict[str, Any], ...] = (
    {},
    {"tlb0_ways": 2, "tlb0_sets": 2, "tlb1_entries": 2},
    {"tlb0_ways": 4, "tlb0_sets": 1, "tlb1_entries": 4},
    {"tlb0_ways": 1, "tlb0_sets": 8, "tlb1_entries": 2},
    {"tlb0_ways": 8, "tlb0_sets": 2, "tlb1_entries": 8},
    {"set": "recorded"},
    {"set": "recorded", "tlb0_ways": 2, "tlb0_sets": 4, "tlb1_entries": 4},
)

#: Points that the manuals leave open: every reading (docs/choices.md).
OPTIONS: dict[str, tuple[int, ...]] = {
    "miss_u": (0, 1),
    "miss_epn": (0, 1, 2),
    "tlbilx_as": (0, 1),
    "tlbilx_tid0": (0, 1),
    "tlbivax_tags": (0, 1),
    "dmiuh_access": (0, 1),
    "miss_wq": (0, 1),
    "hit_hes": (0, 1),
    "tsize_low": (0, 1),
    "tsize_check": (0, 1),
}


def params(pick: Pick) -> dict[str, Any]:
    """A geometry, and up to two options turned."""
    chosen = dict(pick(GEOMETRIES))
    for _ in range(pick((0, 0, 1, 2))):
        name = pick(tuple(OPTIONS))
        chosen[name] = pick(OPTIONS[name])
    return chosen
