# SPDX-License-Identifier: BSD-3-Clause
"""kvm/entry_fetch: the fetch in the entry path, by strategy (exit 11.3 E6, 11.6-11.8; design 6)."""

from __future__ import annotations

from typing import Any

import pytest

from pyexit import End, Machine, Outcome

from .support import (
    ALL_PERMS,
    GS,
    IND,
    IS,
    PR,
    SR,
    SX,
    TGS,
    TS,
    UR,
    UX,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    events_of,
    host_vector,
    put,
    texts,
    tsize,
    vectors,
)

PC, REAL, WORD, PID = 0x10003234, 0x7234, 0x7C0007A4, 0x2A
NOT_LOADED = 0xFFFFFFFF
DSI, DTLB, LRAT = 2, 13, 42
DONE = End(Outcome.DONE, 0)

PRESET = ("merged", "seed-v4", "review")
LOADING = ("lwepx", "lwepx-do-kvm", "lwepx-hijack")
RECOVERING = ("lwepx-do-kvm", "lwepx-hijack")
each_loading = pytest.mark.parametrize("fetch", LOADING)
each_recovering = pytest.mark.parametrize("fetch", RECOVERING)

#: Vectors that a hijack takes over (design 6).
HIJACKED = {"e500mc": 2, "e5500": 2, "e6500": 3}
#: exit 11.6, row OLD.
OLD = {"mfspr": 1, "mtspr": 2, "isync": 1, "lwepx": 1}


def cost(model: str, fetch: str) -> dict[str, int]:
    """What a successful load costs (exit 11.6-11.8)."""
    if fetch != "lwepx-hijack":
        return OLD
    v = HIJACKED[model]
    made = {"mfspr": OLD["mfspr"] + v, "mtspr": OLD["mtspr"] + 2 * v, "isync": OLD["isync"] + 2, "lwepx": 1}
    return made | ({"lock": 1} if model == "e6500" else {})


def guest(machine: MachineFactory, model: str, fetch: str, *, msr: int = GS, **options: Any) -> Machine:
    """A vcpu that exited at PC: EPLC as vcpu_load leaves it, no entry yet, an old word in the cache."""
    m = machine(model=model, fetch=fetch, **options)
    vectors(m)
    for n in range(1, m.shape.cores * m.shape.threads):  # the threads of a core share them (9.8)
        m.set({f"spr{n}.IVOR[{ivor}]": ivor << 4 for ivor in range(64)})
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": PID, "vcpu.arch.shared.msr": msr, "spr.PID": PID})
    m.set({"spr.EPLC": eplc(m), "vcpu.arch.last_inst": 0x11111111, "thread.pc": 0xC0001000})
    m.store_word(REAL, WORD)
    return m


def eplc(m: Machine) -> int:
    return 0x20000000 | m["kvm.arch.lpid"] << 16


def map_pc(m: Machine, perms: int = ALL_PERMS, *, ts: int = 0, ind: int = 0) -> None:
    mas8 = TGS | m["kvm.arch.lpid"]
    put(m, 1, 7, V | PID << 16 | ts * TS | ind | tsize(2), PC & ~0xFFF | M, REAL & ~0xFFF | perms, mas8=mas8)


def lrat_miss(m: Machine) -> None:
    """An indirect entry whose PTE is valid, and no LRAT entry (mmu-hardware 11.6)."""
    mas1 = V | IND | PID << 16 | tsize(11)
    put(m, 1, 7, mas1, PC & -(1 << 21) | M, 0x8000 | 4, mas8=TGS | m["kvm.arch.lpid"])
    m.write_ram(0x8000 + (PC >> 12 & 0x1FF) * 8, (0x0000077777240205).to_bytes(8, "big"))


def faults(model: str) -> dict[int, Any]:
    """The faults that the load can take, by interrupt."""
    made: dict[int, Any] = {DTLB: lambda _: None, DSI: lambda m: map_pc(m, SX | UX)}
    return made | ({LRAT: lrat_miss} if model == "e6500" else {})


# The patched entry path


@each_model
@pytest.mark.parametrize("fetch", PRESET)
def test_cache_is_preset_and_nothing_else_happens(machine: MachineFactory, model: str, fetch: str) -> None:
    """11.6 NEW: last_inst := FFFFFFFF, no hardware operation."""
    m = guest(machine, model, fetch)
    map_pc(m)
    before = m.snapshot()
    assert m.entry_fetch() == DONE
    assert m["vcpu.arch.last_inst"] == NOT_LOADED
    assert changed(m, before) == {"vcpu.arch.last_inst"}
    assert (m.counters(), texts(m)) == ({}, [])


# Success


