# SPDX-License-Identifier: BSD-3-Clause
"""kvm/timing: durations of exits by account, and the event counters (exit 1.11, 13 T1-T5).

The report file and its writes (T7, T8) and the types of emulated instructions (T6) belong to rooms of their
own. The stamps of hardware (T2) are inputs here: timing_exit, timing_last_enter.
"""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import DEC_EXITS, MTMSRWE, NO_TYPE, SIGNAL_EXITS, arch, call, guest, handle_exit, log, vcpu
from .support import WE, MachineFactory, changed, each_model, ones

ACCOUNTS, TIMEINGUEST = 30, 27
MIN_START = 0xFFFFFFFF


def stats(m: Machine, account: int) -> tuple[int, ...]:
    """count, sum, sum of squares, min, max."""
    names = ("count_type", "sum_duration", "sum_quad_duration", "min_duration", "max_duration")
    return vcpu(m, *(f"timing_{name}[{account}]" for name in names))


def stamped(m: Machine, last_exit: int, enter: int, this_exit: int, account: int = DEC_EXITS) -> Machine:
    """A vcpu between an exit of type `account` and the update at the next exit."""
    guest(m, last_exit_type=account, timing_exit=this_exit)
    arch(m, {"timing_last_exit": last_exit, "timing_last_enter": enter})
    return m


@each_model
def test_init(machine: MachineFactory, model: str) -> None:
    """exit 13 T1."""
    m = guest(machine(model=model))
    start = {name: value for name, value in m.state().items() if "timing" in name}
    for name in ("count_type", "sum_duration", "sum_quad_duration", "min_duration", "max_duration"):
        arch(m, {f"timing_{name}[{n}]": 7 for n in range(ACCOUNTS)})
    arch(m, {"timing_exit": 1, "timing_last_exit": 2, "timing_last_enter": 3, "last_exit_type": 5})
    call(m, "kvmppc_init_timing_stats")
    assert {name: value for name, value in m.state().items() if "timing" in name} == start
    assert [stats(m, n) for n in range(ACCOUNTS)] == [(0, 0, 0, MIN_START, 0)] * ACCOUNTS
    assert vcpu(m, "timing_exit", "timing_last_exit", "timing_last_enter", "last_exit_type") == (
        0,
        0,
        0,
        NO_TYPE,
    )


@each_model
def test_update_adds_host_time_and_guest_time(machine: MachineFactory, model: str) -> None:
    """exit 13 T3, T4."""
    m = stamped(machine(model=model), 1000, 1030, 1100)
    call(m, "kvmppc_update_timing_stats")
    assert stats(m, DEC_EXITS) == (1, 30, 900, 30, 30)
    assert stats(m, TIMEINGUEST) == (1, 70, 4900, 70, 70)
    assert m["vcpu.arch.timing_last_exit"] == 1100


@each_model
@pytest.mark.parametrize(("account", "last_exit"), [(NO_TYPE, 1000), (DEC_EXITS, 0)])
def test_first_update_only_stamps(machine: MachineFactory, model: str, account: int, last_exit: int) -> None:
    """exit 13 T3: no type yet, or no exit yet."""
    m = stamped(machine(model=model), last_exit, 1030, 1100, account)
    before = m.snapshot()
    call(m, "kvmppc_update_timing_stats")
    assert changed(m, before) == {"vcpu.arch.timing_last_exit"}
    assert m["vcpu.arch.timing_last_exit"] == 1100


@each_model
@pytest.mark.parametrize("account", [ACCOUNTS, 77, NO_TYPE + 1, ones(32)])
def test_account_that_does_not_exist_only_stamps(machine: MachineFactory, model: str, account: int) -> None:
    """pyexit.h pyexit_state_write: whatever the value, the call returns."""
    m = stamped(machine(model=model), 1000, 1030, 1100, account)
    before = m.snapshot()
    call(m, "kvmppc_update_timing_stats")
    assert changed(m, before) == {"vcpu.arch.timing_last_exit"}


@each_model
def test_minimum_and_maximum(machine: MachineFactory, model: str) -> None:
    """exit 13 T4."""
    m = machine(model=model)
    for last, enter in ((1000, 1030), (2000, 2010), (3000, 3100)):
        stamped(m, last, enter, enter)
        call(m, "kvmppc_update_timing_stats")
    assert stats(m, DEC_EXITS) == (3, 140, 900 + 100 + 10000, 10, 100)
    assert stats(m, TIMEINGUEST) == (3, 0, 0, 0, 0)


