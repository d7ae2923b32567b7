# SPDX-License-Identifier: BSD-3-Clause
"""kvm/entry: kvmppc_set_msr, EPCR, kvmppc_vcpu_run, and the registers that load and put copy (exit 7, 12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyexit import Machine

from .kvmsupport import (
    ALTIVEC,
    EXIT_INTERNAL_ERROR,
    EXIT_INTR,
    EXIT_WATCHDOG,
    GICM,
    ICM,
    REQ_WATCHDOG,
    arch,
    call,
    guest,
    log,
    spr,
    units,
    vcpu,
)
from .support import (
    DE,
    EE,
    GS,
    IPROT,
    PR,
    TGS,
    WIDTH,
    MachineFactory,
    V,
    changed,
    each_model,
    is_valid,
    ones,
    put,
    tsize,
)

EINTR, EINVAL = -4, -22
IDM = 0x40000000

# kvmppc_set_msr (exit 7.3)


@each_model
@pytest.mark.parametrize("new", [0, EE | PR, GS, ones(32)])
@pytest.mark.parametrize("owner", [0, 1])
def test_set_msr(machine: MachineFactory, model: str, new: int, owner: int) -> None:
    """exit 7.3: GS forced, upper half lost, DE forced while user space debugs."""
    m = guest(machine(model=model))
    m.set({"vcpu.guest_debug": owner, "vcpu.arch.shared.msr": 0x1234_00000000 | GS | DE})
    before = m.snapshot()
    call(m, "kvmppc_set_msr", new)
    assert m["vcpu.arch.shared.msr"] == new | GS | (DE if owner else 0)
    assert changed(m, before) <= {"vcpu.arch.shared.msr"}


@each_model
@pytest.mark.parametrize("shadow", [0x14800000, 0x15800000])
@pytest.mark.parametrize("new", [0, ICM, ones(32), ones(32) & ~ICM])
def test_set_epcr(machine: MachineFactory, model: str, new: int, shadow: int) -> None:
    """exit 12.2: on 64 bits GICM of the shadow follows ICM, on 32 nothing."""
    m = guest(machine(model=model), epcr=5, shadow_epcr=shadow)
    call(m, "kvmppc_set_epcr", new)
    if WIDTH[model] == 32:
        assert vcpu(m, "epcr", "shadow_epcr") == (5, shadow)
    else:
        assert vcpu(m, "epcr", "shadow_epcr") == (new, shadow & ~GICM | (GICM if new & ICM else 0))


# kvmppc_vcpu_run (exit 7.7)


def runnable(m: Machine, **host: int) -> Machine:
    """A vcpu about to be run: host interrupts on."""
    guest(m)
    m.set({"host.irq_enabled": 1} | {f"host.{name}": value for name, value in host.items()})
    return m


@each_model
@pytest.mark.parametrize("ret", [0, ones(32)])
def test_run_into_the_guest_and_back(machine: MachineFactory, model: str, ret: int) -> None:
    """exit 7.7 R2 to R9: units loaded and saved, debug registers changed twice, what the guest's end gave."""
    m = runnable(machine(model=model), guest_enter_ret=ret)
    assert call(m, "kvmppc_vcpu_run") == (0 if ret == 0 else -1)
    switch = "switch_booke_debug_regs"
    given_up = ["giveup_fpu"] + ["giveup_altivec"] * (model in ALTIVEC)
    assert log(m) == [*units(model), switch, "enter_guest", switch, *given_up]
    assert (m["vcpu.mode"], m["host.thread_regs_msr"]) == (0, 0)
    assert m["host.irq_enabled"] == (WIDTH[model] == 64)


@each_model
def test_debug_registers_of_the_host_come_back(machine: MachineFactory, model: str) -> None:
    """exit 7.7 R4, R7."""
    m = runnable(machine(model=model))
    m.set({"host.thread_debug.dbcr0": IDM, "host.thread_debug.iac1": 7, "vcpu.arch.dbg_reg.iac1": 9})
    before = m.snapshot()
    call(m, "kvmppc_vcpu_run")
    assert {name for name in changed(m, before) if "debug" in name or "dbg" in name} == set()