@each_model
@each_loading
def test_word_is_loaded_at_the_price_of_the_table(machine: MachineFactory, model: str, fetch: str) -> None:
    m = guest(machine, model, fetch)
    map_pc(m)
    before = m.snapshot()
    assert m.entry_fetch() == DONE
    assert m["vcpu.arch.last_inst"] == WORD
    assert changed(m, before) == {"vcpu.arch.last_inst"}
    assert (m.counters(), texts(m)) == (cost(model, fetch), [])


@each_model
@each_loading
@pytest.mark.parametrize(("msr", "perms"), [(GS, SR), (GS | PR, UR)])
def test_read_permission_is_enough_and_needed(
    machine: MachineFactory, model: str, fetch: str, msr: int, perms: int
) -> None:
    """11.6: lwepx needs read permission; O2: EPR := MSR[PR]."""
    m = guest(machine, model, fetch, msr=msr)
    map_pc(m, perms)
    assert m.entry_fetch() == DONE
    assert m["vcpu.arch.last_inst"] == WORD
    map_pc(m, ALL_PERMS & ~perms)
    m.entry_fetch()
    assert [event.arg[0] for event in events_of(m, "host_exception")] == [DSI]


@each_model
@each_loading
def test_space_is_that_of_fetches(machine: MachineFactory, model: str, fetch: str) -> None:
    """O2: EAS := MSR[IS], not MSR[DS]."""
    for msr, ts in ((GS | IS, 1), (GS | 0x10, 0)):
        m = guest(machine, model, fetch, msr=msr)
        map_pc(m, ts=ts)
        assert m.entry_fetch() == DONE
        assert m["vcpu.arch.last_inst"] == WORD


@each_model
@each_loading
def test_egs_and_elpid_are_vcpu_loads(machine: MachineFactory, model: str, fetch: str) -> None:
    """O2: EGS, ELPID and other bits unchanged; old EAS, EPR and EPID are replaced."""
    m = guest(machine, model, fetch)
    map_pc(m)
    m["spr.EPLC"] = eplc(m) | 0xC0000011
    assert m.entry_fetch() == DONE
    assert (m["vcpu.arch.last_inst"], m["spr.EPLC"]) == (WORD, eplc(m) | 0xC0000011)
    m["spr.EPLC"] = eplc(m) ^ 0x00010000
    m.entry_fetch()
    assert [event.arg[0] for event in events_of(m, "host_exception")] == [DTLB]


# Failures


@each_model
@pytest.mark.parametrize("ivor", [DTLB, DSI, LRAT])
def test_lwepx_faults_are_the_hosts_own(machine: MachineFactory, model: str, ivor: int) -> None:
    """11.6: SRR1[GS]=0, so DO_KVM passes it on: unhandled. The state is that at the host's handler."""
    if ivor not in faults(model):
        pytest.skip("only e6500 has an LRAT")
    m = guest(machine, model, "lwepx")
    faults(model)[ivor](m)
    assert m.entry_fetch() == End(Outcome.TAKEN_BY_HOST, ivor)
    assert m["thread.pc"] == host_vector(ivor)
    assert m["spr.SRR1"] & GS == 0
    assert m["spr.ESR"] & 0x40
    assert m["spr.DEAR"] == PC
    assert m["spr.EPLC"] == eplc(m) | PID
    assert m.counters() == {"mfspr": 1, "mtspr": 1, "isync": 1, "lwepx": 1}
    assert texts(m) == [f"host_exception {ivor} {PC:#x}"]


@each_model
@each_recovering
@pytest.mark.parametrize("ivor", [DTLB, DSI, LRAT])
def test_alternatives_recover(machine: MachineFactory, model: str, fetch: str, ivor: int) -> None:
    """11.7, 11.8: last_inst := FFFFFFFF, EPLC restored, and C will answer."""
    if ivor not in faults(model):
        pytest.skip("only e6500 has an LRAT")
    m = guest(machine, model, fetch)
    faults(model)[ivor](m)
    vectors_before = [m[f"spr.IVOR[{n}]"] for n in range(64)]
    assert m.entry_fetch() == DONE
    assert (m["vcpu.arch.last_inst"], m["spr.EPLC"]) == (NOT_LOADED, eplc(m))
    assert [m[f"spr.IVOR[{n}]"] for n in range(64)] == vectors_before
    extra = {"mfspr": 2} if fetch == "lwepx-do-kvm" else {}  # ESR, then EPLC (11.7)
    expected = cost(model, fetch)
    assert m.counters() == expected | {name: expected[name] + more for name, more in extra.items()}
    assert texts(m) == [f"host_exception {ivor} {PC:#x}"]


