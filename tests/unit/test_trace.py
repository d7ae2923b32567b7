# SPDX-License-Identifier: BSD-3-Clause
"""kvm/trace: the trace points' text and sources (exit 14)."""

from __future__ import annotations

import pytest

from pyexit import Machine
from pyexit.io.events import KINDS, Event

from .kvmsupport import NOP, PRIORITIES, TLB_FLUSH, arch, call, guest, handle_exit
from .support import GS, MachineFactory, each_model, each_model64, ones, texts

EXITS = (
    "CRITICAL", "MACHINE_CHECK", "DATA_STORAGE", "INST_STORAGE", "EXTERNAL", "ALIGNMENT", "PROGRAM",
    "FP_UNAVAIL", "SYSCALL", "AP_UNAVAIL", "DECREMENTER", "FIT", "WATCHDOG", "DTLB_MISS", "ITLB_MISS",
    "DEBUG",
)  # fmt: skip
HIGH_EXITS = (
    "SPE_UNAVAIL", "SPE_FP_DATA", "SPE_FP_ROUND", "PERFORMANCE_MONITOR", "DOORBELL", "DOORBELL_CRITICAL",
    "GUEST_DBELL", "GUEST_DBELL_CRIT", "HV_SYSCALL", "HV_PRIV",
)  # fmt: skip
NAMES = dict(enumerate(EXITS)) | dict(enumerate(HIGH_EXITS, 32))


def trace(number: int) -> str:
    return str(Event(KINDS["trace_exit"], 0, (number, 0x1000, 0x10029002, 0xA0, 0xFFFFFFFF, 0, 0, 0)))


@pytest.mark.parametrize("number", range(48))
def test_kvm_exit_text(number: int) -> None:
    """exit 14: symbolic number, else hex; separators are space, bar, space (Q28: 32, 33 are SPE, 42 none)."""
    name = NAMES.get(number, hex(number))
    tail = "pc=0x1000 | msr=0x10029002 | dar=0xa0 | last_inst=0xffffffff"
    assert trace(number) == f"kvm_exit exit={name} | {tail}"


@pytest.mark.parametrize("priority", range(24))
def test_queue_text(priority: int) -> None:
    """exit 14: 7 and numbers from 23 on have no name."""
    name = (*PRIORITIES, None)[priority] or hex(priority)
    event = Event(KINDS["trace_queue"], 0, (0x1F, priority, 0x10000, 0, 0, 0, 0, 0))
    assert str(event) == f"kvm_booke_queue_irqprio vcpu=1f prio={name} pending=10000"


@each_model
def test_sources_of_kvm_exit(machine: MachineFactory, model: str) -> None:
    """exit 14: nip, shared.msr, fault_dear, last_inst, as they are before the exit's own effects."""
    m = guest(machine(model=model), fault_dear=0xABC, **{"regs.nip": 0x4000, "shared.dar": 0x55})
    handle_exit(m, 3)
    sources = f"pc=0x4000 | msr={GS:#x} | dar=0xabc | last_inst={NOP:#x}"
    assert texts(m)[0] == f"kvm_exit exit=INST_STORAGE | {sources}"


@each_model64
def test_kvm_exit_has_64_bits(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), fault_dear=ones(64), **{"regs.nip": 0xC0000000_00001000})
    m["vcpu.arch.shared.msr"] = 1 << 40 | GS
    handle_exit(m, 4)
    text = texts(m)[1]
    assert "pc=0xc000000000001000 | msr=0x10010000000 | dar=0xffffffffffffffff" in text


@each_model
def test_queue_trace_has_the_word_before(machine: MachineFactory, model: str) -> None:
    """exit 14: pending before the new bit; vcpu_id in hex."""
    m = guest(machine(model=model), pending_exceptions=0x5)
    m["vcpu.vcpu_id"] = 0x2A
    call(m, "kvmppc_core_queue_debug")
    assert texts(m) == ["kvm_booke_queue_irqprio vcpu=2a prio=DEBUG pending=5"]


@each_model
def test_request_trace(machine: MachineFactory, model: str) -> None:
    """exit 14, 7.6 step 4: before the requests are looked at; in check_requests itself there is none."""
    m: Machine = guest(machine(model=model))
    m["vcpu.requests"] = TLB_FLUSH
    call(m, "kvmppc_core_check_requests")
    assert not [text for text in texts(m) if text.startswith("kvm_check_requests")]
    m["vcpu.requests"] = TLB_FLUSH
    call(m, "kvmppc_prepare_to_enter")
    assert "kvm_check_requests vcpu=0 requests=1" in texts(m)


@each_model64
def test_requests_are_cut_to_32_bits(machine: MachineFactory, model: str) -> None:
    """exit 14."""
    m = guest(machine(model=model))
    m["vcpu.requests"] = 1 << 40 | 0x100
    m.call("kvmppc_prepare_to_enter", 0)
    assert "kvm_check_requests vcpu=0 requests=100" in texts(m)


@each_model
def test_order_of_an_exit(machine: MachineFactory, model: str) -> None:
    """exit 3.1: host handler, fetch, trace, then the switch and the way out."""
    m = guest(machine(model=model))
    arch(m, {"last_inst": 0xFFFFFFFF})
    m["vcpu.requests"] = TLB_FLUSH
    handle_exit(m, 13)
    kinds = [text.split()[0] for text in texts(m)]
    assert kinds[:4] == ["tlbsx", "kvm_exit", "kvm_check_requests", "tlbilxlpid"]


def test_text_is_one_line() -> None:
    """exit 14: no trailing newline."""
    assert "\n" not in trace(0)
