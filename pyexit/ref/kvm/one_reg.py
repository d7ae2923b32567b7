# SPDX-License-Identifier: BSD-3-Clause
"""kvm/one_reg: KVM_GET_ONE_REG and KVM_SET_ONE_REG: a register by its id (exit 12.6; mmu-kvm 14).

Covers booke.c, e500mc.c, e500_mmu.c, powerpc.c. Q13: neither loads the vcpu.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from pyexit.ref.hw.core import ppc_mfspr, ppc_mtspr, ulong
from pyexit.ref.hw.regs import SPR_GEPR
from pyexit.ref.kvm.debug import KVMPPC_INST_SW_BREAKPOINT
from pyexit.ref.kvm.entry import kvmppc_set_epcr
from pyexit.ref.kvm.host_services import KVM_EFAULT, KVM_EINVAL, has_altivec
from pyexit.ref.kvm.timer import kvmppc_clr_tsr_bits, kvmppc_set_tcr, kvmppc_set_tsr, kvmppc_set_tsr_bits
from pyexit.ref.kvm.user import USER_BUF
from pyexit.ref.kvm.vcpu import World

# Parts of an id (exit 12.6)
KVM_REG_PPC = 0x1000000000000000
_SIZE_SHIFT = 52
_SIZE_MASK = 0x00F0000000000000
KVM_REG_SIZE_U32 = 0x0020000000000000
KVM_REG_SIZE_U64 = 0x0030000000000000
KVM_REG_SIZE_U128 = 0x0040000000000000

#: The largest value.
_BYTES = 16

_DOUBLEWORD = (1 << 64) - 1


class Register(NamedTuple):
    """A register: how it is read and written; what is missing is -EINVAL."""

    get: Callable[[World, int], int] | None = None
    set: Callable[[World, int, int], int | None] | None = None
    width: int = 0  # exists on hosts of that width only
    altivec: bool = False  # exists with AltiVec only


def _field(path: str, wide: bool = True) -> Register:
    """A field of vcpu.arch; not `wide`: an unsigned long."""
    owner, _, name = f"arch.{path}".rpartition(".")

    def get(world: World, vcpu: int) -> int:
        value = attrgetter(f"{owner}.{name}")(world.vcpu[vcpu])
        assert isinstance(value, int)
        return value

    def set(world: World, vcpu: int, value: int) -> None:
        setattr(attrgetter(owner)(world.vcpu[vcpu]), name, value if wide else ulong(world.hw.params, value))

    return Register(get, set)


def _fixed(get: Callable[[World, int], int]) -> Register:
    """A configuration register: only its own value can be written."""

    def set(world: World, vcpu: int, value: int) -> int:
        return 0 if value == get(world, vcpu) else -KVM_EINVAL

    return Register(get, set)


def _tlbcfg(n: int) -> Register:
    return _fixed(lambda world, vcpu: world.vcpu[vcpu].arch.tlbcfg[n])


def _tlbps(n: int) -> Register:
    return _fixed(lambda world, vcpu: world.vcpu[vcpu].arch.tlbps[n])


def _get_epr(world: World, vcpu: int) -> int:
    """Q13: that of whatever vcpu was last loaded here."""
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], SPR_GEPR)[1]


def _set_epr(world: World, vcpu: int, value: int) -> None:
    """Q13: lost when the vcpu is loaded next."""
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], SPR_GEPR, value)


def _vr(n: int) -> Register:
    """A vector register: two doublewords."""

    def get(world: World, vcpu: int) -> int:
        high, low = world.vcpu[vcpu].arch.vr.vr_u64[2 * n : 2 * n + 2]
        return high << 64 | low

    def set(world: World, vcpu: int, value: int) -> None:
        world.vcpu[vcpu].arch.vr.vr_u64[2 * n : 2 * n + 2] = [value >> 64, value & _DOUBLEWORD]

    return Register(get, set, altivec=True)


def _get_vscr(world: World, vcpu: int) -> int:
    return world.vcpu[vcpu].arch.vr.vscr[3]


def _set_vscr(world: World, vcpu: int, value: int) -> None:
    world.vcpu[vcpu].arch.vr.vscr[3] = value


def _u32(number: int) -> int:
    return KVM_REG_PPC | KVM_REG_SIZE_U32 | number


def _u64(number: int) -> int:
    return KVM_REG_PPC | KVM_REG_SIZE_U64 | number


def _u128(number: int) -> int:
    return KVM_REG_PPC | KVM_REG_SIZE_U128 | number


#: 12.6, a row per id. IAC3, IAC4, DBSR, FPRs and FPSCR have ids, but nothing behind them on these cores.
REGISTERS = {
    _u64(0x02): _field("dbg_reg.iac1", wide=False),
    _u64(0x03): _field("dbg_reg.iac2", wide=False),
    _u64(0x06): _field("dbg_reg.dac1", wide=False),
    _u64(0x07): _field("dbg_reg.dac2", wide=False),
    **{_u128(0x40 + n): _vr(n) for n in range(32)},
    _u32(0x81): Register(_get_vscr, _set_vscr, altivec=True),
    _u32(0x85): Register(lambda world, vcpu: world.vcpu[vcpu].arch.epcr, kvmppc_set_epcr, width=64),
    _u32(0x86): Register(_get_epr, _set_epr),
    _u32(0x87): Register(None, kvmppc_set_tsr_bits),
    _u32(0x88): Register(None, kvmppc_clr_tsr_bits),
    _u32(0x89): Register(lambda world, vcpu: world.vcpu[vcpu].arch.tcr, kvmppc_set_tcr),
    _u32(0x8A): Register(lambda world, vcpu: world.vcpu[vcpu].arch.tsr, kvmppc_set_tsr),
    _u32(0x8B): Register(lambda world, vcpu: KVMPPC_INST_SW_BREAKPOINT, None),
    _u32(0x8C): _field("shared.mas0"),
    _u32(0x8D): _field("shared.mas1"),
    _u64(0x8E): _field("shared.mas2"),
    _u64(0x8F): _field("shared.mas7_3"),
    _u32(0x90): _field("shared.mas4"),
    _u32(0x91): _field("shared.mas6"),
    _u32(0x92): _fixed(lambda world, vcpu: world.vcpu[vcpu].arch.mmucfg),
    **{_u32(0x93 + n): _tlbcfg(n) for n in range(4)},
    **{_u32(0x97 + n): _tlbps(n) for n in range(4)},
    _u32(0x9B): _fixed(lambda world, vcpu: world.vcpu[vcpu].arch.eptcfg),
    _u32(0xB4): _field("vrsave"),
    _u64(0xBA): _field("sprg9"),
}


def _register(world: World, id: int) -> Register:
    """The row of an id; what this kernel does not have is an empty one."""
    row = REGISTERS.get(id, Register())
    if row.altivec and not has_altivec(world):
        return Register()
    return row if row.width in (0, world.hw.params.width) else Register()


def _size(id: int) -> int:
    """Bytes of the value, as the id says."""
    return 1 << ((id & _SIZE_MASK) >> _SIZE_SHIFT)


def kvm_vcpu_ioctl_get_one_reg(world: World, vcpu: int, id: int, addr: int) -> int:
    """The value goes to the buffer; an id that is not known says so before a bad address does."""
    size, row = _size(id), _register(world, id)
    if size > _BYTES or row.get is None:
        return -KVM_EINVAL
    value = row.get(world, vcpu) & ((1 << 8 * size) - 1)
    if ulong(world.hw.params, addr) != USER_BUF:
        return -KVM_EFAULT
    world.user[vcpu].buf[:size] = value.to_bytes(size, "big")
    return 0


def kvm_vcpu_ioctl_set_one_reg(world: World, vcpu: int, id: int, addr: int) -> int:
    """The value comes from the buffer; a bad address says so before an id that is not known."""
    size, row = _size(id), _register(world, id)
    if size > _BYTES:
        return -KVM_EINVAL
    if ulong(world.hw.params, addr) != USER_BUF:
        return -KVM_EFAULT
    if row.set is None:
        return -KVM_EINVAL
    return row.set(world, vcpu, int.from_bytes(bytes(world.user[vcpu].buf[:size]), "big")) or 0
