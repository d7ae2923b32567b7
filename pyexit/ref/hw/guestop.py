# SPDX-License-Identifier: BSD-3-Clause
"""hw/guestop: privileged instructions: executed, or the interrupt that they cause (mmu-hardware 6.5).

The order of the checks is PPR, Embedded Hypervisor Privilege, PIL (U23).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple

from pyexit.ref.events import DONE
from pyexit.ref.hw.core import (
    End,
    Hardware,
    ea_of,
    next_pc,
    ppc_mfspr,
    ppc_mtspr,
    spr_exists,
    ulong,
)
from pyexit.ref.hw.doorbell import ppc_msgclr, ppc_msgsnd
from pyexit.ref.hw.epid import (
    ppc_load_external,
    ppc_lwepx,
    ppc_store_external,
    ppc_touch_external,
    ppc_zero_line_external,
)
from pyexit.ref.hw.interrupt import ppc_raise, protected_msr
from pyexit.ref.hw.regs import (
    EPC_EGS,
    EPC_ELPID_MASK,
    EPCR_DGTMI,
    ESR_DLK,
    ESR_ILK,
    ESR_PIL,
    ESR_PPR,
    IVOR_DATA_STORAGE,
    IVOR_HV_PRIV,
    IVOR_PROGRAM,
    MAS0_HES,
    MAS0_WQ_SHIFT,
    MAS1_IPROT,
    MMUCFG_LRAT,
    MSR_EE,
    MSR_GS,
    MSR_PR,
    MSR_UCLE,
    MSR_WE,
    MSRP_PMMP,
    MSRP_UCLEP,
    SPR_ATBL,
    SPR_ATBU,
    SPR_CTR,
    SPR_DEAR,
    SPR_EPLC,
    SPR_EPR,
    SPR_EPSC,
    SPR_ESR,
    SPR_GDEAR,
    SPR_GEPR,
    SPR_GESR,
    SPR_GIVOR2,
    SPR_GIVOR3,
    SPR_GIVOR4,
    SPR_GIVOR8,
    SPR_GIVOR13,
    SPR_GIVOR14,
    SPR_GIVPR,
    SPR_GPIR,
    SPR_GSPRG0,
    SPR_GSPRG3,
    SPR_GSRR0,
    SPR_GSRR1,
    SPR_LR,
    SPR_MAS0,
    SPR_MAS0_MAS1,
    SPR_MAS1,
    SPR_MAS2,
    SPR_MAS3,
    SPR_MAS4,
    SPR_MAS6,
    SPR_MAS7,
    SPR_MAS7_MAS3,
    SPR_PID,
    SPR_PIR,
    SPR_PVR,
    SPR_SPRG0,
    SPR_SPRG9,
    SPR_SRR0,
    SPR_SRR1,
    SPR_TBL,
    SPR_TBU,
    SPR_USPRG3,
    SPR_VRSAVE,
    SPR_XER,
    TLBCFG_GTWE,
)
from pyexit.ref.hw.tlbops import (
    ppc_guest_tlbwe,
    ppc_tlbilx,
    ppc_tlbivax,
    ppc_tlbre,
    ppc_tlbsx,
    ppc_tlbwe,
    tlbcfg,
    tlbsel_of,
)
from pyexit.ref.hw.translate import CACHE_LOAD, STORE, TOUCH_LOAD, TOUCH_STORE, ppc_translate

_WORD = 0xFFFFFFFF
_WQ_MASK = 3
_WQ_CLEAR = 2
_TLBILX_FORMS = (0, 1, 3)
#: An SPR number with this bit is privileged (mmu-hardware 6.5).
_SPR_PRIVILEGED = 0x10


class Instruction(NamedTuple):
    """The fields of an instruction word."""

    word: int

    @property
    def rt(self) -> int:
        """Target, or source of a store or move to."""
        return self.word >> 21 & 31

    @property
    def ra(self) -> int:
        """First operand."""
        return self.word >> 16 & 31

    @property
    def rb(self) -> int:
        """Second operand."""
        return self.word >> 11 & 31

    @property
    def spr(self) -> int:
        """SPR number: its halves are swapped."""
        return self.rb << 5 | self.ra

    @property
    def opcode(self) -> tuple[int, int]:
        """Primary and extended opcode."""
        return self.word >> 26 & 63, self.word >> 1 & 0x3FF


def _ea(hw: Hardware, thread: int, op: Instruction) -> int:
    """(RA|0) + RB, as an address."""
    gpr = hw.thread[thread].gpr
    return ea_of(hw, thread, (gpr[op.ra] if op.ra else 0) + gpr[op.rb])


def _is_guest(hw: Hardware, thread: int) -> bool:
    return bool(hw.thread[thread].msr & MSR_GS)


def _is_user(hw: Hardware, thread: int) -> bool:
    return bool(hw.thread[thread].msr & MSR_PR)


def _program(hw: Hardware, thread: int, esr: int) -> End:
    return ppc_raise(hw, thread, IVOR_PROGRAM, esr)


def _trap(hw: Hardware, thread: int) -> End:
    """Embedded Hypervisor Privilege."""
    return ppc_raise(hw, thread, IVOR_HV_PRIV)


def _set_rt(hw: Hardware, thread: int, op: Instruction, value: int) -> None:
    hw.thread[thread].gpr[op.rt] = ulong(hw.params, value)


# MSR and returns


def _mfmsr(hw: Hardware, thread: int, op: Instruction) -> End:
    _set_rt(hw, thread, op, hw.thread[thread].msr)
    return End(DONE)


def _mtmsr(hw: Hardware, thread: int, op: Instruction) -> End:
    """A guest cannot change GS, WE and what MSRP protects; GS once set stays."""
    state = hw.thread[thread]
    keep = MSR_GS | MSR_WE | protected_msr(hw.spr[thread].MSRP) if _is_guest(hw, thread) else 0
    _advance(hw, thread)  # in the mode that the instruction was fetched in
    state.msr = state.gpr[op.rt] & _WORD & ~keep | state.msr & keep
    return End(DONE)


def _wrtee(hw: Hardware, thread: int, op: Instruction) -> End:
    return _write_ee(hw, thread, hw.thread[thread].gpr[op.rt])


def _wrteei(hw: Hardware, thread: int, op: Instruction) -> End:
    return _write_ee(hw, thread, op.word)  # its E bit is where MSR[EE] is


def _write_ee(hw: Hardware, thread: int, value: int) -> End:
    state = hw.thread[thread]
    state.msr = state.msr & ~MSR_EE | value & MSR_EE
    return End(DONE)


def _return_by(pair: str) -> Callable[[Hardware, int, Instruction], End]:
    """A return through a pair of save registers; in guest state rfi and rfgi both use GSRR0/1."""

    def execute(hw: Hardware, thread: int, op: Instruction) -> End:
        guest, spr, state = _is_guest(hw, thread), hw.spr[thread], hw.thread[thread]
        used = "GSRR" if guest else pair
        keep = MSR_GS | protected_msr(spr.MSRP) if guest else 0
        state.msr = ulong(hw.params, getattr(spr, f"{used}1")) & ~keep | state.msr & keep
        state.pc = ea_of(hw, thread, getattr(spr, f"{used}0") & ~3)
        return End(DONE)

    return execute


# Special registers


class Native(NamedTuple):
    """An SPR that a guest supervisor reaches by itself: the register it really is, and how it may be used."""

    number: int
    read: bool = True
    write: bool = True


def _own(*numbers: int, write: bool = True) -> dict[int, Native]:
    """Registers that are what they are called."""
    return {number: Native(number, write=write) for number in numbers}


#: mmu-hardware 6.5, the rows of SPRs; what exists and is not here traps.
NATIVE: dict[int, Native] = {
    # Renamed
    SPR_SRR0: Native(SPR_GSRR0),
    SPR_SRR1: Native(SPR_GSRR1),
    **{SPR_SPRG0 + n: Native(SPR_GSPRG0 + n) for n in range(4)},
    SPR_USPRG3: Native(SPR_GSPRG3, write=False),
    SPR_ESR: Native(SPR_GESR),
    SPR_DEAR: Native(SPR_GDEAR),
    SPR_EPR: Native(SPR_GEPR),
    SPR_PIR: Native(SPR_GPIR, write=False),
    # By their own numbers
    **_own(SPR_GSRR0, SPR_GSRR1, *range(SPR_GSPRG0, SPR_GSPRG0 + 4), SPR_GESR, SPR_GDEAR, SPR_GEPR),
    **_own(SPR_GPIR, SPR_GIVPR, write=False),
    **_own(SPR_GIVOR2, SPR_GIVOR3, SPR_GIVOR4, SPR_GIVOR8, SPR_GIVOR13, SPR_GIVOR14, write=False),
    # Plain
    **_own(*range(SPR_SPRG0 + 4, SPR_SPRG0 + 8), SPR_SPRG9, SPR_VRSAVE, SPR_PID),
    **_own(SPR_MAS0, SPR_MAS1, SPR_MAS2, SPR_MAS3, SPR_MAS4, SPR_MAS6, SPR_MAS7),
    **_own(SPR_MAS7_MAS3, SPR_MAS0_MAS1, SPR_EPLC, SPR_EPSC, SPR_XER, SPR_LR, SPR_CTR),
    **_own(*range(SPR_USPRG3 + 1, SPR_USPRG3 + 5), SPR_PVR, write=False),
    **_own(SPR_TBL, SPR_TBU, SPR_ATBL, SPR_ATBU, write=False),
}
_USER_BOTH = frozenset((SPR_XER, SPR_LR, SPR_CTR, SPR_VRSAVE))
_USER_READ = frozenset((*range(SPR_USPRG3, SPR_USPRG3 + 5), SPR_TBL, SPR_TBU, SPR_ATBL, SPR_ATBU))


#: Hypervisor SPRs that the model keeps no storage for: DEC, DECAR, DBCR0-2, IAC1-2, DAC1-2, TSR, TCR, HID1,
#: L1CSR0-1, BUCSR, PWRMGTCR0 (mmu-hardware 6.5; numbers of emulate.md 4).
_NO_STORAGE = frozenset((22, 54, 308, 309, 310, 312, 313, 316, 317, 336, 340, 1009, 1010, 1011, 1013, 1019))


def _spr_refusal(hw: Hardware, thread: int, number: int, write: bool) -> End | None:
    """The interrupt of a move that is not executed."""
    if _is_user(hw, thread):
        if number & _SPR_PRIVILEGED:
            return _program(hw, thread, ESR_PPR)
        if number not in _USER_BOTH and (write or number not in _USER_READ):
            return _program(hw, thread, ESR_PIL)
    native = NATIVE.get(number) if _is_guest(hw, thread) else None
    usable = native is not None and (native.write if write else native.read)
    if _is_guest(hw, thread) and number in _NO_STORAGE:
        return _trap(hw, thread)
    if _is_guest(hw, thread) and not usable:
        known = spr_exists(hw.params, number, False) or spr_exists(hw.params, number, True)
        return _trap(hw, thread) if known else _program(hw, thread, ESR_PIL)  # HV-priv before illegal (U23)
    if not spr_exists(hw.params, native.number if native else number, write):
        return _program(hw, thread, ESR_PIL)
    return None


def _real_spr(hw: Hardware, thread: int, number: int) -> int:
    """The register that a number reaches in the state of the thread."""
    return NATIVE[number].number if _is_guest(hw, thread) else number


def _mtspr(hw: Hardware, thread: int, op: Instruction) -> End:
    refusal = _spr_refusal(hw, thread, op.spr, write=True)
    if refusal is not None:
        return refusal
    value = hw.thread[thread].gpr[op.rt]
    if _is_guest(hw, thread) and op.spr in (SPR_EPLC, SPR_EPSC):
        value = _guest_epc(hw, thread, op.spr, value)
    return ppc_mtspr(hw, thread, _real_spr(hw, thread, op.spr), value)


def _guest_epc(hw: Hardware, thread: int, number: int, value: int) -> int:
    """EPLC or EPSC as a guest writes it: EGS and ELPID keep their value (mmu-hardware 9.7)."""
    fixed = EPC_EGS | EPC_ELPID_MASK
    old = hw.spr[thread].EPLC if number == SPR_EPLC else hw.spr[thread].EPSC
    return value & ~fixed | old & fixed


def _mfspr(hw: Hardware, thread: int, op: Instruction) -> End:
    refusal = _spr_refusal(hw, thread, op.spr, write=False)
    if refusal is not None:
        return refusal
    end, value = ppc_mfspr(hw, thread, _real_spr(hw, thread, op.spr))
    _set_rt(hw, thread, op, value)
    return end


def _mfpmr(hw: Hardware, thread: int, op: Instruction) -> End:
    """The performance monitor counts nothing; MSRP[PMMP] keeps a guest from it (U25)."""
    if _pmr_protected(hw, thread):
        return _trap(hw, thread)
    _set_rt(hw, thread, op, 0)
    return End(DONE)


def _mtpmr(hw: Hardware, thread: int, op: Instruction) -> End:
    return _trap(hw, thread) if _pmr_protected(hw, thread) else End(DONE)


def _pmr_protected(hw: Hardware, thread: int) -> bool:
    return _is_guest(hw, thread) and bool(hw.spr[thread].MSRP & MSRP_PMMP)


# TLB, messages, external PID, caches


def _tlbilx(hw: Hardware, thread: int, op: Instruction) -> End:
    t = op.rt & 7
    if _is_guest(hw, thread) and hw.spr[thread].EPCR & EPCR_DGTMI:
        return _trap(hw, thread)
    if t not in _TLBILX_FORMS:
        return _program(hw, thread, ESR_PIL)
    return ppc_tlbilx(hw, thread, t, _ea(hw, thread, op))


def _tlbwe(hw: Hardware, thread: int, op: Instruction) -> End:
    if not _is_guest(hw, thread):
        return ppc_tlbwe(hw, thread)
    return ppc_guest_tlbwe(hw, thread) if _may_tlbwe(hw, thread) else _trap(hw, thread)


def _may_tlbwe(hw: Hardware, thread: int) -> bool:
    """What lets a guest supervisor write a TLB entry (mmu-hardware 6.5)."""
    params, spr = hw.params, hw.spr[thread]
    selected = spr.MAS0 & MAS0_HES or spr.MAS0 >> MAS0_WQ_SHIFT & _WQ_MASK == _WQ_CLEAR
    return (
        not spr.EPCR & EPCR_DGTMI
        and bool(tlbcfg(params, tlbsel_of(spr.MAS0)) & TLBCFG_GTWE)
        and bool(params.mmucfg & MMUCFG_LRAT)
        and not spr.MAS1 & MAS1_IPROT
        and bool(selected)
    )


def _tlbre(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_tlbre(hw, thread)


def _tlbsx(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_tlbsx(hw, thread, _ea(hw, thread, op))


def _tlbivax(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_tlbivax(hw, thread, _ea(hw, thread, op))


def _nothing(hw: Hardware, thread: int, op: Instruction) -> End:
    """tlbsync: invalidations are done when they are done."""
    return End(DONE)


def _illegal(hw: Hardware, thread: int, op: Instruction) -> End:
    """tlbsrx.: these cores have no reservations (mmu-hardware 8.3)."""
    return _program(hw, thread, ESR_PIL)


def _msgsnd(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_msgsnd(hw, thread, hw.thread[thread].gpr[op.rb])


def _msgclr(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_msgclr(hw, thread, hw.thread[thread].gpr[op.rb])


def _ehpriv(hw: Hardware, thread: int, op: Instruction) -> End:
    return _trap(hw, thread)


def _lwepx(hw: Hardware, thread: int, op: Instruction) -> End:
    end, word = ppc_lwepx(hw, thread, _ea(hw, thread, op), host=not _is_guest(hw, thread))
    if end.outcome == DONE:
        _set_rt(hw, thread, op, word)
    return end


def _load_external(size: int) -> Callable[[Hardware, int, Instruction], End]:
    def execute(hw: Hardware, thread: int, op: Instruction) -> End:
        ea, host = _ea(hw, thread, op), not _is_guest(hw, thread)
        end, value = ppc_load_external(hw, thread, ea, size, host)
        if end.outcome == DONE:
            _set_rt(hw, thread, op, value)
        return end

    return execute


def _store_external(size: int) -> Callable[[Hardware, int, Instruction], End]:
    def execute(hw: Hardware, thread: int, op: Instruction) -> End:
        return ppc_store_external(hw, thread, _ea(hw, thread, op), size, hw.thread[thread].gpr[op.rt])

    return execute


def _touch_external(access: int) -> Callable[[Hardware, int, Instruction], End]:
    def execute(hw: Hardware, thread: int, op: Instruction) -> End:
        return ppc_touch_external(hw, thread, _ea(hw, thread, op), access)

    return execute


def _dcbzep(hw: Hardware, thread: int, op: Instruction) -> End:
    return ppc_zero_line_external(hw, thread, _ea(hw, thread, op))


def _float_external(hw: Hardware, thread: int, op: Instruction) -> End:
    """lfdepx, stfdepx: the floating-point registers are the engine's, so it makes the access."""
    raise OSError(errno.ENOSYS, f"instruction {op.word:#010x} is the engine's")


