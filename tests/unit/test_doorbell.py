# SPDX-License-Identifier: BSD-3-Clause
"""hw/doorbell: pins, messages and what is due (exit 1.10, 7.4; mmu-hardware 12; pyexit.h enum pyexit_pin)."""

from __future__ import annotations

import errno

import pytest

from pyexit import End, Machine, Outcome
from pyexit.machine import PINS

from .support import (
    CE,
    DE,
    EE,
    GS,
    ME,
    PR,
    MachineFactory,
    changed,
    each_model,
    events_of,
    guest_vector,
    host_vector,
    refused,
    vectors,
)

PC = 0x00700100
EXTGS = 0x80000000
NONE = End(Outcome.DONE, 0)
DBELL, DBELL_CRIT, G_DBELL, G_DBELL_CRIT, G_DBELL_MC = (kind << 27 for kind in range(5))
BROADCAST = 0x04000000

#: Pins in the order in which they are taken: exit number, save registers, the MSR bit that gates it.
# Those of the hypervisor are enabled whenever the guest runs; guest doorbells and EXTGS wait for the guest.
DUE = {
    "machine_check": (1, "MCSRR", 0),
    "critical": (0, "CSRR", 0),
    "watchdog": (12, "CSRR", 0),
    "dbell_crit": (37, "CSRR", 0),
    "gdbell_mc": (39, "CSRR", ME),
    "gdbell_crit": (39, "CSRR", CE),
    "external": (4, "SRR", 0),
    "fit": (11, "SRR", 0),
    "decrementer": (10, "SRR", 0),
    "dbell": (36, "SRR", 0),
    "gdbell": (38, "GSRR", EE),
    "performance_monitor": (35, "SRR", 0),
}
each_pin = pytest.mark.parametrize("pin", DUE)


def guest(
    machine: MachineFactory, model: str = "e500mc", msr: int = GS | EE | CE | ME, **options: int
) -> Machine:
    m = machine(model=model, **options)
    vectors(m)
    m.set({"thread.msr": msr, "thread.pc": PC})
    return m


def test_the_table_has_every_pin() -> None:
    assert list(DUE) == list(PINS)


@each_pin
def test_pin_is_a_bit_of_the_thread(machine: MachineFactory, pin: str) -> None:
    m = machine(model="e6500")
    before = m.snapshot()
    m.pin(1, pin, 1)
    assert changed(m, before) == {"thread1.pins"}
    assert m["thread1.pins"] == 1 << PINS[pin]
    m.pin(1, PINS[pin], False)
    assert m.diff(before) == []


@each_model
@each_pin
def test_pin_exits_through_its_vector(machine: MachineFactory, model: str, pin: str) -> None:
    """exit 11.2: exit number and save registers; 12: pc, MSR."""
    exit_nr, save, _ = DUE[pin]
    m = guest(machine, model)
    m.pin(0, pin, 1)
    assert m.pending() == End(Outcome.EXIT, exit_nr)
    assert (m[f"spr.{save}0"], m[f"spr.{save}1"]) == (PC, GS | EE | CE | ME)
    assert m["thread.pc"] == host_vector(exit_nr)
    assert m["thread.msr"] == {"SRR": CE | ME, "GSRR": CE | ME, "CSRR": ME, "MCSRR": 0}[save]


@each_pin
def test_only_the_external_level_stays(machine: MachineFactory, pin: str) -> None:
    """pyexit.h: a level stays until it is lowered; the others are latches of one bit (exit 7.4)."""
    m = guest(machine)
    m.pin(0, pin, 1)
    m.pin(0, pin, 1)
    m.pending()
    m.set({"thread.msr": GS | EE | CE | ME, "thread.pc": PC})
    assert m.pending() == (End(Outcome.EXIT, 4) if pin == "external" else NONE)
    m.pin(0, pin, 0)
    assert m["thread.pins"] == 0


@each_pin
def test_gates(machine: MachineFactory, pin: str) -> None:
    """exit 7.4: G_DBELL waits for EE, its critical form for CE, the machine check's for ME; GS opens all."""
    exit_nr, _, gate = DUE[pin]
    for msr in (GS, GS | EE, GS | CE, GS | ME, GS | DE, GS | EE | CE | ME):
        m = guest(machine, msr=msr)
        m.pin(0, pin, 1)
        before = m.snapshot()
        due = not gate or msr & gate
        assert m.pending() == (End(Outcome.EXIT, exit_nr) if due else NONE), hex(msr)
        assert due or m.diff(before) == []


@each_pin
def test_gates_do_not_look_at_pr(machine: MachineFactory, pin: str) -> None:
    m = guest(machine, msr=GS | PR | EE | CE | ME)
    m.pin(0, pin, 1)
    assert m.pending().outcome == Outcome.EXIT


@each_pin
def test_nothing_is_due_in_hypervisor_state(machine: MachineFactory, pin: str) -> None:
    """pyexit.h: the host is the caller."""
    m = guest(machine, msr=EE | CE | ME)
    m.pin(0, pin, 1)
    before = m.snapshot()
    assert m.pending() == NONE
    assert m.diff(before) == []


