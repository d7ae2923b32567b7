# SPDX-License-Identifier: BSD-3-Clause
"""Traces: the kernel's texts (exit.md 14), the two files, perf's table, exit timing (exit.md 13 T7)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pyexit import Event
from pyexit.cli import main
from pyexit.errors import VectorError
from pyexit.io import tracefile
from pyexit.io.events import KINDS, MESSAGES, OBJECTS, WARNS, stop_text
from pyexit.io.tracefile import Record, Writer, chrome, ftrace_text, parse, record_of, spans, stat, table

from .support import MachineFactory

EXIT = "exit={} | pc=0x1234 | msr=0x10029000 | dar=0x0 | last_inst=0x7c0007a4"

#: Written by hand from exit.md 14.
FTRACE = """\
# tracer: nop
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
     qemu-kvm-812     [000] .....   100.000010: kvm_exit: exit=HV_PRIV | pc=0xc0001234 | msr=0x10029000 | \
dar=0x0 | last_inst=0x7c0007a4
     qemu-kvm-812     [000] .....   100.000012: kvm_ppc_instr: inst 2080376740 pc 0xc0001234 emulate 0

     qemu-kvm-812     [000] d..1.   100.000030: kvm_exit: exit=DTLB_MISS | pc=0xc0001238 | msr=0x10029000 | \
dar=0xfe000000 | last_inst=0xffffffff
     qemu kvm-813     [001] .....   100.000031: kvm_exit: exit=EXTERNAL | pc=0x0 | msr=0x0 | \
dar=0x0 | last_inst=0x0
     qemu-kvm-812     [000] .....   100.000032: kvm_booke_queue_irqprio: vcpu=0 prio=DTLB_MISS pending=0
     qemu-kvm-812     [000] .....   100.000040: kvm_exit: exit=0x2a | pc=0xc0001238 | msr=0x10029000 | \
