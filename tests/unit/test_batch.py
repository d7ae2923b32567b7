# SPDX-License-Identifier: BSD-3-Clause
"""Batches: NumPy types from the header, exits in one call, the verbs enter and exit (design.md 3, 5)."""

from __future__ import annotations

import errno
import subprocess
import sys

import numpy as np
import pytest

from pyexit import ExitRecord, Scenario, Step, Where, dtype, recorded, replay
from pyexit.backends._core import ffi

from .support import GS, MachineFactory, each_model, refused

#: exit 1.1
EXTERNAL, DECREMENTER, HV_PRIV = 4, 10, 41


@pytest.mark.parametrize("name", ["exit_record", "resume", "event", "spr", "vcpu", "htlb0", "run", "params"])
def test_types_are_those_of_the_compiler(name: str) -> None:
    ctype = ffi.typeof(f"struct pyexit_{name}")
    assert dtype(name).itemsize == ffi.sizeof(ctype)
    for field, about in ctype.fields:
        if field:
            assert dtype(name).fields is not None
            assert dtype(name).fields[field][1] == about.offset  # type: ignore[index]


def test_type_of_the_resume_is_signed_where_c_is() -> None:
    assert dtype("resume")["ret"] == np.dtype("<i4")
    assert dtype("resume")["where"] == np.dtype("<u4")
    assert dtype("thread")["gpr"] == np.dtype(("<u8", (32,)))


def test_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"no struct 'exit_recrd'.*exit_record"):
        dtype("exit_recrd")


def test_numpy_is_imported_only_when_used() -> None:
    """style.md: its import costs 60 ms."""
    code = "import sys, pyexit; pyexit.Machine().close(); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


@each_model
def test_vcpu_enters_and_exits(machine: MachineFactory, model: str) -> None:
    """exit 7.8, 11.3: a light exit goes back to the guest, a signal to the host with -EINTR."""
    m = machine(model=model)
    m["vcpu.arch.shared.msr"] = GS
    resume = m.enter()
    assert (resume.where, resume.ret, resume.stop) == (Where.GUEST, 0, None)
    with refused(errno.EBUSY):
        m.enter()
    resume = m.exit(DECREMENTER)
    assert (resume.where, resume.stop) == (Where.GUEST, None)
    m["host.signal_pending"] = 1
    resume = m.exit(EXTERNAL)
    assert (resume.where, resume.ret) == (Where.HOST, -errno.EINTR)
    assert m.kvm_run().name == "INTR"


@each_model
def test_exits_in_one_call(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    m["vcpu.arch.shared.msr"] = GS
    m.enter()
    records = np.zeros(3, dtype("exit_record"))
    records["exit_nr"] = DECREMENTER
    records["pc"] = [0x1000, 0x2000, 0x3000]
    records["msr"] = GS
    resumes = m.exits(records)
    assert resumes.dtype == dtype("resume")
    assert list(resumes["where"]) == [Where.GUEST] * 3
    assert m["vcpu.arch.regs.nip"] == 0x3000
    assert m["vcpu.stat.dec_exits"] == 3


def test_records_can_be_tuples(machine: MachineFactory) -> None:
    m = machine()
    m["vcpu.arch.shared.msr"] = GS
    m.enter()
    assert len(m.exits([ExitRecord(0, DECREMENTER, 0x1000, GS)] * 2)) == 2
    assert len(m.exits([])) == 0


def test_batch_ends_where_the_kernel_stops(machine: MachineFactory) -> None:
    """exit 3.3, Q23: a hooked vector without a case is a BUG."""
    m = machine()
    m["vcpu.arch.shared.msr"] = GS
    m.enter()
    critical = 0
    numbers = (DECREMENTER, critical, DECREMENTER)
    resumes = m.exits([ExitRecord(0, number, 0x1000, GS) for number in numbers])
    assert list(resumes["outcome"]) == [0, 1]


def test_wrong_record_is_refused(machine: MachineFactory) -> None:
    m = machine()
    m["vcpu.arch.shared.msr"] = GS
    m.enter()
    with refused(errno.ENOENT):
        m.exits([ExitRecord(0, 63, 0)])
    with refused(errno.EINVAL):
        m.exits([ExitRecord(7, DECREMENTER, 0)])
    with pytest.raises(TypeError, match="exit_record"):
        m.exits(np.zeros(3))


def test_verbs_are_steps_of_a_scenario(backend: str) -> None:
    scenario = Scenario("e500mc", ram=((0, 0x10000),))
    scenario.steps = [
        Step(verb="enter", args=(0,), set={"vcpu.arch.shared.msr": GS}),
        Step(verb="exit", args=(0, DECREMENTER)),
        Step(verb="exits", args=(0, EXTERNAL, 0x1000, GS, 0, 0)),
        Step(verb="exit", args=(0, 0)),
    ]
    made = recorded(scenario, "native")
    expects = [step.expect for step in made.steps]
    assert all(expect is not None for expect in expects)
    assert expects[0].value == (0,)  # type: ignore[union-attr]
    assert expects[3].stop == "BUG booke.c:1384 kvmppc_handle_exit"  # type: ignore[union-attr]
    assert replay(made, backend) == []