def test_first_of_several_is_taken(machine: MachineFactory) -> None:
    """pyexit.h: in the order of enum pyexit_pin; the others stay."""
    m = guest(machine)
    for pin in reversed(DUE):
        m.pin(0, pin, 1)
        m.set({"thread.msr": GS | EE | CE | ME, "thread.pc": PC})
        assert m.pending() == End(Outcome.EXIT, DUE[pin][0]), pin
        m.pin(0, pin, 1)
    assert m["thread.pins"] == (1 << len(DUE)) - 1


def test_closed_gate_lets_the_next_one_pass(machine: MachineFactory) -> None:
    m = guest(machine, msr=GS)
    m.pin(0, "gdbell_mc", 1)
    m.pin(0, "decrementer", 1)
    assert m.pending() == End(Outcome.EXIT, 10)
    assert m["thread.pins"] == 1 << PINS["gdbell_mc"]


@each_model
def test_external_input_of_the_guest(machine: MachineFactory, model: str) -> None:
    """12: EXTGS=1: GIVOR4, GSRR0/1, gated by the guest's EE."""
    m = guest(machine, model, GS | CE)
    m["spr.EPCR"] = EXTGS
    m.pin(0, "external", 1)
    assert m.pending() == NONE
    m["thread.msr"] = GS | CE | EE
    assert m.pending() == End(Outcome.TAKEN_BY_GUEST, 4)
    assert (m["thread.pc"], m["thread.msr"]) == (guest_vector(4), GS | CE)
    assert (m["spr.GSRR0"], m["spr.GSRR1"]) == (PC, GS | CE | EE)
    assert m.pending() == NONE


# Messages


def send(m: Machine, message: int, thread: int = 0) -> None:
    assert m.call("ppc_msgsnd", thread, message).ret == Outcome.DONE


def two_threads(machine: MachineFactory) -> Machine:
    m = machine(model="e6500")
    m.set({"spr.PIR": 4, "spr1.PIR": 5, "spr.LPID": 2, "spr1.LPID": 3, "spr.GPIR": 7, "spr1.GPIR": 8})
    return m


@pytest.mark.parametrize(("kind", "pin"), [(DBELL, "dbell"), (DBELL_CRIT, "dbell_crit")])
def test_host_doorbell_goes_by_pir(machine: MachineFactory, kind: int, pin: str) -> None:
    """exit 1.10: type << 27 | tag."""
    m = two_threads(machine)
    send(m, kind | 5)
    assert [m["thread.pins"], m["thread1.pins"]] == [0, 1 << PINS[pin]]
    send(m, kind | 6)
    assert m["thread.pins"] == 0
    send(m, kind | BROADCAST)
    assert m["thread.pins"] == 1 << PINS[pin]


@pytest.mark.parametrize(
    ("kind", "pin"), [(G_DBELL, "gdbell"), (G_DBELL_CRIT, "gdbell_crit"), (G_DBELL_MC, "gdbell_mc")]
)
def test_guest_doorbell_goes_by_lpid_and_gpir(machine: MachineFactory, kind: int, pin: str) -> None:
    """exit 1.10, 7.4: tag = lpid << 14 | vcpu_id."""
    m = two_threads(machine)
    for tag in (3 << 14 | 7, 2 << 14 | 8, 8, 4 << 14 | 8):
        send(m, kind | tag)
    assert [m["thread.pins"], m["thread1.pins"]] == [0, 0]
    send(m, kind | 3 << 14 | 8)
    assert [m["thread.pins"], m["thread1.pins"]] == [0, 1 << PINS[pin]]


@pytest.mark.parametrize("kind", [5, 6, 15])
def test_other_types_reach_nobody(machine: MachineFactory, kind: int) -> None:
    m = two_threads(machine)
    send(m, kind << 27 | 5)
    send(m, kind << 27 | BROADCAST)
    assert [m["thread.pins"], m["thread1.pins"]] == [0, 0]


def test_messages_reach_other_cores(machine: MachineFactory) -> None:
    m = machine(cores=3)
    m.set({f"spr{n or ''}.PIR": n for n in range(3)})
    send(m, DBELL | 2)
    assert [m[f"thread{n or ''}.pins"] for n in range(3)] == [0, 0, 1 << PINS["dbell"]]
    send(m, DBELL | BROADCAST, thread=2)
    assert [m[f"thread{n or ''}.pins"] for n in range(3)] == [1 << PINS["dbell"]] * 3


def test_message_is_an_event_and_counted(machine: MachineFactory) -> None:
    m = two_threads(machine)
    send(m, DBELL | 5, thread=1)
    assert [event.arg[0] for event in events_of(m, "msgsnd")] == [DBELL | 5]
    assert m.counters(1) == {"msgsnd": 1}


