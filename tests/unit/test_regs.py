# SPDX-License-Identifier: BSD-3-Clause
"""hw/regs: SPR numbers, the bits that each model keeps, what may be written (mmu-hardware 1-3)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .support import (
    DONE,
    MODELS,
    PIL,
    PROGRAM,
    SPR,
    TAKEN_BY_HOST,
    WIDTH,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    host_vector,
    is_valid,
    ones,
    put,
    run_as,
    texts,
    vectors,
)

#: Bits kept on mtspr by e500mc, e5500, e6500 (mmu-hardware 2.8).
KEPT = {
    "MAS0": (0x1FFF0FFF, 0x1FFF0FFF, 0x9FFF7FFF),
    "MAS1": (0xC0FF1F00, 0xFFFF1F00, 0xFFFF3F80),
    "MAS2": (0xFFFFF07F, 0xFFFFFFFF_FFFFF07F, 0xFFFFFFFF_FFFFF07F),
    "MAS3": (0xFFFFF3FF, 0xFFFFF3FF, 0xFFFFFBFF),
    "MAS4": (0x10000F7F, 0x10000F7F, 0x10008FFF),
    "MAS5": (0x8000003F, 0x8000003F, 0x8000003F),
    "MAS6": (0x00FF0001, 0x3FFF0001, 0x3FFF0F83),
    "MAS7": (0xF, 0xF, 0xFF),
    "MAS8": (0xC000003F, 0xC000003F, 0xC000003F),
    "LPID": (0x3F, 0x3F, 0x3F),
    "PID": (0xFF, 0x3FFF, 0x3FFF),
    "EPLC": (0xE03F00FF, 0xE03F3FFF, 0xE03F3FFF),
    "EPSC": (0xE03F00FF, 0xE03F3FFF, 0xE03F3FFF),
}

#: Configuration registers (mmu-hardware 3; U1, U2, U17); None: the core does not have the register.
CONFIGURATION = {
    "PVR": (0x80230030, 0x80240020, 0x80400020),
    "SVR": (0x82090030, 0x82200020, 0x82400020),
    "MMUCFG": (0x064809C4, 0x06480B44, 0x06510B45),
    "TLB0CFG": (0x04110200, 0x04110200, 0x08052400),
    "TLB1CFG": (0x401BC040, 0x401BC040, 0x40028040),
    "TLB0PS": (None, None, 0x00000004),
    "TLB1PS": (None, None, 0x7FFFFFFC),
    "EPTCFG": (None, None, 0x00000002),
    "LRATCFG": (None, None, 0x00502008),
    "LRATPS": (None, None, 0x7FFFFFFC),
}

#: 64-bit pairs: high and low member (mmu-hardware 1, rule 1.1).
PAIRS = {
    "MAS5_MAS6": ("MAS5", "MAS6"),
    "MAS8_MAS1": ("MAS8", "MAS1"),
    "MAS7_MAS3": ("MAS7", "MAS3"),
    "MAS0_MAS1": ("MAS0", "MAS1"),
}

#: Registers without bits of their own meaning here: plain storage.
PLAIN = (
    "SRR0",
    "SRR1",
    "ESR",
    "DEAR",
    "GSRR0",
    "GSRR1",
    "GESR",
    "GDEAR",
    "GSPRG0",
    "GSPRG3",
    "IVPR",
    "GIVPR",
)


def of(row: tuple[int | None, ...], model: str) -> int | None:
    return row[MODELS.index(model)]


def ppc_mfspr(m: Machine, number: int) -> tuple[int, int]:
    """Outcome and value; the value is the interrupt number where the outcome is not DONE."""
    result = m.call("ppc_mfspr", 0, number)
    return result.ret, result.value[0]


def assert_program_pil(m: Machine, number: int, *, write: bool) -> None:
    """The access is a program interrupt with ESR[PIL], and changes nothing else (mmu-hardware 6.5)."""
    vectors(m)
    run_as(m, pc=0x1234)
    before = m.snapshot()
    result = m.call("ppc_mtspr", 0, number, 0) if write else m.call("ppc_mfspr", 0, number)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, PROGRAM)
    assert (m["spr.ESR"], m["spr.SRR0"], m["thread.pc"]) == (PIL, 0x1234, host_vector(PROGRAM))
    assert changed(m, before) == {"spr.ESR", "spr.SRR0", "thread.pc"}


@each_model
@pytest.mark.parametrize("name", KEPT)
def test_mtspr_keeps_the_implemented_bits_only(machine: MachineFactory, model: str, name: str) -> None:
    """mmu-hardware 2.8."""
    m, kept = machine(model=model), of(KEPT[name], model)
    assert m.mtspr(SPR[name], ones(WIDTH[model])).ret == DONE
    assert (m.mfspr(SPR[name]), m[f"spr.{name}"]) == (kept, kept)


@each_model
@pytest.mark.parametrize("name", KEPT)
def test_each_kept_bit_is_kept_by_itself(machine: MachineFactory, model: str, name: str) -> None:
    """mmu-hardware 2.8: no bit of a register depends on another."""
    m, kept = machine(model=model), of(KEPT[name], model)
    for bit in range(WIDTH[model]):
        m.mtspr(SPR[name], 1 << bit)
        assert m.mfspr(SPR[name]) == (1 << bit) & (kept or 0)


@each_model
def test_tlbsel_2_and_3_read_back_as_0_and_1(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 2.8: the low bit of TLBSEL only."""
    m = machine(model=model)
    for written, kept in ((0x20000000, 0), (0x30000000, 0x10000000)):
        m.mtspr("MAS0", written)
        assert m.mfspr("MAS0") == kept


