# SPDX-License-Identifier: BSD-3-Clause
"""hw/memory: real memory as ranges of lent host memory (mmu-kvm 15, design 3)."""

from __future__ import annotations

import array
import errno
import mmap

import pytest

from pyexit import Machine

from .support import TGS, M, MachineFactory, V, put, refused, tsize

TOP = 1 << 40  # real addresses have 40 bits
RANGES = ((0, 0x2000), (0x5000, 0x1000), (0xF_0000_0000, 0x3000), (TOP - 0x1000, 0x1000))


def fetch_from(m: Machine, real: int) -> int:
    """kvmppc_load_last_inst with the pc mapped to a real address; the result code."""
    put(m, 1, 0, V | tsize(2), 0x1000 | M, (real & 0xFFFFF000) | 0x3F, real >> 32, TGS | m["kvm.arch.lpid"])
    m["vcpu.arch.regs.nip"] = 0x1000 | real & 0xFFC
    return m.load_last_inst().ret


@pytest.mark.parametrize(("base", "size"), RANGES)
def test_ram_range_holds_data_from_its_first_to_its_last_byte(
    machine: MachineFactory, base: int, size: int
) -> None:
    """Several ranges, up to the end of the 40-bit real address space."""
    m = machine(ram=RANGES)
    data = bytes(n % 251 for n in range(size))
    m.write_ram(base, data)
    assert m.read_ram(base, size) == data


@pytest.mark.parametrize("address", [0x2000, 0x4FFF, 0x6000, 0xE_FFFF_FFFF, 0xF_0000_3000, TOP - 0x1001, TOP])
def test_hole_is_refused_and_nothing_is_copied(machine: MachineFactory, address: int) -> None:
    """pyexit.h pyexit_ram_read: -EFAULT if a byte is not RAM."""
    m = machine(ram=RANGES)
    with refused(errno.EFAULT):
        m.read_ram(address, 1)
    with refused(errno.EFAULT):
        m.write_ram(address, b"\x01")


def test_access_that_leaves_a_range_copies_nothing(machine: MachineFactory) -> None:
    """pyexit.h pyexit_ram_write: nothing is copied."""
    m = machine(ram=RANGES)
    with refused(errno.EFAULT):
        m.write_ram(0x1FFC, b"\xff" * 8)
    assert m.read_ram(0x1FFC, 4) == bytes(4)


def test_access_may_span_ranges_that_touch(machine: MachineFactory) -> None:
    m = machine(ram=((0x1000, 0x1000), (0x2000, 0x1000)))
    m.write_ram(0x1FFE, b"\x01\x02\x03\x04")
    assert m.read_ram(0x1FFC, 8) == b"\x00\x00\x01\x02\x03\x04\x00\x00"
    assert m.load_word(0x1FFE) == 0x01020304


def test_words_are_big_endian(machine: MachineFactory) -> None:
    m = machine(ram=((0, 0x1000),))
    m.store_word(0x10, 0x7C0007A4)
    assert m.read_ram(0x10, 4) == bytes.fromhex("7c0007a4")
    assert m.load_word(0x10) == 0x7C0007A4


@pytest.mark.parametrize("model", ["e500mc", "e6500"])
@pytest.mark.parametrize(
    ("real", "ret"),
    [
        (0, 0),
        (0x1FFC, 0),
        (0x2000, 3),
        (0x4FFC, 3),
        (0x5FFC, 0),
        (0x6000, 3),
        (0xF_0000_2FFC, 0),
        (0xF_0000_3000, 3),
    ],
)
def test_page_is_ram_iff_a_range_holds_it(machine: MachineFactory, model: str, real: int, ret: int) -> None:
    """mmu-kvm 15.2 steps 7 and 8: not RAM -> EMULATE_AGAIN."""
    assert fetch_from(machine(model=model, ram=RANGES), real) == ret


@pytest.mark.parametrize(("real", "ret"), [(TOP - 4, 0), (TOP - 0x1004, 3)])
def test_e6500_reaches_the_40_bit_end(machine: MachineFactory, real: int, ret: int) -> None:
    """mmu-hardware 3.1: RASIZE 40."""
    assert fetch_from(machine(model="e6500", ram=RANGES), real) == ret