@each_model
@each_recovering
def test_recovery_lets_c_answer_again(machine: MachineFactory, model: str, fetch: str) -> None:
    """11.7: fetch failed; kvmppc_get_last_inst has nothing in the cache."""
    m = guest(machine, model, fetch)
    m.entry_fetch()
    assert m.get_last_inst() == (3, NOT_LOADED)


@each_model
@each_recovering
def test_recovered_fault_destroys_esr_and_dear(machine: MachineFactory, model: str, fetch: str) -> None:
    """11.7: E7 and E8 follow E6, so the nested fault destroys the guest exit's."""
    m = guest(machine, model, fetch)
    m.set({"spr.DEAR": 0xAAAA0000, "spr.ESR": 0x00800000})
    m.entry_fetch()
    assert (m["spr.DEAR"], m["spr.ESR"]) == (PC, 0x40)


# The host's own misses (11.7)


@each_model
@pytest.mark.parametrize("fetch", [*LOADING, *PRESET])
def test_cost_on_the_hosts_own_misses(machine: MachineFactory, model: str, fetch: str) -> None:
    """11.7: one mfspr ESR for each data TLB miss and DSI of the host; zero for the others."""
    m = guest(machine, model, fetch)
    m["thread.msr"] = 0
    assert m.translate(0x55550000).ivor == DTLB
    assert m.counters() == ({"mfspr": 1} if fetch == "lwepx-do-kvm" else {})
    put(m, 1, 9, V | tsize(2), 0x55550000 | M, 0x7000)
    m.set({"thread.msr": 0, "spr.PID": 0})
    assert m.translate(0x55550000).ivor == DSI
    assert m.counters() == ({"mfspr": 2} if fetch == "lwepx-do-kvm" else {})


@each_model
def test_hosts_own_external_accesses_cost_two(machine: MachineFactory, model: str) -> None:
    """11.7: EPID=1: also mfspr EPLC; with EGS=0 the fault stays with the host."""
    m = guest(machine, model, "lwepx-do-kvm")
    m.set({"thread.msr": 0, "spr.EPLC": 0})
    assert m.translate(0x55550000, external=True).outcome == Outcome.TAKEN_BY_HOST
    assert m.counters() == {"mfspr": 2}


@each_model
@pytest.mark.parametrize("access", ["load", "fetch"])
def test_guest_events_and_instruction_misses_pay_nothing(
    machine: MachineFactory, model: str, access: str
) -> None:
    """11.7: extra cost only when GS=0, and only at those three hook sites."""
    m = guest(machine, model, "lwepx-do-kvm")
    m["thread.msr"] = GS if access == "load" else 0
    m.translate(0x55550000, access=access)
    assert m.counters() == {}


@each_model
@pytest.mark.parametrize("fetch", [*LOADING, *PRESET])
def test_probe_costs_nothing(machine: MachineFactory, model: str, fetch: str) -> None:
    m = guest(machine, model, fetch)
    m["thread.msr"] = 0
    m.translate(0x55550000, probe=True)
    assert m.counters() == {}


# Two threads (11.8)


def test_each_thread_pays_its_own(machine: MachineFactory) -> None:
    m = guest(machine, "e6500", "lwepx-hijack", vcpus=2)
    m.set({"vcpu1.arch.regs.nip": PC, "vcpu1.arch.shared.msr": GS, "spr1.EPLC": eplc(m)})
    m.entry_fetch(vcpu=1)
    assert (m.counters(0), m.counters(1)) == ({}, cost("e6500", "lwepx-hijack"))


@each_loading
def test_fetch_that_succeeds_answers_c_from_the_cache(machine: MachineFactory, fetch: str) -> None:
    """mmu-kvm 15.1.1: no search."""
    m = guest(machine, "e500mc", fetch)
    map_pc(m)
    m.entry_fetch()
    assert m.get_last_inst() == (0, WORD)
    assert "tlbsx" not in m.counters()


@each_model
def test_v10_eplc_during_and_after_the_load(machine: MachineFactory, model: str) -> None:
    """exit 16 V10: EAS, EPR and EPID are the guest's during lwepx, which a fault leaves to be seen."""
    m = guest(machine, model, "lwepx", msr=GS | IS | PR)
    m["spr.EPLC"] = 0x20050000
    assert m.entry_fetch().ivor == DTLB
    assert m["spr.EPLC"] == 0xE005002A
    m = guest(machine, model, "lwepx", msr=GS | IS | PR)
    m["spr.EPLC"] = 0x20050000
    put(m, 1, 0, V | TS | PID << 16 | tsize(2), PC & ~0xFFF | M, REAL & ~0xFFF | UR, mas8=TGS | 5)
    assert m.entry_fetch() == DONE
    assert (m["spr.EPLC"], m["vcpu.arch.last_inst"]) == (0x20050000, WORD)
