# SPDX-License-Identifier: BSD-3-Clause
"""hw/guestop: what privileged code does by itself and what traps, row by row (mmu-hardware 6.5, 9.7, 12)."""

from __future__ import annotations

import errno

import pytest

from pyexit import End, Machine, Outcome, Snapshot

from .support import (
    CE,
    CM,
    DE,
    DS,
    EE,
    FP,
    GS,
    IPROT,
    IS,
    ME,
    MODELS,
    PIL,
    PMM,
    PR,
    SGS,
    SPR,
    TGS,
    UCLE,
    UR,
    UW,
    UX,
    WE,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    host_vector,
    is_valid,
    put,
    refused,
    set_mas,
    stored,
    tsize,
    vectors,
)

PC = 0x00700100
PPR = 0x04000000
DGTMI = 0x00800000
UCLEP, DEP, PMMP = 0x04000000, 0x200, 0x4
PROGRAM, HV_PRIV = 6, 41
RA, RB, RT = 4, 5, 3

DONE = End(Outcome.DONE, 0)
TRAP = End(Outcome.EXIT, HV_PRIV)
REFUSED = End(Outcome.EXIT, PROGRAM)

#: What the code is, as MSR.
SUPERVISOR, GUEST_USER, HYPERVISOR, HOST_USER = GS, GS | PR, 0, PR


# Encodings (mmu-hardware 6, Power ISA)


def x_form(xo: int, rt: int = RT, ra: int = RA, rb: int = RB, opcode: int = 31) -> int:
    return opcode << 26 | rt << 21 | ra << 16 | rb << 11 | xo << 1


def spr_form(xo: int, spr: int, rt: int = RT) -> int:
    """mfspr and mtspr: the halves of the number are swapped."""
    return x_form(xo, rt, spr & 31, spr >> 5)


def mfspr(spr: int) -> int:
    return spr_form(339, spr)


def mtspr(spr: int) -> int:
    return spr_form(467, spr)


RFI, RFGI, RFCI, RFMCI, RFDI = (x_form(xo, 0, 0, 0, 19) for xo in (50, 102, 51, 38, 39))
MFMSR, MTMSR, WRTEE = x_form(83, RT, 0, 0), x_form(146, RT, 0, 0), x_form(131, RT, 0, 0)
WRTEEI_0, WRTEEI_1 = x_form(163, 0, 0, 0), x_form(163, 0, 0, 0) | EE
TLBSX, TLBRE, TLBWE = x_form(914, 0), x_form(946, 0, 0, 0), x_form(978, 0, 0, 0)
TLBIVAX, TLBSYNC = x_form(786, 0), x_form(566, 0, 0, 0)
MSGSND, MSGCLR, EHPRIV = x_form(206, 0, 0), x_form(238, 0, 0), x_form(270, 0, 0, 0)
DCBI, DCBTLS, DCBLC, ICBTLS = x_form(470, 0), x_form(166, 0), x_form(390, 0), x_form(486, 0)
MFPMR, MTPMR = spr_form(334, 16), spr_form(462, 16)
LWEPX = x_form(31)


def tlbilx(t: int) -> int:
    return x_form(18, t)


def code(machine: MachineFactory, model: str, msr: int, **options: object) -> Machine:
    """A machine whose thread is about to execute at PC in that state."""
    m = machine(model=model, **options)
    vectors(m)
    m.set({"thread.pc": PC, "thread.msr": msr, "spr.LPID": 3, "spr.PID": 5})
    return m


def assert_trapped(m: Machine, before: object) -> None:
    """6.5: IVOR41, SRR0 = the instruction, nothing changed."""
    assert (m["spr.SRR0"], m["thread.pc"]) == (PC, host_vector(HV_PRIV))
    assert m["thread.msr"] & GS == 0
    assert changed(m, before) <= {"spr.SRR0", "spr.SRR1", "thread.pc", "thread.msr"}


def assert_program(m: Machine, esr: int) -> None:
    """12: program is never delivered to the guest."""
    assert (m["spr.ESR"], m["spr.SRR0"], m["thread.pc"]) == (esr, PC, host_vector(PROGRAM))


# SPRs


#: Row "renamed SPRs", "own numbers of those", "plain SPRs": number -> the register that is reached.
READ_WRITE = {
    26: "GSRR0", 27: "GSRR1", 272: "GSPRG0", 273: "GSPRG1", 274: "GSPRG2", 275: "GSPRG3", 62: "GESR",
    61: "GDEAR", 702: "GEPR", 378: "GSRR0", 379: "GSRR1", 368: "GSPRG0", 369: "GSPRG1", 370: "GSPRG2",
    371: "GSPRG3", 383: "GESR", 381: "GDEAR", 380: "GEPR", 276: "SPRG4", 277: "SPRG5", 278: "SPRG6",
    279: "SPRG7", 605: "SPRG9", 256: "VRSAVE", 48: "PID", 624: "MAS0", 625: "MAS1", 626: "MAS2", 627: "MAS3",
    628: "MAS4", 630: "MAS6", 944: "MAS7",
}  # fmt: skip

