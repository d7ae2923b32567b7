# SPDX-License-Identifier: BSD-3-Clause
"""kvm/mmio: the guest's accesses to what is not its memory; KVM's own to what is (emulate 6).

An access goes to a device in the kernel, or leaves KVM_RUN for user space and is completed by the next
KVM_RUN. Covers powerpc.c.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import log, ppc_mtspr, ulong
from pyexit.ref.hw.regs import SPR_GEPR
from pyexit.ref.kvm.entry import (
    ioctl_vcpu_load,
    ioctl_vcpu_put,
    kvmppc_vcpu_run,
)
from pyexit.ref.kvm.gtlb import NO_INDEX, kvmppc_mmu_dtlb_index, kvmppc_mmu_itlb_index, kvmppc_mmu_xlate
from pyexit.ref.kvm.host_services import (
    KVM_EINTR,
    KVM_ENOENT,
    SITE_MMIO_CLASS,
    SITE_XLATE,
    Bug,
    has_altivec,
    host_of,
)
from pyexit.ref.kvm.kvm_run import (
    KVM_EXIT_INTERNAL_ERROR,
    KVM_EXIT_MMIO,
    KVM_INTERNAL_ERROR_EMULATION,
    Mmio,
    epr,
    mmio_data,
    mmio_len,
    osi_gpr,
    papr_hcall_arg,
    papr_hcall_ret,
    set_mmio,
    set_mmio_data,
    set_suberror,
)
from pyexit.ref.kvm.memslot import kvm_read_guest, kvm_write_guest
from pyexit.ref.kvm.trace import EVENT_IO_READ, EVENT_IO_WRITE, MSG_VMX_REPEAT, printk
from pyexit.ref.kvm.vcpu import (
    EMULATE_DO_MMIO,
    EMULATE_DONE,
    EMULATE_FAIL,
    World,
)

# io_gpr: register number and class (emulate 6.2)
MMIO_REG_MASK = 0x003F
MMIO_CLASS_MASK = 0xFFC0
MMIO_CLASS_GPR = 0x0000
MMIO_CLASS_FPR = 0x0040
MMIO_CLASS_VMX = 0x0180

# mmio_copy_type: the elements that a vector access moves (emulate 5.4)
MMIO_COPY_BYTE = 8
MMIO_COPY_HWORD = 9
MMIO_COPY_WORD = 10
MMIO_COPY_DWORD = 11

# kvmppc_xlate: which translation (emulate 6.12)
XLATE_INST = 0
XLATE_DATA = 1

#: A vector register is at most two accesses.
_VMX_COPIES = 2

#: Bytes of an element by mmio_copy_type.
ELEMENT_SIZES = {MMIO_COPY_BYTE: 1, MMIO_COPY_HWORD: 2, MMIO_COPY_WORD: 4, MMIO_COPY_DWORD: 8}

#: Bytes of run.mmio.data.
_DATA_SIZE = 8

_REGISTERS = 32
_VECTOR_SIZE = 16
_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1
_PAGE_MASK = 0xFFF
_PAGE_SHIFT = 12


# One access (emulate 6.4, 6.5)


def kvmppc_handle_load(world: World, vcpu: int, rt: int, length: int, default_endian: int) -> int:
    """A load of `length` bytes into a register, named with its class; zero-extended."""
    return _handle_load(world, vcpu, rt, length, default_endian, 0)


def kvmppc_handle_loads(world: World, vcpu: int, rt: int, length: int, default_endian: int) -> int:
    """The same, sign-extended."""
    return _handle_load(world, vcpu, rt, length, default_endian, 1)


def _handle_load(world: World, vcpu: int, rt: int, length: int, default_endian: int, sign: int) -> int:
    """6.4: EMULATE_FAIL has changed nothing; after EMULATE_DO_MMIO the register waits for completion."""
    state = world.vcpu[vcpu]
    if length > _DATA_SIZE:
        return EMULATE_FAIL
    set_mmio(world.run[vcpu], Mmio(state.arch.paddr_accessed, length, 0))
    state.arch.io_gpr = rt & 0xFFFF
    state.arch.mmio_host_swabbed = int(not default_endian)  # Q24: nothing else swaps
    state.arch.mmio_sign_extend = sign
    state.mmio_needed, state.mmio_is_write = 1, 0
    if not kvm_io_bus_read(world, vcpu, state.arch.paddr_accessed, length):
        return EMULATE_DO_MMIO
    kvmppc_complete_mmio_load(world, vcpu)
    state.mmio_needed = 0
    return EMULATE_DONE


def kvmppc_handle_store(world: World, vcpu: int, value: int, length: int, default_endian: int) -> int:
    """6.5: a store of the low `length` bytes of a value."""
    state = world.vcpu[vcpu]
    if length > _DATA_SIZE:
        return EMULATE_FAIL
    set_mmio(world.run[vcpu], Mmio(state.arch.paddr_accessed, length, 1))
    state.mmio_needed, state.mmio_is_write = 1, 1
    if state.arch.mmio_sp64_extend and length == 4:
        value = dp_to_sp(value)
    data = (value & (1 << 8 * length) - 1).to_bytes(length, "big" if default_endian else "little")
    set_mmio_data(world.run[vcpu], data)
    if not kvm_io_bus_write(world, vcpu, state.arch.paddr_accessed, data):
        return EMULATE_DO_MMIO
    state.mmio_needed = 0
    return EMULATE_DONE


# The bus of the devices in the kernel (emulate 6.9): the host has one device, or none


def kvm_io_bus_read(world: World, vcpu: int, addr: int, length: int) -> bool:
    """Does a device in the kernel answer? Then run.mmio.data has it."""
    log(world.hw, EVENT_IO_READ, 0, addr, length)
    if not _on_bus(world, vcpu, addr, length):
        return False
    set_mmio_data(world.run[vcpu], host_of(world, vcpu).io_data.to_bytes(8, "big")[:length])
    return True


def kvm_io_bus_write(world: World, vcpu: int, addr: int, data: bytes) -> bool:
    """Does a device in the kernel take it?"""
    log(world.hw, EVENT_IO_WRITE, 0, addr, len(data), int.from_bytes(data.ljust(8, b"\0"), "big"))
    return _on_bus(world, vcpu, addr, len(data))


def _on_bus(world: World, vcpu: int, addr: int, length: int) -> bool:
    """The access has to lie wholly inside the device."""
    host = host_of(world, vcpu)
    return host.io_len != 0 and addr >= host.io_base and addr - host.io_base + length <= host.io_len


# Vector registers: one or two accesses (emulate 6.6)


def kvmppc_handle_vmx_load(world: World, vcpu: int, rt: int, length: int) -> int:
    """The accesses that are left, up to one that has to leave for user space."""
    arch, result = world.vcpu[vcpu].arch, EMULATE_DONE
    if arch.mmio_vmx_copy_nums > _VMX_COPIES:
        return EMULATE_FAIL
    while arch.mmio_vmx_copy_nums and result == EMULATE_DONE:
        result = _handle_load(world, vcpu, rt, length, 1, 0)
        if result == EMULATE_DONE:
            _next_element(world, vcpu)
    return result


def kvmppc_handle_vmx_store(world: World, vcpu: int, rs: int, length: int) -> int:
    """The same. Q29: io_gpr without its class, only for going on after user space."""
    arch, result = world.vcpu[vcpu].arch, EMULATE_DONE
    if arch.mmio_vmx_copy_nums > _VMX_COPIES:
        return EMULATE_FAIL
    arch.io_gpr = rs & 0xFFFF
    while arch.mmio_vmx_copy_nums and result == EMULATE_DONE:
        value = _vmx_element(world, vcpu, rs)
        if value is None:
            return EMULATE_FAIL
        result = kvmppc_handle_store(world, vcpu, value, length, 1)
        if result == EMULATE_DONE:
            _next_element(world, vcpu)
    return result


def _next_element(world: World, vcpu: int) -> None:
    """Q21: the stride is what user space may have written."""
    arch = world.vcpu[vcpu].arch
    arch.paddr_accessed = arch.paddr_accessed + mmio_len(world.run[vcpu]) & _DOUBLEWORD
    _count_element(world, vcpu)


def _count_element(world: World, vcpu: int) -> None:
    """One element less to move."""
    arch = world.vcpu[vcpu].arch
    arch.mmio_vmx_copy_nums -= 1
    arch.mmio_vmx_offset = arch.mmio_vmx_offset + 1 & 0xFF


class Element(NamedTuple):
    """Where an element of a vector register is: a doubleword of the save area, and the place in it."""

    doubleword: int
    shift: int
    mask: int


def _element(world: World, vcpu: int, register: int) -> Element | None:
    """The element at mmio_vmx_offset; None if the register has none there."""
    arch = world.vcpu[vcpu].arch
    size = ELEMENT_SIZES.get(arch.mmio_copy_type)
    if size is None or arch.mmio_vmx_offset >= _VECTOR_SIZE // size:
        return None
    byte = arch.mmio_vmx_offset * size
    doubleword = 2 * (register % _REGISTERS) + byte // 8
    return Element(doubleword, 8 * (8 - byte % 8 - size), (1 << 8 * size) - 1)


def _vmx_element(world: World, vcpu: int, register: int) -> int | None:
    """Its value."""
    place = _element(world, vcpu, register)
    if place is None:
        return None
    return world.vcpu[vcpu].arch.vr.vr_u64[place.doubleword] >> place.shift & place.mask


def _set_vmx_element(world: World, vcpu: int, register: int, value: int) -> None:
    """Replace it; an element that there is not is ignored."""
    place = _element(world, vcpu, register)
    if place is not None:
        vr = world.vcpu[vcpu].arch.vr.vr_u64
        rest = vr[place.doubleword] & ~(place.mask << place.shift)
        vr[place.doubleword] = rest | (value & place.mask) << place.shift


# Completion (emulate 6.7)


def kvmppc_complete_mmio_load(world: World, vcpu: int) -> None:
    """What is in run.mmio.data goes into the register. Q21: its length is what user space says."""
    arch, length = world.vcpu[vcpu].arch, mmio_len(world.run[vcpu])
    if length > _DATA_SIZE:
        return
    value = _loaded(world, vcpu, length)
    if arch.mmio_sp64_extend and length == 4:
        value = sp_to_dp(value)
    if arch.mmio_sign_extend and length in _signed_lengths(world):
        value = _sign_extend(value, 8 * length)
    _put_register(world, vcpu, value)


def _loaded(world: World, vcpu: int, length: int) -> int:
    """What was read, as a number; no access has another length, so user space's own has no value: 0."""
    if length not in (1, 2, 4, 8):
        return 0
    swabbed = world.vcpu[vcpu].arch.mmio_host_swabbed
    return int.from_bytes(mmio_data(world.run[vcpu], length), "little" if swabbed else "big")


