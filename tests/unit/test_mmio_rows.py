# SPDX-License-Identifier: BSD-3-Clause
"""The test vectors of emulate 9.3, M01 to M51, row by row: what KVM_RUN shows, and what its answer does.

Every row goes through kvmppc_emulate_mmio, and each answer through KVM_RUN. Names of fields and the exact
set of what changes are as in test_emulate_rows.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from pyexit import Machine
from pyexit.machine import Snapshot

from .kvmsupport import EXIT_INTR, PC, RESUME_GUEST, RESUME_GUEST_NV, RESUME_HOST_NV, call, log
from .support import MachineFactory, changed
from .test_emulate_rows import ALL, BASE_MSR, F32, F64V, NEXT, WIDE, Fields, base, bits, whole

EXIT_MMIO, EINTR = 6, -4
PADDR, VADDR = 0xFE000008, 0x80000008
FP, VEC = {"msr": BASE_MSR | 0x2000}, {"msr": BASE_MSR | 0x02000000}

#: Data bytes that no row writes: what stays of them shows.
STALE = bytes.fromhex("e0e1e2e3e4e5e6e7")


class Row(NamedTuple):
    """One vector: `data` is run.mmio.data as hex from the front; `answers` are data and what changes then."""

    id: str
    word: int
    before: Fields
    after: Fields
    resume: int
    data: str = ""
    answers: tuple[tuple[str, Fields], ...] = ()
    models: tuple[str, ...] = ALL
    entered: bool = True  # the guest, by the last answer


def shown(write: int, size: int, address: int = PADDR) -> Fields:
    return {
        "pc": NEXT, "run.exit_reason": EXIT_MMIO, "run.mmio.phys_addr": address, "run.mmio.len": size,
        "run.mmio.is_write": write, "vcpu.mmio_needed": 1, "vcpu.mmio_is_write": write,
    }  # fmt: skip


def load(
    id_: str, word: int, size: int, before: Fields, after: Fields, *answers: tuple[str, Fields],
    models: tuple[str, ...] = ALL, address: int = PADDR,
) -> Row:  # fmt: skip
    """ "exit(0,len)"; each answer is one KVM_RUN."""
    return Row(id_, word, before, shown(0, size, address) | after, RESUME_HOST_NV, "", answers, models)


def store(
    id_: str, word: int, size: int, data: str, before: Fields | None = None, after: Fields | None = None,
    models: tuple[str, ...] = ALL, address: int = PADDR,
) -> Row:  # fmt: skip
    """ "exit(1,len,data)"; KVM_RUN then changes nothing."""
    return Row(
        id_,
        word,
        before or {},
        shown(1, size, address) | (after or {}),
        RESUME_HOST_NV,
        data,
        (("", {}),),
        models,
    )


def fails(
    id_: str, word: int, write: int | None, before: Fields | None = None, models: tuple[str, ...] = ALL
) -> Row:
    """M24: PROGRAM with queued_esr 0, RESUME_GUEST, no exit; `write` None: mmio_is_write keeps its value."""
    after = {"pending": bits(3), "queued_esr": 0} | ({} if write is None else {"vcpu.mmio_is_write": write})
    start = {"queued_esr": 0x55, "vcpu.mmio_is_write": 1 if write is None else 1 - write}
    return Row(id_, word, start | (before or {}), after, RESUME_GUEST, models=models)


def done(id_: str, word: int, before: Fields, after: Fields, models: tuple[str, ...] = ALL) -> Row:
    return Row(id_, word, before, after, RESUME_GUEST_NV, models=models)


def vr(value: int, n: int = 2) -> Fields:
    """A vector register as its two doublewords."""
    return {f"vr.vr_u64[{2 * n}]": value >> 64, f"vr.vr_u64[{2 * n + 1}]": value & (1 << 64) - 1}


SIGN = {"mmio_sign_extend": 1}
SINGLE = {"mmio_sp64_extend": 1}
SWABBED = {"mmio_host_swabbed": 1}
F1 = {"io_gpr": 0x41}
R3 = {"io_gpr": 3}
PI, PI_BYTES = 0x400921FB54442D18, "40 09 21 FB 54 44 2D 18"
V2 = 0xA0A1A2A3A4A5A6A7_A8A9AAABACADAEAF
DEVICE = {"host.io_base": 0xFE000000, "host.io_len": 0x100}

ROWS = (
    load("M01", 0x80640008, 4, {}, R3, ("11 22 33 44", {"r3": 0x11223344})),
    load("M02", 0x84640008, 4, {}, R3 | {"r4": 0x4108, "r3": 0x3100}, ("11 22 33 44", {"r3": 0x11223344})),
    load("M03", 0x8C64FFFF, 1, {}, R3 | {"r4": 0x40FF}, ("80", {"r3": 0x80})),
    load("M04", 0xA8640002, 2, {}, R3 | SIGN, ("80 01", {"r3": 0xFFFF8001}), models=F32),
    load("M04", 0xA8640002, 2, {}, R3 | SIGN, ("80 01", {"r3": 0xFFFFFFFF_FFFF8001}), models=WIDE),
    load("M05", 0xAC64FFFE, 2, {}, R3 | SIGN | {"r4": 0x40FE}, ("80 01", {"r3": 0xFFFF8001}), models=F32),
    load(
        "M05", 0xAC64FFFE, 2, {}, R3 | SIGN | {"r4": 0x40FE}, ("80 01", {"r3": 0xFFFFFFFF_FFFF8001}),
        models=WIDE,
    ),
    load("M06", 0xA0640002, 2, {}, R3, ("80 01", {"r3": 0x8001})),
    load("M07", 0x7C60242C, 4, {}, R3 | SWABBED, ("11 22 33 44", {"r3": 0x44332211})),
    load("M08", 0x7C60262C, 2, {}, R3 | SWABBED, ("11 22", {"r3": 0x2211})),
    load("M09", 0x7C64286E, 4, {}, R3 | {"r4": 0x9200}, ("00 00 00 01", {"r3": 1})),
    store("M10", 0x90650004, 4, "00 00 31 00"),
    store("M11", 0x9461FFF0, 4, "00 00 31 00", {}, {"r1": 0x10F0}),
    store("M12", 0x7C60252C, 4, "00 31 00 00"),
    store("M13", 0x7C60272C, 2, "00 31"),
    store("M14", 0x98640000, 1, "00"),
    store("M15", 0xB0640000, 2, "31 00"),
    load("M16", 0xC0240000, 4, FP, F1 | SINGLE, ("3F 80 00 00", {"fp.fpr[1]": 0x3FF0000000000000})),
    done("M17", 0xC0240000, {}, {"pending": bits(4)}),
    load("M18", 0xC0240000, 4, FP, F1 | SINGLE, ("7F A0 00 00", {"fp.fpr[1]": 0x7FF4000000000000})),
    load("M18", 0xC0240000, 4, FP, F1 | SINGLE, ("00 00 00 01", {"fp.fpr[1]": 0x36A0000000000000})),
    load("M19", 0xCC240008, 8, FP, F1 | {"r4": 0x4108}, (PI_BYTES, {"fp.fpr[1]": PI})),
    store("M20", 0xD0440000, 4, "40 49 0F DA", FP | {"fp.fpr[2]": PI}, SINGLE),
    store("M21", 0xD4440004, 4, "BF 80 00 00", FP | {"fp.fpr[2]": 0xBFF << 52}, SINGLE | {"r4": 0x4104}),
    store("M22", 0xD8440008, 8, "11 22 33 44 55 66 77 88", FP | {"fp.fpr[2]": 0x1122334455667788}),
    store("M23", 0x7C4027AE, 4, "55 66 77 88", FP | {"fp.fpr[2]": 0x1122334455667788}, models=WIDE),
    fails("M23", 0x7C4027AE, 0, FP, F32),
    fails("M24", 0x7C602028, 0),
    fails("M25", 0x7C60212D, 1),
    fails("M26", 0xBBA40000, 0),
    fails("M27", 0xBFA40000, 1),
    done("M28", 0x7C0027EC, {}, {"pc": NEXT}),
    fails("M29", 0x7C0023AC, 0),
    fails("M29", 0x7C0025EC, 0),
    fails("M30", 0x7C0004AC, None),
    load("M31", 0x84630008, 4, {}, R3 | {"r3": 0x3108}, ("00 00 00 07", {"r3": 7})),
    done(
        "M31", 0x84630008, DEVICE | {"host.io_data": 7 << 32},
        shown(0, 4) | R3 | {"r3": 0x3108, "run.exit_reason": 0, "vcpu.mmio_needed": 0},
    )._replace(data="00 00 00 07"),
    load("M32", 0x84000008, 4, {}, {"io_gpr": 0, "r0": 8}, ("00 00 00 07", {"r0": 7})),
    load("M33", 0xE8640008, 8, {}, R3, ("00 00 00 00 00 00 00 07", {"r3": 7}), models=WIDE),
    fails("M33", 0xE8640008, 0, models=F32),
    load("M34", 0xE8640009, 8, {}, R3 | {"r4": 0x4108}, ("00 00 00 00 00 00 00 07", {"r3": 7}), models=WIDE),
    fails("M34", 0xE8640009, 0, models=F32),
    load("M35", 0xE8640006, 4, {}, R3 | SIGN, ("80 00 00 00", {"r3": 0xFFFFFFFF_80000000}), models=WIDE),
    fails("M35", 0xE8640006, 0, models=F32),
    load(
        "M36", 0x7C602428, 8, {}, R3 | SWABBED, ("01 02 03 04 05 06 07 08", {"r3": 0x0807060504030201}),
        models=WIDE,
    ),
    fails("M36", 0x7C602428, 0, models=F32),
    store("M37", 0xF861FFF1, 8, "00 00 00 00 00 00 31 00", {}, {"r1": 0x10F0}, WIDE),
    fails("M37", 0xF861FFF1, 0, models=F32),
    store("M38", 0x7C602528, 8, "00 31 00 00 00 00 00 00", models=WIDE),
    fails("M38", 0x7C602528, 0, models=F32),
    fails("M39", 0xE0C40010, 0),
    fails("M39", 0xF8C40012, 1, models=WIDE),
    fails("M39", 0xF8C40012, 0, models=F32),
    load(
        "M40", 0x7C2026AE, 4, FP, F1 | SIGN, ("80 00 00 00", {"fp.fpr[1]": 0xFFFFFFFF_80000000}),
        models=WIDE,
    ),
    load("M40", 0x7C2026EE, 4, FP, F1, ("80 00 00 00", {"fp.fpr[1]": 0x80000000}), models=WIDE),
    fails("M40", 0x7C2026AE, 0, FP, F32),
    fails("M40", 0x7C2026EE, 0, FP, F32),
    load(
        "M41", 0x7C4020CE, 8, VEC | {"vaddr_accessed": 0x8000000F, "paddr_accessed": 0xFE00100F},
        {
            "io_gpr": 0x182, "mmio_copy_type": 11, "mmio_vmx_copy_nums": 2, "mmio_vmx_offset": 0,
            "vaddr_accessed": 0x80000000, "paddr_accessed": 0xFE001000,
        },
        (
            "00 01 02 03 04 05 06 07",
            {
                "vr.vr_u64[4]": 0x0001020304050607, "run.mmio.phys_addr": 0xFE001008, "run.mmio.len": 8,
                "run.exit_reason": EXIT_MMIO, "vcpu.mmio_needed": 1, "paddr_accessed": 0xFE001008,
                "mmio_vmx_copy_nums": 1, "mmio_vmx_offset": 1,
            },
        ),
        ("08 09 0A 0B 0C 0D 0E 0F", {"vr.vr_u64[5]": 0x08090A0B0C0D0E0F}
         | {"mmio_vmx_copy_nums": 0, "mmio_vmx_offset": 2}),
        models=F64V, address=0xFE001000,
    ),
    load(
        "M42", 0x7C40200E, 1, VEC | vr(V2) | {"vaddr_accessed": 0x80000005, "paddr_accessed": 0xFE000005},
        {"io_gpr": 0x182, "mmio_copy_type": 8, "mmio_vmx_copy_nums": 1, "mmio_vmx_offset": 5},
        ("AA", vr(V2 & ~(0xFF << 80) | 0xAA << 80) | {"mmio_vmx_copy_nums": 0, "mmio_vmx_offset": 6}),
        models=F64V, address=0xFE000005,
    ),
    store(
        "M43", 0x7C40218E, 4, "AC AD AE AF",
        VEC | vr(V2) | {"vaddr_accessed": 0x8000000E, "paddr_accessed": 0xFE00000E},
        {
            "io_gpr": 2, "mmio_copy_type": 10, "mmio_vmx_copy_nums": 1, "mmio_vmx_offset": 3,
            "vaddr_accessed": 0x8000000C, "paddr_accessed": 0xFE00000C,
        },
        F64V, 0xFE00000C,
    )._replace(answers=(("", {"mmio_vmx_copy_nums": 0, "mmio_vmx_offset": 4}),)),
    done("M44", 0x7C4021CE, {}, {"pending": bits(5), "vcpu.mmio_is_write": 1}, F64V),
    done(
        "M45", 0x80640008, DEVICE | {"host.io_data": 0x2A << 32},
        shown(0, 4) | R3 | {"r3": 0x2A, "run.exit_reason": 0, "vcpu.mmio_needed": 0},
    )._replace(data="00 00 00 2A"),
    # An ioeventfd is a device that takes the store, or not; it is host_ops.io_write that compares the data.
    done(
        "M46", 0x90650004, {"host.io_base": PADDR, "host.io_len": 4},
        shown(1, 4) | {"run.exit_reason": 0, "vcpu.mmio_needed": 0},
    )._replace(data="00 00 31 00"),
    store("M46", 0x90650004, 4, "00 00 31 00"),
    load("M47", 0x80640008, 4, DEVICE | {"host.io_len": 0xA}, R3, ("11 22 33 44", {"r3": 0x11223344})),
    fails("M48", 0x44000002, 0),
    fails("M49", 0x7C60203E, 0),
)  # fmt: skip

#: What the emulator keeps beside a row's fields; data[] is compared as bytes.
BOOKKEEPING = re.compile(r"vcpu\.arch\.(last_exit_type|regs\.msr)$|run\.(mmio\.data|hw\.|debug\.)")

#: What a row says about KVM_RUN, which does much else: registers, and the state of the access.
COMPLETED = re.compile(
    r"vcpu\.arch\.(regs\.|fp\.|vr\.|mmio_|io_gpr|[pv]addr_accessed|pending|queued)"
    r"|vcpu\.mmio_|run\.(mmio\.[^d]|exit)"
)


def start(m: Machine, row: Row) -> Machine:
    """The base state of 9.3, and the row's."""
    base(m)
    m.set(whole({"paddr_accessed": PADDR, "vaddr_accessed": VADDR, "last_inst": row.word} | row.before))
    put(m, STALE)
    m["run.exit_reason"] = 0
    m.events()
    return m


