# SPDX-License-Identifier: BSD-3-Clause
"""kvm/debug: kvmppc_handle_debug, KVM_SET_GUEST_DEBUG, protected MSR bits (exit 9, 16 V16-V17)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import (
    BUG,
    DEBUG,
    DEBUG_EXITS,
    ESR_PTR,
    EXIT_DEBUG,
    PC,
    PROGRAM,
    RESUME_GUEST,
    RESUME_HOST,
    SITE,
    arch,
    call,
    guest,
    handle_exit,
    log,
    pend,
    pending,
    stopped,
    vcpu,
)
from .support import DE, MachineFactory, changed, each_model, ones

IDE, TIE, IC, BT, IRPT, RET = 0x80000000, 0x01000000, 0x08000000, 0x04000000, 0x02000000, 0x8000
IAC1, IAC2, IAC3, IAC4 = 0x00800000, 0x00400000, 0x00200000, 0x00100000
DAC1R, DAC1W, DAC2R, DAC2W = 0x00080000, 0x00040000, 0x00020000, 0x00010000
IDM = 0x40000000
BREAKPOINT, WRITE, READ = 2, 4, 8
ENABLE, SINGLESTEP, SW_BP, HW_BP = 1, 2, 0x10000, 0x20000
DEP = 0x200
EINVAL = -22


def debugged(m: Machine, dbsr: int, msr: int = DE, owner: int = 0, dbcr0: int = IDM) -> Machine:
    """A guest with debug events; `owner` is guest_debug."""
    guest(m, msr, **{"dbsr": dbsr, "dbg_reg.dbcr0": dbcr0, "dbg_reg.dac1": 0x111, "dbg_reg.dac2": 0x222})
    m["vcpu.guest_debug"] = owner
    return m


# The guest owns the facility (exit 9.1)


@each_model
@pytest.mark.parametrize("dbsr", [0, IDE])
def test_ide_alone_is_nothing(machine: MachineFactory, model: str, dbsr: int) -> None:
    """exit 9.1 guest 1: arch.dbsr keeps IDE."""
    m = debugged(machine(model=model), dbsr)
    before = m.snapshot()
    assert call(m, "kvmppc_handle_debug") == RESUME_GUEST
    assert changed(m, before) == set()


@each_model
@pytest.mark.parametrize("dbsr", [IC, TIE, IDE | IAC1, DAC2W, RET])
@pytest.mark.parametrize(("msr", "dbcr0"), [(DE, IDM), (DE, 0), (0, IDM), (0, 0)])
def test_event_of_the_guest(machine: MachineFactory, model: str, dbsr: int, msr: int, dbcr0: int) -> None:
    """exit 9.1 guest 2, 3: DEBUG with DE and IDM; a trap without DE is PROGRAM with PTR; dbsr unchanged."""
    m = debugged(machine(model=model), dbsr, msr, dbcr0=dbcr0)
    assert call(m, "kvmppc_handle_debug") == RESUME_GUEST
    wanted = {DEBUG} if msr and dbcr0 else set()
    wanted |= {PROGRAM} if dbsr == TIE and not msr else set()
    assert (pending(m), m["vcpu.arch.dbsr"]) == (wanted, dbsr)
    assert m["vcpu.arch.queued_esr"] == (ESR_PTR if PROGRAM in wanted else 0)


# User space owns it


@each_model
@pytest.mark.parametrize(
    ("dbsr", "status", "address"),
    [
        (IAC1, BREAKPOINT, PC),
        (IAC2, BREAKPOINT, PC),
        (IAC3, BREAKPOINT, PC),
        (IAC4, BREAKPOINT, PC),
        (DAC1W, WRITE, 0x111),
        (DAC1R, READ, 0x111),
        (DAC2W, WRITE, 0x222),
        (DAC2R, READ, 0x222),
        (DAC1W | DAC1R, WRITE, 0x111),
        (DAC2W | DAC2R, WRITE, 0x222),
        (DAC1R | DAC2W, WRITE, 0x111),
        (DAC1W | DAC2R, WRITE, 0x111),  # V16
        (IAC1 | DAC1R, BREAKPOINT, PC),  # V17
        (IAC4 | DAC2W, BREAKPOINT, PC),
        (IC, 0, PC),
        (0, 0, PC),
        (IDE, 0, PC),
        (TIE | BT | IRPT | RET, 0, PC),
    ],
)
def test_event_of_user_space(
    machine: MachineFactory, model: str, dbsr: int, status: int, address: int
) -> None:
    """exit 9.1 userspace 1-4, 16 V16, V17."""
    m = debugged(machine(model=model), dbsr, owner=ENABLE)
    m.set({"run.debug.arch.status": 0x77, "run.debug.arch.address": 0x88})
    assert call(m, "kvmppc_handle_debug") == RESUME_HOST
    assert (m["run.debug.arch.status"], m["run.debug.arch.address"]) == (status, address)
    assert (m["vcpu.arch.dbsr"], pending(m)) == (0, set())


@each_model
def test_v16_through_the_exit(machine: MachineFactory, model: str) -> None:
    """exit 16 V16: r 2, exit_reason 4, arch.dbsr 0."""
    m = debugged(machine(model=model), 0, owner=ENABLE)
    m["spr.DBSR"] = DAC1W | DAC2R
    assert handle_exit(m, 15) == RESUME_HOST
    assert (m["run.exit_reason"], m["run.debug.arch.status"], m["run.debug.arch.address"]) == (
        EXIT_DEBUG,
        WRITE,
        0x111,
    )
    assert vcpu(m, "dbsr", "last_exit_type") == (0, DEBUG_EXITS)


@each_model
@pytest.mark.parametrize("owner", [SINGLESTEP, SW_BP, 1 << 31])
def test_any_control_bit_makes_user_space_the_owner(machine: MachineFactory, model: str, owner: int) -> None:
    """exit 9.1: guest_debug not 0."""
    assert call(debugged(machine(model=model), IC, owner=owner), "kvmppc_handle_debug") == RESUME_HOST


# KVM_SET_GUEST_DEBUG (exit 9.2)


def set_debug(m: Machine, control: int, *pairs: tuple[int, int]) -> int:
    words = [word for pair in pairs for word in pair]
    return call(m, "kvm_arch_vcpu_ioctl_set_guest_debug", control, *words)


def owned(m: Machine) -> Machine:
    """A vcpu with debug registers of an earlier owner; ioctls do not load it."""
    guest(m, DE)
    m.set({"host.real_vcpu_load": 0, "vcpu.guest_debug": ENABLE})
    old = {"dbcr0": ones(32), "dbcr1": 1, "dbcr2": 2, "iac1": 3, "iac2": 4, "dac1": 5, "dac2": 6}
    arch(m, {f"dbg_reg.{name}": value for name, value in old.items()})
    return m


def registers(m: Machine) -> dict[str, int]:
    return {name: m[f"vcpu.arch.dbg_reg.{name}"] for name in ("dbcr0", "iac1", "iac2", "dac1", "dac2")}


@each_model
@pytest.mark.parametrize("control", [0, SINGLESTEP, HW_BP | SW_BP])
def test_disabling(machine: MachineFactory, model: str, control: int) -> None:
    """exit 9.2 G2: IAC, DAC, DBCR1, DBCR2 and MSR[DE] stay."""
    m = owned(machine(model=model))
    arch(m, {"shadow_msrp": 0x04000204})
    before = m.snapshot()
    assert set_debug(m, control, (0x100, BREAKPOINT)) == 0
    assert changed(m, before) == {"vcpu.guest_debug", "vcpu.arch.dbg_reg.dbcr0", "vcpu.arch.shadow_msrp"}
    assert (m["vcpu.guest_debug"], m["vcpu.arch.dbg_reg.dbcr0"]) == (0, 0)
    assert m["vcpu.arch.shadow_msrp"] == 0x04000004


@each_model
@pytest.mark.parametrize(
    ("control", "dbcr0"), [(ENABLE, 0), (ENABLE | SINGLESTEP, IDM | IC), (ENABLE | SW_BP, 0)]
)
def test_enabling(machine: MachineFactory, model: str, control: int, dbcr0: int) -> None:
    """exit 9.2 G3 to G5: without USE_HW_BP the entries are not looked at; MSR[DE] is not forced (Q11)."""
    m = owned(machine(model=model))
    arch(m, {"shared.msr": 0x10000000})
    assert set_debug(m, control, (0x100, 0xFF)) == 0
    assert registers(m) == {"dbcr0": dbcr0, "iac1": 3, "iac2": 4, "dac1": 5, "dac2": 6}
    assert vcpu(m, "dbg_reg.dbcr1", "dbg_reg.dbcr2", "shadow_msrp") == (0, 0, 0x04000204)
    assert (m["vcpu.guest_debug"], m["vcpu.arch.shared.msr"]) == (control, 0x10000000)


#: exit 9.2 G6: entries -> return value, DBCR0, and the address registers that change.
ENTRIES = {
    "one breakpoint": ([(0xA, 2)], 0, IDM | IAC1, {"iac1": 0xA}),
    "two": ([(0xA, 2), (0xB, 2)], 0, IDM | IAC1 | IAC2, {"iac1": 0xA, "iac2": 0xB}),
    "three": ([(0xA, 2), (0xB, 2), (0xC, 2)], EINVAL, IDM | IAC1 | IAC2, {"iac1": 0xA, "iac2": 0xB}),
    "watch write": ([(0xA, 4)], 0, IDM | DAC1W, {"dac1": 0xA}),
    "watch read": ([(0xA, 8)], 0, IDM | DAC1R, {"dac1": 0xA}),
    "both": ([(0xA, 12), (0xB, 12)], 0, IDM | DAC1R | DAC1W | DAC2R | DAC2W, {"dac1": 0xA, "dac2": 0xB}),
    "three watches": ([(1, 4), (2, 8), (7, 4)], EINVAL, IDM | DAC1W | DAC2R, {"dac1": 1, "dac2": 2}),
    "breakpoint wins": ([(0xA, 14)], 0, IDM | IAC1, {"iac1": 0xA}),
    "holes": ([(9, 0), (0xA, 4), (9, 0), (0xB, 2)], 0, IDM | DAC1W | IAC1, {"dac1": 0xA, "iac1": 0xB}),
    "full": (
        [(1, 2), (2, 4), (7, 2), (8, 8)],
        0,
        IDM | IAC1 | IAC2 | DAC1W | DAC2R,
        {"iac1": 1, "dac1": 2, "iac2": 7, "dac2": 8},
    ),
    "unknown type": ([(0xA, 2), (0xB, 1)], EINVAL, IDM | IAC1, {"iac1": 0xA}),
    "unknown beside known": ([(0xA, 0x12)], EINVAL, 0, {}),
    "none": ([], 0, 0, {}),
    "fifth is not looked at": ([(0, 0)] * 4 + [(0xA, 2), (0xB, 0xFF)], 0, 0, {}),
    "sixteen": ([(0xA, 2), *[(0, 0)] * 3, *[(0xB, 0xFF)] * 12], 0, IDM | IAC1, {"iac1": 0xA}),
}


@each_model
@pytest.mark.parametrize("name", ENTRIES)
def test_hardware_entries(machine: MachineFactory, model: str, name: str) -> None:
    """exit 9.2 G6, G7: an error leaves what was written; entries 4 to 15 do not count (SCHEMA)."""
    entries, ret, dbcr0, addresses = ENTRIES[name]
    m = owned(machine(model=model))
    assert set_debug(m, ENABLE | HW_BP, *entries) == ret
    assert registers(m) == {"iac1": 3, "iac2": 4, "dac1": 5, "dac2": 6} | {"dbcr0": dbcr0} | addresses
    assert m["vcpu.guest_debug"] == ENABLE | HW_BP


@each_model
def test_single_step_beside_breakpoints(machine: MachineFactory, model: str) -> None:
    """exit 9.2 G3, G6."""
    m = owned(machine(model=model))
    assert set_debug(m, ENABLE | SINGLESTEP | HW_BP, (0xA, WRITE)) == 0
    assert m["vcpu.arch.dbg_reg.dbcr0"] == IDM | IC | DAC1W


@each_model
def test_protected_msr_bit_reaches_hardware_at_the_next_load(machine: MachineFactory, model: str) -> None:
    """exit 9.2 notes, G1: the ioctl loads before it writes, and puts after."""
    m = guest(machine(model=model))
    m["host.real_vcpu_load"] = 1
    assert set_debug(m, ENABLE) == 0
    assert (m["spr.MSRP"] & DEP, m["vcpu.arch.shadow_msrp"] & DEP) == (0, DEP)
    assert set_debug(m, ENABLE) == 0
    assert m["spr.MSRP"] & DEP == DEP


@each_model
@pytest.mark.parametrize("control", [0, ENABLE, ENABLE | HW_BP])
def test_ioctl_puts_the_vcpu_whatever_it_answers(machine: MachineFactory, model: str, control: int) -> None:
    """exit 9.2 G7, 12.3: vcpu_put clears DBSR by writing it to itself."""
    m = guest(machine(model=model))
    m.set({"host.real_vcpu_load": 1, "spr.DBSR": IC})
    set_debug(m, control, (0, 1))
    assert m["spr.DBSR"] == 0
    assert "mtspr 304 0x8000000" in log(m)


# kvm_guest_protect_msr (exit 9.2)


@each_model
@pytest.mark.parametrize("bitmap", [0x04000000, 0x200, 0x4, 0x04000204, 0])
@pytest.mark.parametrize("shadow", [0, ones(32)])
def test_protect_msr(machine: MachineFactory, model: str, bitmap: int, shadow: int) -> None:
    """exit 9.2: UCLE, DE, PMM set or clear the equal-valued MSRP bits."""
    for value in (0, 1):
        m = guest(machine(model=model), shadow_msrp=shadow)
        call(m, "kvm_guest_protect_msr", bitmap, value)
        assert m["vcpu.arch.shadow_msrp"] == (shadow | bitmap if value else shadow & ~bitmap)


@each_model
@pytest.mark.parametrize("bitmap", [1, 0x8000, 0x04000204 | 0x100, 0x80000000, ones(32)])
def test_protecting_another_bit_is_a_bug(machine: MachineFactory, model: str, bitmap: int) -> None:
    """exit 9.2, 3.3: BUG_ON booke.c:1951, nothing changed."""
    m = guest(machine(model=model))
    before = m.snapshot()
    assert stopped(m, "kvm_guest_protect_msr", bitmap, 1) == (BUG, SITE["protect_msr"])
    assert changed(m, before) == set()


@each_model
def test_debug_interrupt_left_pending_is_not_queued_twice(machine: MachineFactory, model: str) -> None:
    """exit 9.1: a bit is a bit."""
    m = debugged(machine(model=model), IC)
    pend(m, DEBUG)
    call(m, "kvmppc_handle_debug")
    assert pending(m) == {DEBUG}