def test_sends_coalesce(machine: MachineFactory) -> None:
    """exit 7.4: latches are single bits."""
    m = guest(machine)
    m.set({"spr.LPID": 1, "spr.GPIR": 0})
    send(m, G_DBELL | 1 << 14)
    send(m, G_DBELL | 1 << 14)
    assert m.pending() == End(Outcome.EXIT, 38)
    m["thread.msr"] = GS | EE
    assert m.pending() == NONE


@pytest.mark.parametrize(
    ("kind", "pin"),
    [(DBELL, "dbell"), (DBELL_CRIT, "dbell_crit"), (G_DBELL, "gdbell"), (G_DBELL_CRIT, "gdbell_crit"),
     (G_DBELL_MC, "gdbell_mc")],
)  # fmt: skip
def test_msgclr_clears_its_type_on_its_own_thread(machine: MachineFactory, kind: int, pin: str) -> None:
    m = machine(model="e6500")
    m.set({"thread.pins": 0xFFF, "thread1.pins": 0xFFF})
    assert m.call("ppc_msgclr", 1, kind).ret == Outcome.DONE
    assert (m["thread.pins"], m["thread1.pins"]) == (0xFFF, 0xFFF ^ 1 << PINS[pin])


def test_gsrr_of_a_guest_doorbell_are_overwritten(machine: MachineFactory) -> None:
    """exit Q12: a model must overwrite GSRR0/1 on exit 38."""
    m = guest(machine, msr=GS | EE)
    m.set({"spr.GSRR0": 1, "spr.GSRR1": 2, "spr.SRR0": 3})
    m.pin(0, "gdbell", 1)
    m.pending()
    assert (m["spr.GSRR0"], m["spr.GSRR1"], m["spr.SRR0"]) == (PC, GS | EE, 3)


# Arguments and time


def test_arguments(machine: MachineFactory) -> None:
    m = machine()
    for thread, pin in ((1, 0), (0, 12)):
        with refused(errno.EINVAL):
            m.pin(thread, pin, 1)
    with refused(errno.EINVAL):
        m.pending(vcpu=1)
    with pytest.raises(ValueError, match="external"):
        m.pin(0, "externl", 1)


def test_pending_is_of_the_vcpus_thread(machine: MachineFactory) -> None:
    m = machine(model="e6500", vcpus=2)
    m.set({"thread.msr": GS, "thread1.msr": GS})
    m.pin(1, "decrementer", 1)
    assert m.pending(vcpu=0) == NONE
    assert m.pending(vcpu=1) == End(Outcome.EXIT, 10)


def test_time_moves_the_timebase_of_every_core(machine: MachineFactory) -> None:
    """pyexit.h: and host.jiffies by the multiples that it passes, none if tb_ticks_per_jiffy is 0."""
    m = machine(cores=2)
    m.set({"core.tb": 95, "core1.tb": 5, "host.tb_ticks_per_jiffy": 10, "host1.tb_ticks_per_jiffy": 0})
    m.set({"host.jiffies": 1, "host1.jiffies": 1})
    m.advance(25)
    assert (m["core.tb"], m["core1.tb"]) == (120, 30)
    assert (m["host.jiffies"], m["host1.jiffies"]) == (4, 1)


def test_time_stands_still_otherwise(machine: MachineFactory) -> None:
    m = machine()
    before = m.snapshot()
    m.advance(0)
    assert m.diff(before) == []


# Interrupts that the engine found


@each_model
@pytest.mark.parametrize("ivor", [5, 6, 7, 9, 15, 32, 33, 40])
def test_engines_interrupts_go_to_the_hypervisor(machine: MachineFactory, model: str, ivor: int) -> None:
    """12: everything but the six never goes to the guest."""
    m = guest(machine, model)
    m["spr.EPCR"] = 0xF8000000
    assert m.interrupt(ivor, 0x08000000, 0x1234) == End(Outcome.EXIT, ivor)
    assert m["thread.pc"] == host_vector(ivor)
    if ivor in (5, 6):
        assert (m["spr.ESR"], m["spr.SRR0"], m["spr.SRR1"]) == (0x08000000, PC, GS | EE | CE | ME)
    assert m["spr.DEAR"] == (0x1234 if ivor == 5 else 0)


@each_model
def test_system_call_is_the_guests(machine: MachineFactory, model: str) -> None:
    """12: LEV=0 always to GIVOR8; GSRR0 is the next instruction."""
    m = guest(machine, model)
    assert m.interrupt(8) == End(Outcome.TAKEN_BY_GUEST, 8)
    assert (m["thread.pc"], m["spr.GSRR0"]) == (guest_vector(8), PC + 4)


def test_hypervisor_call_saves_the_next_instruction(machine: MachineFactory) -> None:
    """12: sc: the next one."""
    m = guest(machine)
    assert m.interrupt(40) == End(Outcome.EXIT, 40)
    assert m["spr.SRR0"] == PC + 4


@pytest.mark.parametrize("ivor", [0, 1, 2, 3, 4, 10, 13, 14, 16, 34, 41, 42, 63])
def test_other_interrupts_are_not_the_engines(machine: MachineFactory, ivor: int) -> None:
    m = guest(machine)
    with refused(errno.EINVAL):
        m.interrupt(ivor)