#: Reads that are native; the same numbers written trap, but for those that only user code's numbers name.
READ_ONLY = {
    286: "GPIR", 382: "GPIR", 447: "GIVPR", 440: "GIVOR2", 441: "GIVOR3", 442: "GIVOR4", 443: "GIVOR8",
    444: "GIVOR13", 445: "GIVOR14", 287: "PVR", 259: "GSPRG3", 260: "SPRG4", 261: "SPRG5", 262: "SPRG6",
    263: "SPRG7",
}  # fmt: skip

#: Row "own numbers", "renamed": trap when written.
WRITE_TRAPS = (286, 382, 447, 440, 441, 442, 443, 444, 445)

#: Row "hypervisor SPRs" and SPRG8 (U27): both directions trap. DEC, DECAR, TCR, TSR, debug, HID, L1CSR ...
HYPERVISOR_SPRS = (
    63, *range(400, 416), *range(528, 534), *range(432, 435), 22, 340, 336, 58, 59, 574, 575, 570, 571, 572,
    573, 308, 309, 310, 304, 312, 313, 316, 317, 307, 311, 338, 339, 341, 1015, 688, 689, 1012, 1008, 1009,
    1010, 1011, 1013, 1023, 604,
)  # fmt: skip
#: Those that only an e6500 has.
HYPERVISOR_SPRS_V2 = (56, 57, 342, 343, 344, 345, 350)
#: Those that can be written only.
WRITE_ONLY = (54, 284, 285)

PAIRS = {349: "8 1", 348: "5 6"}


def outcome_of(m: Machine, before: Snapshot, op: int, **fields: int) -> End:
    """What an instruction comes to in a state, some fields of which are other."""
    m.restore(before.replace(fields) if fields else before)
    return m.guest_op(op)


@each_model
def test_native_sprs_are_read(machine: MachineFactory, model: str) -> None:
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    for spr, name in {**READ_WRITE, **READ_ONLY}.items():
        assert outcome_of(m, before, mfspr(spr), **{f"spr.{name}": 5}) == DONE, f"{spr} {name}"
        assert (m["thread.gpr[3]"], m["thread.pc"]) == (5, PC + 4), f"{spr} {name}"


@each_model
def test_native_sprs_are_written(machine: MachineFactory, model: str) -> None:
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot().replace({"thread.gpr[3]": 0x1000010F, "spr.PID": 0})
    for spr, name in READ_WRITE.items():
        assert outcome_of(m, before, mtspr(spr)) == DONE, f"{spr} {name}"
        assert changed(m, before) == {f"spr.{name}", "thread.pc"}, f"{spr} {name}"


@each_model
@pytest.mark.parametrize("spr", [268, 269, 526, 527])
def test_timebase_is_read_natively(machine: MachineFactory, model: str, spr: int) -> None:
    """TBL, TBU, ATBL, ATBU; a 64-bit core reads the whole timebase at the lower number (Power ISA)."""
    m = code(machine, model, SUPERVISOR)
    m["core.tb"] = 0x12345678_9ABCDEF0
    assert m.guest_op(mfspr(spr)) == DONE
    whole = spr in (268, 526) and model != "e500mc"
    upper, lower = 0x12345678, 0x9ABCDEF0
    assert m["thread.gpr[3]"] == (upper << 32 | lower if whole else lower if spr in (268, 526) else upper)


def hypervisor_moves(model: str) -> dict[str, int]:
    """Every move of a hypervisor SPR, by what it is."""
    both = [*HYPERVISOR_SPRS, *(HYPERVISOR_SPRS_V2 if model == "e6500" else ())]
    moves = {f"mfspr {spr}": mfspr(spr) for spr in both}
    return moves | {f"mtspr {spr}": mtspr(spr) for spr in (*both, *WRITE_ONLY, *WRITE_TRAPS)}


@each_model
def test_hypervisor_sprs_trap(machine: MachineFactory, model: str) -> None:
    """Both ways, whether the register can be written or not (U23: HV-priv before illegal)."""
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    wrong = {}
    for name, op in hypervisor_moves(model).items():
        end = outcome_of(m, before, op)
        if end == TRAP:
            assert_trapped(m, before)
        else:
            wrong[name] = end
    assert wrong == {}


@each_model64
def test_pairs_without_mas5_and_mas8_are_native(machine: MachineFactory, model: str) -> None:
    """1.1, 6.5: MAS7||MAS3 and MAS0||MAS1 at once; MAS8||MAS1 and MAS5||MAS6 trap."""
    m = code(machine, model, SUPERVISOR)
    m.set({"spr.MAS0": 0x10030001, "spr.MAS1": 0xC0050100, "spr.MAS7": 0xF, "spr.MAS3": 0x7015})
    assert m.guest_op(mfspr(SPR["MAS0_MAS1"])) == DONE
    assert m["thread.gpr[3]"] == 0x10030001_C0050100
    m["thread.gpr[3]"] = 0x5_00008015
    assert m.guest_op(mtspr(SPR["MAS7_MAS3"])) == DONE
    assert (m["spr.MAS7"], m["spr.MAS3"]) == (5, 0x8015)
    for spr in PAIRS:
        for move in (mfspr, mtspr):
            m.set({"thread.pc": PC, "thread.msr": SUPERVISOR})
            assert m.guest_op(move(spr)) == TRAP