@pytest.mark.parametrize("ram", [(), ((0x10000, 0x1000),)])
def test_machine_without_ram_at_an_address_answers_again(
    machine: MachineFactory, ram: tuple[object, ...]
) -> None:
    m = machine(ram=ram)
    assert fetch_from(m, 0) == 3


@pytest.mark.parametrize(
    "make", [bytearray, lambda n: mmap.mmap(-1, n), lambda n: array.array("B", bytes(n))]
)
def test_lent_buffer_is_the_machines_memory(machine: MachineFactory, make: object) -> None:
    """design 3: host-backed without copying; what either side writes the other reads."""
    buffer = make(0x2000)  # type: ignore[operator]
    m = machine(ram=((0x3000, buffer),))
    m.store_word(0x3FFC, 0x11223344)
    assert bytes(memoryview(buffer)[0xFFC:0x1000]) == bytes.fromhex("11223344")
    if m.backend == "lockstep":
        return  # its second backend works on a copy: there RAM changes through the machine only
    memoryview(buffer)[0x1000:0x1004] = bytes.fromhex("55667788")
    assert m.load_word(0x4000) == 0x55667788
    assert fetch_from(m, 0x4000) == 0
    assert m.load_last_inst().instr == 0x55667788


def test_part_of_a_buffer_can_be_lent(machine: MachineFactory) -> None:
    buffer = bytearray(0x3000)
    m = machine(ram=((0, memoryview(buffer)[0x1000:0x2000]),))
    m.store_word(0, 0x01020304)
    assert bytes(buffer[0x1000:0x1004]) == b"\x01\x02\x03\x04"


def test_read_only_buffer_is_refused(machine: MachineFactory) -> None:
    with pytest.raises((TypeError, ValueError, BufferError)):
        machine(ram=((0, bytes(0x1000)),))


@pytest.mark.parametrize(
    "ram",
    [
        ((0, 0x2000), (0x1000, 0x1000)),
        ((0x1000, 0x1000), (0, 0x2000)),
        ((0x1000, 0x1000), (0x1000, 0x1000)),
        ((0, 0x10000), (0x4000, 0x1000)),
    ],
)
def test_overlapping_ranges_are_refused(machine: MachineFactory, ram: tuple[tuple[int, int], ...]) -> None:
    """pyexit.h struct pyexit_options: ranges that do not overlap."""
    with pytest.raises((OSError, ValueError), match="overlap"):
        machine(ram=ram)


@pytest.mark.parametrize(
    "ram",
    [
        ((0x10, 0x1000),),
        ((0, 0x1001),),
        ((0, 0),),
        ((TOP - 0x1000, 0x2000),),
        ((TOP, 0x1000),),
        ((0, 0x800),),
    ],
)
def test_range_that_is_not_whole_pages_of_40_bits_is_refused(
    machine: MachineFactory, ram: tuple[tuple[int, int], ...]
) -> None:
    """pyexit.h struct pyexit_ram: multiples of 4096, base + size <= 2^40."""
    with pytest.raises((OSError, ValueError)):
        machine(ram=ram)


@pytest.mark.parametrize(("real", "pages"), [(0x1000, 1), (0x2000, 0)])
def test_every_map_of_a_page_is_paired_with_its_unmap(machine: MachineFactory, real: int, pages: int) -> None:
    """mmu-kvm 15.2 step 8; a page that is not RAM is not mapped."""
    m = machine(ram=RANGES)
    for _ in range(3):
        fetch_from(m, real)
    counts = m.counters()
    got = [counts.get(name, 0) for name in ("page_map", "page_unmap", "load")]
    assert got == [3 * pages] * 3


def test_store_outside_memory_is_dropped(machine: MachineFactory) -> None:
    """docs/choices.md: an external-PID store to a page that is not RAM is done, and nothing is stored."""
    m = machine(ram=RANGES)
    put(m, 1, 0, V | tsize(2), 0x1000 | M, 0x8000 | 0x3F, 0, 0)
    m.set({"thread.gpr[4]": 0x1000, "thread.gpr[3]": 0x55})
    stwepx = 31 << 26 | 3 << 21 | 4 << 11 | 159 << 1
    assert m.guest_op(stwepx).outcome == 0
    lwepx = 31 << 26 | 3 << 21 | 4 << 11 | 31 << 1
    assert m.guest_op(lwepx).outcome == 0
    assert m["thread.gpr[3]"] == 0