@each_model
def test_recorded_host_keeps_every_bit_of_the_mas_registers(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 0.4."""
    m = machine(model=model, params="recorded")
    for n in range(9):
        value = ones(WIDTH[model]) if n == 2 else ones(32)
        m.mtspr(f"MAS{n}", value)
        assert m.mfspr(f"MAS{n}") == value


@each_model
@pytest.mark.parametrize("name", CONFIGURATION)
def test_configuration_register_has_the_value_of_the_core(
    machine: MachineFactory, model: str, name: str
) -> None:
    """mmu-hardware 3."""
    m, value = machine(model=model), of(CONFIGURATION[name], model)
    if value is None:
        assert_program_pil(m, SPR[name], write=False)
    else:
        assert m.mfspr(SPR[name]) == value


@each_model
@pytest.mark.parametrize("name", CONFIGURATION)
def test_configuration_register_is_read_only(machine: MachineFactory, model: str, name: str) -> None:
    """docs/choices.md: writing a configuration register is program/PIL."""
    m = machine(model=model)
    assert_program_pil(m, SPR[name], write=True)
    if (value := of(CONFIGURATION[name], model)) is not None:
        assert m[f"spr.{name}"] == value


@each_model
@pytest.mark.parametrize("number", [SPR["PID1"], SPR["PID2"], 629, 0, 31, 100, 1022, 1024, 1 << 40])
@pytest.mark.parametrize("write", [False, True])
def test_unknown_spr_is_program_pil(machine: MachineFactory, model: str, number: int, write: bool) -> None:
    """mmu-hardware 6.5; PID1 and PID2 are e500v2's, 629 is QEMU's MAS5 (rule 1.2)."""
    assert_program_pil(machine(model=model), number, write=write)


@each_model64
@pytest.mark.parametrize("pair", PAIRS)
def test_pair_writes_and_reads_both_members(machine: MachineFactory, model: str, pair: str) -> None:
    """mmu-hardware 1.1."""
    m, (high, low) = machine(model=model), PAIRS[pair]
    m.mtspr(SPR[pair], ones(64))
    kept = (of(KEPT[high], model), of(KEPT[low], model))
    assert (m[f"spr.{high}"], m[f"spr.{low}"]) == kept
    m.set({f"spr.{high}": 1, f"spr.{low}": 0x100})
    assert m.mfspr(SPR[pair]) == 0x1_0000_0100


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("write", [False, True])
def test_e500mc_has_no_pair(machine: MachineFactory, pair: str, write: bool) -> None:
    """mmu-hardware 1.1: they need a 64-bit implementation."""
    assert_program_pil(machine(model="e500mc"), SPR[pair], write=write)


@each_model
@pytest.mark.parametrize("name", ["DBSR", "MCSR"])
def test_status_register_is_write_one_to_clear(machine: MachineFactory, model: str, name: str) -> None:
    """vectors/SCHEMA.md: DBSR and MCSR clear the bits that are written as 1, and leave an event."""
    m = machine(model=model)
    m[f"spr.{name}"] = 0xF0F0
    assert m.mtspr(SPR[name], 0x30FF).ret == DONE
    assert m[f"spr.{name}"] == 0xC000
    assert texts(m) == [f"mtspr {SPR[name]} 0x30ff"]


@each_model
@pytest.mark.parametrize("name", PLAIN)
def test_plain_register_keeps_what_is_written(machine: MachineFactory, model: str, name: str) -> None:
    """vectors/SCHEMA.md: all other SPRs are plain storage."""
    m = machine(model=model)
    m.mtspr(SPR[name], 0x1234ABC0)
    assert (m.mfspr(SPR[name]), m[f"spr.{name}"]) == (0x1234ABC0, 0x1234ABC0)
    assert texts(m) == []


@each_model
@pytest.mark.parametrize("n", range(16))
def test_ivor_numbers_are_400_to_415(machine: MachineFactory, model: str, n: int) -> None:
    """emulate 3: SPR 400 + n is IVORn."""
    m = machine(model=model)
    m.mtspr(400 + n, 0x120)
    assert m[f"spr.IVOR[{n}]"] == m.mfspr(400 + n) == 0x120


@each_model
@pytest.mark.parametrize(("value", "tlb0", "tlb1"), [(0, 1, 1), (4, 0, 1), (2, 1, 0), (6, 0, 0), (1, 1, 1)])
def test_mmucsr0_flashes_what_has_no_iprot_and_reads_0(
    machine: MachineFactory, model: str, value: int, tlb0: int, tlb1: int
) -> None:
    """mmu-hardware 6.4: TLB0FI is 4, TLB1FI is 2, the bit reads 0 when done; every LPID goes (U9)."""
    m = machine(model=model)
    for index, tag in ((3, 0), (9, 0x80000005)):
        put(m, 0, index, V | 0x100, 0x1000, 0x3F, mas8=tag)
        put(m, 1, index, V | 0x100, 0x1000, 0x3F, mas8=tag)
    put(m, 1, 20, V | 0x40000100, 0x1000, 0x3F)
    assert m.mtspr(SPR["MMUCSR0"], value).ret == DONE
    assert m.mfspr(SPR["MMUCSR0"]) == 0
    assert [is_valid(m, 0, index) for index in (3, 9)] == [bool(tlb0)] * 2
    assert [is_valid(m, 1, index) for index in (3, 9, 20)] == [bool(tlb1), bool(tlb1), True]


@each_model
def test_register_is_named_or_numbered(machine: MachineFactory, model: str) -> None:
    """The face: mtspr and mfspr take a name or a number."""
    m = machine(model=model)
    m.mtspr("GSRR0", 0x100)
    assert m.mfspr(SPR["GSRR0"]) == m.mfspr("GSRR0") == 0x100


@each_model
def test_each_move_is_counted_once(machine: MachineFactory, model: str) -> None:
    """design 6: one hw verb call, one count; a pair is one move."""
    m = machine(model=model)
    m.mtspr("MAS1", 0)
    m.mtspr("PID", 0)
    assert ppc_mfspr(m, SPR["MAS1"]) == (DONE, 0)
    assert m.counters() == {"mtspr": 2, "mfspr": 1}
