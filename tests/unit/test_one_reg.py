# SPDX-License-Identifier: BSD-3-Clause
"""kvm/one_reg: KVM_GET_ONE_REG and KVM_SET_ONE_REG, row by row (exit 12.6)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import ALTIVEC, call, guest
from .support import MachineFactory, each_model

EINVAL, EFAULT = -22, -14
PPC, U32, U64 = 0x1000000000000000, 0x0020000000000000, 0x0030000000000000
BUF = 0x5000

#: number, bytes, the field of vcpu.arch that it reads and writes
STORED = [
    (0x2, 8, "dbg_reg.iac1"), (0x3, 8, "dbg_reg.iac2"), (0x6, 8, "dbg_reg.dac1"), (0x7, 8, "dbg_reg.dac2"),
    (0xB4, 4, "vrsave"), (0xBA, 8, "sprg9"), (0x8C, 4, "shared.mas0"), (0x8D, 4, "shared.mas1"),
    (0x8E, 8, "shared.mas2"), (0x8F, 8, "shared.mas7_3"), (0x90, 4, "shared.mas4"), (0x91, 4, "shared.mas6"),
]  # fmt: skip
#: Registers that can be set to what they are and nothing else.
FIXED = [(0x92, "mmucfg"), (0x93, "tlbcfg[0]"), (0x94, "tlbcfg[1]"), (0x97, "tlbps[0]"), (0x9B, "eptcfg")]


def reg_id(number: int, size: int) -> int:
    return PPC | (U32 if size == 4 else U64) | number


@each_model
@pytest.mark.parametrize(("number", "size", "field"), STORED)
def test_stored(machine: MachineFactory, model: str, number: int, size: int, field: str) -> None:
    m = guest(machine(model=model))
    value = 0x11223344 if size == 4 or model == "e500mc" else 0x1122334455667788
    m.set({f"user.buf[{n}]": byte for n, byte in enumerate(value.to_bytes(size, "big"))})
    assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(number, size), BUF) == 0
    assert m[f"vcpu.arch.{field}"] == value
    m.set({f"user.buf[{n}]": 0 for n in range(16)})
    assert call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(number, size), BUF) == 0
    assert bytes(m[f"user.buf[{n}]"] for n in range(size)) == value.to_bytes(size, "big")


@each_model
@pytest.mark.parametrize(("number", "field"), FIXED)
def test_fixed(machine: MachineFactory, model: str, number: int, field: str) -> None:
    m = guest(machine(model=model))
    value = m[f"vcpu.arch.{field}"]
    for written, expected in ((value, 0), (value ^ 1, EINVAL)):
        m.set({f"user.buf[{n}]": byte for n, byte in enumerate(written.to_bytes(4, "big"))})
        assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(number, 4), BUF) == expected
    assert m[f"vcpu.arch.{field}"] == value


@each_model
@pytest.mark.parametrize("number", [0x4, 0x5, 0xBB, 0x300])
def test_unknown(machine: MachineFactory, model: str, number: int) -> None:
    """IAC3, IAC4, DBSR, and a number that is none."""
    m = guest(machine(model=model))
    for function in ("kvm_vcpu_ioctl_get_one_reg", "kvm_vcpu_ioctl_set_one_reg"):
        assert call(m, function, reg_id(number, 8), BUF) == EINVAL


@each_model
def test_debug_instruction_is_read_only(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    assert call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(0x8B, 4), BUF) == 0
    assert bytes(m[f"user.buf[{n}]"] for n in range(4)).hex() == "00dddd00"
    assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(0x8B, 4), BUF) == EINVAL


@each_model
def test_q13_epr_is_the_processors(machine: MachineFactory, model: str) -> None:
    """No vcpu_load: the register of whoever was last on this cpu."""
    m = guest(machine(model=model), epr=0x77)
    m["spr.GEPR"] = 0x1234
    assert call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(0x86, 4), BUF) == 0
    assert bytes(m[f"user.buf[{n}]"] for n in range(4)).hex() == "00001234"


@each_model
def test_bad_address_faults(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    assert call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(0x8C, 4), 0x9999) == EFAULT


@each_model
def test_epcr_exists_on_64_bit_hosts(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    found = call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(0x85, 4), BUF)
    assert found == (EINVAL if model == "e500mc" else 0)


@each_model
def test_timer_registers(machine: MachineFactory, model: str) -> None:
    """OR_TSR and CLEAR_TSR are write-only; TSR and TCR update the decrementer interrupt."""
    m = guest(machine(model=model), tsr=0x40000000)
    assert [call(m, "kvm_vcpu_ioctl_get_one_reg", reg_id(n, 4), BUF) for n in (0x87, 0x88)] == [EINVAL] * 2
    for number, written, field, after in (
        (0x87, 0x08000000, "tsr", 0x48000000),
        (0x88, 0x40000000, "tsr", 0x08000000),
        (0x89, 0x04000000, "tcr", 0x04000000),
        (0x8A, 0, "tsr", 0),
    ):
        m.set({f"user.buf[{n}]": byte for n, byte in enumerate(written.to_bytes(4, "big"))})
        assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(number, 4), BUF) == 0
        assert m[f"vcpu.arch.{field}"] == after


@each_model
def test_epr_is_lost_at_the_next_load(machine: MachineFactory, model: str) -> None:
    """Q13: set reaches the processor alone."""
    m = guest(machine(model=model), epr=0x77)
    m.set({"user.buf[2]": 0x12, "user.buf[3]": 0x34})
    assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(0x86, 4), BUF) == 0
    assert (m["spr.GEPR"], m["vcpu.arch.epr"]) == (0x1234, 0x77)
    call(m, "kvm_arch_vcpu_load")
    assert m["spr.GEPR"] == 0x77


U128 = 0x0040000000000000
VR_BYTES = bytes(range(0xF0, 0x100))


def exchange(m: Machine, reg: int, data: bytes) -> tuple[int, int, bytes]:
    """What setting and reading a register answer, and what is read."""
    m.set({f"user.buf[{n}]": byte for n, byte in enumerate(data)})
    put = call(m, "kvm_vcpu_ioctl_set_one_reg", reg, BUF)
    m.set({f"user.buf[{n}]": 0 for n in range(16)})
    got = call(m, "kvm_vcpu_ioctl_get_one_reg", reg, BUF)
    return put, got, bytes(m[f"user.buf[{n}]"] for n in range(len(data)))


@each_model
@pytest.mark.parametrize("number", [0, 31])
def test_vector_registers(machine: MachineFactory, model: str, number: int) -> None:
    """VR0 to VR31, 16 bytes: on a host with AltiVec."""
    m = guest(machine(model=model))
    found = exchange(m, PPC | U128 | 0x40 + number, VR_BYTES)
    if model not in ALTIVEC:
        assert found == (EINVAL, EINVAL, bytes(16))
        return
    assert found == (0, 0, VR_BYTES)
    assert m[f"vcpu.arch.vr.vr_u64[{2 * number}]"] == int.from_bytes(VR_BYTES[:8], "big")
    assert m[f"vcpu.arch.vr.vr_u64[{2 * number + 1}]"] == int.from_bytes(VR_BYTES[8:], "big")


@each_model
def test_vscr_is_the_last_word(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    found = exchange(m, PPC | U32 | 0x81, VR_BYTES[:4])
    known = model in ALTIVEC
    assert found == ((0, 0, VR_BYTES[:4]) if known else (EINVAL, EINVAL, bytes(4)))
    assert [m[f"vcpu.arch.vr.vscr[{n}]"] for n in range(4)] == [0, 0, 0, 0xF0F1F2F3 if known else 0]


@each_model
def test_registers_have_one_size(machine: MachineFactory, model: str) -> None:
    """The size is a part of the id: VR0 with 8 bytes, MAS0 with 8, and 32 bytes of anything are unknown."""
    m = guest(machine(model=model))
    for reg in (PPC | U64 | 0x40, PPC | U64 | 0x8C, PPC | 0x0050000000000000 | 0x40):
        assert exchange(m, reg, bytes(8))[:2] == (EINVAL, EINVAL)
    assert call(m, "kvm_vcpu_ioctl_set_one_reg", reg_id(0x8C, 4), 0x9999) == EFAULT
