# SPDX-License-Identifier: BSD-3-Clause
"""kvm/loadstore: a load or store that hit no guest memory is decoded, and done as MMIO (emulate 5, 6.3).

Covers emulate_loadstore.c, and of lib/sstep.c what it decodes. The address is where the guest's access
failed; the one that decoding yields only goes into the base register of an update form.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag, auto
from typing import NamedTuple

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.regs import MSR_FP, MSR_VEC
from pyexit.ref.kvm.emulate import kvmppc_next_instruction, trace_kvm_ppc_instr
from pyexit.ref.kvm.emulate_booke import (
    FLAVOUR_64,
    FLAVOUR_ALL,
    FLAVOUR_ALTIVEC,
    get_op,
    get_ra,
    get_rb,
    get_rs,
    get_rt,
    get_sprn,
    get_xop,
    is_built,
)
from pyexit.ref.kvm.entry import RESUME_GUEST, RESUME_GUEST_NV, RESUME_HOST_NV
from pyexit.ref.kvm.irqprio import (
    kvmppc_core_queue_fpunavail,
    kvmppc_core_queue_program,
    kvmppc_core_queue_vec_unavail,
)
from pyexit.ref.kvm.kvm_run import KVM_EXIT_MMIO
from pyexit.ref.kvm.last_inst import INST_GENERIC, kvmppc_get_last_inst
from pyexit.ref.kvm.mmio import (
    MMIO_CLASS_FPR,
    MMIO_CLASS_VMX,
    MMIO_COPY_BYTE,
    MMIO_COPY_DWORD,
    MMIO_COPY_HWORD,
    MMIO_COPY_WORD,
    kvmppc_handle_load,
    kvmppc_handle_loads,
    kvmppc_handle_store,
    kvmppc_handle_vmx_load,
    kvmppc_handle_vmx_store,
)
from pyexit.ref.kvm.timing import EMULATED_INST_EXITS, kvmppc_set_exit_type
from pyexit.ref.kvm.trace import WARN_EMULATE_MMIO, warn
from pyexit.ref.kvm.vcpu import (
    EMULATE_AGAIN,
    EMULATE_DO_MMIO,
    EMULATE_DONE,
    EMULATE_FAIL,
    KVM_INST_FETCH_FAILED,
    World,
)

_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1
_VECTOR_SIZE = 16


# What an instruction is (emulate 5.2)


class Type(Enum):
    """What analyse_instr makes of an instruction, as far as anyone asks."""

    COMPUTED = auto()  # not an access: it has been executed in a copy of the registers
    UNKNOWN = auto()  # and all that nobody here handles: traps, system calls, moves from and to SPRs ...
    LOAD = auto()
    LOAD_MULTI = auto()
    LOAD_FP = auto()
    LOAD_VMX = auto()
    STORE = auto()
    STORE_MULTI = auto()
    STORE_FP = auto()
    STORE_VMX = auto()
    LARX = auto()
    STCX = auto()
    CACHEOP = auto()


class How(Flag):
    """In what an access differs from the plain one."""

    SIGNEXT = auto()
    BYTEREV = auto()
    FPCONV = auto()  # single precision in memory, double in the register
    UPDATE = auto()  # the base register gets the address


_PLAIN = How(0)


class Op(NamedTuple):
    """One row: type, bytes, how, and what the kernel must have been built with."""

    type: Type
    size: int = 0
    how: How = _PLAIN
    flavour: int = FLAVOUR_ALL


COMPUTED = Op(Type.COMPUTED)
UNKNOWN = Op(Type.UNKNOWN)


def _update(op: Op) -> Op:
    """The update form of an instruction."""
    return op._replace(how=op.how | How.UPDATE)


def _with_update(rows: dict[int, Op], update: int) -> dict[int, Op]:
    """Rows, and their update forms, whose opcode is greater by `update`."""
    return rows | {opcode + update: _update(op) for opcode, op in rows.items()}


_LOAD, _STORE = Type.LOAD, Type.STORE
_WIDE, _ALTIVEC = FLAVOUR_64, FLAVOUR_ALTIVEC

#: By primary opcode; the odd ones are update forms (5.3.3). lmw and stmw are not emulated.
PRIMARY = _with_update(
    {
        32: Op(_LOAD, 4),  # lwz
        34: Op(_LOAD, 1),  # lbz
        36: Op(_STORE, 4),  # stw
        38: Op(_STORE, 1),  # stb
        40: Op(_LOAD, 2),  # lhz
        42: Op(_LOAD, 2, How.SIGNEXT),  # lha
        44: Op(_STORE, 2),  # sth
        48: Op(Type.LOAD_FP, 4, How.FPCONV),  # lfs
        50: Op(Type.LOAD_FP, 8),  # lfd
        52: Op(Type.STORE_FP, 4, How.FPCONV),  # stfs
        54: Op(Type.STORE_FP, 8),  # stfd
    },
    update=1,
) | {
    46: Op(Type.LOAD_MULTI),  # lmw
    47: Op(Type.STORE_MULTI),  # stmw
    56: Op(_LOAD, 16, flavour=_WIDE),  # lq: too large
}

#: DS-form: by primary opcode and the low two bits.
DS_FORM = {
    (58, 0): Op(_LOAD, 8, flavour=_WIDE),  # ld
    (58, 1): Op(_LOAD, 8, How.UPDATE, _WIDE),  # ldu
    (58, 2): Op(_LOAD, 4, How.SIGNEXT, _WIDE),  # lwa
    (62, 0): Op(_STORE, 8, flavour=_WIDE),  # std
    (62, 1): Op(_STORE, 8, How.UPDATE, _WIDE),  # stdu
    (62, 2): Op(_STORE, 16, flavour=_WIDE),  # stq: too large, and only with an even register
}

#: X-form, primary opcode 31: by extended opcode; 32 more is the update form (5.3.3). Q11: stfiwx.
X_FORM = _with_update(
    {
        21: Op(_LOAD, 8, flavour=_WIDE),  # ldx
        23: Op(_LOAD, 4),  # lwzx
        87: Op(_LOAD, 1),  # lbzx
        149: Op(_STORE, 8, flavour=_WIDE),  # stdx
        151: Op(_STORE, 4),  # stwx
        215: Op(_STORE, 1),  # stbx
        279: Op(_LOAD, 2),  # lhzx
        341: Op(_LOAD, 4, How.SIGNEXT, _WIDE),  # lwax
        343: Op(_LOAD, 2, How.SIGNEXT),  # lhax
        407: Op(_STORE, 2),  # sthx
        535: Op(Type.LOAD_FP, 4, How.FPCONV),  # lfsx
        599: Op(Type.LOAD_FP, 8),  # lfdx
        663: Op(Type.STORE_FP, 4, How.FPCONV),  # stfsx
        727: Op(Type.STORE_FP, 8),  # stfdx
    },
    update=32,
) | {
    532: Op(_LOAD, 8, How.BYTEREV, _WIDE),  # ldbrx
    534: Op(_LOAD, 4, How.BYTEREV),  # lwbrx
    790: Op(_LOAD, 2, How.BYTEREV),  # lhbrx
    660: Op(_STORE, 8, How.BYTEREV, _WIDE),  # stdbrx
    662: Op(_STORE, 4, How.BYTEREV),  # stwbrx
    918: Op(_STORE, 2, How.BYTEREV),  # sthbrx
    791: Op(Type.LOAD_FP, 16, flavour=_WIDE),  # lfdpx: too large
    855: Op(Type.LOAD_FP, 4, How.SIGNEXT, _WIDE),  # lfiwax
    887: Op(Type.LOAD_FP, 4, flavour=_WIDE),  # lfiwzx
    919: Op(Type.STORE_FP, 16, flavour=_WIDE),  # stfdpx: too large
    983: Op(Type.STORE_FP, 4, flavour=_WIDE),  # stfiwx
    7: Op(Type.LOAD_VMX, 1, flavour=_ALTIVEC),  # lvebx
    39: Op(Type.LOAD_VMX, 2, flavour=_ALTIVEC),  # lvehx
    71: Op(Type.LOAD_VMX, 4, flavour=_ALTIVEC),  # lvewx
    103: Op(Type.LOAD_VMX, 16, flavour=_ALTIVEC),  # lvx
    359: Op(Type.LOAD_VMX, 16, flavour=_ALTIVEC),  # lvxl
    135: Op(Type.STORE_VMX, 1, flavour=_ALTIVEC),  # stvebx
    167: Op(Type.STORE_VMX, 2, flavour=_ALTIVEC),  # stvehx
    199: Op(Type.STORE_VMX, 4, flavour=_ALTIVEC),  # stvewx
    231: Op(Type.STORE_VMX, 16, flavour=_ALTIVEC),  # stvx
    487: Op(Type.STORE_VMX, 16, flavour=_ALTIVEC),  # stvxl
    20: Op(Type.LARX, 4),  # lwarx
    52: Op(Type.LARX, 1, flavour=_WIDE),  # lbarx
    116: Op(Type.LARX, 2, flavour=_WIDE),  # lharx
    84: Op(Type.LARX, 8, flavour=_WIDE),  # ldarx
    276: Op(Type.LARX, 16, flavour=_WIDE),  # lqarx
    150: Op(Type.STCX, 4),  # stwcx.
    694: Op(Type.STCX, 1, flavour=_WIDE),  # stbcx.
    726: Op(Type.STCX, 2, flavour=_WIDE),  # sthcx.
    214: Op(Type.STCX, 8, flavour=_WIDE),  # stdcx.
    182: Op(Type.STCX, 16, flavour=_WIDE),  # stqcx.: only with an even register
    533: Op(Type.LOAD_MULTI),  # lswx
    597: Op(Type.LOAD_MULTI),  # lswi
    661: Op(Type.STORE_MULTI),  # stswx
    725: Op(Type.STORE_MULTI),  # stswi
    54: Op(Type.CACHEOP),  # dcbst
    86: Op(Type.CACHEOP),  # dcbf
    246: Op(Type.CACHEOP),  # dcbtst
    278: Op(Type.CACHEOP),  # dcbt
    982: Op(Type.CACHEOP),  # icbi
    1014: Op(Type.CACHEOP),  # dcbz. Q10: nothing is zeroed
}

#: Pairs of registers start with an even one; the quadword loads have more conditions, which nobody sees.
EVEN_REGISTER = (Op(_STORE, 16, flavour=_WIDE), Op(Type.STCX, 16, flavour=_WIDE))


# Instructions that are computed (emulate 5.2, the end): they leave mmio_is_write as it was

COMPUTED_PRIMARY = frozenset({7, 8, *range(10, 17), 18, 20, 21, *range(23, 30)})
COMPUTED_19 = frozenset({0, 16, 33, 129, 150, 193, 225, 257, 289, 417, 449, 528})

#: Of primary opcode 31; isel besides, whose extended opcode is 5 bits.
COMPUTED_31 = frozenset(
    {
        *(0, 8, 10, 11, 19, 24, 26, 28, 32, 40, 60, 75, 104, 122, 124, 136, 138, 144, 154, 186, 200, 202),
        *(232, 234, 235, 266, 284, 316, 378, 412, 444, 459, 476, 491, 508, 536, 598, 792, 824, 854, 922),
        *(954,),
    }
)
COMPUTED_31_WIDE = frozenset({9, 27, 58, 73, 233, 252, 393, 425, 457, 489, 506, 539, 794, 826, 827, 986})
_ISEL = 15

# mfspr and mtspr, of XER, LR and CTR only
_MFSPR = 339
_MTSPR = 467
COMPUTED_SPRS = (1, 8, 9)

# Traps: computed if the condition is not met
_TDI = 2
_TWI = 3
_TW = 4
_TD = 68


def _is_computed(world: World, vcpu: int, inst: int) -> bool:
    """Does the decoder execute this one?"""
    op, xop, wide = get_op(inst), get_xop(inst), is_built(world, FLAVOUR_64)
    if op == _TWI or (wide and op == _TDI) or (op == 31 and (xop == _TW or (wide and xop == _TD))):
        return not _traps(world, vcpu, inst)
    if op == 19:
        return xop in COMPUTED_19
    if op == 30:
        return wide and xop & 15 <= 9
    if op != 31:
        return op in COMPUTED_PRIMARY
    if xop in (_MFSPR, _MTSPR):
        return get_sprn(inst) in COMPUTED_SPRS
    return xop & 31 == _ISEL or xop in COMPUTED_31 or (wide and xop in COMPUTED_31_WIDE)


def _traps(world: World, vcpu: int, inst: int) -> bool:
    """Is the condition of a trap met? tw, and twi, compare words."""
    gpr, to = world.vcpu[vcpu].arch.regs.gpr, get_rt(inst)
    immediate = get_op(inst) != 31
    doublewords = get_op(inst) == _TDI or (not immediate and get_xop(inst) == _TD)
    if not immediate and not doublewords and to == 31:
        return True
    bits = 64 if doublewords else 32
    a = _signed(gpr[get_ra(inst)], bits)
    b = _signed(inst, 16) if immediate else _signed(gpr[get_rb(inst)], bits)
    return bool(to & _relation(a, b))


def _relation(a: int, b: int) -> int:
    """How two signed numbers compare, in the bits of TO."""
    if a == b:
        return 4
    unsigned = 2 if a & _DOUBLEWORD < b & _DOUBLEWORD else 1
    return (16 if a < b else 8) | unsigned


def _signed(value: int, bits: int) -> int:
    """The low bits of a value as a signed number."""
    sign = 1 << bits - 1
    return ((value & (1 << bits) - 1) ^ sign) - sign


def analyse_instr(world: World, vcpu: int, inst: int) -> Op:
    """5.2: the row of an instruction. Q8: no update form is refused; 5.3.5: nor is a reserved bit."""
    op = PRIMARY.get(get_op(inst))
    if get_op(inst) == 31:
        op = X_FORM.get(get_xop(inst))
    elif op is None:
        op = DS_FORM.get((get_op(inst), inst & 3))
    if op is None or not is_built(world, op.flavour):
        return COMPUTED if _is_computed(world, vcpu, inst) else UNKNOWN
    return UNKNOWN if op in EVEN_REGISTER and get_rs(inst) & 1 else op


# Address and value (emulate 5.3)


def _ea(world: World, vcpu: int, inst: int) -> int:
    """Q31: not cut to 32 bits for a 32-bit guest of a 64-bit kernel."""
    gpr = world.vcpu[vcpu].arch.regs.gpr
    base = gpr[get_ra(inst)] if get_ra(inst) else 0
    if get_op(inst) == 31:
        return ulong(world.hw.params, base + gpr[get_rb(inst)])
    ds_form = get_op(inst) >= 56
    return ulong(world.hw.params, base + _signed(inst & ~3 if ds_form else inst, 16))


def _value(world: World, vcpu: int, inst: int, op: Op) -> int:
    """What is stored: the whole register, or its low bytes reversed."""
    value = ulong(world.hw.params, world.vcpu[vcpu].arch.regs.gpr[get_rs(inst)])
    if How.BYTEREV not in op.how:
        return value
    low = value & (1 << 8 * op.size) - 1
    return int.from_bytes(low.to_bytes(op.size, "big"), "little")


# The access (emulate 5.4)


class Outcome(NamedTuple):
    """An EMULATE_* result; or the facility is off, and the guest gets that interrupt instead."""

    result: int
    unavailable: bool = False


_UNAVAILABLE = Outcome(EMULATE_DONE, True)


def _load(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    handle = kvmppc_handle_loads if How.SIGNEXT in op.how else kvmppc_handle_load
    return Outcome(handle(world, vcpu, get_rt(inst), op.size, int(How.BYTEREV not in op.how)))


def _store(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    return Outcome(kvmppc_handle_store(world, vcpu, _value(world, vcpu, inst, op), op.size, 1))


def _load_fp(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    if not _fp(world, vcpu, op):
        return _UNAVAILABLE
    handle = kvmppc_handle_loads if How.SIGNEXT in op.how else kvmppc_handle_load
    return Outcome(handle(world, vcpu, MMIO_CLASS_FPR | get_rt(inst), op.size, 1))


def _store_fp(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    """Q9: the register as it was saved; this machine has one register file, so it is never old."""
    if not _fp(world, vcpu, op):
        return _UNAVAILABLE
    value = world.vcpu[vcpu].arch.fp.fpr[get_rs(inst)]
    return Outcome(kvmppc_handle_store(world, vcpu, value, op.size, 1))


def _fp(world: World, vcpu: int, op: Op) -> bool:
    """Is floating point on? If so, the precision is settled."""
    arch = world.vcpu[vcpu].arch
    if not arch.shared.msr & MSR_FP:
        kvmppc_core_queue_fpunavail(world, vcpu)
        return False
    if How.FPCONV in op.how:
        arch.mmio_sp64_extend = 1
    return True


def _load_vmx(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    if not _vmx(world, vcpu, op):
        return _UNAVAILABLE
    return Outcome(kvmppc_handle_vmx_load(world, vcpu, MMIO_CLASS_VMX | get_rt(inst), min(op.size, 8)))


def _store_vmx(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    if not _vmx(world, vcpu, op):
        return _UNAVAILABLE
    return Outcome(kvmppc_handle_vmx_store(world, vcpu, get_rs(inst), min(op.size, 8)))


#: The elements of an access of so many bytes; a whole register is two doublewords.
COPY_TYPES = {1: MMIO_COPY_BYTE, 2: MMIO_COPY_HWORD, 4: MMIO_COPY_WORD, 16: MMIO_COPY_DWORD}


def _vmx(world: World, vcpu: int, op: Op) -> bool:
    """Is AltiVec on? If so, the address is aligned, and the elements are settled."""
    arch = world.vcpu[vcpu].arch
    if not arch.shared.msr & MSR_VEC:
        kvmppc_core_queue_vec_unavail(world, vcpu)
        return False
    arch.vaddr_accessed &= ~(op.size - 1)
    arch.paddr_accessed &= ~(op.size - 1)
    arch.mmio_copy_type = COPY_TYPES[op.size]
    arch.mmio_vmx_offset = arch.vaddr_accessed % _VECTOR_SIZE // op.size
    arch.mmio_vmx_copy_nums = 2 if op.size == _VECTOR_SIZE else 1
    return True


def _cacheop(world: World, vcpu: int, inst: int, op: Op) -> Outcome:
    """Q10: without effect."""
    return Outcome(EMULATE_DONE)


#: 5.4; all other types fail.
ACTIONS: dict[Type, Callable[[World, int, int, Op], Outcome]] = {
    Type.LOAD: _load,
    Type.LOAD_FP: _load_fp,
    Type.LOAD_VMX: _load_vmx,
    Type.STORE: _store,
    Type.STORE_FP: _store_fp,
    Type.STORE_VMX: _store_vmx,
    Type.CACHEOP: _cacheop,
}

#: Types that write: for mmio_is_write, whether they are emulated or not.
STORES = (Type.STORE, Type.STORE_MULTI, Type.STORE_FP, Type.STORE_VMX, Type.STCX)


def kvmppc_emulate_loadstore(world: World, vcpu: int) -> int:
    """5.1: EMULATE_*. Q23: the pc has gone on when user space is asked."""
    arch = world.vcpu[vcpu].arch
    kvmppc_set_exit_type(world, vcpu, EMULATED_INST_EXITS)
    fetch = kvmppc_get_last_inst(world, vcpu, INST_GENERIC)
    if fetch.ret != EMULATE_DONE:
        return fetch.ret
    inst = KVM_INST_FETCH_FAILED if fetch.instr is None else fetch.instr
    _forget_last_access(world, vcpu)
    arch.regs.msr = ulong(world.hw.params, arch.shared.msr)
    outcome = _access(world, vcpu, inst)
    if outcome.unavailable:
        return outcome.result
    trace_kvm_ppc_instr(world, vcpu, inst, outcome.result)
    if outcome.result != EMULATE_FAIL:
        kvmppc_next_instruction(world, vcpu)
    return outcome.result


def _forget_last_access(world: World, vcpu: int) -> None:
    """5.1 step 2."""
    arch = world.vcpu[vcpu].arch
    arch.mmio_vsx_copy_nums = arch.mmio_vsx_offset = 0
    arch.mmio_copy_type = arch.mmio_sp64_extend = arch.mmio_sign_extend = 0
    arch.mmio_vmx_copy_nums = arch.mmio_vmx_offset = arch.mmio_host_swabbed = 0


def _access(world: World, vcpu: int, inst: int) -> Outcome:
    """5.1 step 4. Q8, Q23: an update form's base register changes last, before a load that has to wait."""
    op, ea = analyse_instr(world, vcpu, inst), _ea(world, vcpu, inst)
    if op.type is not Type.COMPUTED:
        world.vcpu[vcpu].mmio_is_write = int(op.type in STORES)
    action = ACTIONS.get(op.type)
    outcome = Outcome(EMULATE_FAIL) if action is None else action(world, vcpu, inst, op)
    if How.UPDATE in op.how and outcome.result != EMULATE_FAIL and not outcome.unavailable:
        world.vcpu[vcpu].arch.regs.gpr[get_ra(inst)] = ea
    return outcome


# The exit (emulate 6.3)


def kvmppc_emulate_mmio(world: World, vcpu: int) -> int:
    """6.3: RESUME_*. Q12: what cannot be emulated is a program interrupt with ESR 0."""
    result = kvmppc_emulate_loadstore(world, vcpu)
    if result == EMULATE_DONE:
        return RESUME_GUEST_NV
    if result == EMULATE_DO_MMIO:
        world.run[vcpu].exit_reason = KVM_EXIT_MMIO
        return RESUME_HOST_NV
    if result == EMULATE_FAIL:
        kvmppc_get_last_inst(world, vcpu, INST_GENERIC)  # for a debug message that is compiled out
        kvmppc_core_queue_program(world, vcpu, 0)
    elif result != EMULATE_AGAIN:
        warn(world, WARN_EMULATE_MMIO)
    return RESUME_GUEST