def _signed_lengths(world: World) -> tuple[int, ...]:
    """A 32-bit kernel has no loads that extend words."""
    return (1, 2, 4) if world.hw.params.width == 64 else (1, 2)


def _sign_extend(value: int, bits: int) -> int:
    """The low `bits` of a value, to 64."""
    sign = 1 << bits - 1
    return ((value & (1 << bits) - 1) ^ sign) - sign & _DOUBLEWORD


def _put_register(world: World, vcpu: int, value: int) -> None:
    """6.7 rule 5: the register that io_gpr names."""
    arch = world.vcpu[vcpu].arch
    kind, number = arch.io_gpr & MMIO_CLASS_MASK, arch.io_gpr & MMIO_REG_MASK
    if kind == MMIO_CLASS_GPR:
        arch.regs.gpr[number % _REGISTERS] = ulong(world.hw.params, value)
    elif kind == MMIO_CLASS_FPR:
        arch.fp.fpr[number % _REGISTERS] = value
    elif kind == MMIO_CLASS_VMX and has_altivec(world):
        _set_vmx_element(world, vcpu, number, value)
    else:
        raise Bug(SITE_MMIO_CLASS)


# Single and double precision, as lfs and stfs convert (emulate 6.8)


def sp_to_dp(word: int) -> int:
    """Exact; a signalling NaN is not quieted."""
    sign, exponent, fraction = word >> 31, word >> 23 & 0xFF, word & 0x7FFFFF
    if exponent == 0xFF:
        exponent = 0x7FF
    elif exponent:
        exponent += 1023 - 127
    elif fraction:
        shift = 24 - fraction.bit_length()
        exponent, fraction = 1023 - 126 - shift, fraction << shift & 0x7FFFFF
    return sign << 63 | exponent << 52 | fraction << 29