@each_model
@pytest.mark.parametrize("move", [mfspr, mtspr])
def test_unknown_spr_is_illegal(machine: MachineFactory, model: str, move: object) -> None:
    """6.5: program/PIL, to the hypervisor."""
    m = code(machine, model, SUPERVISOR)
    assert m.guest_op(move(1000)) == REFUSED  # type: ignore[operator]
    assert_program(m, PIL)
    assert m["spr.SRR1"] == SUPERVISOR


@each_model
@pytest.mark.parametrize("msr", [GUEST_USER, HOST_USER])
def test_user_code_may_not_move_privileged_sprs(machine: MachineFactory, model: str, msr: int) -> None:
    """6.5: an SPR number with bit 0x10, whether the core has it or not, is program/PPR; PPR comes first."""
    m = code(machine, model, msr)
    before = m.snapshot()
    for spr in (number for number in range(1024) if number & 0x10):
        for move in (mfspr, mtspr):
            assert outcome_of(m, before, move(spr)).ivor == PROGRAM, f"{move.__name__} {spr}"
            assert_program(m, PPR)
            assert m["spr.SRR1"] == msr


@each_model
@pytest.mark.parametrize("msr", [GUEST_USER, HOST_USER])
def test_user_code_reads_the_user_numbers(machine: MachineFactory, model: str, msr: int) -> None:
    """6.5: SPRG3-7 by 259-263, USPRG0, TBL and TBU; SPRG3 is the guest's in guest state."""
    m = code(machine, model, msr)
    fields = {259: "GSPRG3" if msr & GS else "SPRG3"} | {256 + n: f"SPRG{n}" for n in range(4, 8)}
    fields |= {256: "VRSAVE"}
    for spr, field in fields.items():
        m[f"spr.{field}"] = spr
        assert m.guest_op(mfspr(spr)) == DONE
        assert m["thread.gpr[3]"] == spr
    m["core.tb"] = 7
    assert m.guest_op(mfspr(268)) == DONE
    assert m["thread.gpr[3]"] == 7


@each_model
def test_hypervisor_moves_go_to_the_register_named(machine: MachineFactory, model: str) -> None:
    """6.5: no renaming with GS = 0."""
    names = {number: name for name, number in SPR.items()} | {272: "SPRG0", 259: "SPRG3"}
    m = code(machine, model, HYPERVISOR)
    for spr in (26, 27, 48, 61, 62, 63, 272, 307, 311, 338, 339, 341, 378, 382, 447, 630):
        name = names[spr]
        before = m.snapshot().replace({f"spr.{name}": 0, "thread.gpr[3]": 1, "thread.pc": PC})
        assert outcome_of(m, before, mtspr(spr)) == DONE, name
        assert changed(m, before) == {f"spr.{name}", "thread.pc"}, name
        assert outcome_of(m, before, mfspr(spr)) == DONE, name
        assert changed(m, before) == {"thread.gpr[3]", "thread.pc"}, name


@each_model
def test_hypervisor_reads_pir_not_gpir(machine: MachineFactory, model: str) -> None:
    m = code(machine, model, HYPERVISOR)
    m.set({"spr.PIR": 1, "spr.GPIR": 2})
    m.guest_op(mfspr(SPR["PIR"]))
    assert m["thread.gpr[3]"] == 1


@each_model
@pytest.mark.parametrize("spr", [SPR["EPLC"], SPR["EPSC"]])
def test_guest_cannot_change_egs_and_elpid(machine: MachineFactory, model: str, spr: int) -> None:
    """9.7, U15: native; EPR, EAS and EPID change, EGS and ELPID do not."""
    name = {947: "EPLC", 948: "EPSC"}[spr]
    m = code(machine, model, SUPERVISOR)
    m.set({f"spr.{name}": 0x20030000, "thread.gpr[3]": 0xC03F0007})
    assert m.guest_op(mtspr(spr)) == DONE
    assert m[f"spr.{name}"] == 0xE0030007
    assert m.guest_op(mfspr(spr)) == DONE
    assert m["thread.gpr[3]"] == 0xE0030007
    m.set({"thread.msr": HYPERVISOR, "thread.gpr[3]": 0x001F0001})
    assert m.guest_op(mtspr(spr)) == DONE
    assert m[f"spr.{name}"] == 0x001F0001


# TLB instructions


@each_model
@pytest.mark.parametrize("op", [TLBRE, TLBSX, TLBIVAX, TLBSYNC])
def test_tlb_instructions_always_trap(machine: MachineFactory, model: str, op: int) -> None:
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    assert m.guest_op(op) == TRAP
    assert_trapped(m, before)


#: Instructions that user code may not execute.
PRIVILEGED = (
    TLBRE, TLBSX, TLBIVAX, TLBSYNC, TLBWE, tlbilx(0), MSGSND, MSGCLR, MFMSR, MTMSR, WRTEE, WRTEEI_1,
    RFI, RFGI, RFCI, RFMCI, RFDI, DCBI, LWEPX,
)  # fmt: skip


