# SPDX-License-Identifier: BSD-3-Clause
"""kvm/timer: decrementer, watchdog, TCR and TSR, and time that passes in advance() (exit 8, 16 V11-V12)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import (
    ARE,
    DECREMENTER,
    DIE,
    DIS,
    ENW,
    PENDING_TIMER,
    REQ_WATCHDOG,
    WATCHDOG,
    WIE,
    WIS,
    WRC,
    arch,
    call,
    guest,
    log,
    pend,
    pending,
    queued,
    vcpu,
)
from .support import MachineFactory, changed, each_model, each_model64, ones, texts

NEVER = (1 << 30) - 1  # the longest watchdog period, in jiffies
FIT_ENABLED, FIT_STATUS = 0x00800000, 0x04000000


def at(m: Machine, tb: int, jiffy: int = 250000, jiffies: int = 0x100, **fields: int) -> Machine:
    """A guest at a moment."""
    guest(m, **fields)
    m.set({"core.tb": tb, "host.tb_ticks_per_jiffy": jiffy, "host.jiffies": jiffies})
    return m


# The decrementer


@each_model
def test_emulate_dec_arms_the_timer(machine: MachineFactory, model: str) -> None:
    """exit 8.1: cancel, then relative; dec_jiffies is the timebase; TSR and pending are left."""
    m = at(machine(model=model), 0x5000, dec=0x1000, tsr=DIS)
    pend(m, DECREMENTER)
    call(m, "kvmppc_emulate_dec")
    assert log(m) == ["hrtimer_try_to_cancel", "hrtimer_start ns=102400 mode=1"]
    assert vcpu(m, "dec_jiffies", "dec_timer_armed", "dec_timer_expires") == (0x5000, 1, 0x6000)
    assert (m["vcpu.arch.tsr"], pending(m)) == (DIS, {DECREMENTER})


@each_model
def test_emulate_dec_of_0_leaves_the_timer_off(machine: MachineFactory, model: str) -> None:
    """exit 8.1, Q38: dec_jiffies stays old."""
    m = at(machine(model=model), 0x5000, dec=0, dec_jiffies=7, dec_timer_armed=1)
    call(m, "kvmppc_emulate_dec")
    assert log(m) == ["hrtimer_try_to_cancel"]
    assert vcpu(m, "dec_jiffies", "dec_timer_armed") == (7, 0)


@each_model
@pytest.mark.parametrize(
    ("dec", "tb", "value"),
    [(100, 1000, 100), (100, 1001, 99), (100, 1100, 0), (100, 1101, 0), (100, 0, 0), (0, 5000, 0)],
)
def test_get_dec(machine: MachineFactory, model: str, dec: int, tb: int, value: int) -> None:
    """exit 8.1: dec - (tb - dec_jiffies), never negative; the difference is a u64."""
    m = at(machine(model=model), 0, dec=dec, dec_jiffies=1000)
    assert call(m, "kvmppc_get_dec", tb) == value


@each_model64
def test_get_dec_is_cut_to_32_bits(machine: MachineFactory, model: str) -> None:
    """exit 8.1: (u32)(dec - jd)."""
    m = at(machine(model=model), 0, dec=0x5_00000007, dec_jiffies=0)
    assert call(m, "kvmppc_get_dec", 2) == 5


@each_model
@pytest.mark.parametrize("reload", [0, ARE])
def test_expiry_of_the_decrementer(machine: MachineFactory, model: str, reload: int) -> None:
    """exit 8.1: with TCR[ARE] the timer starts again from DECAR; then TSR[DIS], request and kick."""
    m = at(machine(model=model), 0x5000, tcr=reload, decar=0x40, dec=9)
    call(m, "kvmppc_decrementer_func")
    again = ["hrtimer_try_to_cancel", "hrtimer_start ns=1600 mode=1"] if reload else []
    assert log(m) == [*again, "kick 0"]
    assert vcpu(m, "dec", "tsr") == (0x40 if reload else 9, DIS)
    assert (m["vcpu.requests"], pending(m)) == (PENDING_TIMER, set())


# TSR and TCR


@each_model
@pytest.mark.parametrize("bits", [DIS, ENW, WIS, ENW | WIS, 0])
def test_set_tsr_bits(machine: MachineFactory, model: str, bits: int) -> None:
    """exit 8.1: OR, request, kick; nothing is queued yet."""
    m = at(machine(model=model), 0, tsr=0x10000000, tcr=WIE | DIE)
    call(m, "kvmppc_set_tsr_bits", bits)
    assert (m["vcpu.arch.tsr"], m["vcpu.requests"]) == (0x10000000 | bits, PENDING_TIMER)
    assert (log(m), pending(m)) == (["kick 0"], set())


@each_model
@pytest.mark.parametrize(("mask", "armed"), [(DIS, 0), (ENW, 1), (WIS, 1), (ENW | WIS | DIS, 1), (0, 0)])
@pytest.mark.parametrize("tsr", [0, ENW | WIS | DIS])
def test_clr_tsr_bits(machine: MachineFactory, model: str, tsr: int, mask: int, armed: int) -> None:
    """exit 8.1: the written mask decides on the watchdog, not whether bits were set; update at once."""
    m = at(machine(model=model), 0, tsr=tsr, tcr=DIE | 0xC01E0000)
    pend(m, DECREMENTER)
    call(m, "kvmppc_clr_tsr_bits", mask)
    assert m["vcpu.arch.tsr"] == tsr & ~mask
    assert [text.split()[0] for text in log(m)] == ["mod_timer"] * armed
    assert pending(m) == ({DECREMENTER} if tsr & ~mask & DIS else set())


@each_model
@pytest.mark.parametrize(
    ("old", "new", "armed"),
    [(0, DIS, 0), (0, ENW, 1), (ENW, ENW, 0), (ENW | WIS, ENW, 1), (WIS, WIS | DIS, 0), (WIS, 0, 1)],
)
def test_set_tsr(machine: MachineFactory, model: str, old: int, new: int, armed: int) -> None:
    """exit 8.1: only a change of ENW or WIS arms the watchdog."""
    m = at(machine(model=model), 0, tsr=old, tcr=DIE | WIE | 0xC01E0000)
    call(m, "kvmppc_set_tsr", new)
    assert m["vcpu.arch.tsr"] == new
    assert [text.split()[0] for text in log(m)] == ["mod_timer"] * armed
    assert pending(m) == {n for n, bit in ((DECREMENTER, DIS), (WATCHDOG, WIS)) if new & bit}


@each_model
def test_set_tcr(machine: MachineFactory, model: str) -> None:
    """exit 8.1: stored as it is (WRC is not sticky here), watchdog armed, interrupts updated."""
    m = at(machine(model=model), 0, tcr=WRC, tsr=DIS | WIS)
    call(m, "kvmppc_set_tcr", DIE | WIE)
    assert m["vcpu.arch.tcr"] == DIE | WIE
    assert pending(m) == {DECREMENTER, WATCHDOG}


@each_model
@pytest.mark.parametrize("tcr", [0, DIE, WIE, DIE | WIE, FIT_ENABLED])
@pytest.mark.parametrize("tsr", [0, DIS, WIS, DIS | WIS, FIT_STATUS, ENW])
def test_update_timer_ints(machine: MachineFactory, model: str, tcr: int, tsr: int) -> None:
    """exit 8.4: status and enable queue, else dequeue; FIT never."""
    m = at(machine(model=model), 0, tcr=tcr, tsr=tsr)
    pend(m, 0, *range(12, 23))
    call(m, "update_timer_ints")
    wanted = {DECREMENTER} if tcr & DIE and tsr & DIS else set()
    wanted |= {WATCHDOG} if tcr & WIE and tsr & WIS else set()
    assert pending(m) == {0, *range(12, 23)} - {DECREMENTER, WATCHDOG} | wanted
    names = {DECREMENTER: "DECREMENTER", WATCHDOG: "WATCHDOG"}
    assert queued(m) == [names[n] for n in sorted(wanted, reverse=True)]


# The watchdog's period


@each_model
@pytest.mark.parametrize(
    ("tcr", "tb", "jiffy", "jiffies"),
    [
        (0x00140000, 0x900000, 250000, 63),  # V11: P = 40, bit 23, 15728640 ticks
        (0xC01E0000, 5, 1, 2),  # V12: P = 63
        (0xC01E0000, 4, 1, 1),
        (0x00140000, 0x800000, 250000, 68),  # just after the edge: 2 b
        (0x00140000, 0x7FFFFF, 250000, 1),  # one tick before
        (0, 0, 250000, NEVER),
        (0, 1 << 63, 250000, 0),  # 2 b wraps to 0
        (0, 1 << 63 | 5, 250000, NEVER),
        (0x00140000, 0, 1 << 23, 1),  # exactly one jiffy
        (0x00140000, 0, (1 << 23) - 1, 2),
        (0x80060000, 0, 1, NEVER),  # P = 14: 2^49
    ],
)
def test_watchdog_period(
    machine: MachineFactory, model: str, tcr: int, tb: int, jiffy: int, jiffies: int
) -> None:
    """exit 8.2, 16 V11, V12: ticks until bit 63 - P next rises, in whole jiffies, at most 2^30 - 1."""
    m = at(machine(model=model), tb, jiffy, tcr=tcr)
    assert call(m, "watchdog_next_timeout") == jiffies


@each_model
@pytest.mark.parametrize(("period", "limit"), [(33, 1 << 30), (34, 1 << 29)])
def test_watchdog_period_at_the_limit(machine: MachineFactory, model: str, period: int, limit: int) -> None:
    """exit 8.2: min(jiffies, 2^30 - 1)."""
    tcr = (period & 3) << 30 | period >> 2 << 17
    m = at(machine(model=model), 0, 1, tcr=tcr)
    assert call(m, "watchdog_next_timeout") == min(limit, NEVER)


@each_model
@pytest.mark.parametrize("tsr", [0, ENW, WIS, ENW | WIS])
def test_arming_withdraws_the_request_unless_the_state_is_final(
    machine: MachineFactory, model: str, tsr: int
) -> None:
    """exit 8.3 arm_next_watchdog."""
    m = at(machine(model=model), 0x900000, tcr=0x00140000, tsr=tsr)
    m["vcpu.requests"] = REQ_WATCHDOG | 1
    call(m, "arm_next_watchdog")
    assert m["vcpu.requests"] == (REQ_WATCHDOG | 1 if tsr == ENW | WIS else 1)
    assert log(m) == ["mod_timer 0x13f"]
    assert vcpu(m, "wdt_timer_armed", "wdt_timer_expires") == (1, 0x13F)


@each_model
def test_longest_period_deletes_the_timer(machine: MachineFactory, model: str) -> None:
    """exit 8.3: n = 2^30 - 1."""
    m = at(machine(model=model), 0, tcr=0, wdt_timer_armed=1)
    call(m, "arm_next_watchdog")
    assert (log(m), m["vcpu.arch.wdt_timer_armed"]) == (["del_timer"], 0)


@each_model
def test_expiry_is_an_unsigned_long(machine: MachineFactory, model: str) -> None:
    """SCHEMA host.jiffies: jiffies + n, cut."""
    width = 32 if model == "e500mc" else 64
    m = at(machine(model=model), 5, 1, jiffies=ones(width), tcr=0xC01E0000)
    call(m, "arm_next_watchdog")
    assert log(m) == ["mod_timer 0x1"]


@each_model
@pytest.mark.parametrize(
    ("before", "after", "requests", "kicks", "armed"),
    [
        (0, ENW, 0, 0, True),
        (WIS, ENW | WIS, PENDING_TIMER, 1, True),
        (ENW, ENW | WIS, PENDING_TIMER, 1, True),
        (ENW | WIS, ENW | WIS, PENDING_TIMER | REQ_WATCHDOG, 2, False),
    ],
)
def test_watchdog_state_machine(
    machine: MachineFactory, model: str, before: int, after: int, requests: int, kicks: int, armed: bool
) -> None:
    """exit 8.3, the table."""
    m = at(machine(model=model), 5, 1, tsr=before, tcr=0xC01E0000 | WRC, watchdog_enabled=1)
    call(m, "kvmppc_watchdog_func")
    assert (m["vcpu.arch.tsr"], m["vcpu.requests"]) == (after, requests)
    assert log(m) == ["kick 0"] * kicks + ["mod_timer 0x102"] * armed


@each_model
@pytest.mark.parametrize(("wrc", "enabled"), [(0, 1), (WRC, 0), (0, 0)])
def test_final_expiry_without_reset_or_permission(
    machine: MachineFactory, model: str, wrc: int, enabled: int
) -> None:
    """exit 8.3: no effect beyond PENDING_TIMER."""
    m = at(machine(model=model), 5, 1, tsr=ENW | WIS, tcr=0xC01E0000 | wrc, watchdog_enabled=enabled)
    call(m, "kvmppc_watchdog_func")
    assert (m["vcpu.requests"], log(m)) == (PENDING_TIMER, ["kick 0"])


@each_model
@pytest.mark.parametrize("wrc", [0x10000000, 0x20000000, WRC])
def test_any_reset_kind_asks_user_space(machine: MachineFactory, model: str, wrc: int) -> None:
    """exit 8.3: TCR[WRC] not 0; TSR[WRS] is never written."""
    m = at(machine(model=model), 5, 1, tsr=ENW | WIS, tcr=wrc, watchdog_enabled=1)
    call(m, "kvmppc_watchdog_func")
    assert (m["vcpu.requests"] & REQ_WATCHDOG, m["vcpu.arch.tsr"]) == (REQ_WATCHDOG, ENW | WIS)


@each_model
def test_other_tsr_bits_survive_the_state_machine(machine: MachineFactory, model: str) -> None:
    """exit 8.3: compare and swap on the whole word."""
    m = at(machine(model=model), 5, 1, tsr=DIS | WRC, tcr=0xC01E0000)
    call(m, "kvmppc_watchdog_func")
    assert m["vcpu.arch.tsr"] == ENW | DIS | WRC


# Time passes in advance()


@each_model
def test_decrementer_fires_when_its_time_has_come(machine: MachineFactory, model: str) -> None:
    """exit 8.1, pyexit.h pyexit_advance: expires <= timebase, once."""
    m = at(machine(model=model), 1000, dec=100, tcr=DIE)
    call(m, "kvmppc_emulate_dec")
    m.events()
    m.advance(99)
    assert (m["vcpu.arch.tsr"], m["vcpu.arch.dec_timer_armed"]) == (0, 1)
    m.advance(1)
    assert (m["vcpu.arch.tsr"], m["vcpu.arch.dec_timer_armed"]) == (DIS, 0)
    assert (m["vcpu.requests"], log(m)) == (PENDING_TIMER, ["kick 0"])
    m.set({"vcpu.requests": 0})
    m.advance(1000)
    assert m["vcpu.requests"] == 0


@each_model
def test_auto_reload_goes_on(machine: MachineFactory, model: str) -> None:
    """exit 8.1: from the moment of the expiry."""
    m = at(machine(model=model), 1000, dec=100, decar=50, tcr=ARE)
    call(m, "kvmppc_emulate_dec")
    m.advance(110)
    assert vcpu(m, "dec", "dec_jiffies", "dec_timer_expires", "dec_timer_armed") == (50, 1110, 1160, 1)


@each_model
@pytest.mark.parametrize(
    ("tb", "ticks", "passed"), [(0, 99, 0), (0, 100, 1), (99, 1, 1), (99, 102, 2), (150, 1000, 10), (1, 0, 0)]
)
def test_jiffies_follow_the_timebase(
    machine: MachineFactory, model: str, tb: int, ticks: int, passed: int
) -> None:
    """pyexit.h pyexit_advance: one for each multiple of tb_ticks_per_jiffy that is passed."""
    m = at(machine(model=model), tb, 100)
    m.advance(ticks)
    assert (m["core.tb"], m["host.jiffies"]) == (tb + ticks, 0x100 + passed)


@each_model
def test_time_without_jiffies(machine: MachineFactory, model: str) -> None:
    """pyexit.h pyexit_advance: none if tb_ticks_per_jiffy is 0."""
    m = at(machine(model=model), 5, 0)
    m.advance(1000)
    assert (m["core.tb"], m["host.jiffies"]) == (1005, 0x100)


@each_model
def test_watchdog_fires_on_its_jiffy(machine: MachineFactory, model: str) -> None:
    """exit 8.3, pyexit.h pyexit_advance: jiffies - expires has its top bit clear."""
    m = at(machine(model=model), 0, 100)
    arch(m, {"wdt_timer_armed": 1, "wdt_timer_expires": 0x102, "tcr": 0})
    m.advance(199)
    assert m["vcpu.arch.tsr"] == 0
    m.advance(1)
    assert m["vcpu.arch.tsr"] == ENW


@each_model
def test_watchdog_timer_survives_the_wrap_of_jiffies(machine: MachineFactory, model: str) -> None:
    """pyexit.h pyexit_advance: the difference is cut to an unsigned long."""
    width = 32 if model == "e500mc" else 64
    m = at(machine(model=model), 0, 100, jiffies=ones(width))
    arch(m, {"wdt_timer_armed": 1, "wdt_timer_expires": 1, "tcr": 0})
    m.advance(100)
    assert m["vcpu.arch.tsr"] == 0
    m.advance(100)
    assert m["vcpu.arch.tsr"] == ENW


@each_model
def test_both_timers_of_all_vcpus_fire_in_order(machine: MachineFactory, model: str) -> None:
    """pyexit.h pyexit_advance: vcpus ascending, a vcpu's decrementer before its watchdog."""
    m = machine(model=model, vcpus=2, vcpu_thread=(0, 0))
    m.set({"core.tb": 0, "host.tb_ticks_per_jiffy": 100, "host.jiffies": 0})
    for n in (0, 1):
        arch(m, {"dec_timer_armed": 1, "dec_timer_expires": 50, "tsr": WIS}, n)
        arch(m, {"wdt_timer_armed": 1, "wdt_timer_expires": 1, "tcr": 0}, n)
    m.advance(100)
    one = ["kick {0}", "kick {0}", "del_timer"]
    assert log(m) == [text.format(n) for n in (0, 1) for text in one]


@each_model
def test_nothing_fires_without_a_timer(machine: MachineFactory, model: str) -> None:
    """exit 8.3: no timer at creation."""
    m = at(machine(model=model), 0)
    before = m.snapshot()
    m.advance(1 << 40)
    assert {name for name in changed(m, before) if not name.endswith(".jiffies")} == {"core.tb"}
    assert texts(m) == []


@each_model
def test_host_without_a_clock_tick(machine: MachineFactory, model: str) -> None:
    """8.2: the watchdog is never due; a timebase without a frequency makes no nanoseconds."""
    m = guest(machine(model=model), dec=0x1000)
    m.set({"host.tb_ticks_per_jiffy": 0, "host.tb_freq": 0})
    assert call(m, "watchdog_next_timeout") == 0x3FFFFFFF
    call(m, "kvmppc_emulate_dec")
    assert "hrtimer_start ns=0 mode=1" in log(m)