def dp_to_sp(value: int) -> int:
    """Cut, not rounded; what is too small for a single is 0, and what is too large loses exponent bits."""
    sign, exponent, fraction = value >> 63 & 1, value >> 52 & 0x7FF, value >> 29 & 0x7FFFFF
    if exponent > 1023 - 127 or value << 1 & _DOUBLEWORD == 0:
        return value >> 32 & 0xC0000000 | value >> 29 & 0x3FFFFFFF
    return sign << 31 | (1 << 23 | fraction) >> 1023 - 126 - exponent


# KVM_RUN (emulate 6.10; exit 7.8)


def kvm_arch_vcpu_ioctl_run(world: World, vcpu: int) -> int:
    """What user space was asked for is taken, whether it wants to run or not; then the guest runs."""
    ioctl_vcpu_load(world, vcpu)
    r = _run(world, vcpu) if kvm_run_complete(world, vcpu) else 0
    ioctl_vcpu_put(world, vcpu)
    return min(r, 0)


def _run(world: World, vcpu: int) -> int:
    """6.10 rule 5."""
    return kvmppc_vcpu_run(world, vcpu) if world.vcpu[vcpu].wants_to_run else -KVM_EINTR


def kvm_run_complete(world: World, vcpu: int) -> bool:
    """6.10 rules 1 to 4: exactly one of them; False if user space has to go on at once."""
    state, run = world.vcpu[vcpu], world.run[vcpu]
    gpr = state.arch.regs.gpr
    if state.mmio_needed:
        return _complete_mmio(world, vcpu)
    if state.arch.osi_needed:
        gpr[:] = [ulong(world.hw.params, osi_gpr(run, number)) for number in range(_REGISTERS)]
        state.arch.osi_needed = 0
    elif state.arch.hcall_needed:
        values = [papr_hcall_ret(run), *(papr_hcall_arg(run, number) for number in range(9))]
        gpr[3:13] = [ulong(world.hw.params, value) for value in values]
        state.arch.hcall_needed = 0
    elif state.arch.epr_needed:
        ppc_mtspr(world.hw, world.vcpu_thread[vcpu], SPR_GEPR, epr(run))
        state.arch.epr_needed = 0
    return True