@each_model
@pytest.mark.parametrize("msr", [GUEST_USER, HOST_USER])
@pytest.mark.parametrize("epcr", [0, DGTMI, 0xF8000000])
def test_user_code_takes_ppr(machine: MachineFactory, model: str, msr: int, epcr: int) -> None:
    """A18: PPR before HV-priv, to the hypervisor's IVOR6."""
    m = code(machine, model, msr)
    before = m.snapshot().replace({"spr.EPCR": epcr})
    for op in PRIVILEGED:
        end = outcome_of(m, before, op)
        assert end == (REFUSED if msr & GS else End(Outcome.TAKEN_BY_HOST, PROGRAM)), hex(op)
        assert_program(m, PPR)
        assert changed(m, before) <= {"spr.SRR0", "spr.SRR1", "spr.ESR", "thread.pc", "thread.msr"}


@each_model
@pytest.mark.parametrize("msr", [SUPERVISOR, GUEST_USER, HYPERVISOR, HOST_USER])
@pytest.mark.parametrize("oc", [0, 1, 0x7FFF])
def test_ehpriv_traps_in_every_state(machine: MachineFactory, model: str, msr: int, oc: int) -> None:
    m = code(machine, model, msr)
    end = m.guest_op(EHPRIV | oc << 11)
    assert end == (TRAP if msr & GS else End(Outcome.TAKEN_BY_HOST, HV_PRIV))
    assert (m["spr.SRR0"], m["thread.pc"]) == (PC, host_vector(HV_PRIV))


@each_model
def test_hv_priv_leaves_esr(machine: MachineFactory, model: str) -> None:
    """12: privilege, guest: ESR unchanged."""
    m = code(machine, model, SUPERVISOR)
    m["spr.ESR"] = 0x1234
    assert m.guest_op(TLBSX) == TRAP
    assert m["spr.ESR"] == 0x1234


@each_model
@pytest.mark.parametrize("t", [0, 1, 3])
def test_a16_a17_tlbilx_goes_by_dgtmi(machine: MachineFactory, model: str, t: int) -> None:
    m = code(machine, model, SUPERVISOR)
    ea = 0x20001000
    set_mas(m, {5: SGS | 3, 6: 5 << 16 | (0x100 if model == "e6500" else 0)})
    m.set({"thread.gpr[4]": ea, "thread.gpr[5]": 0x234, "spr.EPCR": DGTMI})
    put(m, 1, 0, V | 5 << 16 | tsize(2), ea | M, 0x7015, mas8=TGS | 3)
    assert m.guest_op(tlbilx(t)) == TRAP
    assert is_valid(m, 1, 0)
    m.set({"spr.EPCR": 0, "thread.msr": SUPERVISOR, "thread.pc": PC})
    assert m.guest_op(tlbilx(t)) == DONE
    assert (is_valid(m, 1, 0), m["thread.pc"]) == (False, PC + 4)


@each_model
@pytest.mark.parametrize("t", [2, 4, 5, 6, 7])
def test_tlbilx_of_other_kinds(machine: MachineFactory, model: str, t: int) -> None:
    """6.4: program/PIL; HV-priv comes before it (U23)."""
    m = code(machine, model, SUPERVISOR)
    assert m.guest_op(tlbilx(t)) == REFUSED
    assert_program(m, PIL)
    m = code(machine, model, SUPERVISOR)
    m["spr.EPCR"] = DGTMI
    assert m.guest_op(tlbilx(t)) == TRAP


@pytest.mark.parametrize("model", ["e500mc", "e5500"])
@pytest.mark.parametrize("epcr", [0, DGTMI])
@pytest.mark.parametrize("mas0", [0, 0x10000000])
def test_a15_tlbwe_traps_without_lrat(machine: MachineFactory, model: str, epcr: int, mas0: int) -> None:
    m = code(machine, model, SUPERVISOR)
    m.set({"spr.EPCR": epcr, "spr.MAS0": mas0})
    before = m.snapshot()
    assert m.guest_op(TLBWE) == TRAP
    assert_trapped(m, before)


HES, WQ_CLEAR = 0x4000, 0x2000


@pytest.mark.parametrize(
    ("mas0", "mas1", "epcr", "end"),
    [
        (HES, 0, 0, DONE),
        (HES, 0, DGTMI, TRAP),
        (HES | 0x10000000, 0, 0, TRAP),  # TLB1CFG[GTWE] = 0
        (0, 0, 0, TRAP),  # HES = 0 with WQ other than 10
        (0x1000, 0, 0, TRAP),
        (0x3000, 0, 0, TRAP),
        (HES, IPROT, 0, TRAP),
        (HES | 0x80000000, 0, 0, DONE),  # ATSEL is ignored in guest state (2.1)
    ],
)
def test_tlbwe_of_an_e6500_guest(machine: MachineFactory, mas0: int, mas1: int, epcr: int, end: End) -> None:
    m = code(machine, "e6500", SUPERVISOR)
    m.set({"spr.EPCR": epcr, "spr.MAS0": mas0, "spr.MAS1": mas1, "spr.MAS8": TGS | 3})
    before = m.snapshot()
    assert m.guest_op(TLBWE) == end
    if end == TRAP:
        assert_trapped(m, before)
    else:
        assert m["thread.pc"] == PC + 4


