# SPDX-License-Identifier: BSD-3-Clause
"""kvm/host: what KVM asks of the host kernel, and what it is answered (vectors/SCHEMA.md host.*)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import ALTIVEC, EXIT_INTR, HANG, SITE, arch, call, guest, handle_exit, log, stopped
from .support import WE, MachineFactory, each_model

#: SCHEMA host.tb_freq: frequency -> scale, shift of time_init().
CLOCKS = {
    40000000: (0xC800000000000000, 5),
    37500000: (0xD555555555555555, 5),
    41666666: (0xC00000338A23C64A, 5),
    66666666: (0xF000002843EBEEDC, 4),
    10000000: (0xC800000000000000, 7),
    1000000000: (0x8000000000000000, 1),
}


@each_model
@pytest.mark.parametrize("freq", CLOCKS)
@pytest.mark.parametrize("ticks", [1, 3, 0x12345, 0xFFFFFFFF])
def test_decrementer_in_nanoseconds(machine: MachineFactory, model: str, freq: int, ticks: int) -> None:
    """SCHEMA host.tb_freq: mulhdu(x, scale) << shift."""
    scale, shift = CLOCKS[freq]
    m = guest(machine(model=model), dec=ticks)
    m["host.tb_freq"] = freq
    call(m, "kvmppc_emulate_dec")
    assert log(m)[1] == f"hrtimer_start ns={(ticks * scale >> 64) << shift} mode=1"


@each_model
def test_reschedule_happens_with_interrupts_on(machine: MachineFactory, model: str) -> None:
    """exit 7.6 step 1; cond_resched clears need_resched."""
    m = guest(machine(model=model))
    m["host.need_resched"] = 1
    handle_exit(m, 38)
    assert (log(m)[0], m["host.need_resched"]) == ("cond_resched", 0)


@each_model
def test_halt_applies_what_wakes_it(machine: MachineFactory, model: str) -> None:
    """SCHEMA host.wake_*: ORed in, each time."""
    m = guest(machine(model=model), WE, pending_exceptions=1 << 14)
    m.set({"host.wake_pending_exceptions": 1 << 15, "host.wake_signal": 1})
    assert handle_exit(m, 38) == -14
    assert m["vcpu.arch.pending_exceptions"] == 1 << 14 | 1 << 15
    assert (m["host.signal_pending"], m["run.exit_reason"]) == (1, EXIT_INTR)


@each_model
@pytest.mark.parametrize(("limit", "halts"), [(0, 1), (4, 5), (1000, 1001), (0xFFFFFFFF, 1001)])
def test_halt_limit(machine: MachineFactory, model: str, limit: int, halts: int) -> None:
    """SCHEMA host.halt_limit, pyexit.h: counts up to 1000, whatever it says."""
    m = guest(machine(model=model), WE)
    m.set({"host.wake_signal": 0, "host.halt_limit": limit})
    assert stopped(m, "kvmppc_handle_exit", 38) == (HANG, SITE["halt_limit"])
    assert log(m).count("halt irq_enabled=1") == halts


@each_model
def test_halts_are_counted_per_call(machine: MachineFactory, model: str) -> None:
    """SCHEMA: in one call."""
    m = guest(machine(model=model), WE)
    m.set({"host.halt_limit": 1, "host.wake_signal": 1})
    for _ in range(3):
        assert handle_exit(m, 38) == -14
        m.set({"host.signal_pending": 0})


@each_model
@pytest.mark.parametrize("n", [0, 1])
def test_kick_names_the_vcpu(machine: MachineFactory, model: str, n: int) -> None:
    """SCHEMA events, kick n; pyexit.h: the number of the vcpu, which its vcpu_id need not be."""
    m = machine(model=model, vcpus=2)
    m.set({"vcpu.vcpu_id": 8, "vcpu1.vcpu_id": 9})
    m.events()
    call(m, "kvmppc_set_tsr_bits", 1, vcpu=n)
    assert log(m) == [f"kick {n}"]


@each_model
def test_vcpus_ask_their_own_thread(machine: MachineFactory, model: str) -> None:
    """design 7: host.* is one per hardware thread."""
    threads = 2 if model == "e6500" else 1
    m: Machine = machine(model=model, cores=2, vcpus=2, vcpu_thread=(0, threads))
    m[f"host{threads}.signal_pending"] = 1
    m.set({"host.irq_enabled": 0, f"host{threads}.irq_enabled": 0})
    assert call(m, "kvmppc_handle_exit", 38, vcpu=0) == 0
    assert call(m, "kvmppc_handle_exit", 38, vcpu=1) == -14


@each_model
@pytest.mark.parametrize("held", [0, 0x2000, 0x02000000, 0x02002000])
def test_units_are_given_up_if_the_thread_holds_them(machine: MachineFactory, model: str, held: int) -> None:
    """exit 7.7 R3, R8: after the load the thread holds them."""
    m = guest(machine(model=model))
    m.set({"host.thread_regs_msr": held, "host.irq_enabled": 1})
    call(m, "kvmppc_vcpu_run")
    given_up = [text for text in log(m) if text.startswith("giveup")]
    assert given_up == ["giveup_fpu"] + ["giveup_altivec"] * (model in ALTIVEC)


@each_model
def test_time_is_that_of_the_vcpus_core(machine: MachineFactory, model: str) -> None:
    """pyexit.h struct pyexit_core: the timebase is shared by the threads of a core."""
    threads = 2 if model == "e6500" else 1
    m = machine(model=model, cores=2, vcpus=2, vcpu_thread=(0, threads))
    m.set({"core.tb": 0x100, "core1.tb": 0x200})
    for n, tb in ((0, 0x100), (1, 0x200)):
        arch(m, {"dec": 5}, n)
        call(m, "kvmppc_emulate_dec", vcpu=n)
        assert m[f"vcpu{n or ''}.arch.dec_jiffies"] == tb