def _complete_mmio(world: World, vcpu: int) -> bool:
    """6.10 rule 1: the load's register, then what is left of a vector register."""
    state = world.vcpu[vcpu]
    state.mmio_needed = 0
    if not state.mmio_is_write:
        kvmppc_complete_mmio_load(world, vcpu)
    if not has_altivec(world):
        return True
    if state.arch.mmio_vmx_copy_nums:
        _count_element(world, vcpu)
    return not state.arch.mmio_vmx_copy_nums or _repeat_vmx(world, vcpu)


def _repeat_vmx(world: World, vcpu: int) -> bool:
    """The next access. Q30: after a failure the next KVM_RUN completes once more."""
    state, run = world.vcpu[vcpu], world.run[vcpu]
    length = mmio_len(run)
    state.arch.paddr_accessed = state.arch.paddr_accessed + length & _DOUBLEWORD
    handle = kvmppc_handle_vmx_store if state.mmio_is_write else kvmppc_handle_vmx_load
    result = handle(world, vcpu, state.arch.io_gpr, length)
    if result == EMULATE_DO_MMIO:
        run.exit_reason = KVM_EXIT_MMIO
    elif result == EMULATE_FAIL:
        printk(world, MSG_VMX_REPEAT)
        run.exit_reason = KVM_EXIT_INTERNAL_ERROR
        set_suberror(run, KVM_INTERNAL_ERROR_EMULATION)
    else:
        return True
    state.mmio_needed = 1
    return False