@each_model
def test_hypervisor_executes_tlb_instructions(machine: MachineFactory, model: str) -> None:
    """tlbwe, tlbsx, tlbre, tlbilx, tlbivax, tlbsync with GS = 0, PR = 0; the address is (RA|0) + RB."""
    m = code(machine, model, HYPERVISOR)
    set_mas(m, {0: 0x10030000, 1: V | 5 << 16 | tsize(2), 2: 0x20001004, 3: 0x7015, 8: TGS | 3})
    assert m.guest_op(TLBWE) == DONE
    assert is_valid(m, 1, 3)
    set_mas(m, {5: SGS | 3, 6: 5 << 16, 1: 0})
    m.set({"thread.gpr[4]": 0x20000000, "thread.gpr[5]": 0x1234})
    assert m.guest_op(TLBSX) == DONE
    assert m["spr.MAS1"] & V
    set_mas(m, {1: 0})
    assert m.guest_op(TLBRE) == DONE
    assert m["spr.MAS1"] & V
    m["thread.gpr[5]"] = 0x1008  # TLB1
    assert m.guest_op(TLBIVAX) == DONE
    assert not is_valid(m, 1, 3)
    assert m.guest_op(TLBSYNC) == DONE
    assert m["thread.pc"] == PC + 20


@each_model
def test_ra_0_is_the_number_0(machine: MachineFactory, model: str) -> None:
    """6.2.1: (RA|0) + RB."""
    m = code(machine, model, HYPERVISOR)
    put(m, 1, 3, V | tsize(2), 0x1000 | M, 0x7015)
    m.set({"thread.gpr[0]": 0x50000000, "thread.gpr[5]": 0x1234, "spr.MAS5": 0, "spr.MAS6": 0})
    assert m.guest_op(x_form(914, 0, 0, RB)) == DONE
    assert m["spr.MAS1"] & V


# MSR


@each_model
def test_mfmsr_reads_gs_as_1(machine: MachineFactory, model: str) -> None:
    m = code(machine, model, GS | EE | ME)
    assert m.guest_op(MFMSR) == DONE
    assert m["thread.gpr[3]"] == GS | EE | ME


@each_model
def test_mtmsr_keeps_gs_and_we(machine: MachineFactory, model: str) -> None:
    """6.5: GS cannot be cleared, WE cannot change, the rest is written."""
    for old, new, then in (
        (GS, 0, GS),
        (GS, EE | PR | FP, GS | EE | PR | FP),
        (GS, WE, GS),
        (GS | WE, 0, GS | WE),
    ):
        m = code(machine, model, old)
        m["thread.gpr[3]"] = new
        assert m.guest_op(MTMSR) == DONE
        assert (m["thread.msr"], m["thread.pc"]) == (then, PC + 4)


@each_model
@pytest.mark.parametrize(("bit", "guard"), [(UCLE, UCLEP), (DE, DEP), (PMM, PMMP)])
@pytest.mark.parametrize("old", [0, 1])
@pytest.mark.parametrize("new", [0, 1])
def test_msrp_protects_ucle_de_pmm(
    machine: MachineFactory, model: str, bit: int, guard: int, old: int, new: int
) -> None:
    """6.5: bits protected by MSRP keep their value, in mtmsr and in rfi."""
    m = code(machine, model, GS)
    for op in (MTMSR, RFI, RFGI):
        for msrp in (0, guard, (UCLEP | DEP | PMMP) ^ guard):
            m.set({"thread.pc": PC, "thread.msr": GS | bit * old})
            m.set({"thread.gpr[3]": GS | bit * new, "spr.GSRR1": GS | bit * new, "spr.MSRP": msrp})
            assert m.guest_op(op) == DONE
            assert m["thread.msr"] == GS | bit * (old if msrp == guard else new), (hex(op), hex(msrp))


@each_model
@pytest.mark.parametrize("op", [MTMSR])
def test_hypervisor_mtmsr_ignores_msrp(machine: MachineFactory, model: str, op: int) -> None:
    """MSRP is for guest state; mtmsr can set GS."""
    m = code(machine, model, HYPERVISOR)
    m.set({"thread.gpr[3]": GS | DE | UCLE, "spr.MSRP": UCLEP | DEP | PMMP})
    assert m.guest_op(op) == DONE
    assert m["thread.msr"] == GS | DE | UCLE


@each_model
@pytest.mark.parametrize("msr", [SUPERVISOR, HYPERVISOR])
def test_wrtee_changes_ee_only(machine: MachineFactory, model: str, msr: int) -> None:
    m = code(machine, model, msr | CE)
    m["thread.gpr[3]"] = 0xFFFFFFFF
    for op, ee in ((WRTEE, EE), (WRTEEI_0, 0), (WRTEEI_1, EE)):
        assert m.guest_op(op) == DONE
        assert m["thread.msr"] == msr | CE | ee
    m["thread.gpr[3]"] = 0xFFFFFFFF & ~EE
    assert m.guest_op(WRTEE) == DONE
    assert m["thread.msr"] == msr | CE


# Returns