@each_model
@pytest.mark.parametrize("duration", [MIN_START, 1 << 32, 1 << 40])
def test_minimum_starts_at_32_bits(machine: MachineFactory, model: str, duration: int) -> None:
    """exit 13 T4, Q30: longer durations never get below the sentinel."""
    m = stamped(machine(model=model), 1, 1 + duration, 1 + duration)
    call(m, "kvmppc_update_timing_stats")
    assert stats(m, DEC_EXITS)[3:] == (MIN_START, duration)


@each_model
def test_durations_wrap_around(machine: MachineFactory, model: str) -> None:
    """exit 13 T3: u64 arithmetic."""
    m = stamped(machine(model=model), ones(64), 4, 9)
    call(m, "kvmppc_update_timing_stats")
    assert stats(m, DEC_EXITS)[:2] == (1, 5)


@each_model
def test_wrap_of_the_sums_is_logged(machine: MachineFactory, model: str) -> None:
    """exit 13 T4, 14.1: signed values, the count already incremented; the wrapped sums are kept."""
    m = stamped(machine(model=model), 1000, 1010, 1010)
    arch(m, {f"timing_sum_duration[{DEC_EXITS}]": ones(64) - 4, f"timing_count_type[{DEC_EXITS}]": 6})
    arch(m, {f"timing_sum_quad_duration[{DEC_EXITS}]": ones(64) - 49})
    call(m, "kvmppc_update_timing_stats")
    start = "printk 3 add_exit_timing - wrap adding sum of"
    assert log(m) == [
        f"{start} durations old -5 new 5 type 21 exit # of type 7",
        f"{start} squared durations old -50 new 50 type 21 exit # of type 7",
    ]
    assert stats(m, DEC_EXITS)[:3] == (7, 5, 50)


@each_model
def test_sum_that_ends_at_the_top_does_not_wrap(machine: MachineFactory, model: str) -> None:
    """exit 13 T4."""
    m = stamped(machine(model=model), 1000, 1010, 1010)
    arch(m, {f"timing_sum_duration[{DEC_EXITS}]": ones(64) - 10})
    call(m, "kvmppc_update_timing_stats")
    assert (log(m), stats(m, DEC_EXITS)[1]) == ([], ones(64))


@each_model
def test_exit_closes_the_cycle_before_it_accounts(machine: MachineFactory, model: str) -> None:
    """exit 3.1 H1, 13 T3: the time belongs to the previous exit's type."""
    m = stamped(machine(model=model), 1000, 1030, 1100, account=8)
    handle_exit(m, 10)
    assert stats(m, 8)[:2] == (1, 30)
    assert (stats(m, DEC_EXITS)[0], m["vcpu.arch.last_exit_type"]) == (0, DEC_EXITS)


@each_model
@pytest.mark.parametrize("number", [1, 5, 12, 35, 40])
def test_exits_without_account_inherit_the_type(machine: MachineFactory, model: str, number: int) -> None:
    """exit 13 T5."""
    m = guest(machine(model=model), last_exit_type=7)
    handle_exit(m, number)
    assert m["vcpu.arch.last_exit_type"] == 7


@each_model
@pytest.mark.parametrize("number", [32, 33])
def test_altivec_exits_inherit_the_type(machine: MachineFactory, model: str, number: int) -> None:
    """exit 13 T5, with AltiVec."""
    m = guest(machine(model=model), last_exit_type=7)
    m.call("kvmppc_handle_exit", 0, number)
    assert m["vcpu.arch.last_exit_type"] == 7


@each_model
def test_signal_takes_the_type_over(machine: MachineFactory, model: str) -> None:
    """exit 13 T5."""
    m = guest(machine(model=model))
    m["host.signal_pending"] = 1
    handle_exit(m, 10)
    assert m["vcpu.arch.last_exit_type"] == SIGNAL_EXITS


@each_model
def test_idle_takes_the_type_over(machine: MachineFactory, model: str) -> None:
    """exit 13 T5: MSR[WE] and an interrupt that ends the halt."""
    m = guest(machine(model=model), WE | 0x8000)
    m.set({"host.wake_signal": 0, "host.wake_pending_exceptions": 1 << 16})
    assert handle_exit(m, 10) == 0
    assert m["vcpu.arch.last_exit_type"] == MTMSRWE


@each_model
@pytest.mark.parametrize("number", [6, 7, 15])
def test_accounts_without_a_counter(machine: MachineFactory, model: str, number: int) -> None:
    """exit 1.11: USR_PR_INST, FP_UNAVAIL, DEBUG_EXITS bump none."""
    m = guest(machine(model=model))
    before = m.snapshot()
    handle_exit(m, number)
    assert not [name for name in changed(m, before) if ".stat." in name]
