# SPDX-License-Identifier: BSD-3-Clause
"""hw/epid: accesses through EPLC and EPSC (mmu-hardware 9, 14.3 A19-A21)."""

from __future__ import annotations

import pytest

from pyexit import Machine, Outcome

from .support import (
    DONE,
    DS,
    DSI,
    DTLB,
    GS,
    MACHINE_CHECK,
    MCSR_LD,
    MHD,
    MHIT_MAV_MEA,
    PR,
    SR,
    ST,
    SW,
    SX,
    TAKEN_BY_HOST,
    TGS,
    TS,
    UR,
    UW,
    UX,
    VF,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    guest_vector,
    host_vector,
    mas,
    put,
    run_as,
    tsize,
    vectors,
)

EA, REAL, WORD = 0x20001234, 0x7234, 0x12345678
EPID = 0x40
#: A19: EPR=1, EGS=1, ELPID=3, EPID=5.
EPLC = 0xA0030005
PC = 0x00700100


def machine_with(machine: MachineFactory, model: str, perms: int = UR, **entry: int) -> Machine:
    """A19: hypervisor code, its EPLC, and an entry of the guest."""
    m = machine(model=model)
    vectors(m)
    run_as(m)
    m.set({"spr.EPLC": EPLC, "spr.EPSC": EPLC})
    m.store_word(REAL, WORD)
    words = {"tid": 5, "ts": 0, "mas8": TGS | 3} | entry
    mas1 = V | words["tid"] << 16 | words["ts"] * TS | tsize(2)
    put(m, 1, 0, mas1, EA & ~0xFFF | M, REAL & ~0xFFF | perms, mas8=words["mas8"])
    return m


@each_model
def test_a19_lwepx_loads(machine: MachineFactory, model: str) -> None:
    m = machine_with(machine, model)
    result = m.call("ppc_lwepx", 0, EA)
    assert (result.ret, result.value[0]) == (DONE, WORD)


@each_model
@pytest.mark.parametrize("perms", [SX | UX, 0, SR | SW | UW])
def test_a20_no_read_permission_is_dsi_of_the_host(machine: MachineFactory, model: str, perms: int) -> None:
    """9.2: execute-only pages cannot be read; 9.5: host IVORs, whatever EPCR says."""
    m = machine_with(machine, model, perms)
    m["spr.EPCR"] = 0xF8000000
    before = mas(m)
    result = m.call("ppc_lwepx", 0, EA)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, DSI)
    assert (m["spr.ESR"], m["spr.DEAR"], m["thread.pc"]) == (EPID, EA, host_vector(DSI))
    assert (m["spr.SRR0"], m["spr.SRR1"]) == (PC, 0)
    assert mas(m) == before


@each_model
def test_a21_miss_is_dtlb_error_of_the_host(machine: MachineFactory, model: str) -> None:
    """9.6: MAS1[TID] and MAS6[SPID] = EPID; MAS5 and MAS8 unchanged."""
    m = machine_with(machine, model, tid=6)
    m.set({"spr.MAS5": 0x80000001, "spr.MAS8": 0x80000002, "spr.PID": 9, "spr.LPID": 1})
    result = m.call("ppc_lwepx", 0, EA)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, DTLB)
    assert (m["spr.ESR"], m["spr.DEAR"], m["thread.pc"]) == (EPID, EA, host_vector(DTLB))
    assert (m["spr.MAS1"] >> 16 & 0x3FFF, m["spr.MAS6"] >> 16) == (5, 5)
    assert (m["spr.MAS5"], m["spr.MAS8"]) == (0x80000001, 0x80000002)


@each_model
def test_eas_reaches_ts_and_sas(machine: MachineFactory, model: str) -> None:
    """9.2, 9.6: the space is EPLC's, not MSR[DS]."""
    m = machine_with(machine, model, ts=1)
    m.set({"thread.msr": DS, "spr.EPLC": EPLC})
    assert m.call("ppc_lwepx", 0, EA).value[0] == DTLB
    assert (m["spr.MAS1"] & TS, m["spr.MAS6"] & 1) == (0, 0)
    run_as(m)
    m["spr.EPLC"] = EPLC | 0x40000000
    assert m.call("ppc_lwepx", 0, EA).value[0] == WORD
    assert m.call("ppc_lwepx", 0, EA + 0x1000).value[0] == DTLB
    assert (bool(m["spr.MAS1"] & TS), m["spr.MAS6"] & 1) == (True, 1)