@each_model
@pytest.mark.parametrize("op", [RFI, RFGI])
def test_both_returns_of_a_guest_use_gsrr(machine: MachineFactory, model: str, op: int) -> None:
    """6.5: GS stays 1, the low two bits of the address go."""
    m = code(machine, model, SUPERVISOR)
    m.set({"spr.GSRR0": 0x20001237, "spr.GSRR1": EE | PR | IS | DS, "spr.SRR0": 0x1000, "spr.SRR1": 0})
    assert m.guest_op(op) == DONE
    assert (m["thread.pc"], m["thread.msr"]) == (0x20001234, GS | EE | PR | IS | DS)


@each_model64
@pytest.mark.parametrize("cm", [0, CM])
def test_cm_comes_from_gsrr1(machine: MachineFactory, model: str, cm: int) -> None:
    m = code(machine, model, SUPERVISOR | CM ^ cm)
    m.set({"spr.GSRR0": 0x20001234, "spr.GSRR1": GS | cm})
    assert m.guest_op(RFI) == DONE
    assert m["thread.msr"] == GS | cm


@each_model
@pytest.mark.parametrize("op", [RFCI, RFMCI, RFDI])
def test_other_returns_trap(machine: MachineFactory, model: str, op: int) -> None:
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    assert m.guest_op(op) == TRAP
    assert_trapped(m, before)


@each_model
@pytest.mark.parametrize(
    ("op", "registers"),
    [(RFI, "SRR"), (RFGI, "GSRR"), (RFCI, "CSRR"), (RFMCI, "MCSRR"), (RFDI, "DSRR")],
)
@pytest.mark.parametrize("msr", [GS | PR | EE, ME])
def test_hypervisor_returns(machine: MachineFactory, model: str, op: int, registers: str, msr: int) -> None:
    """6.5: rfgi with GS=0 takes the whole of GSRR1; rfi uses SRR0/1: so KVM enters the guest."""
    m = code(machine, model, HYPERVISOR)
    m.set({f"spr.{registers}0": 0x20001236, f"spr.{registers}1": msr})
    assert m.guest_op(op) == DONE
    assert (m["thread.pc"], m["thread.msr"]) == (0x20001234, msr)


# Messages, caches, performance monitor, external PID


@each_model
@pytest.mark.parametrize("op", [MSGSND, MSGCLR])
def test_messages_trap(machine: MachineFactory, model: str, op: int) -> None:
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    assert m.guest_op(op) == TRAP
    assert_trapped(m, before)


@each_model
def test_hypervisor_sends_and_clears_messages(machine: MachineFactory, model: str) -> None:
    m = code(machine, model, HYPERVISOR)
    m.set({"spr.PIR": 0, "thread.gpr[5]": 0})
    assert m.guest_op(MSGSND) == DONE
    assert m["thread.pins"] == 1 << 9
    assert m.guest_op(MSGCLR) == DONE
    assert m["thread.pins"] == 0


@each_model
@pytest.mark.parametrize("op", [DCBTLS, DCBLC, ICBTLS])
def test_cache_locking_goes_by_uclep(machine: MachineFactory, model: str, op: int) -> None:
    m = code(machine, model, SUPERVISOR)
    m["spr.MSRP"] = UCLEP
    before = m.snapshot()
    assert m.guest_op(op) == TRAP
    assert_trapped(m, before)


@each_model
@pytest.mark.parametrize(("op", "esr"), [(DCBTLS, 0x200000), (DCBLC, 0x200000), (ICBTLS, 0x100000)])
def test_user_cache_locking_without_ucle_is_dsi(
    machine: MachineFactory, model: str, op: int, esr: int
) -> None:
    """6.5, 12: DSI with DLK or ILK, DEAR = EA."""
    m = code(machine, model, GUEST_USER)
    m.set({"thread.gpr[4]": 0x20001000, "thread.gpr[5]": 0x10})
    assert m.guest_op(op) == End(Outcome.EXIT, 2)
    assert (m["spr.ESR"], m["spr.DEAR"], m["spr.SRR0"]) == (esr, 0x20001010, PC)
    m = code(machine, model, GUEST_USER)
    m.set({"thread.gpr[4]": 0x20001000, "thread.gpr[5]": 0x10, "spr.EPCR": 0x10000000})
    assert m.guest_op(op) == End(Outcome.TAKEN_BY_GUEST, 2)
    assert (m["spr.GESR"], m["spr.GDEAR"], m["spr.GSRR0"]) == (esr, 0x20001010, PC)


@each_model
@pytest.mark.parametrize("op", [MFPMR, MTPMR])
def test_performance_monitor_goes_by_pmmp(machine: MachineFactory, model: str, op: int) -> None:
    m = code(machine, model, SUPERVISOR)
    m["spr.MSRP"] = PMMP
    before = m.snapshot()
    assert m.guest_op(op) == TRAP
    assert_trapped(m, before)


@each_model
def test_external_pid_load_is_native(machine: MachineFactory, model: str) -> None:
    """9.3: a guest supervisor executes lwepx with its own EPLC."""
    m = code(machine, model, SUPERVISOR)
    put(m, 1, 0, V | 5 << 16 | tsize(2), 0x20001000 | M, 0x7002, mas8=TGS | 3)
    m.set({"spr.EPLC": 0xA0030005, "thread.gpr[4]": 0x20001000, "thread.gpr[5]": 0x234})
    m.store_word(0x7234, 0x12345678)
    assert m.guest_op(LWEPX) == DONE
    assert (m["thread.gpr[3]"], m["thread.pc"]) == (0x12345678, PC + 4)


