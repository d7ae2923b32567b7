# SPDX-License-Identifier: BSD-3-Clause
"""What ``pyexit check`` makes of a vector: memory, names, results, whole sequences (vectors/SCHEMA.md)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pyexit import FieldError, Machine, VectorError
from pyexit.check import (
    VALUES,
    WHOLE,
    KernelRunner,
    Outputs,
    Run,
    big_endian_union,
    compare_ret,
    in_union,
    needs_sw_tlb,
    sequence_step,
)
from pyexit.io.vectors import Case, Line, memory_map, other_pages
from pyexit.layout import canonical, recorded_name

VECTORS = Path(__file__).parents[1] / "vectors" / "linux-6.1"

Data = dict[str, Any]


def sequence(number: int, name: str = "sequences") -> list[Data]:
    """The recorded steps of one sequence."""
    with gzip.open(VECTORS / f"{name}.jsonl.gz", "rt") as lines:
        steps = (json.loads(line) for line in lines)
        return [step for step in steps if step["tag"].startswith(f"seq{number}.")]


def written(folder: Path, steps: list[Data], name: str = "sequences") -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(step) + "\n" for step in steps))
    return path


def line_of(data: Data, name: str = "sequences") -> Line:
    return Line(VECTORS / f"{name}.jsonl.gz", 1, data)


# Memory


def test_memory_slots_are_those_of_the_world() -> None:
    """SCHEMA.md, Memory; world.json."""
    values = memory_map(VECTORS)
    assert values["kvm.memslot.base_gfn[3]"] == 0x100000
    assert [values[f"kvm.memslot.flags[{n}]"] for n in range(9)] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert [values[f"kvm.vma.flags[{n}]"] for n in range(3)] == [0, 2, 1]
    assert values["kvm.vma.page_shift[1]"] == 22
    assert values["kvm.vma.pgoff[2]"] == 0xC0000
    assert (values["kvm.backing.hva[2]"], values["kvm.backing.pfn[2]"]) == (0x70000000, 0xC0100)
    assert "kvm.backing.pfn[5]" not in values
    assert [values[f"kvm.backing.pte[{n}]"] for n in (0, 6, 7)] == [0, 1, 2]


def test_memory_map_fits_the_machine() -> None:
    with Machine() as m:
        m.set(memory_map(VECTORS))
        assert len(m.memory_regions()) == 9


def test_memory_of_the_vmm_need_not_be_ram() -> None:
    """SCHEMA.md, read_guest: slot 8's pages are not RAM for page_is_ram(), and kvmppc_ld reads them."""
    assert other_pages(VECTORS) == ((0xF8000000, 0x10000),)


def test_world_without_slots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text('{"memslots": [{"id": 0}]}')
    with pytest.raises(VectorError, match="no memory slots"):
        memory_map(tmp_path)


# Names and results


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("user.tlb.mas1[5]", "swtlb.tlb.mas1[5]"),
        ("e500.sw_priv0.pfn[1]", "swtlb.priv0.pfn[1]"),
        ("e500.sw_priv1.flags[2]", "swtlb.priv1.flags[2]"),
        ("e500.sw_g2h_tlb1_map[3]", "swtlb.g2h_tlb1_map[3]"),
        ("host.tlb0_nv", "core.tlb0_nv"),
        ("user.regs.pc", "user.regs.pc"),
    ],
)
def test_recorders_names_go_both_ways(theirs: str, ours: str) -> None:
    assert (canonical(theirs), recorded_name(ours)) == (ours, theirs)


def test_array_of_user_space_needs_its_machine() -> None:
    with Machine(sw_tlb=True) as m:
        m["user.tlb.mas1[4159]"] = 1
        assert m.state()["swtlb.tlb.mas1[4159]"] == 1
    with Machine() as m, pytest.raises(FieldError, match="0 swtlb"):
        m["user.tlb.mas1[0]"] = 1