#: 9.2: each tag of EPLC turned round: EPR, EAS, EGS, ELPID, EPID -> the interrupt.
OTHER_TAGS = {EPLC ^ 0x80000000: DSI, EPLC ^ 0x40000000: DTLB, EPLC ^ 0x20000000: DTLB,
              EPLC ^ 0x00010000: DTLB, EPLC ^ 1: DTLB}  # fmt: skip


@each_model
@pytest.mark.parametrize("eplc", OTHER_TAGS)
def test_each_tag_counts(machine: MachineFactory, model: str, eplc: int) -> None:
    m = machine_with(machine, model, UR)
    m["spr.EPLC"] = eplc
    result = m.call("ppc_lwepx", 0, EA)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, OTHER_TAGS[eplc])


@each_model
@pytest.mark.parametrize(("eplc", "perms"), [(EPLC, UR), (EPLC & ~0x80000000, SR)])
def test_epr_picks_the_permission_not_msr_pr(
    machine: MachineFactory, model: str, eplc: int, perms: int
) -> None:
    m = machine_with(machine, model, perms)
    m["spr.EPLC"] = eplc
    for access, external in (("load", True), ("cache_load", True)):
        assert m.translate(EA, access=access, external=external, probe=True).real == REAL
    assert m.call("ppc_lwepx", 0, EA).ret == DONE


@each_model
def test_wildcards_hold(machine: MachineFactory, model: str) -> None:
    """5.3, 5.5 with EPID and ELPID."""
    m = machine_with(machine, model, tid=0, mas8=TGS)
    assert m.call("ppc_lwepx", 0, EA).ret == DONE


@each_model
def test_loads_use_eplc_and_stores_epsc(machine: MachineFactory, model: str) -> None:
    """9.1."""
    m = machine_with(machine, model, UR | UW)
    m["spr.EPSC"] = EPLC ^ 1
    assert m.translate(EA, access="load", external=True).outcome == Outcome.DONE
    assert m.translate(EA, access="store", external=True).ivor == DTLB
    assert (m["spr.ESR"], m["spr.MAS6"] >> 16) == (EPID | ST, 4)
    run_as(m)
    m.set({"spr.EPSC": EPLC, "spr.EPLC": EPLC ^ 1})
    assert m.translate(EA, access="store", external=True).outcome == Outcome.DONE
    assert m.translate(EA, access="load", external=True).ivor == DTLB


@each_model
def test_store_without_permission(machine: MachineFactory, model: str) -> None:
    """9.4: DSI, ESR[EPID] and [ST]."""
    m = machine_with(machine, model, UR)
    found = m.translate(EA, access="store", external=True)
    assert (found.outcome, found.ivor, m["spr.ESR"]) == (TAKEN_BY_HOST, DSI, EPID | ST)


@each_model
@pytest.mark.parametrize("access", ["touch_load", "touch_store"])
def test_touches_never_interrupt(machine: MachineFactory, model: str, access: str) -> None:
    """5.1: dcbtep and dcbtstep end without access."""
    m = machine_with(machine, model, tid=6)
    before = m.snapshot()
    assert m.translate(EA, access=access, external=True).outcome == Outcome.DROPPED
    assert m.diff(before) == []


@each_model
def test_fetch_has_no_external_form(machine: MachineFactory, model: str) -> None:
    """9.2: a fetch never uses them; pyexit.h: PYEXIT_EXTERNAL is added to a data access."""
    m = machine_with(machine, model)
    with pytest.raises(OSError, match=r"."):
        m.translate(EA, access="fetch", external=True)


@each_model
@pytest.mark.parametrize("perms", [UR, 0])
def test_vf_is_dsi_whatever_the_permissions(machine: MachineFactory, model: str, perms: int) -> None:
    """9.3a: VF before permission; 5.1."""
    m = machine_with(machine, model, perms, mas8=TGS | VF | 3)
    assert m.call("ppc_lwepx", 0, EA).value[0] == DSI
    assert m["spr.ESR"] == EPID