# 9.1: the forms by width; loads zero-extend, stores keep the low bytes
EXTERNAL_LOADS = {95: (1, 0x12), 287: (2, 0x1234), 31: (4, 0x12345678), 29: (8, 0x12345678_9ABCDEF0)}
EXTERNAL_STORES = {223: 1, 415: 2, 159: 4, 157: 8}
EXTERNAL_CACHE = (63, 127, 991)  # dcbstep dcbfep icbiep
EXTERNAL_TOUCHES = (319, 255)  # dcbtep dcbtstep
EXTERNAL_FLOAT = (607, 735)  # lfdepx stfdepx
DCBZEP = 1023


def external(machine: MachineFactory, model: str, rights: int, msr: int = SUPERVISOR) -> Machine:
    """A guest supervisor whose EPLC and EPSC name the page at 20001000, real 7000, TID 5."""
    m = code(machine, model, msr)
    put(m, 1, 0, V | 5 << 16 | tsize(2), 0x20001000 | M, 0x7000 | rights, mas8=TGS | 3)
    m.set({"spr.EPLC": 0xA0030005, "spr.EPSC": 0xA0030005})
    m.set({"thread.gpr[4]": 0x20001000, "thread.gpr[5]": 0x238})
    return m


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_LOADS)
def test_external_pid_loads(machine: MachineFactory, model: str, xo: int) -> None:
    """9.1, 9.2: EPLC's context and UR; a doubleword exists on 64-bit cores only."""
    m = external(machine, model, UR)
    m.write_ram(0x7238, bytes.fromhex("123456789abcdef0"))
    size, value = EXTERNAL_LOADS[xo]
    if size == 8 and model == "e500mc":
        assert m.guest_op(x_form(xo, 3)).ivor == PROGRAM
        return
    assert m.guest_op(x_form(xo, 3)) == DONE
    assert (m["thread.gpr[3]"], m["thread.pc"]) == (value, PC + 4)


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_STORES)
def test_external_pid_stores(machine: MachineFactory, model: str, xo: int) -> None:
    """9.1: EPSC's context and UW; only `size` bytes change."""
    m = external(machine, model, UW)
    size = EXTERNAL_STORES[xo]
    m["thread.gpr[3]"] = 0x81828384 if model == "e500mc" else 0xF1F2F3F4_81828384
    m.write_ram(0x7238, bytes(8))
    if size == 8 and model == "e500mc":
        assert m.guest_op(x_form(xo, 3)).ivor == PROGRAM
        return
    assert m.guest_op(x_form(xo, 3)) == DONE
    kept = bytes.fromhex("f1f2f3f481828384")[-size:]
    assert m.read_ram(0x7238, 8) == kept + bytes(8 - size)
    assert m["thread.pc"] == PC + 4


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_STORES)
def test_external_pid_store_fault_says_st_and_epid(machine: MachineFactory, model: str, xo: int) -> None:
    """9.4, A20: DSI with ST and EPID; the page may only be read; nothing is stored."""
    if xo == 157 and model == "e500mc":
        pytest.skip("stdepx is an instruction of 64-bit cores")
    m = external(machine, model, UR)
    m["thread.gpr[3]"] = 0xFFFFFFFF
    assert m.guest_op(x_form(xo, 3)) == End(Outcome.EXIT, 2)
    assert (m["spr.ESR"], m["spr.DEAR"], m["spr.SRR0"]) == (0x800040, 0x20001238, PC)
    assert m.read_ram(0x7238, 8) == bytes(8)


@each_model
def test_external_pid_store_uses_epsc_alone(machine: MachineFactory, model: str) -> None:
    """9.1: EPLC's EPID does not matter to a store, EPSC's not to a load."""
    m = external(machine, model, UR | UW)
    m.set({"spr.EPLC": 0xA0030006, "thread.gpr[3]": 0x55})
    assert m.guest_op(x_form(223, 3)) == DONE
    m.set({"spr.EPLC": 0xA0030005, "spr.EPSC": 0xA0030006})
    assert m.guest_op(x_form(95, 3)) == DONE
    assert m["thread.gpr[3]"] == 0x55


@each_model
def test_dcbzep_zeroes_the_line(machine: MachineFactory, model: str) -> None:
    """docs/choices.md: 64 bytes around the operand, and no byte more."""
    m = external(machine, model, UW)
    m.write_ram(0x7000, b"\xee" * 0x400)
    assert m.guest_op(x_form(DCBZEP, 0)) == DONE
    assert m.read_ram(0x7000, 0x400) == b"\xee" * 0x200 + bytes(64) + b"\xee" * 0x1C0


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_CACHE)
def test_external_pid_cache_instructions_need_read(machine: MachineFactory, model: str, xo: int) -> None:
    """5.1: treated as loads; ST stays clear."""
    m = external(machine, model, UR)
    assert m.guest_op(x_form(xo, 0)) == DONE
    m = external(machine, model, UX)
    assert m.guest_op(x_form(xo, 0)) == End(Outcome.EXIT, 2)
    assert m["spr.ESR"] == 0x40


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_TOUCHES)
def test_external_pid_touch_never_interrupts(machine: MachineFactory, model: str, xo: int) -> None:
    m = external(machine, model, UX)
    assert m.guest_op(x_form(xo, 0)) == DONE
    m["thread.gpr[4]"] = 0x30000000
    assert m.guest_op(x_form(xo, 0)) == DONE
    assert m["thread.pc"] == PC + 8