def test_only_cases_about_the_array_get_the_larger_machine() -> None:
    assert needs_sw_tlb(line_of({"in": {"user.config_tlb.params": "0x3000"}, "out": {}}))
    assert needs_sw_tlb(line_of({"in": {}, "out": {"e500.sw_priv0.pfn[0]": "0x1"}}))
    assert not needs_sw_tlb(line_of({"in": {"user.regs.pc": "0x1"}, "out": {}}))


@pytest.mark.parametrize(
    ("expected", "value", "same"),
    [(5, 5, True), (-2, (1 << 64) - 2, True), (-2, (1 << 32) - 2, False), (0, 1 << 63, False)],
)
def test_results_are_signed_decimals_of_64_bits(expected: int, value: int, same: bool) -> None:
    case = Case("kvmppc_st", (), {}, {}, {"ret": 0, "eaddr": expected}, {}, (), None)
    with Machine() as m:
        state, result = m.snapshot(), m.call("kvmppc_get_dec", 0, 0)
    result = result._replace(ret=0, value=(value, 0, 0, 0, 0))
    got = Outputs(state, state, state, result, [], b"", False)
    assert (list(compare_ret(case, got, frozenset())) == []) == same


def test_every_named_result_has_a_place() -> None:
    """SCHEMA.md, Functions: the names in the recorded files."""
    for path in sorted(VECTORS.glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            data = json.loads(next(lines))
            assert set(data["ret"]) <= {"ret", *VALUES.get(data["func"], ())}


# Whole sequences


def test_tag_says_the_step() -> None:
    assert sequence_step(line_of({"tag": "seq12.3/tlbwe"})) == (12, 3)
    assert sequence_step(line_of({"tag": "x41/ok0"})) is None
    assert sequence_step(line_of({})) is None


def test_sequence_counts_once_more_as_a_whole(backend: str, tmp_path: Path) -> None:
    steps = sequence(1)
    run = Run([backend])
    for _ in run.file(written(tmp_path, steps)):
        pass
    assert not run.report.failures, run.report.failures[0]
    whole = run.report.tallies[f"sequences {WHOLE}", backend]
    assert (whole.passed, whole.skipped.total()) == (1, 0)


def test_part_of_a_sequence_is_no_whole(tmp_path: Path) -> None:
    run = Run(["native"])
    for _ in run.file(written(tmp_path, sequence(1)[2:])):
        pass
    assert ("sequences", "native") in run.report.tallies
    assert (f"sequences {WHOLE}", "native") not in run.report.tallies


def test_step_begins_where_the_last_one_ended() -> None:
    """A step's state is the machine's own, and what the recording changed in between."""
    lines = [line_of(step) for step in sequence(1)]
    runner = KernelRunner(32, "native", "merged", ((0, 0xF0000000), (0x100000000, 0x20000000)), False)
    assert runner.run_sequence(lines) == []


def test_wrong_step_is_told_by_its_number() -> None:
    steps = sequence(1)
    steps[2]["out"]["vcpu.arch.regs.gpr[9]"] = "0x77"
    lines = [line_of(step) for step in steps]
    runner = KernelRunner(32, "native", "merged", ((0, 0xF0000000), (0x100000000, 0x20000000)), False)
    parts = runner.run_sequence(lines)
    assert [part.field for part in parts] == ["step 2 vcpu.arch.regs.gpr[9]"]


def test_union_is_big_endian_in_the_recorder() -> None:
    """exit.md 2.4: phys_addr and hardware_exit_reason are the same eight bytes."""
    assert in_union("run.mmio.phys_addr")
    assert not in_union("run.exit_reason")
    first = big_endian_union({"run.hw.hardware_exit_reason": 0x0102030405060708})
    assert first[:8] == bytes(range(1, 9))
    assert big_endian_union({"run.epr.epr": 0xAABBCCDD}, first)[:8] == bytes.fromhex("aabbccdd05060708")