def _dcbi(hw: Hardware, thread: int, op: Instruction) -> End:
    """Translated as a store of a byte (mmu-hardware 5.1)."""
    found = ppc_translate(hw, thread, _ea(hw, thread, op), 1, STORE, probe=False)
    return End(found.outcome, found.ivor)


def _locking(esr: int) -> Callable[[Hardware, int, Instruction], End]:
    """Cache locking: there is no cache, so only its refusals are seen."""

    def execute(hw: Hardware, thread: int, op: Instruction) -> End:
        if _is_user(hw, thread):
            if hw.thread[thread].msr & MSR_UCLE:
                return End(DONE)
            return ppc_raise(hw, thread, IVOR_DATA_STORAGE, esr, _ea(hw, thread, op))
        if _is_guest(hw, thread) and hw.spr[thread].MSRP & MSRP_UCLEP:
            return _trap(hw, thread)
        return End(DONE)

    return execute


# The table


class Row(NamedTuple):
    """How an instruction is executed where it may be."""

    execute: Callable[[Hardware, int, Instruction], End]
    user: bool = False  # user state is no reason for PPR: the function decides
    hypervisor: bool = False  # a guest supervisor traps
    jumps: bool = False  # sets the pc itself
    wide: bool = False  # an instruction of 64-bit cores