def put(m: Machine, data: bytes) -> None:
    """Into run.mmio.data."""
    m.set({f"run.mmio.data[{n}]": byte for n, byte in enumerate(data)})


def changes(m: Machine, before: Snapshot) -> Fields:
    """Names and values of the fields that changed, the operation counters left out."""
    return {name: m[name] for name in changed(m, before) if not BOOKKEEPING.match(name)}


def expect(m: Machine, fields: Fields, found: Fields) -> None:
    """Those fields have those values, and no other has changed."""
    assert {name: m[name] for name in fields} == fields
    assert found.keys() <= fields.keys()


def numbered(rows: tuple[Row, ...]) -> list[object]:
    """Each row once per flavour, named by its number."""
    return [
        pytest.param(row, model, id=f"{row.id}-{row.word:08X}-{model}")
        for row in rows
        for model in row.models
    ]


@pytest.mark.parametrize(("row", "model"), numbered(ROWS))
def test_row(machine: MachineFactory, row: Row, model: str) -> None:
    """emulate 9.3: the access, then each answer by userspace."""
    m = start(machine(model=model), row)
    before = m.snapshot()
    assert call(m, "kvmppc_emulate_mmio") == row.resume
    expect(m, whole({"pc": PC} | row.after), changes(m, before))
    data = bytes.fromhex(row.data)
    assert bytes(m[f"run.mmio.data[{n}]"] for n in range(8)) == data + STALE[len(data) :]
    for number, (answer, after) in enumerate(row.answers, 1):
        put(m, bytes.fromhex(answer))
        m.events()
        before = m.snapshot()
        assert call(m, "kvm_arch_vcpu_ioctl_run") == 0
        found = {name: value for name, value in changes(m, before).items() if COMPLETED.match(name)}
        expect(m, whole({"vcpu.mmio_needed": 0} | after), found)
        assert ("enter_guest" in log(m)) == (number == len(row.answers))


