# SPDX-License-Identifier: BSD-3-Clause
"""hw/core: the parameters that tell the cores apart, the hardware's state, its reset, and the SPR moves.

mmu-hardware 0.3, 0.4 (parameters), 2.8 (bits kept), 2.9 (reset), 3 (configuration), 15 (open points);
docs/choices.md has one row for every option.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pyexit.ref.events import DONE, EVENT_MTSPR, Event, new_event
from pyexit.ref.hw.memory import Memory
from pyexit.ref.hw.regs import ESR_PIL, MAS1_TSIZE_SHIFT, MSR_CM, SPR_TABLE, SprFlag, SprRow

# Bounds of the arrays, whatever the geometry.
TLB0_ENTRIES = 1024
TLB0_SETS = 128
TLB1_ENTRIES = 64
LRAT_ENTRIES = 8

# Processor models, and parameter sets of one model (mmu-hardware 0.4).
E500MC = 0
E5500 = 1
E6500 = 2
PARAMS_CORE = 0
PARAMS_RECORDED = 1

# Hardware operations that a thread counts: index of Thread.ops (design.md 6).
OP_MTSPR = 0
OP_MFSPR = 1
OP_ISYNC = 2
OP_TLBSX = 3
OP_TLBRE = 4
OP_TLBWE = 5
OP_TLBILX = 6
OP_TLBIVAX = 7
OP_MSGSND = 8
OP_LWEPX = 9
OP_PAGE_MAP = 10
OP_PAGE_UNMAP = 11
OP_LOAD = 12
OP_LOCK = 13  # a lock on shared IVORs taken and given back
OP_FORWARD = 14  # a host interrupt sent on by a hijacked vector
OPS = 16

_WORD = 0xFFFFFFFF
_DOUBLEWORD = 0xFFFFFFFF_FFFFFFFF


@dataclass(slots=True)
class Params:
    """What distinguishes one core from another. Open points (mmu-hardware 15) start at miss_u."""

    width: int  # bits of an effective address
    threads: int  # hardware threads per core
    mav: int  # MMU architecture version
    tlb0_ways: int
    tlb0_sets: int
    tlb1_entries: int
    raw: int  # 1: the recorded host of mmu-hardware 0.4
    mas_mask: list[int]  # bits kept of MAS0..MAS8, and of entries
    pid_mask: int  # also of TID and SPID
    lpid_mask: int  # also of TLPID and SLPID
    ep_mask: int  # of EPLC and EPSC
    pvr: int
    svr: int
    mmucfg: int
    tlb0cfg: int
    tlb1cfg: int
    tlb0ps: int
    tlb1ps: int
    eptcfg: int
    lratcfg: int
    lratps: int
    hid0: int  # after reset
    miss_u: int  # U3
    miss_epn: int  # U4
    tlbilx_as: int  # U6
    tlbilx_tid0: int  # U7
    tlbivax_tags: int  # U8
    dmiuh_access: int  # U10
    miss_wq: int  # U12
    hit_hes: int
    tsize_low: int  # U14
    tsize_check: int  # U22
    altivec: int  # 1: the core has AltiVec and its kernel uses it


_E500MC = Params(
    width=32,
    threads=1,
    mav=1,
    tlb0_ways=4,
    tlb0_sets=128,
    tlb1_entries=64,
    raw=0,
    mas_mask=[
        0x1FFF0FFF,
        0xC0FF1F00,
        0xFFFFF07F,
        0xFFFFF3FF,
        0x10000F7F,
        0x8000003F,
        0x00FF0001,
        0x0000000F,
        0xC000003F,
    ],
    pid_mask=0xFF,
    lpid_mask=0x3F,
    ep_mask=0xE03F00FF,
    pvr=0x80230030,
    svr=0x82090030,
    mmucfg=0x064809C4,
    tlb0cfg=0x04110200,
    tlb1cfg=0x401BC040,
    tlb0ps=0,
    tlb1ps=0,
    eptcfg=0,
    lratcfg=0,
    lratps=0,
    hid0=0x80,
    miss_u=1,
    miss_epn=0,
    tlbilx_as=0,
    tlbilx_tid0=0,
    tlbivax_tags=0,
    dmiuh_access=0,
    miss_wq=0,
    hit_hes=0,
    tsize_low=0,
    tsize_check=1,
    altivec=0,
)

_E5500 = replace(
    _E500MC,
    width=64,
    mas_mask=[
        0x1FFF0FFF,
        0xFFFF1F00,
        0xFFFFFFFF_FFFFF07F,
        0xFFFFF3FF,
        0x10000F7F,
        0x8000003F,
        0x3FFF0001,
        0x0000000F,
        0xC000003F,
    ],
    pid_mask=0x3FFF,
    ep_mask=0xE03F3FFF,
    pvr=0x80240020,
    svr=0x82200020,
    mmucfg=0x06480B44,
)

_E6500 = replace(
    _E5500,
    threads=2,
    mav=2,
    tlb0_ways=8,
    mas_mask=[
        0x9FFF7FFF,
        0xFFFF3F80,
        0xFFFFFFFF_FFFFF07F,
        0xFFFFFBFF,
        0x10008FFF,
        0x8000003F,
        0x3FFF0F83,
        0x000000FF,
        0xC000003F,
    ],
    pvr=0x80400020,
    svr=0x82400020,
    mmucfg=0x06510B45,
    tlb0cfg=0x08052400,
    tlb1cfg=0x40028040,
    tlb0ps=0x00000004,
    tlb1ps=0x7FFFFFFC,
    eptcfg=0x00000002,
    lratcfg=0x00502008,
    lratps=0x7FFFFFFC,
    tlbilx_as=1,
    miss_wq=1,
    altivec=1,
)

#: The cores by their number (mmu-hardware 0.3, 2.8, 3).
_CORES = {E500MC: _E500MC, E5500: _E5500, E6500: _E6500}


def params(model: int, set: int) -> Params:
    """A fresh copy of parameter set `set` of `model`; OSError(EINVAL) if there is none."""
    core = _CORES.get(model)
    if core is None or set not in (PARAMS_CORE, PARAMS_RECORDED):
        raise OSError(errno.EINVAL, f"no parameter set {set} of model {model}")
    if set == PARAMS_RECORDED:
        return _recorded(core)
    return replace(core, mas_mask=list(core.mas_mask))


def _recorded(core: Params) -> Params:
    """The host of the kernel vectors (mmu-hardware 0.4): a core lends its width, PVR and SVR."""
    return replace(
        _E500MC,
        width=core.width,
        raw=1,
        mas_mask=[_DOUBLEWORD if n == 2 and core.width == 64 else _WORD for n in range(9)],
        pid_mask=0x3FFF,
        lpid_mask=0xFF,
        ep_mask=_WORD,
        pvr=core.pvr,
        svr=core.svr,
        mmucfg=0x06400A4C if core.width == 32 else 0x0C25B2C9,
        tlb1cfg=0x4034C040,
        tlb0ps=0x00000004,
        tlb1ps=0x00554554,
        miss_u=0,
        miss_epn=2,
        tsize_check=0,
        altivec=int(core.width == 64),
    )


def _zeros(count: int) -> list[int]:
    return [0] * count


@dataclass(slots=True)
class Htlb0:
    """TLB0 of a core: entry set * ways + way, five MAS words each."""

    mas1: list[int] = field(default_factory=lambda: _zeros(TLB0_ENTRIES))
    mas2: list[int] = field(default_factory=lambda: _zeros(TLB0_ENTRIES))
    mas3: list[int] = field(default_factory=lambda: _zeros(TLB0_ENTRIES))
    mas7: list[int] = field(default_factory=lambda: _zeros(TLB0_ENTRIES))
    mas8: list[int] = field(default_factory=lambda: _zeros(TLB0_ENTRIES))


@dataclass(slots=True)
class Htlb1:
    """TLB1 of a core, fully associative."""

    mas1: list[int] = field(default_factory=lambda: _zeros(TLB1_ENTRIES))
    mas2: list[int] = field(default_factory=lambda: _zeros(TLB1_ENTRIES))
    mas3: list[int] = field(default_factory=lambda: _zeros(TLB1_ENTRIES))
    mas7: list[int] = field(default_factory=lambda: _zeros(TLB1_ENTRIES))
    mas8: list[int] = field(default_factory=lambda: _zeros(TLB1_ENTRIES))


@dataclass(slots=True)
class Lrat:
    """The LRAT of a core: logical to real addresses of guests (mmu-hardware 10)."""

    mas1: list[int] = field(default_factory=lambda: _zeros(LRAT_ENTRIES))
    mas2: list[int] = field(default_factory=lambda: _zeros(LRAT_ENTRIES))
    mas3: list[int] = field(default_factory=lambda: _zeros(LRAT_ENTRIES))
    mas7: list[int] = field(default_factory=lambda: _zeros(LRAT_ENTRIES))
    mas8: list[int] = field(default_factory=lambda: _zeros(LRAT_ENTRIES))


@dataclass(slots=True)
class Core:
    """What the threads of a core share besides the arrays: timebase, TLB0[NV], HES=1 counters (U11)."""

    tb: int = 0
    tlb0_nv: int = 0
    hes_victim: list[int] = field(default_factory=lambda: _zeros(TLB0_SETS))


@dataclass(slots=True)
class Spr:
    """The SPR file of a hardware thread."""

    MAS0: int = 0
    MAS1: int = 0
    MAS2: int = 0
    MAS3: int = 0
    MAS4: int = 0
    MAS5: int = 0
    MAS6: int = 0
    MAS7: int = 0
    MAS8: int = 0
    PID: int = 0
    LPID: int = 0
    PIR: int = 0
    PVR: int = 0
    SVR: int = 0
    HID0: int = 0
    SRR0: int = 0
    SRR1: int = 0
    CSRR0: int = 0
    CSRR1: int = 0
    DSRR0: int = 0
    DSRR1: int = 0
    MCSRR0: int = 0
    MCSRR1: int = 0
    ESR: int = 0
    DEAR: int = 0
    MCSR: int = 0
    MCAR: int = 0
    DBSR: int = 0
    GSRR0: int = 0
    GSRR1: int = 0
    GESR: int = 0
    GDEAR: int = 0
    GEPR: int = 0
    GPIR: int = 0
    GSPRG0: int = 0
    GSPRG1: int = 0
    GSPRG2: int = 0
    GSPRG3: int = 0
    SPRG0: int = 0
    SPRG1: int = 0
    SPRG2: int = 0
    SPRG3: int = 0
    SPRG4: int = 0
    SPRG5: int = 0
    SPRG6: int = 0
    SPRG7: int = 0
    SPRG8: int = 0
    SPRG9: int = 0
    VRSAVE: int = 0
    IVPR: int = 0
    IVOR: list[int] = field(default_factory=lambda: _zeros(64))
    GIVPR: int = 0
    GIVOR2: int = 0
    GIVOR3: int = 0
    GIVOR4: int = 0
    GIVOR8: int = 0
    GIVOR13: int = 0
    GIVOR14: int = 0
    EPCR: int = 0
    MSRP: int = 0
    EPLC: int = 0
    EPSC: int = 0
    MMUCFG: int = 0
    TLB0CFG: int = 0
    TLB1CFG: int = 0
    TLB0PS: int = 0
    TLB1PS: int = 0
    EPTCFG: int = 0
    LRATCFG: int = 0
    LRATPS: int = 0
    LPER: int = 0


@dataclass(slots=True)
class Thread:
    """The rest of a hardware thread; ops counts by OP_*, pins has a bit for each PIN_* that is due."""

    pc: int = 0
    msr: int = 0
    gpr: list[int] = field(default_factory=lambda: _zeros(32))
    lr: int = 0
    ctr: int = 0
    xer: int = 0
    cr: int = 0
    ops: list[int] = field(default_factory=lambda: _zeros(OPS))
    pins: int = 0


@dataclass(slots=True)
class Hardware:
    """All cores: htlb0, htlb1, lrat and core by core, spr and thread by hardware thread."""

    params: Params
    htlb0: list[Htlb0]
    htlb1: list[Htlb1]
    lrat: list[Lrat]
    core: list[Core]
    spr: list[Spr]
    thread: list[Thread]
    memory: Memory
    events: list[Event]


class End(NamedTuple):
    """How an instruction ended: DONE, or in which interrupt and who took it."""

    outcome: int
    ivor: int = 0


_TSIZE_LOW = 1 << MAS1_TSIZE_SHIFT


def _settled(params: Params) -> Params:
    """The parameters with the low TSIZE bit of MAV 1 kept or absent in MAS1 and in entries (U14)."""
    if params.raw or params.mav == 2:
        return params
    mask = params.mas_mask[1] & ~_TSIZE_LOW | (_TSIZE_LOW if params.tsize_low else 0)
    return replace(params, mas_mask=[params.mas_mask[0], mask, *params.mas_mask[2:]])


def new_hardware(params: Params, cores: int, memory: Memory) -> Hardware:
    """Hardware after reset (mmu-hardware 2.9)."""
    params = _settled(params)
    threads = range(cores * params.threads)
    return Hardware(
        params=params,
        htlb0=[Htlb0() for _ in range(cores)],
        htlb1=[Htlb1() for _ in range(cores)],
        lrat=[Lrat() for _ in range(cores)],
        core=[Core() for _ in range(cores)],
        spr=[_reset_spr(params, number) for number in threads],
        thread=[Thread() for _ in threads],
        memory=memory,
        events=[],
    )


def _reset_spr(params: Params, number: int) -> Spr:
    """The SPR file of thread `number` after reset: zeros but for identity and configuration."""
    return Spr(
        PIR=number,
        PVR=params.pvr,
        SVR=params.svr,
        HID0=params.hid0,
        MMUCFG=params.mmucfg,
        TLB0CFG=params.tlb0cfg,
        TLB1CFG=params.tlb1cfg,
        TLB0PS=params.tlb0ps,
        TLB1PS=params.tlb1ps,
        EPTCFG=params.eptcfg,
        LRATCFG=params.lratcfg,
        LRATPS=params.lratps,
    )


def core_of(hw: Hardware, thread: int) -> int:
    """The core of a hardware thread."""
    return thread // hw.params.threads


def is_mav2(params: Params) -> bool:
    """Whether MMU architecture version 2 rules: never on the recorded host (mmu-hardware 0.4)."""
    return params.mav == 2 and not params.raw


def ulong(params: Params, value: int) -> int:
    """`value` cut to the width of a general register."""
    return value & ((1 << params.width) - 1)


def ea_of(hw: Hardware, thread: int, ea: int) -> int:
    """An effective address as the thread forms it: 32 bits where MSR[CM] = 0 (mmu-hardware 5.6)."""
    if hw.thread[thread].msr & MSR_CM:
        return ulong(hw.params, ea)
    return ea & _WORD


def next_pc(hw: Hardware, thread: int) -> int:
    """The address of the instruction behind the current one."""
    return ea_of(hw, thread, hw.thread[thread].pc + 4)


def log(hw: Hardware, kind: int, detail: int, *args: int) -> None:
    """Add an event."""
    hw.events.append(new_event(kind, detail, *args))


def count(hw: Hardware, thread: int, op: int) -> None:
    """Count one hardware operation of a thread."""
    ops = hw.thread[thread].ops
    ops[op] = (ops[op] + 1) & _DOUBLEWORD


#: Bits kept of registers that are neither MAS nor as wide as an effective address (mmu-hardware 2.8).
_KEPT: dict[str, Callable[[Params], int]] = {
    "PID": lambda params: params.pid_mask,
    "LPID": lambda params: params.lpid_mask,
    "EPLC": lambda params: params.ep_mask,
    "EPSC": lambda params: params.ep_mask,
    "IVOR": lambda params: _WORD,
    "HID0": lambda params: _WORD,
    "VRSAVE": lambda params: _WORD,
}


def kept(params: Params, name: str, value: int) -> int:
    """The bits of `value` that the register `name` keeps."""
    if name.startswith("MAS"):
        return ulong(params, value & params.mas_mask[int(name[3])])
    mask = _KEPT.get(name)
    return ulong(params, value & mask(params) if mask else value)


def set_mas(hw: Hardware, thread: int, number: int, value: int) -> None:
    """MAS`number` := what it keeps of `value`."""
    name = f"MAS{number}"
    setattr(hw.spr[thread], name, kept(hw.params, name, value))


def spr_exists(params: Params, number: int, write: bool) -> bool:
    """Whether the machine has an SPR that can be written, or read."""
    return _find_spr(params, number, write) is not None


def ppc_mtspr(hw: Hardware, thread: int, number: int, value: int) -> End:
    """Write an SPR; an unknown or read-only one is an illegal instruction (mmu-hardware 6.5)."""
    count(hw, thread, OP_MTSPR)
    row = _find_spr(hw.params, number, write=True)
    if row is None:
        return _illegal(hw, thread)
    value = ulong(hw.params, value)
    if SprFlag.FLASH in row.flags:
        _flash(hw, thread, value)
    elif SprFlag.ONE_TO_CLEAR in row.flags:
        _write(hw, thread, row, _read(hw, thread, row) & ~value)
        log(hw, EVENT_MTSPR, 0, number, value)
    elif row.flags & (SprFlag.TIMEBASE | SprFlag.HIGH):
        _write_half(hw, thread, row, value)
    elif row.low:
        _write(hw, thread, row, value >> 32)
        _write(hw, thread, SprRow(row.low), value & _WORD)
    else:
        _write(hw, thread, row, value)
    return End(DONE)


def ppc_mfspr(hw: Hardware, thread: int, number: int) -> tuple[End, int]:
    """Read an SPR; an unknown one is an illegal instruction (mmu-hardware 6.5)."""
    count(hw, thread, OP_MFSPR)
    row = _find_spr(hw.params, number, write=False)
    if row is None:
        return _illegal(hw, thread), 0
    if SprFlag.FLASH in row.flags:
        return End(DONE), 0
    value = _read(hw, thread, row)
    if row.low:
        value = (value & _WORD) << 32 | _read(hw, thread, SprRow(row.low)) & _WORD
    return End(DONE), value


def _find_spr(params: Params, number: int, write: bool) -> SprRow | None:
    """The row of an SPR that this machine has, and lets be written or read."""
    row = SPR_TABLE.get(number)
    if row is None or (row.low and params.width != 64):
        return None
    if (SprFlag.READ_ONLY if write else SprFlag.WRITE_ONLY) in row.flags:
        return None
    if SprFlag.MAV2 in row.flags and not is_mav2(params):
        return None
    if SprFlag.MAV2_OR_RAW in row.flags and not (is_mav2(params) or params.raw):
        return None
    return row


def _holder(hw: Hardware, thread: int, row: SprRow) -> Spr | Thread | Core:
    """The object that a register is a field of."""
    if SprFlag.TIMEBASE in row.flags:
        return hw.core[core_of(hw, thread)]
    return hw.thread[thread] if SprFlag.THREAD in row.flags else hw.spr[thread]


def _read(hw: Hardware, thread: int, row: SprRow) -> int:
    """A register, or its high half."""
    value = getattr(_holder(hw, thread, row), row.field)
    if SprFlag.HIGH in row.flags:
        return int(value >> 32)
    return ulong(hw.params, value[row.element] if row.field == "IVOR" else value)


def _write(hw: Hardware, thread: int, row: SprRow, value: int) -> None:
    """Store what a register keeps."""
    value = kept(hw.params, row.field, value)
    if row.field == "IVOR":
        hw.spr[thread].IVOR[row.element] = value
    else:
        setattr(_holder(hw, thread, row), row.field, value)


def _write_half(hw: Hardware, thread: int, row: SprRow, value: int) -> None:
    """Store the low or the high word of a register that has 64 bits on every core."""
    holder, shift = _holder(hw, thread, row), 32 if SprFlag.HIGH in row.flags else 0
    rest = getattr(holder, row.field) & _DOUBLEWORD & ~(_WORD << shift)
    setattr(holder, row.field, rest | (value & _WORD) << shift)


# The moves reach two rooms that stand above this one, and are imported when used.


def _illegal(hw: Hardware, thread: int) -> End:
    """Program interrupt, illegal instruction."""
    from pyexit.ref.hw.interrupt import ppc_program

    return ppc_program(hw, thread, ESR_PIL)


def _flash(hw: Hardware, thread: int, value: int) -> None:
    """What a write to MMUCSR0 does."""
    from pyexit.ref.hw.tlbops import ppc_tlb_flash

    ppc_tlb_flash(hw, core_of(hw, thread), value)