dar=0xfe000000 | last_inst=0xffffffff
"""


def event(kind: str, *arg: int, detail: int = 0) -> Event:
    return Event(KINDS[kind], detail, (*arg, *(0,) * (8 - len(arg))))


# Texts


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            event("trace_exit", 41, 0x1234, 0x10029000, 0, 0x7C0007A4),
            "kvm_exit exit=HV_PRIV | pc=0x1234 | msr=0x10029000 | dar=0x0 | last_inst=0x7c0007a4",
        ),
        (event("trace_queue", 1, 20, 0x40), "kvm_booke_queue_irqprio vcpu=1 prio=EXTERNAL_LEVEL pending=40"),
        (event("trace_queue", 0, 7, 0), "kvm_booke_queue_irqprio vcpu=0 prio=0x7 pending=0"),
        (event("trace_requests", 0, 0x101), "kvm_check_requests vcpu=0 requests=101"),
        (event("trace_instr", 2080376740, 0x1234, 2), "kvm_ppc_instr inst 2080376740 pc 0x1234 emulate 2"),
        (
            event("trace_stlb_write", 0x10030000, 0x80000002, 0x80000100, 0x1004, 0x203F),
            "kvm_booke206_stlb_write mas0=10030000 mas8=80000002 mas1=80000100 mas2=1004 mas7_3=203f",
        ),
        (
            event("trace_gtlb_write", 0x10030000, 0x80000100, 0x1004, 0x203F),
            "kvm_booke206_gtlb_write mas0=10030000 mas1=80000100 mas2=1004 mas7_3=203f",
        ),
        (
            event("trace_ref_release", 0xC0F00, 0x80000004),
            "kvm_booke206_ref_release pfn=c0f00 flags=80000004",
        ),
    ],
)
def test_trace_points_have_the_kernels_text(found: Event, text: str) -> None:
    """exit.md 14."""
    assert str(found) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (event("gfn_to_pfn", 0xB80), "gfn_to_pfn_memslot 0xb80"),
        (event("flush_icache", 0xC0F00), "flush_icache 0xc0f00"),
        (event("io_read", 0xFE0ABEE7, 2), "io_read 0xfe0abee7 len=2"),
        (event("io_write", 0xFE0CD0AD, 8), "io_write 0xfe0cd0ad len=8 data=0x0000000000000000"),
        (event("alloc", 1, detail=OBJECTS["pages_array"]), "alloc pages array fails"),
        (event("alloc", detail=OBJECTS["g2h_tlb1_map"]), "alloc g2h_tlb1_map"),
        (event("free", 1, detail=OBJECTS["gtlb_priv0"]), "free new gtlb_priv0"),
        (event("free", detail=OBJECTS["shared_page"]), "free shared page"),
        (event("get_user_pages", 0x11DB0018, 1), "get_user_pages_fast 0x11db0018 n=1 flags=0x1"),
        (event("vmap", 1), "vmap n=1"),
        (event("put_page", 12), "put_page 12"),
        (event("read_guest", 0x3A97000, 16), "read_guest 0x3a97000 len=16"),
        (event("read_guest", 0x3A97000, 16, 1), "read_guest 0x3a97000 len=16 fault"),
        (
            event("write_guest", 0x41887FFA, 6, 1, 0x535114E174DC0000),
            "write_guest 0x41887ffa len=6 data=535114e174dc fault",
        ),
        (event("write_guest", 0x10, 1, 0, 0xE7 << 56), "write_guest 0x10 len=1 data=e7"),
        (event("ida_alloc_range", 1, 63, 63), "ida_alloc_range 1..63 -> 63"),
        (event("ida_alloc_range", 1, 63, (1 << 64) - 12), "ida_alloc_range 1..63 -> -12"),
        (event("ida_free", 0), "ida_free 0"),
        (event("warn", detail=WARNS["inval_flags"]), "WARN e500_mmu_host.c:193 inval_gtlbe_on_host"),
        (
            event("printk_warn", 0x20000000, detail=WARNS["inval_flags"]),
            "printk_warn inval_gtlbe_on_host: flags 20000000",
        ),
        (
            event("printk", 0xC0001234, 0x7C0004AC, detail=MESSAGES["emulation_failed"]),
            "printk 2 emulation_exit: emulation at c0001234 failed (7c0004ac)",
        ),
        (
            event("printk", 0x7C0004AC, 31, 598, detail=MESSAGES["cannot_emulate"]),
            "printk 3 Couldn't emulate instruction 0x7c0004ac (op 31 xop 598)",
        ),
        (
            event("printk", 0xB80, 0x80B80, detail=MESSAGES["pte_not_present"]),
            "printk 3 kvmppc_e500_shadow_map: pte not present: gfn b80,pfn 80b80",
        ),
        (event("printk", 0x3F8, detail=MESSAGES["mtspr_unknown"]), "printk 6 mtspr: unknown spr 0x3f8"),
    ],
)
def test_events_have_the_vectors_text(found: Event, text: str) -> None:
    """vectors/SCHEMA.md, events and New events; exit.md 14.1."""
    assert str(found) == text


def test_oops_is_named_as_the_vectors_do() -> None:
    assert stop_text(3, 8) == "OOPS signal 11 addr 0x8"
    assert stop_text(1, 7) == "BUG powerpc.c:1259 kvmppc_complete_mmio_load"


def test_line_of_ftrace_is_read_back() -> None:
    found = event("trace_exit", 13, 0x1234, 0x10029000, 0xFE000000, 0xFFFFFFFF)
    record = record_of(found, 1_000_002_000, 3)
    line = ftrace_text(record)
    assert "[003]" in line
    assert "1.000002: kvm_exit: exit=DTLB_MISS | pc=0x1234" in line
    assert list(parse([line])) == [record]


def test_instruction_ends_with_its_own_newline() -> None:
    """exit.md 14: the newline is inside kvm_ppc_instr's format."""
    text = ftrace_text(record_of(event("trace_instr", 1, 2, 0), 0))
    assert text.endswith("emulate 0\n")


# Files


def test_ftrace_text_is_parsed() -> None:
    records = list(parse(FTRACE.splitlines(keepends=True)))
    assert [(record.who, record.event) for record in records] == [
        (0, "kvm_exit"),
        (0, "kvm_ppc_instr"),
        (0, "kvm_exit"),
        (1, "kvm_exit"),
        (0, "kvm_booke_queue_irqprio"),
        (0, "kvm_exit"),
    ]
    assert records[0].time == 100_000_010_000
    assert records[0].values["pc"] == "0xc0001234"


def test_trace_of_a_machine_is_json_lines(machine: MachineFactory) -> None:
    m, stream = machine(), io.StringIO()
    writer = Writer(stream)
    m["host.irq_enabled"] = 0
    m.call("kvmppc_handle_exit", 0, 10)
    writer.write(m.events(), time=1000)
    writer.entry(time=1500)
    lines = stream.getvalue().splitlines()
    assert json.loads(lines[0]) == {"trace": 1}
    found = list(spans(parse(lines)))
    assert [(span.exit, span.start, span.duration) for span in found] == [("DECREMENTER", 1000, 500)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        ("# nothing\n", "no event"),
        ("garbage\n", "neither a line of ftrace text nor JSON"),
        ('{"trace": 2}\n', "unknown trace format 2"),
        ('{"trace": 1}\n{"time": "x", "vcpu": 0, "event": "kvm_exit"}\n', "time and vcpu"),
        ('{"trace": 1}\n{"time": 1, "vcpu": 0, "event": "e", "more": 1}\n', "unknown key 'more'"),
        ('{"trace": 1}\n[1]\n', "not a JSON object"),
        ('{"trace": 1}\n{\n', "not JSON"),
    ],
)
def test_wrong_trace_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "t"
    path.write_text(text)
    with pytest.raises(VectorError, match=wrong):
        tracefile.read(path)