ROWS: dict[tuple[int, int], Row] = {
    (19, 38): Row(_return_by("MCSRR"), hypervisor=True, jumps=True),  # rfmci
    (19, 39): Row(_return_by("DSRR"), hypervisor=True, jumps=True),  # rfdi
    (19, 50): Row(_return_by("SRR"), jumps=True),  # rfi
    (19, 51): Row(_return_by("CSRR"), hypervisor=True, jumps=True),  # rfci
    (19, 102): Row(_return_by("GSRR"), jumps=True),  # rfgi
    (31, 18): Row(_tlbilx),
    (31, 29): Row(_load_external(8), wide=True),  # ldepx
    (31, 31): Row(_lwepx),
    (31, 63): Row(_touch_external(CACHE_LOAD)),  # dcbstep
    (31, 83): Row(_mfmsr),
    (31, 95): Row(_load_external(1)),  # lbepx
    (31, 127): Row(_touch_external(CACHE_LOAD)),  # dcbfep
    (31, 131): Row(_wrtee),
    (31, 134): Row(_locking(ESR_DLK), user=True),  # dcbtstls
    (31, 146): Row(_mtmsr, jumps=True),
    (31, 157): Row(_store_external(8), wide=True),  # stdepx
    (31, 159): Row(_store_external(4)),  # stwepx
    (31, 163): Row(_wrteei),
    (31, 166): Row(_locking(ESR_DLK), user=True),  # dcbtls
    (31, 206): Row(_msgsnd, hypervisor=True),
    (31, 223): Row(_store_external(1)),  # stbepx
    (31, 230): Row(_locking(ESR_ILK), user=True),  # icblc
    (31, 238): Row(_msgclr, hypervisor=True),
    (31, 255): Row(_touch_external(TOUCH_STORE)),  # dcbtstep
    (31, 270): Row(_ehpriv, user=True),
    (31, 287): Row(_load_external(2)),  # lhepx
    (31, 319): Row(_touch_external(TOUCH_LOAD)),  # dcbtep
    (31, 334): Row(_mfpmr, user=True),
    (31, 339): Row(_mfspr, user=True),
    (31, 390): Row(_locking(ESR_DLK), user=True),  # dcblc
    (31, 415): Row(_store_external(2)),  # sthepx
    (31, 462): Row(_mtpmr, user=True),
    (31, 467): Row(_mtspr, user=True),
    (31, 470): Row(_dcbi),
    (31, 486): Row(_locking(ESR_ILK), user=True),  # icbtls
    (31, 566): Row(_nothing, hypervisor=True),  # tlbsync
    (31, 607): Row(_float_external),  # lfdepx
    (31, 735): Row(_float_external),  # stfdepx
    (31, 786): Row(_tlbivax, hypervisor=True),
    (31, 850): Row(_illegal),  # tlbsrx.
    (31, 914): Row(_tlbsx, hypervisor=True),
    (31, 946): Row(_tlbre, hypervisor=True),
    (31, 978): Row(_tlbwe),
    (31, 991): Row(_touch_external(CACHE_LOAD)),  # icbiep
    (31, 1023): Row(_dcbzep),
}


def ppc_guest_op(hw: Hardware, thread: int, instruction: int) -> End:
    """Execute a privileged instruction of the code on the thread; OSError(ENOSYS) if it is not one."""
    op = Instruction(instruction)
    row = ROWS.get(op.opcode)
    if row is None:
        raise OSError(errno.ENOSYS, f"instruction {instruction:#010x} is not privileged")
    if _is_user(hw, thread) and not row.user:
        return _program(hw, thread, ESR_PPR)
    if _is_guest(hw, thread) and row.hypervisor:
        return _trap(hw, thread)
    if row.wide and hw.params.width != 64:
        return _program(hw, thread, ESR_PIL)
    end = row.execute(hw, thread, op)
    if end.outcome == DONE and not row.jumps:
        _advance(hw, thread)
    return end


def _advance(hw: Hardware, thread: int) -> None:
    """On to the next instruction."""
    hw.thread[thread].pc = next_pc(hw, thread)