@each_model
@pytest.mark.parametrize("xo", EXTERNAL_FLOAT)
def test_external_pid_float_is_the_engines(machine: MachineFactory, model: str, xo: int) -> None:
    """pyexit.h: its registers are the engine's."""
    m = external(machine, model, UR | UW)
    with refused(errno.ENOSYS):
        m.guest_op(x_form(xo, 0))


@each_model
@pytest.mark.parametrize(
    "xo", [*EXTERNAL_LOADS, *EXTERNAL_STORES, *EXTERNAL_CACHE, *EXTERNAL_TOUCHES, *EXTERNAL_FLOAT, DCBZEP]
)
def test_user_code_takes_ppr_for_every_external_pid_form(
    machine: MachineFactory, model: str, xo: int
) -> None:
    """9.3, 9.3a: a supervisor instruction, and that is checked first."""
    m = external(machine, model, UR | UW, GUEST_USER)
    assert m.guest_op(x_form(xo, 3)).ivor == PROGRAM
    assert_program(m, PPR)


@each_model
def test_external_pid_fault_of_a_guest_goes_by_epcr(machine: MachineFactory, model: str) -> None:
    """9.3, 9.4: DTLB error with ESR[EPID]; DTLBGS sends it to the guest."""
    m = code(machine, model, SUPERVISOR)
    m.set({"spr.EPLC": 0xA0030005, "thread.gpr[4]": 0, "thread.gpr[5]": 0x20001234})
    assert m.guest_op(LWEPX) == End(Outcome.EXIT, 13)
    assert (m["spr.ESR"], m["spr.DEAR"]) == (0x40, 0x20001234)
    m = code(machine, model, SUPERVISOR)
    m.set({"spr.EPLC": 0xA0030005, "spr.EPCR": 0x40000000})
    m.set({"thread.gpr[4]": 0, "thread.gpr[5]": 0x20001234})
    assert m.guest_op(LWEPX) == End(Outcome.TAKEN_BY_GUEST, 13)
    assert (m["spr.GESR"], m["spr.GDEAR"], m["spr.GSRR0"]) == (0x40, 0x20001234, PC)


@each_model
@pytest.mark.parametrize("op", [0x60000000, 0x38210010, 0x7C0004AC, 0x4C00012C])
def test_unprivileged_instruction_is_the_engines(machine: MachineFactory, model: str, op: int) -> None:
    """pyexit.h: nop, addi, sync, isync: ENOSYS, and nothing changes."""
    m = code(machine, model, SUPERVISOR)
    before = m.snapshot()
    with refused(errno.ENOSYS):
        m.guest_op(op)
    assert m.diff(before) == []


@each_model
@pytest.mark.parametrize("msr", [SUPERVISOR, HYPERVISOR])
def test_tlbsrx_is_illegal(machine: MachineFactory, model: str, msr: int) -> None:
    """8.3, 6.5: illegal on these cores; with DGTMI=1 HV-priv comes first (U23)."""
    m = code(machine, model, msr)
    assert m.guest_op(x_form(850, 0) | 1).ivor == PROGRAM
    assert_program(m, PIL)


def test_guest_op_refuses_a_vcpu_that_does_not_exist(machine: MachineFactory) -> None:
    m = machine()
    with refused(errno.EINVAL):
        m.guest_op(MFMSR, vcpu=1)


def test_ops_are_of_the_vcpus_thread(machine: MachineFactory) -> None:
    """Vcpu 1 runs on thread 1 of an e6500, whose registers are its own."""
    m = machine(model=MODELS[2], vcpus=2)
    m.set({"thread1.msr": GS, "thread1.pc": PC, "thread1.gpr[3]": 9, "thread.pc": 8})
    assert m.guest_op(mtspr(26), vcpu=1) == DONE
    assert (m["spr1.GSRR0"], m["spr.GSRR0"], m["thread.pc"], m["thread1.pc"]) == (9, 0, 8, PC + 4)


@pytest.mark.parametrize("xo", [18, 31])
def test_32_bit_mode_cuts_addresses(machine: MachineFactory, xo: int) -> None:
    """5.6: MSR[CM]=0 on a 64-bit core: the effective address is taken modulo 2^32."""
    m = code(machine, "e5500", SUPERVISOR)
    m.set({"spr.EPLC": 0xA0030005, "spr.EPSC": 0xA0030005})
    m.set({"thread.gpr[4]": 0xFFFFFFFF_F0001000, "thread.gpr[5]": 0x30000234})
    set_mas(m, {5: SGS | 3, 6: 5 << 16})
    put(m, 1, 0, V | 5 << 16 | tsize(2), 0x20001000 | M, 0x703F, mas8=TGS | 3)
    assert m.guest_op(x_form(xo, 3)) == DONE
    assert stored(m, 1, 0)[0] >> 31 == (xo != 18)