# KVM's own accesses to guest memory (emulate 6.12)


class Pte(NamedTuple):
    """struct kvmppc_pte: what a translation of the guest's found. Q26: all permissions."""

    eaddr: int
    raddr: int
    vpage: int
    may_execute: int


class Access(NamedTuple):
    """The result of kvmppc_ld or kvmppc_st, the address as it is afterwards, and the buffer."""

    ret: int
    eaddr: int
    data: bytes


#: The entry that each translation takes.
LOOK_UPS = {XLATE_INST: kvmppc_mmu_itlb_index, XLATE_DATA: kvmppc_mmu_dtlb_index}

#: Bytes of the buffer that the call table has.
GUEST_BYTES = 32


def kvmppc_xlate(world: World, vcpu: int, eaddr: int, xlid: int) -> Pte | None:
    """The guest's own translation, by its TLB; None if it has none (-ENOENT)."""
    if xlid not in LOOK_UPS:
        raise Bug(SITE_XLATE)
    eaddr = ulong(world.hw.params, eaddr)
    index = LOOK_UPS[xlid](world, vcpu, eaddr)
    if index == NO_INDEX:
        return None
    gpaddr = kvmppc_mmu_xlate(world, vcpu, index, eaddr)
    raddr = ulong(world.hw.params, gpaddr & ~_PAGE_MASK | eaddr & _PAGE_MASK)
    return Pte(eaddr, raddr, eaddr >> _PAGE_SHIFT, 1)


def kvmppc_ld(world: World, vcpu: int, eaddr: int, size: int, is_data: int) -> Access:
    """A load by KVM; the result is an error or EMULATE_*, and bytes after a fault stay as they were: 0."""
    stat = world.vcpu[vcpu].stat
    stat.ld = stat.ld + 1 & _DOUBLEWORD
    pte = kvmppc_xlate(world, vcpu, eaddr, XLATE_DATA if is_data else XLATE_INST)
    if pte is None:
        return Access(-KVM_ENOENT, ulong(world.hw.params, eaddr), bytes(GUEST_BYTES))
    error, data = kvm_read_guest(world, vcpu, pte.raddr, size)
    return Access(EMULATE_DO_MMIO if error else EMULATE_DONE, pte.raddr, data.ljust(GUEST_BYTES, b"\0"))


def kvmppc_st(world: World, vcpu: int, eaddr: int, data: bytes, is_data: int) -> Access:
    """A store by KVM, through either translation."""
    stat = world.vcpu[vcpu].stat
    stat.st = stat.st + 1 & _DOUBLEWORD
    pte = kvmppc_xlate(world, vcpu, eaddr, XLATE_DATA if is_data else XLATE_INST)
    if pte is None:
        return Access(-KVM_ENOENT, ulong(world.hw.params, eaddr), data)
    error = kvm_write_guest(world, vcpu, pte.raddr, data)
    return Access(EMULATE_DO_MMIO if error else EMULATE_DONE, pte.raddr, data)