@each_model
def test_insane_vcpu_does_not_run(machine: MachineFactory, model: str) -> None:
    """exit 7.7 R1: before signals, the mode untouched."""
    m = runnable(machine(model=model), signal_pending=1)
    m.set({"vcpu.arch.sane": 0, "vcpu.mode": 2})
    before = m.snapshot()
    assert call(m, "kvmppc_vcpu_run") == EINVAL
    assert (m["run.exit_reason"], log(m)) == (EXIT_INTERNAL_ERROR, [])
    assert changed(m, before) == {"run.exit_reason"}


@each_model
def test_signal_keeps_the_vcpu_out(machine: MachineFactory, model: str) -> None:
    """exit 7.7 R2, R9: nothing is loaded."""
    m = runnable(machine(model=model), signal_pending=1)
    assert call(m, "kvmppc_vcpu_run") == EINTR
    assert (m["run.exit_reason"], m["vcpu.mode"], log(m)) == (EXIT_INTR, 0, [])


@each_model
def test_request_keeps_the_vcpu_out(machine: MachineFactory, model: str) -> None:
    """exit 7.7 R2: s = 0; the mode goes back to OUTSIDE_GUEST_MODE."""
    m = runnable(machine(model=model))
    m["vcpu.requests"] = REQ_WATCHDOG
    assert call(m, "kvmppc_vcpu_run") == 0
    assert (m["run.exit_reason"], m["vcpu.mode"], log(m)) == (EXIT_WATCHDOG, 0, [])


# vcpu_load and vcpu_put (exit 12.3)

#: Guest registers: SPR, copy in the vcpu.
LIVE = {
    **{f"GSPRG{n}": f"shared.sprg{n}" for n in range(4)},
    "GSRR0": "shared.srr0",
    "GSRR1": "shared.srr1",
    "GEPR": "epr",
    "GDEAR": "shared.dar",
    "GESR": "shared.esr",
}


@each_model
def test_load_writes_the_registers(machine: MachineFactory, model: str) -> None:
    """exit 12.3 load."""
    m = guest(machine(model=model), ivpr=0x12340000, shadow_epcr=0x11, shadow_msrp=0x22, vrsave=0x33)
    arch(m, {"ivor[0]": 0x100, "ivor[8]": 0x108, "ivor[2]": 0x102})
    arch(m, {copy: 0x1000 + n for n, copy in enumerate(LIVE.values())})
    m["vcpu.vcpu_id"] = 3
    call(m, "kvm_arch_vcpu_load")
    assert spr(m, "LPID", "EPCR", "GPIR", "MSRP") == (2, 0x11, 3, 0x22)
    assert spr(m, "EPLC", "EPSC", "GIVPR", "GIVOR2", "GIVOR8") == (
        0x20020000,
        0x20020000,
        0x12340000,
        0x100,
        0x108,
    )
    assert vcpu(m, "eplc", "epsc") == (0x20020000, 0x20020000)
    assert {name: m[f"spr.{name}"] for name in LIVE} == {name: 0x1000 + n for n, name in enumerate(LIVE)}
    assert (m["spr.VRSAVE"], m["vcpu.cpu"]) == (0x33, 0)


@each_model
def test_core_load_leaves_vrsave(machine: MachineFactory, model: str) -> None:
    """pyexit.h: kvm_arch_vcpu_load, _put are the same and VRSAVE."""
    m = guest(machine(model=model), vrsave=0x33)
    m["spr.VRSAVE"] = 0x44
    call(m, "kvmppc_core_vcpu_load")
    assert m["spr.VRSAVE"] == 0x44
    call(m, "kvmppc_core_vcpu_put")
    assert m["vcpu.arch.vrsave"] == 0x33


@pytest.mark.parametrize("cpu", [0, 1])
def test_load_uses_the_lpid_of_the_thread(machine: MachineFactory, cpu: int) -> None:
    """exit 12.1, 12.3."""
    m = guest(machine(model="e6500"))
    m.set({"kvm.arch.lpid": 6, "host.cpu": cpu, "host.threads_per_core": 2})
    call(m, "kvmppc_core_vcpu_load")
    assert spr(m, "LPID", "EPLC") == (6 | cpu, 0x20000000 | (6 | cpu) << 16)