M01 = ROWS[0]


@pytest.mark.parametrize("model", ALL)
def test_m50_completion_with_immediate_exit(machine: MachineFactory, model: str) -> None:
    m = start(machine(model=model), M01)
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV
    put(m, bytes.fromhex("11 22 33 44"))
    m.set({"run.immediate_exit": 1, "vcpu.wants_to_run": 0})
    m.events()
    assert call(m, "kvm_arch_vcpu_ioctl_run") == EINTR
    assert (m["vcpu.arch.regs.gpr[3]"], m["vcpu.mmio_needed"]) == (0x11223344, 0)
    assert m["run.exit_reason"] == EXIT_MMIO != EXIT_INTR
    assert "enter_guest" not in log(m)


@pytest.mark.parametrize("model", ALL)
def test_m51_completion_with_a_length_of_nine(machine: MachineFactory, model: str) -> None:
    m = start(machine(model=model), M01)
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV
    put(m, bytes.fromhex("11 22 33 44"))
    m["run.mmio.len"] = 9
    m.events()
    assert call(m, "kvm_arch_vcpu_ioctl_run") == 0
    assert (m["vcpu.arch.regs.gpr[3]"], m["vcpu.mmio_needed"]) == (0x3100, 0)
    assert "enter_guest" in log(m)


def test_every_row_is_here() -> None:
    """49 rows of the table; M50 and M51 have functions of their own."""
    assert list(dict.fromkeys(row.id for row in ROWS)) == [f"M{n:02}" for n in range(1, 50)]