def test_exit_with_another_text_is_refused() -> None:
    with pytest.raises(VectorError, match=r"exit\.md 14"):
        list(spans([Record(0, 0, "kvm_exit", "something else")]))


# The table


def records(*exits: tuple[str, int, int]) -> list[Record]:
    """Exits with their beginning and their end."""
    found = []
    for name, start, end in exits:
        found += [Record(start, 0, "kvm_exit", EXIT.format(name)), Record(end, 0, "kvm_entry", "")]
    return found


def test_table_is_perfs() -> None:
    found = records(
        ("HV_PRIV", 0, 1000), ("HV_PRIV", 5000, 8000), ("DTLB_MISS", 9000, 13000), ("DEBUG", 14000, 14000)
    )
    rows = stat(spans(found))
    assert [(row.exit, row.samples, row.total, row.shortest, row.longest) for row in rows] == [
        ("HV_PRIV", 2, 4000, 1000, 3000),
        ("DEBUG", 1, 0, 0, 0),
        ("DTLB_MISS", 1, 4000, 4000, 4000),
    ]
    lines = list(table(rows))
    assert lines[0].split() == [
        "VM-EXIT",
        "Samples",
        "Samples%",
        "Time%",
        "Min",
        "Time",
        "Max",
        "Time",
        "Avg",
        "time",
    ]
    assert lines[2].split() == ["HV_PRIV", "2", "50.00%", "50.00%", "1.00us", "3.00us", "2.00us"]
    assert lines[-1] == "Total Samples:4, Total events handled time:8.00us."


def test_without_entries_an_exit_lasts_to_the_next_of_its_cpu() -> None:
    found = list(spans(parse(FTRACE.splitlines(keepends=True))))
    assert [(span.exit, span.who, span.duration) for span in found] == [
        ("HV_PRIV", 0, 20000),
        ("DTLB_MISS", 0, 10000),
    ]


def test_perfetto_gets_spans_and_instants() -> None:
    events = chrome(list(parse(FTRACE.splitlines(keepends=True))))["traceEvents"]
    assert [(event["name"], event["ph"]) for event in events] == [
        ("HV_PRIV", "X"),
        ("kvm_ppc_instr", "i"),
        ("DTLB_MISS", "X"),
        ("kvm_booke_queue_irqprio", "i"),
    ]
    assert events[0]["dur"] == 20.0


def test_stat_prints_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, exported = tmp_path / "trace", tmp_path / "out.json"
    path.write_text(FTRACE)
    assert main(["stat", str(path), "--chrome", str(exported)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Total Samples:2, ")
    assert len(json.loads(exported.read_text())["traceEvents"]) == 4
    path.write_text('{"trace": 1}\n')
    assert main(["stat", str(path)]) == 2
    assert "no exit that ends" in capsys.readouterr().err
    assert main(["stat", str(tmp_path / "none")]) == 2


# Exit timing


def test_report_is_the_debugfs_file(machine: MachineFactory) -> None:
    """exit.md 13 T7: a header and 30 rows, four without a name; divided once by ticks per microsecond."""
    m = machine()
    m.set(
        {
            "host.tb_freq": 40_000_000,
            "vcpu.arch.timing_count_type[0]": 3,
            "vcpu.arch.timing_min_duration[0]": 80,
            "vcpu.arch.timing_max_duration[0]": 4000,
            "vcpu.arch.timing_sum_duration[0]": 12345,
            "vcpu.arch.timing_sum_quad_duration[0]": 1_000_000,
        }
    )
    lines = tracefile.timing_report(m).splitlines()
    assert lines[0] == "type\tcount\tmin\tmax\tsum\tsum_squared"
    assert lines[1] == f"{'MMIO':>12}\t{3:10d}\t{2:10d}\t{100:10d}\t{308:20d}\t{25000:20d}"
    assert len(lines) == 31
    assert [number for number in range(30) if "(null)" in lines[number + 1]] == [19, 20, 28, 29]