@each_model
def test_put_reads_the_registers_back(machine: MachineFactory, model: str) -> None:
    """exit 12.3 put: DBSR is written with its own value, PIR remembered, cpu -1."""
    m = guest(machine(model=model))
    m.set({f"spr.{name}": 0x2000 + n for n, name in enumerate(LIVE)})
    m.set({"spr.EPLC": 0x201, "spr.EPSC": 0x202, "spr.PIR": 5, "spr.DBSR": 0x08000000, "spr.VRSAVE": 0x55})
    call(m, "kvm_arch_vcpu_put")
    assert {name: m[f"vcpu.arch.{copy}"] for name, copy in LIVE.items()} == {
        name: 0x2000 + n for n, name in enumerate(LIVE)
    }
    assert vcpu(m, "eplc", "epsc", "oldpir", "vrsave") == (0x201, 0x202, 5, 0x55)
    assert (m["vcpu.cpu"], m["spr.DBSR"]) == (ones(32), 0)
    assert log(m) == ["mtspr 304 0x8000000"]


@each_model
def test_put_and_load_give_the_registers_back(machine: MachineFactory, model: str) -> None:
    """exit 12.3: what one vcpu had is there again after another one ran."""
    m = machine(model=model, vcpus=2, vcpu_thread=(0, 0))
    call(m, "kvm_arch_vcpu_load")
    m.set({f"spr.{name}": 0x3000 + n for n, name in enumerate(LIVE)})
    call(m, "kvm_arch_vcpu_put")
    call(m, "kvm_arch_vcpu_load", vcpu=1)
    assert spr(m, "GSRR0", "GPIR") == (0, 1)
    call(m, "kvm_arch_vcpu_put", vcpu=1)
    call(m, "kvm_arch_vcpu_load")
    assert {name: m[f"spr.{name}"] for name in LIVE} == {name: 0x3000 + n for n, name in enumerate(LIVE)}
    assert m["spr.GPIR"] == 0


def flushes(m: Machine, n: int = 0) -> bool:
    """Does loading vcpu `n` invalidate its LPID?"""
    m.events()
    call(m, "kvmppc_core_vcpu_load", vcpu=n)
    return any(text.startswith("tlbilxlpid") for text in log(m))


def stays(m: Machine) -> None:
    """Nothing changes between put and load."""


def moves(m: Machine) -> None:
    """The vcpu ran on another processor since."""
    m["vcpu.arch.oldpir"] = 9


def other_ran(m: Machine) -> None:
    """Another vcpu of the VM ran on this processor since."""
    call(m, "kvmppc_core_vcpu_load", vcpu=1)
    call(m, "kvmppc_core_vcpu_put", vcpu=1)


@each_model
@pytest.mark.parametrize(("between", "again"), [(stays, False), (moves, True), (other_ran, True)])
def test_load_invalidates_after_a_move_or_another_vcpu(
    machine: MachineFactory, model: str, between: Callable[[Machine], None], again: bool
) -> None:
    """exit 12.3, mmu-kvm 12.3: PIR changed since the last put, or another vcpu used the LPID here."""
    m = machine(model=model, vcpus=2, vcpu_thread=(0, 0))
    assert flushes(m)  # oldpir of a new vcpu is FFFFFFFF
    call(m, "kvmppc_core_vcpu_put")
    between(m)
    assert flushes(m) == again


@each_model
def test_load_invalidates_the_lpid_only_and_no_reference(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 12.3: host entries; refs are not cleared."""
    m = guest(machine(model=model))
    for index, (mas1, lpid) in enumerate([(V, 2), (V | IPROT, 2), (V, 3)]):
        put(m, 1, index, mas1 | tsize(2), 0x1000 * index, 0x3F, mas8=TGS | lpid)
    m["e500.gtlb_priv1.flags[3]"] = 0x80000000
    call(m, "kvmppc_core_vcpu_load")
    assert [is_valid(m, 1, index) for index in range(3)] == [False, True, True]
    assert m["e500.gtlb_priv1.flags[3]"] == 0x80000000
    assert m["host.last_vcpu_self"] == 1