@each_model
def test_multiple_hits_come_first(machine: MachineFactory, model: str) -> None:
    """9.3a, 5.3: a machine check with HID0[EN_L2MMU_MHD], the first match without."""
    m = machine_with(machine, model)
    put(m, 1, 1, V | 5 << 16 | tsize(2), EA & ~0xFFF | M, 0x9000 | UR, mas8=TGS | 3)
    assert m.call("ppc_lwepx", 0, EA).value[0] == WORD
    m["spr.HID0"] = MHD
    assert m.call("ppc_lwepx", 0, EA).value[0] == MACHINE_CHECK
    assert (m["spr.MCSR"], m["spr.MCAR"]) == (MHIT_MAV_MEA | MCSR_LD, EA)


@each_model
def test_lwepx_that_crosses_a_page_is_two_accesses(machine: MachineFactory, model: str) -> None:
    """9.3a, 12: DEAR = the first byte in the failing page."""
    m = machine_with(machine, model)
    edge = EA & ~0xFFF | 0xFFE
    assert m.call("ppc_lwepx", 0, edge).value[0] == DTLB
    assert m["spr.DEAR"] == (EA & ~0xFFF) + 0x1000
    run_as(m)
    put(m, 1, 1, V | 5 << 16 | tsize(2), (EA & ~0xFFF) + 0x1000 | M, 0x9000 | UR, mas8=TGS | 3)
    m.write_ram(0x7FFE, b"\x11\x22")
    m.write_ram(0x9000, b"\x33\x44")
    assert m.call("ppc_lwepx", 0, edge).value[0] == 0x11223344


@each_model
@pytest.mark.parametrize(
    ("perms", "tid", "bit", "ivor"), [(0, 5, 0x10000000, DSI), (UR, 6, 0x40000000, DTLB)]
)
def test_fault_of_guest_code_goes_by_epcr(
    machine: MachineFactory, model: str, perms: int, tid: int, bit: int, ivor: int
) -> None:
    """9.3: faults of a GS=1 access are delivered as in section 12."""
    for epcr, outcome in ((0, Outcome.EXIT), (bit, Outcome.TAKEN_BY_GUEST)):
        m = machine_with(machine, model, perms, tid=tid)
        run_as(m, msr=GS, lpid=3)
        m["spr.EPCR"] = epcr
        found = m.translate(EA, access="load", external=True)
        assert (found.outcome, found.ivor) == (outcome, ivor)
        side = "G" if epcr else ""
        assert (m[f"spr.{side}ESR"], m[f"spr.{side}DEAR"]) == (EPID, EA)
        assert m["thread.pc"] == (guest_vector if epcr else host_vector)(ivor)


@each_model
@pytest.mark.parametrize("msr", [PR, GS, GS | PR, DS])
def test_translation_takes_nothing_from_msr(machine: MachineFactory, model: str, msr: int) -> None:
    """9.2: PR, DS, GS, LPIDR and PIDR are replaced."""
    m = machine_with(machine, model)
    run_as(m, msr=msr, pid=9, lpid=1)
    assert m.translate(EA, external=True, probe=True).real == REAL


@each_model
def test_probe_changes_nothing(machine: MachineFactory, model: str) -> None:
    m = machine_with(machine, model, tid=6)
    before = m.snapshot()
    assert m.translate(EA, external=True, probe=True).ivor == DTLB
    assert m.diff(before) == []


@each_model
def test_lwepx_counts_one_operation(machine: MachineFactory, model: str) -> None:
    """design 6; the load itself changes no register."""
    m = machine_with(machine, model)
    before = m.snapshot()
    m.call("ppc_lwepx", 0, EA)
    assert m.counters() == {"lwepx": 1}
    assert changed(m, before) == set()


@each_model
def test_registers_keep_their_bits(machine: MachineFactory, model: str) -> None:
    """2.8: EPLC and EPSC keep E03F00FF on e500mc, E03F3FFF on the others."""
    m = machine(model=model)
    for name in ("EPLC", "EPSC"):
        m.mtspr(name, 0xFFFFFFFF)
        assert m.mfspr(name) == (0xE03F00FF if model == "e500mc" else 0xE03F3FFF)
