# SPDX-License-Identifier: BSD-3-Clause
"""What the unit tests share: names of the spec's tables, TLB entries as MAS words, the state of a guest.

Entries are put straight into the state block, so that a test of the look-up does not lean on tlbwe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pyexit import Machine
from pyexit.io.events import KINDS, Event

#: The `machine` fixture: machine(model=..., **options) -> Machine on the backend under test.
MachineFactory = Callable[..., Machine]

MODELS = ("e500mc", "e5500", "e6500")
WIDTH = {"e500mc": 32, "e5500": 64, "e6500": 64}
WAYS = {"e500mc": 4, "e5500": 4, "e6500": 8}
REAL_BITS = {"e500mc": 36, "e5500": 36, "e6500": 40}
SETS = 128

#: Page sizes of TLB1, as TSIZE: 4^n KiB on MAV 1, every power of two on MAV 2 (mmu-hardware 4.5).
TSIZES = {"e500mc": range(2, 23, 2), "e5500": range(2, 23, 2), "e6500": range(2, 31)}

each_model = pytest.mark.parametrize("model", MODELS)
each_model64 = pytest.mark.parametrize("model", ["e5500", "e6500"])
each_mav1 = pytest.mark.parametrize("model", ["e500mc", "e5500"])

# enum pyexit_outcome
DONE, TAKEN_BY_GUEST, EXIT, TAKEN_BY_HOST, DROPPED = range(5)

# Interrupt numbers, which are also the exit numbers (exit 1.1)
MACHINE_CHECK, DSI, ISI, PROGRAM, DTLB, ITLB = 1, 2, 3, 6, 13, 14

# MSR (exit 1.5)
CM, GS, UCLE, SPV, WE, CE, EE = 0x80000000, 0x10000000, 0x04000000, 0x02000000, 0x40000, 0x20000, 0x8000
PR, FP, ME, FE0, UBLE, DE, FE1 = 0x4000, 0x2000, 0x1000, 0x800, 0x400, 0x200, 0x100
IS, DS, PMM, RI = 0x20, 0x10, 0x4, 0x2

# ESR (exit 1.6), MCSR (mmu-hardware 5.3), HID0 (5.3, 6.1.6)
PIL, ST, BO = 0x08000000, 0x00800000, 0x00020000
MHIT_MAV_MEA, MCSR_IF, MCSR_LD, MCSR_ST = 0x08000000 | 0x80000 | 0x40000, 0x10000, 0x8000, 0x4000
MHD, MAS7_UPDATE = 0x40000000, 0x80

# MAS1, MAS3, MAS5, MAS8 (mmu-hardware 2)
V, IPROT, IND, TS, VF = 0x80000000, 0x40000000, 0x2000, 0x1000, 0x40000000
UX, SX, UW, SW, UR, SR = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
ALL_PERMS = 0x3F
TGS = SGS = 0x80000000
M = 4

#: SPR numbers (mmu-hardware 1, exit 1.9, emulate 3)
SPR = {
    "SRR0": 26, "SRR1": 27, "PID": 48, "CSRR0": 58, "CSRR1": 59, "DEAR": 61, "ESR": 62, "IVPR": 63,
    "PIR": 286, "PVR": 287, "DBSR": 304, "EPCR": 307, "MSRP": 311, "LPID": 338, "MAS5": 339, "MAS8": 341,
    "LRATCFG": 342, "LRATPS": 343, "TLB0PS": 344, "TLB1PS": 345, "MAS5_MAS6": 348, "MAS8_MAS1": 349,
    "EPTCFG": 350, "GSPRG0": 368, "GSPRG1": 369, "GSPRG2": 370, "GSPRG3": 371, "MAS7_MAS3": 372,
    "MAS0_MAS1": 373, "GSRR0": 378, "GSRR1": 379, "GEPR": 380, "GDEAR": 381, "GPIR": 382, "GESR": 383,
    "GIVOR2": 440, "GIVOR8": 443, "GIVPR": 447, "MCSR": 572, "MAS0": 624, "MAS1": 625, "MAS2": 626,
    "MAS3": 627, "MAS4": 628, "MAS6": 630, "PID1": 633, "PID2": 634, "TLB0CFG": 688, "TLB1CFG": 689,
    "MAS7": 944, "EPLC": 947, "EPSC": 948, "MMUCSR0": 1012, "MMUCFG": 1015, "SVR": 1023,
}  # fmt: skip


@contextmanager
def refused(number: int) -> Iterator[None]:
    """The block ends in an OSError with that errno."""
    with pytest.raises(OSError, match=r".") as raised:
        yield
    assert raised.value.errno == number


def ones(bits: int) -> int:
    """The lowest `bits` bits."""
    return (1 << bits) - 1


def tsize(code: int) -> int:
    """MAS1[TSIZE] of 2**code KiB."""
    return code << 7


def page_bytes(code: int) -> int:
    return 1 << (code + 10)


def numbered(kind: str, n: int) -> str:
    """The first word of the fields of object `n`: spr, spr1, htlb0, htlb0_1."""
    if n == 0:
        return kind
    return f"{kind}_{n}" if kind[-1].isdigit() else f"{kind}{n}"


def tlb0_index(ea: int, way: int, *, ways: int = 4, sets: int = SETS) -> int:
    """The place of a TLB0 entry in the state block (mmu-hardware 4.2)."""
    return (ea >> 12) % sets * ways + way


def put(
    m: Machine,
    tlbsel: int,
    index: int,
    mas1: int,
    mas2: int,
    mas3: int,
    mas7: int = 0,
    mas8: int = 0,
    core: int = 0,
) -> None:
    """An entry as five MAS words, straight into the state."""
    word = numbered(f"htlb{tlbsel}", core)
    words = {"mas1": mas1, "mas2": mas2, "mas3": mas3, "mas7": mas7, "mas8": mas8}
    m.set({f"{word}.{name}[{index}]": value for name, value in words.items()})


def stored(m: Machine, tlbsel: int, index: int, core: int = 0) -> tuple[int, int, int, int, int]:
    """MAS1, MAS2, MAS3, MAS7, MAS8 of an entry."""
    word = numbered(f"htlb{tlbsel}", core)
    mas1, mas2, mas3, mas7, mas8 = (m[f"{word}.mas{n}[{index}]"] for n in (1, 2, 3, 7, 8))
    return mas1, mas2, mas3, mas7, mas8


def is_valid(m: Machine, tlbsel: int, index: int, core: int = 0) -> bool:
    return bool(stored(m, tlbsel, index, core)[0] & V)


def mas(m: Machine, thread: int = 0) -> dict[int, int]:
    """MAS0..MAS8 by number."""
    return {n: m[f"{numbered('spr', thread)}.MAS{n}"] for n in range(9)}


def set_mas(m: Machine, values: dict[int, int], thread: int = 0) -> None:
    """MAS registers by mtspr, as software writes them."""
    for n, value in values.items():
        assert m.mtspr(SPR[f"MAS{n}"], value, thread=thread).ret == DONE


def tlbwe(m: Machine, values: dict[int, int], thread: int = 0) -> Any:
    """tlbwe with these MAS registers; the others are 0."""
    set_mas(m, dict.fromkeys((0, 1, 2, 3, 5, 7, 8), 0) | values, thread)
    return m.tlbwe(thread=thread)


def tlbre(m: Machine, values: dict[int, int], thread: int = 0) -> dict[int, int]:
    """All MAS registers after a tlbre with these."""
    set_mas(m, values, thread)
    assert m.tlbre(thread=thread).ret == DONE
    return mas(m, thread)


def tlbsx(m: Machine, ea: int, mas6: int = 0, mas5: int = 0, thread: int = 0) -> bool:
    """Did tlbsx find an entry?"""
    set_mas(m, {5: mas5, 6: mas6}, thread)
    assert m.tlbsx(ea, thread=thread).ret == DONE
    return bool(mas(m, thread)[1] & V)


def run_as(
    m: Machine, *, msr: int = 0, pid: int = 0, lpid: int = 0, pc: int = 0x00700100, thread: int = 0
) -> None:
    """What runs on a thread: its MSR, PID, LPID and pc."""
    spr, state = numbered("spr", thread), numbered("thread", thread)
    m.set({f"{spr}.PID": pid, f"{spr}.LPID": lpid, f"{state}.msr": msr, f"{state}.pc": pc})


def vectors(m: Machine) -> None:
    """Interrupt vectors that are told apart: host IVPR | IVORn = 4000nn0, guest GIVPR | GIVORn = 6000nn0."""
    m.set({f"spr.IVOR[{n}]": n << 4 for n in range(64)})
    m.set({f"spr.GIVOR{n}": n << 4 for n in (2, 3, 4, 8, 13, 14)})
    m.set({"spr.IVPR": 0x40000000, "spr.GIVPR": 0x60000000})


def host_vector(ivor: int) -> int:
    return 0x40000000 | ivor << 4


def guest_vector(ivor: int) -> int:
    return 0x60000000 | ivor << 4


def events_of(m: Machine, kind: str) -> list[Event]:
    """The events of one kind; the ring is empty afterwards."""
    return [event for event in m.events() if event.kind == KINDS[kind]]


def texts(m: Machine) -> list[str]:
    """All events as the vectors print them; the ring is empty afterwards."""
    return [str(event) for event in m.events()]


def changed(m: Machine, before: Any) -> set[str]:
    """Names of the fields that differ from a snapshot, the operation counters left out."""
    return {difference.field for difference in m.diff(before) if ".ops[" not in difference.field}
