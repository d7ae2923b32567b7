# SPDX-License-Identifier: BSD-3-Clause
"""The face: fields by name, snapshots, files, events, TLB entries, what bad arguments get (design 7)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyexit import Difference, FieldError, Machine, Outcome, Snapshot, TlbEntry
from pyexit.machine import PUBLIC

from .support import ALL_PERMS, GS, SX, TGS, M, MachineFactory, V, each_model, put, refused, tsize


def fetching(m: Machine) -> Machine:
    """The machine with a vcpu whose instruction can be fetched."""
    put(m, 1, 7, V | tsize(2), 0x10003000 | M, 0x7000 | SX, 0, TGS | m["kvm.arch.lpid"])
    m.set({"vcpu.arch.regs.nip": 0x10003234, "vcpu.arch.shared.msr": GS})
    m.store_word(0x7234, 0x7C0007A4)
    return m


# Fields


@each_model
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spr.MAS2", 0xFFFFFFFF_FFFFF07F),
        ("spr.IVOR[63]", 1),
        ("vcpu.arch.regs.gpr[31]", 1 << 63),
        ("vcpu.arch.io_gpr", 0xFFFF),
        ("vcpu.arch.sane", 0xFF),
        ("run.mmio.data[7]", 0xAB),
        ("htlb0.mas1[1023]", 0xFFFFFFFF),
        ("core.hes_victim[127]", 7),
        ("thread.ops[12]", 5),
        ("e500.gtlb_priv1.pfn[15]", 0x12345),
        ("core.tb", 1 << 40),
        ("host.thread_debug.dac2", 3),
        ("kvm.mmu_invalidate_seq", 9),
    ],
)
def test_field_keeps_what_is_set(machine: MachineFactory, model: str, name: str, value: int) -> None:
    """Names are those of the kernel vectors; values are stored as they are."""
    m = machine(model=model)
    m[name] = value
    assert m[name] == m.state()[name] == value


def test_objects_are_numbered_from_the_second_on(machine: MachineFactory) -> None:
    m = machine(model="e6500", cores=2, vms=2, vcpus=2)
    for name in ("spr3.MAS0", "thread3.pc", "host3.cpu", "kvm1.arch.lpid", "vcpu1.cpu", "run1.exit_reason"):
        m[name] = 1
    for name in ("htlb0_1.mas1[0]", "htlb1_1.mas1[0]", "e500_1.svr", "core1.tlb0_nv"):
        m[name] = 1
    assert m["core.tlb0_nv"] == 0


def test_tlb0_nv_has_the_vectors_alias(machine: MachineFactory) -> None:
    m = machine()
    m["host.tlb0_nv"] = 3
    assert m["core.tlb0_nv"] == 3
    assert "host.tlb0_nv" not in m.state()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spr.MAS9", "spr.MAS9"),
        ("spr1.MAS0", "spr1"),
        ("nothing.at_all", "nothing"),
        ("spr.IVOR", r"array.*spr\.IVOR\[i\]"),
        ("spr.IVOR[64]", "64 elements"),
        ("spr.MAS0[0]", "not an array"),
        ("vcpu.arch.regs.gpr[-1]", "gpr"),
        ("", "field name"),
        ("htlb01.mas1[0]", "htlb0_1"),
    ],
)
def test_unknown_field_is_refused_by_name(machine: MachineFactory, name: str, text: str) -> None:
    m = machine()
    with pytest.raises(FieldError, match=text):
        m[name]
    with pytest.raises(FieldError, match=text):
        m[name] = 0


def test_near_miss_of_a_name_is_suggested(machine: MachineFactory) -> None:
    with pytest.raises(FieldError, match=r"shadow_epcr"):
        machine()["vcpu.arch.shadow_epc"]


@pytest.mark.parametrize(
    ("value", "error"),
    [(-1, ValueError), (1 << 32, ValueError), ("1", TypeError), (1.0, TypeError), (None, TypeError)],
)
def test_value_that_does_not_fit_is_refused(
    machine: MachineFactory, value: Any, error: type[Exception]
) -> None:
    m = machine()
    with pytest.raises(error, match=r"vcpu\.arch\.last_inst"):
        m["vcpu.arch.last_inst"] = value
    assert m["vcpu.arch.last_inst"] == 0


def test_set_is_all_or_nothing(machine: MachineFactory) -> None:
    m = machine()
    before = m.snapshot()
    with pytest.raises(FieldError):
        m.set({"spr.MAS0": 1, "spr.MAS9": 1})
    with pytest.raises(ValueError, match="32 bits"):
        m.set({"spr.MAS0": 1, "core.tlb0_nv": 1 << 32})
    assert m.diff(before) == []


@each_model
def test_state_lists_exactly_the_fields_that_are_not_0(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    state = m.state()
    assert all(state.values())
    assert {name: m[name] for name in state} == state
    m.load_values({})
    assert m.state() == {}
    m.load_values(state)
    assert m.state() == state


@each_model
def test_every_field_can_be_set_and_is_reported_by_that_name(machine: MachineFactory, model: str) -> None:
    """One name, one place: the values do not run into each other."""
    m = machine(model=model)
    names = [name for name in m.fields() if "[" not in name or name.endswith("[1]")]
    values = {name: 1 + number % 200 for number, name in enumerate(names)}
    m.load_values({})
    m.set(values)
    assert m.state() == values


# Snapshots


@each_model
def test_snapshot_brings_everything_back_but_ram(machine: MachineFactory, model: str) -> None:
    m = fetching(machine(model=model))
    before = m.snapshot()
    m.load_last_inst()
    m.translate(0x20000000)
    m.store_word(0x7234, 1)
    assert m.diff(before)
    m.restore(before)
    assert m.diff(before) == []
    assert m.snapshot() == before
    assert m.load_word(0x7234) == 1


@each_model
def test_diff_names_the_fields_and_both_values(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    before = m.snapshot()
    m.set({"spr.MAS1": V, "vcpu.arch.regs.gpr[3]": 7})
    assert m.diff(before) == [Difference("spr.MAS1", V, 0), Difference("vcpu.arch.regs.gpr[3]", 7, 0)]


@each_model
def test_equal_machines_have_no_difference(machine: MachineFactory, model: str) -> None:
    assert machine(model=model).diff(machine(model=model)) == []


def test_snapshot_is_plain_bytes_with_names(machine: MachineFactory) -> None:
    """design 3: a snapshot is a copy, equality a byte comparison."""
    m = machine()
    taken = m.snapshot()
    assert isinstance(taken.data, bytes)
    assert taken["spr.HID0"] == 0x80
    changed = taken.replace({"spr.HID0": 0})
    assert (changed["spr.HID0"], taken["spr.HID0"]) == (0, 0x80)
    assert taken.diff(changed) == [Difference("spr.HID0", 0x80, 0)]
    assert taken.state() == m.state()
    assert Snapshot.zero(m.shape).state() == {}


def test_snapshot_moves_between_machines_of_one_shape(machine: MachineFactory) -> None:
    first, second = machine(), machine()
    first["spr.MAS1"] = V
    second.restore(first.snapshot())
    assert second["spr.MAS1"] == V
    with pytest.raises(ValueError, match=r"shape|snapshot is of a machine"):
        machine(vcpus=2).restore(first.snapshot())
    with pytest.raises(ValueError, match="shape"):
        machine(vcpus=2).diff(first)
    with pytest.raises(TypeError, match="Snapshot"):
        second.restore(first.snapshot().data)  # type: ignore[arg-type]


# Files


@each_model
@pytest.mark.parametrize("suffix", [".scn.jsonl", ".scn"])
def test_saved_machine_loads_with_state_and_ram(
    machine: MachineFactory, backend: str, tmp_path: Path, model: str, suffix: str
) -> None:
    m = fetching(machine(model=model, ram=((0, 0x8000), (0x100000, 0x1000)), vcpus=2, fetch="seed-v4"))
    m.store_word(0x100FFC, 0xFFFFFFFF)
    path = tmp_path / f"saved{suffix}"
    m.save(path)
    with Machine.load(path, backend=backend) as again:
        assert (again.model, again.fetch, again.params, again.shape) == (m.model, m.fetch, m.params, m.shape)
        assert again.diff(m) == []
        assert again.load_word(0x100FFC) == 0xFFFFFFFF
        assert again.load_last_inst() == m.load_last_inst() == (0, 0x7C0007A4)


@pytest.mark.parametrize(
    "options",
    [
        {"params": "recorded"},
        {"params": {"tlb0_ways": 2, "tlb0_sets": 4, "tlb1_entries": 8, "tlbilx_as": 1}},
        {"params": {"set": "recorded", "tlb1_entries": 4}},
        {"pvr": 0x80230011, "svr": 0x82090012},
        {"cores": 2, "vms": 2, "vcpus": 3, "vcpu_thread": (1, 0, 1), "vcpu_vm": (1, 1, 0)},
    ],
)
def test_saved_machine_keeps_its_options(
    machine: MachineFactory, backend: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    m = machine(**options)
    path = tmp_path / "m.scn.jsonl"
    m.save(path)
    with Machine.load(path, backend=backend) as again:
        assert (again.params, again.shape) == (m.params, m.shape)
        assert again.diff(m) == []


def test_file_name_says_the_form(machine: MachineFactory, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.scn\.jsonl or \.scn"):
        machine().save(tmp_path / "m.json")


# Events


@each_model
def test_events_come_oldest_first_and_once(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    for ea in (0x1000, 0x2000, 0x3000):
        m.tlbsx(ea)
    assert [event.arg[0] for event in m.events()] == [0x1000, 0x2000, 0x3000]
    assert m.events() == []


@each_model
@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_full_ring_keeps_the_oldest_and_counts_the_lost(
    machine: MachineFactory, model: str, capacity: int
) -> None:
    """design 3: overflow counts and keeps the oldest."""
    m = machine(model=model, events=capacity)
    for ea in range(0x1000, 0x6000, 0x1000):
        m.tlbsx(ea)
    assert [event.arg[0] for event in m.events()] == [0x1000 * n for n in range(1, capacity + 1)]
    assert m.lost_events() == 5 - capacity
    assert m.lost_events() == 0
    m.tlbsx(0x9000)
    assert len(m.events()) == min(1, capacity)


def test_event_has_eight_arguments(machine: MachineFactory) -> None:
    """pyexit.h struct pyexit_event."""
    m = machine()
    m.tlbsx(0x1000)
    (event,) = m.events()
    assert (len(event.arg), event.arg[4], event.arg[5:]) == (8, (1 << 64) - 1, (0, 0, 0))


# TLB entries

ENTRY = TlbEntry(
    epn=0x590,
    rpn=0xC07D1,
    tsize=4,
    tid=5,
    ts=1,
    tgs=1,
    tlpid=2,
    iprot=1,
    wimge="MG",
    perms="SX UR",
    u=9,
    x=1,
    vf=1,
)


def test_entry_is_the_words_it_is_made_of() -> None:
    """mmu-hardware 2.2-2.6."""
    assert (ENTRY.mas1, ENTRY.mas2, ENTRY.mas3) == (0xC0051200, 0x590026, 0xC07D1252)
    assert (ENTRY.mas7, ENTRY.mas8) == (0, 0xC0000002)
    assert TlbEntry.from_mas(0xC0051200, 0x590026, 0xC07D1252, 0, 0xC0000002) == ENTRY
    assert TlbEntry(rpn=0xF_80000, epn=0xFFFFFFFF_FFFFF).mas7 == 0xF


def test_entry_has_its_fields_as_attributes() -> None:
    assert (ENTRY.epn, ENTRY.rpn, ENTRY.tsize, ENTRY.tid, ENTRY.ts) == (0x590, 0xC07D1, 4, 5, 1)
    assert (ENTRY.tgs, ENTRY.tlpid, ENTRY.vf, ENTRY.iprot, ENTRY.ind, ENTRY.valid) == (1, 2, 1, 1, 0, 1)
    assert (ENTRY.wimge, ENTRY.perms, ENTRY.u, ENTRY.x, ENTRY.size) == (6, 0x12, 9, 1, 0x4000)
    with pytest.raises(AttributeError, match="tgx"):
        _ = ENTRY.tgx


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        TlbEntry(),
        TlbEntry(valid=0),
        TlbEntry(ind=1, perms=0x04, tsize=11),
        TlbEntry.from_mas(0xFFFFFFFF, (1 << 64) - 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        TlbEntry.from_mas(0, 0, 0xC00, 0, 0),
    ],
)
def test_repr_of_an_entry_makes_it_again(entry: TlbEntry) -> None:
    again = eval(repr(entry), {"TlbEntry": TlbEntry})
    assert again == entry
    assert hash(again) == hash(entry)


def test_repr_of_an_entry_is_readable() -> None:
    text = repr(ENTRY)
    for part in ("epn=0x590", "rpn=0xc07d1", "tsize=4", "tid=0x5", "wimge='MG'", "perms='SX UR'"):
        assert part in text


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"tid": 1 << 14}, ValueError, "tid is 14 bits"),
        ({"epn": -1}, ValueError, "epn"),
        ({"perms": "SX RW"}, ValueError, "RW"),
        ({"wimge": "Q"}, ValueError, "Q"),
        ({"tsze": 1}, TypeError, "tsize"),
        ({"tid": "5"}, TypeError, "tid takes an int"),
        ({"rpn": 1 << 52}, ValueError, "rpn"),
    ],
)
def test_entry_refuses_what_does_not_fit(fields: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        TlbEntry(**fields)


@each_model
@pytest.mark.parametrize(("tlbsel", "index"), [(0, 0), (0, 511), (1, 0), (1, 63)])
def test_entry_goes_into_the_tlb_and_comes_back(
    machine: MachineFactory, model: str, tlbsel: int, index: int
) -> None:
    m = machine(model=model, cores=2)
    m.set_tlb_entry(tlbsel, index, ENTRY, core=1)
    found = m.tlb_entry(tlbsel, index, core=1)
    assert (found, found.tlbsel, found.index) == (ENTRY, tlbsel, index)
    assert (m.tlb(core=1), m.tlb(core=0)) == ([ENTRY], [])
    assert f"tlbsel={tlbsel}, index={index}" in repr(found)


@each_model
def test_tlb_lists_valid_entries_tlb0_first(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    for tlbsel, index in ((1, 5), (0, 9), (0, 3)):
        m.set_tlb_entry(tlbsel, index, TlbEntry(epn=index))
    m.set_tlb_entry(1, 6, TlbEntry(valid=0))
    assert [(entry.tlbsel, entry.index) for entry in m.tlb()] == [(0, 3), (0, 9), (1, 5)]


@pytest.mark.parametrize(
    ("tlbsel", "index", "core"), [(2, 0, 0), (0, 512, 0), (1, 64, 0), (1, -1, 0), (1, 0, 1)]
)
def test_entry_outside_the_geometry_is_refused(
    machine: MachineFactory, tlbsel: int, index: int, core: int
) -> None:
    m = machine(model="e500mc")
    with pytest.raises(ValueError, match="is 0 to"):
        m.tlb_entry(tlbsel, index, core)
    with pytest.raises(ValueError, match="is 0 to"):
        m.set_tlb_entry(tlbsel, index, ENTRY, core)


# What it says about itself


@each_model
def test_machine_tells_what_it_is(machine: MachineFactory, backend: str, model: str) -> None:
    m = machine(model=model, fetch="seed-v4")
    assert (m.model, m.fetch, m.backend) == (model, "seed-v4", backend)
    ways = 8 if model == "e6500" else 4
    assert (m.geometry, m.geometry.tlb0_entries) == ((ways, 128, 64), 128 * ways)
    assert model in repr(m)
    assert "kvmppc_load_last_inst" in m.functions


def test_params_are_a_copy(machine: MachineFactory) -> None:
    m = machine()
    m.params["tlb0_ways"] = 1
    m.params["mas_mask"][0] = 0
    assert m.params["tlb0_ways"] == 4
    assert m.params["mas_mask"][0]


def test_public_methods_are_listed_once() -> None:
    """design 7: one list of public methods."""
    methods = {name for name in dir(Machine) if not name.startswith("_") and callable(getattr(Machine, name))}
    assert methods == set(PUBLIC)
    assert list(PUBLIC) == sorted(PUBLIC)


def test_outcome_is_a_number_with_a_name(machine: MachineFactory) -> None:
    found = machine().translate(0x1000)
    assert found.outcome is Outcome.TAKEN_BY_HOST


# Bad arguments


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"model": "e500v2"}, ValueError, "e500v2.*e500mc, e5500, e6500"),
        ({"model": 1}, TypeError, "model"),
        ({"fetch": "mergd"}, ValueError, "mergd.*merged"),
        ({"params": "cores"}, ValueError, "cores.*core"),
        ({"params": 3}, TypeError, "params"),
        ({"params": {"tlb0_way": 2}}, ValueError, "tlb0_way.*tlb0_ways"),
        ({"params": {"tlb0_ways": 3}}, ValueError, "tlb0_ways is one of 1, 2, 4, 8"),
        ({"params": {"tlb0_sets": 256}}, ValueError, "tlb0_sets"),
        ({"params": {"tlb1_entries": 0}}, ValueError, "tlb1_entries"),
        ({"params": {"mas_mask": [1]}}, ValueError, "mas_mask.*9"),
        ({"params": {"width": 16}}, ValueError, "width is one of 32, 64"),
        ({"cores": 0}, ValueError, "cores is 1 to 64"),
        ({"cores": 65}, ValueError, "cores is 1 to 64"),
        ({"vms": 0}, ValueError, "vms is 1 to 64"),
        ({"vcpus": 4097}, ValueError, "vcpus is 1 to 4096"),
        ({"vcpus": "1"}, TypeError, "vcpus takes an int"),
        ({"events": -1}, ValueError, "events is 0 to"),
        ({"vcpu_thread": (1,)}, ValueError, r"vcpu_thread\[0\] is 1"),
        ({"vcpu_thread": (0, 0)}, ValueError, "vcpu_thread has 2"),
        ({"vcpu_vm": (-1,)}, ValueError, r"vcpu_vm\[0\]"),
        ({"ram": ((0, "x"),)}, TypeError, "RAM"),
        ({"ram": (5,)}, TypeError, "RAM range"),
        ({"pvr": -1}, ValueError, "pvr"),
    ],
)
def test_bad_option_is_named(
    machine: MachineFactory, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    """The message says what was wrong and what would be right."""
    with pytest.raises(error, match=text):
        machine(**options)


@pytest.mark.parametrize(
    "name", ["nativ", "lockstep:native", "lockstep:native,ref,ref", "lockstep:native,qemu", ""]
)
def test_unknown_backend_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYEXIT_BACKEND", "none such")
    with pytest.raises(ValueError, match="backend"):
        Machine(backend=name)


def test_environment_picks_the_default_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYEXIT_BACKEND", raising=False)
    with Machine() as m:
        assert m.backend == "native"
    monkeypatch.setenv("PYEXIT_BACKEND", "ref")
    with Machine() as m:
        assert m.backend == "ref"
    monkeypatch.setenv("PYEXIT_BACKEND", "qemu")
    with pytest.raises(ValueError, match=r"qemu.*native, ref, .*lockstep"):
        Machine()


@pytest.mark.parametrize(
    ("name", "args", "number"),
    [
        ("kvmppc_none", (0,), errno.ENOENT),
        ("ppc_tlbsx", (0,), errno.E2BIG),
        ("ppc_tlbsx", (0, 0, 0), errno.E2BIG),
        ("ppc_tlbsx", (), errno.E2BIG),
        ("ppc_tlbsx", (1, 0), errno.EINVAL),
        ("kvmppc_load_last_inst", (1, 0), errno.EINVAL),
        ("kvmppc_load_last_inst", (1 << 32, 0), errno.EINVAL),
    ],
)
def test_call_errors_are_those_of_the_header(
    machine: MachineFactory, name: str, args: tuple[int, ...], number: int
) -> None:
    """pyexit.h pyexit_call."""
    m = machine()
    before = m.snapshot()
    with refused(number):
        m.call(name, *args)
    assert m.diff(before) == []


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda m: m.call("ppc_tlbsx", 0, -1), ValueError, "argument 1"),
        (lambda m: m.call("ppc_tlbsx", 0, 1 << 64), ValueError, "argument 1"),
        (lambda m: m.call("ppc_tlbsx", 0, "5"), TypeError, "argument 1"),
        (lambda m: m.call(5, 0), TypeError, "by name"),
        (lambda m: m.mtspr("MAS9", 0), ValueError, "MAS9"),
        (lambda m: m.mtspr(1024, 0), ValueError, "SPR number is 0 to 1023"),
        (lambda m: m.mfspr(633), OSError, "633"),
        (lambda m: m.translate(0, access="read"), ValueError, "read.*fetch, load"),
        (lambda m: m.translate(0, access=None), TypeError, "access"),
        (lambda m: m.translate(-1), ValueError, "ea"),
        (lambda m: m.translate(0, vcpu=1), OSError, r"vcpu.*\b1\b"),
        (lambda m: m.translate(0, access=6), OSError, r"access.*\b6\b"),
        (lambda m: m.read_ram(-1, 1), ValueError, "addr"),
        (lambda m: m.read_ram(0, -1), ValueError, "size"),
        (lambda m: m.store_word(0, 1 << 32), ValueError, "word"),
        (lambda m: m.write_ram(0, "text"), TypeError, "bytes-like"),
        (lambda m: m.counters(1), FieldError, "thread1"),
        (lambda m: m.tlbilx(-1), ValueError, "argument 1"),
    ],
)
def test_bad_argument_is_named(
    machine: MachineFactory, act: Callable[[Any], object], error: type[Exception], text: str
) -> None:
    m = machine()
    before = m.snapshot()
    with pytest.raises(error, match=text):
        act(m)
    assert [difference for difference in m.diff(before) if error is not OSError] == []


@pytest.mark.parametrize("offset", [0, 1, 4095])
def test_empty_read_is_empty(machine: MachineFactory, offset: int) -> None:
    assert machine().read_ram(offset, 0) == b""


# The end


#: Every public method, as a user would call it.
CALLS: dict[str, Callable[[Any], object]] = {
    "call": lambda m: m.call("ppc_tlbre", 0),
    "counters": lambda m: m.counters(),
    "diff": lambda m: m.diff(m),
    "events": lambda m: m.events(),
    "get_last_inst": lambda m: m.get_last_inst(),
    "load_last_inst": lambda m: m.load_last_inst(),
    "load_values": lambda m: m.load_values({}),
    "load_word": lambda m: m.load_word(0),
    "lost_events": lambda m: m.lost_events(),
    "mfspr": lambda m: m.mfspr(48),
    "mtspr": lambda m: m.mtspr(48, 0),
    "read_ram": lambda m: m.read_ram(0, 4),
    "set": lambda m: m.set({"spr.MAS0": 1}),
    "set_tlb_entry": lambda m: m.set_tlb_entry(1, 0, ENTRY),
    "snapshot": lambda m: m.snapshot(),
    "state": lambda m: m.state(),
    "store_word": lambda m: m.store_word(0, 1),
    "tlb": lambda m: m.tlb(),
    "tlb_entry": lambda m: m.tlb_entry(1, 0),
    "tlbilx": lambda m: m.tlbilx(0),
    "tlbivax": lambda m: m.tlbivax(0),
    "tlbre": lambda m: m.tlbre(),
    "tlbsx": lambda m: m.tlbsx(0),
    "tlbwe": lambda m: m.tlbwe(),
    "translate": lambda m: m.translate(0),
    "write_ram": lambda m: m.write_ram(0, b"1"),
}


@pytest.mark.parametrize("name", CALLS)
def test_closed_machine_says_so(machine: MachineFactory, name: str) -> None:
    m = machine()
    CALLS[name](m)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        CALLS[name](m)


def test_closing_twice_is_allowed(backend: str) -> None:
    with Machine(backend=backend) as m:
        m.close()
    m.close()
    with pytest.raises(ValueError, match="closed"):
        m["spr.MAS0"]


def test_close_lets_go_of_a_lent_buffer(backend: str) -> None:
    buffer = bytearray(0x1000)
    with Machine(backend=backend, ram=((0, buffer),)) as m:
        m.store_word(0, 1)
    buffer.append(0)


def test_machines_are_independent(machine: MachineFactory) -> None:
    first, second = machine(), machine()
    put(first, 1, 0, V | tsize(2), 0x1000, ALL_PERMS)
    first.store_word(0, 7)
    assert (second.tlb(), second.load_word(0), second.events()) == ([], 0, [])
