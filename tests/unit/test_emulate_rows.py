# SPDX-License-Identifier: BSD-3-Clause
"""The test vectors of emulate 9.1 and 9.2, E01 to E58 and C01 to C44, row by row; test_mmio_rows.py has 9.3.

Every row goes through emulation_exit. `before` and `after` name fields as `named()` reads them; what is not
in `after`, and is no bookkeeping, must not change.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from pyexit import Machine

from .kvmsupport import PC, RESUME_GUEST_NV, RESUME_HOST, call, log
from .support import MachineFactory, changed

F32, F64, F64V = ("e500mc",), ("e5500",), ("e6500",)
WIDE = F64 + F64V
ALL = F32 + WIDE
NEXT = PC + 4
BASE_MSR = 0x10029000

DONE, FAIL, EXIT_USER = "DONE", "FAIL", "EXIT_USER"
RESUME = {DONE: RESUME_GUEST_NV, FAIL: RESUME_HOST, EXIT_USER: RESUME_HOST}

Fields = dict[str, int]


class Row(NamedTuple):
    """One vector: `kind` is last_exit_type (T); `events` begin as events that must be there."""

    id: str
    word: int
    before: Fields
    after: Fields
    result: str = DONE
    kind: int = 9
    models: tuple[str, ...] = ALL
    events: tuple[str, ...] = ()


def named(name: str) -> str:
    """A field's whole name: r3 a GPR, pc, msr, capitals an SPR; without a room a field of vcpu.arch."""
    if re.fullmatch(r"r\d+", name):
        return f"vcpu.arch.regs.gpr[{name[1:]}]"
    if re.match(r"(run|vcpu\d?|e500|core|host)\.", name):
        return name
    known = {"pc": "regs.nip", "msr": "shared.msr", "pending": "pending_exceptions"}
    return f"spr.{name}" if name.isupper() else f"vcpu.arch.{known.get(name, name)}"


def whole(fields: Fields) -> Fields:
    return {named(name): value for name, value in fields.items()}


def bits(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


def mtspr(id_: str, word: int, before: Fields, after: Fields, models: tuple[str, ...] = ALL) -> Row:
    return Row(id_, word, before, {"pc": NEXT} | after, DONE, 12, models)


def mfspr(id_: str, word: int, before: Fields, after: Fields, models: tuple[str, ...] = ALL) -> Row:
    return Row(id_, word, before, {"pc": NEXT} | after, DONE, 13, models)


def done(id_: str, word: int, before: Fields, after: Fields, kind: int = 9) -> Row:
    return Row(id_, word, before, {"pc": NEXT} | after, DONE, kind)


def fail(
    id_: str, word: int, before: Fields | None = None, kind: int = 9, models: tuple[str, ...] = ALL
) -> Row:
    """ "FAIL" through emulation_exit (emulate 9): PROGRAM with PIL, hardware_exit_reason; the pc stays."""
    reason = 0xFFFFFFFF_00000000 | word
    after = {"pending": bits(3), "queued_esr": 0x08000000, "run.hw.hardware_exit_reason": reason}
    return Row(id_, word, before or {}, after, FAIL, kind, models)


TRAPPED = {"queued_esr": 0x02000000, "pending": bits(3)}
TB = 0x11223344_55667788
GTLB0, GTLB1 = "e500.gtlb0", "e500.gtlb1"


def entry(at: str, mas1: int, mas2: int = 0, mas7_3: int = 0) -> Fields:
    """A guest TLB entry; `at` is e500.gtlbN[index]."""
    room, index = at.split("[")
    return {f"{room}.mas1[{index}": mas1, f"{room}.mas2[{index}": mas2, f"{room}.mas7_3[{index}": mas7_3}


def guest_mas(mas0: int, mas1: int, mas2: int, mas7_3: int) -> Fields:
    return {"shared.mas0": mas0, "shared.mas1": mas1, "shared.mas2": mas2, "shared.mas7_3": mas7_3}


GENERIC = (
    Row("E01", 0x0FE00000, {}, TRAPPED),
    Row("E02", 0x0E030005, {}, TRAPPED),
    Row("E03", 0x7C832008, {"shared.esr": 0x00800000}, TRAPPED | {"queued_esr": 0x02800000}),
    Row("E04", 0x7FE00088, {}, TRAPPED, models=WIDE),
    fail("E04", 0x7FE00088, models=F32),
    fail("E05", 0x0BE00000),
    fail("E06", 0x44000002),
    mtspr("E07", 0x7C7A03A6, {}, {"GSRR0": 0x3100}),
    mfspr("E08", 0x7CBA02A6, {"GSRR0": 0xC0001234, "shared.srr0": 0x77}, {"r5": 0xC0001234}),
    mtspr(
        "E09", 0x7CD603A6, {"core.tb": 1000},
        {"dec": 0x6100, "dec_jiffies": 1000, "dec_timer_armed": 1, "dec_timer_expires": 1000 + 0x6100},
    ),
    mfspr("E10", 0x7CF602A6, {"dec": 0x6100, "dec_jiffies": 1000, "core.tb": 1100}, {"r7": 0x609C}),
    mfspr("E11", 0x7CF602A6, {"dec": 0x10, "dec_jiffies": 1000, "core.tb": 1017}, {"r7": 0}),
    mfspr("E12", 0x7C7C42A6, {"core.tb": TB}, {"r3": 0x11223344}),
    mfspr("E13", 0x7C9D42A6, {"core.tb": TB}, {"r4": 0x55667788}, F32),
    mfspr("E13", 0x7C9D42A6, {"core.tb": TB}, {"r4": TB}, WIDE),
    mtspr("E14", 0x7C7C43A6, {}, {}),
    mfspr("E15", 0x7D3E42A6, {"shared.pir": 7}, {"r9": 1}),
    mtspr("E16", 0x7D3E43A6, {}, {}),
    mfspr("E17", 0x7D1F42A6, {"pvr": 0x80230020}, {"r8": 0x80230020}),
    mtspr("E18", 0x7C7043A6, {}, {"GSPRG0": 0x3100}),
    mfspr("E19", 0x7CD342A6, {"GSPRG3": 0xABCD}, {"r6": 0xABCD}),
    done("E20", 0x7C00046C, {}, {}),
    Row(
        "E21", 0x00DDDD00, {"run.exit_reason": 0},
        {"run.exit_reason": 4, "run.debug.arch.address": PC, "run.debug.arch.status": 0}, EXIT_USER,
    ),
    fail("E22", 0x00000000),
    Row(
        "E23", 0x4C000064, {"shared.srr0": 0x2000, "shared.srr1": 0x8002, "GSRR0": 0x9990},
        {"pc": 0x2000, "msr": 0x10008002}, kind=18,
    ),
    Row("E24", 0x4C000066, {"csrr0": 0x2003, "csrr1": 0x1000}, {"pc": 0x2003, "msr": 0x10001000}, kind=19),
    Row(
        "E25", 0x4C00004E, {"dsrr0": 0x3000, "dsrr1": 0, "vcpu.guest_debug": 1},
        {"pc": 0x3000, "msr": 0x10000200}, kind=20,
    ),
    fail("E26", 0x4C00004C),
    done("E27", 0x7C6000A6, {}, {"r3": BASE_MSR}, 15),
    done("E28", 0x7C800124, {}, {"msr": 0x10004100}, 14),
    done("E29", 0x7C800124, {"vcpu.guest_debug": 1}, {"msr": 0x10004300}, 14),
    done("E30", 0x7CA00106, {}, {"msr": 0x10021000}, 11),
    done("E31", 0x7C008146, {"msr": 0x10021000}, {"msr": 0x10029000}, 11),
    done("E32", 0x7C000146, {}, {"msr": 0x10021000}, 11),
    mtspr("E33", 0x7C7D0BA6, {"GDEAR": 0x55}, {"shared.dar": 0x3100}),
    mfspr("E34", 0x7C7D0AA6, {"shared.dar": 0xA0, "GDEAR": 0x55}, {"r3": 0xA0}),
    mtspr("E35", 0x7C7E0BA6, {}, {"shared.esr": 0x3100}),
    mtspr("E36", 0x7C784BA6, {}, {"dbg_reg.iac1": 0x3100, "host.thread_debug.iac1": 0x3100}),
    mtspr("E37", 0x7C784BA6, {"vcpu.guest_debug": 1}, {}),
    fail("E38", 0x7C7A4BA6, kind=12),
    mtspr(
        "E39", 0x7C744BA6, {"r3": 0xFFFFFFFF},
        {"dbg_reg.dbcr0": 0x4DFF0000, "host.thread_debug.dbcr0": 0x4DFF0000},
    ),
    mfspr("E40", 0x7C744AA6, {"dbg_reg.dbcr0": 0x48000000, "vcpu.guest_debug": 1}, {"r3": 0xC8000000}),
    mtspr(
        "E41", 0x7C904BA6, {"dbsr": 0x80800000, "r4": 0x00800000, "pending": bits(13)},
        {"dbsr": 0x80000000, "pending": 0},
    ),
    mtspr(
        "E42", 0x7C904BA6, {"dbsr": 0x00C00000, "r4": 0x00800000, "pending": bits(13)},
        {"dbsr": 0x00400000, "pending": bits(13)},
    ),
    mtspr(
        "E43", 0x7CB053A6, {"tsr": 0x08000000, "tcr": 0x04000000, "r5": 0x08000000, "pending": bits(18)},
        {"tsr": 0, "pending": 0},
    ),
    mtspr(
        "E44", 0x7CD453A6, {"tcr": 0x10000000, "tsr": 0x08000000, "r6": 0x24000000},
        {"tcr": 0x14000000, "pending": bits(18)},
    )._replace(events=("del_timer",)),  # WP 0: further away than a timer can be set (3.5)
    mtspr("E45", 0x7CF60BA6, {}, {"decar": 0x7100}),
    mfspr("E46", 0x7CF60AA6, {"decar": 5}, {"r7": 5}),
    mtspr("E47", 0x7C7F0BA6, {}, {"ivpr": 0x3100, "GIVPR": 0x3100}),
    mtspr("E48", 0x7C7263A6, {}, {"ivor[0]": 0x3100, "GIVOR2": 0x3100}),
    mtspr("E49", 0x7C7863A6, {}, {"ivor[8]": 0x3100, "GIVOR8": 0x3100}),
    mtspr("E50", 0x7C7A63A6, {}, {"ivor[18]": 0x3100}),
    mtspr("E51", 0x7C7C8BA6, {"mcsr": 0xFFFF}, {"mcsr": 0xCEFF}),
    mtspr(
        "E52", 0x7C734BA6, {"r3": 0x02000000, "shadow_epcr": 0x16800000},
        {"epcr": 0x02000000, "shadow_epcr": 0x17800000, "EPCR": 0x17800000}, WIDE,
    ),
    fail("E52", 0x7C734BA6, {"r3": 0x02000000}, 12, F32),
    mfspr("E53", 0x7C734AA6, {"epcr": 0x02000000}, {"r3": 0x02000000}, WIDE),
    fail("E53", 0x7C734AA6, {}, 13, F32),
    mfspr("E54", 0x7C7EAAA6, {"epr": 0x21}, {"r3": 0x21}),
    fail("E55", 0x7C7EABA6, kind=12),
    mtspr("E56", 0x7C7443A6, {}, {"shared.sprg4": 0x3100}),
    fail("E57", 0x7C6442A6, kind=13),
    fail("E58", 0x7C00007C),
)  # fmt: skip

PIRS = {"shared.pir": 0, "vcpu1.arch.shared.pir": 1, "vcpu2.arch.shared.pir": 0x3000}
SENT = "vcpu{}.arch.pending_exceptions"
TLBILX = "tlbilxlpid mas5=0x80000002"

#: C37's entry, and where TLB1 has it.
WRITTEN = (0x80000500, 0x30000000, 0xFE000015)
C37_RANGE = {"e500.tlb1_min_eaddr": 0x30000000, "e500.tlb1_max_eaddr": 0x300FFFFF}

E500 = (
    done("C01", 0x7C00214C, {"e500.l1csr0": 1}, {"e500.l1csr0": 0x401}),
    mtspr("C02", 0x7C72FBA6, {"r3": 0x503}, {"e500.l1csr0": 0x401}),
    mtspr("C03", 0x7C73FBA6, {"r3": 0x103}, {"e500.l1csr1": 1}),
    mtspr("C04", 0x7C70FBA6, {}, {"e500.hid0": 0x3100}),
    mtspr("C05", 0x7C75FBA6, {}, {}),
    fail("C06", 0x7C75FAA6, kind=13),
    mfspr("C07", 0x7C74FAA6, {}, {"r3": 0}),
    mtspr(
        "C08", 0x7C74FBA6,
        {
            "r3": 4, f"{GTLB0}.mas1[0]": 0x80000100, f"{GTLB0}.mas1[1]": 0xC0000100,
            f"{GTLB1}.mas1[0]": 0x80000500,
        },
        {f"{GTLB0}.mas1[0]": 0},
    )._replace(events=(TLBILX,)),
    mfspr("C09", 0x7C77FAA6, {"mmucfg": 0x064809C4}, {"r3": 0x064809C4}),
    fail("C10", 0x7C77FBA6, kind=12),
    mfspr("C11", 0x7C7FFAA6, {"e500.svr": 0x82000020}, {"r3": 0x82000020}),
    fail("C12", 0x7C7FFBA6, kind=12),
    mtspr("C13", 0x7C7BFBA6, {}, {"pwrmgtcr0": 0x3100}),
    mfspr("C14", 0x7C70AAA6, {"tlbcfg[0]": 0x02120100}, {"r3": 0x02120100}),
    fail("C15", 0x7C7852A6, {"mmucfg": 0, "tlbps[0]": 4}, 13),
    mfspr("C15", 0x7C7852A6, {"mmucfg": 1, "tlbps[0]": 4}, {"r3": 4}),
    fail("C16", 0x7C7E52A6, {"mmucfg": 0}, 13),
    mfspr("C16", 0x7C7E52A6, {"mmucfg": 1}, {"r3": 0}),
    mtspr("C17", 0x7C7383A6, {}, {"ivor[19]": 0x3100}),
    mtspr("C18", 0x7C7483A6, {}, {"ivor[21]": 0x3100}),
    mfspr("C19", 0x7C7582A6, {"ivor[22]": 0x9A0}, {"r3": 0x9A0}),
    mtspr("C20", 0x7C7083A6, {}, {"ivor[5]": 0x3100}, F64V),
    fail("C20", 0x7C7083A6, {}, 12, F32 + F64),
    fail("C21", 0x7C7283A6, kind=12),
    fail("C22", 0x7C709BA6, kind=12),
    fail("C23", 0x7C700BA6, kind=12),
    done(
        "C24", 0x7C00199C, {"r3": 0x08000001} | PIRS, {SENT.format(1): bits(21)},
    )._replace(events=("kick 1",)),
    done("C25", 0x7C00199C, {"r3": 0x78000000} | PIRS, {"pending": bits(21)})._replace(events=("kick 0",)),
    done(
        "C26", 0x7C00199C, {"r3": 0x04000000},
        {"pending": bits(21), SENT.format(1): bits(21), SENT.format(2): bits(21)},
    )._replace(events=("kick 0", "kick 1", "kick 2")),
    done("C27", 0x7C00199C, {"r3": 0x3FFF}, {}),
    done("C28", 0x7C0019DC, {"r3": 0x08000005, "pending": bits(21, 22)}, {"pending": bits(21)}),
    done("C29", 0x7C0019DC, {"r3": 0, "pending": bits(21, 22)}, {"pending": bits(22)}),
    fail("C30", 0x7C0019DC, {"r3": 0x10000000}),
    Row(
        "C31", 0x7C000A1C, {},
        {"run.exit_reason": 4, "run.debug.arch.address": PC, "run.debug.arch.status": 0}, EXIT_USER, 26,
    ),
    fail("C32", 0x7C00021C),
    done("C33", 0x7C7002DC, {}, {"r3": 0x101}),
    fail("C34", 0x7C7102DC),
    fail("C35", 0x7C7003DC),
    done(
        "C36", 0x7C000764,
        guest_mas(0x10010000, 0, 0, 0) | entry(f"{GTLB1}[1]", 0xC0000700, 0x10000004, 0x2000003F),
        guest_mas(0x10010000, 0xC0000700, 0x10000004, 0x2000003F),
    ),
    done(
        "C37", 0x7C0007A4, guest_mas(0x10020000, *WRITTEN), entry(f"{GTLB1}[2]", *WRITTEN) | C37_RANGE, 17,
    ),
    done(
        "C38", 0x7C002724, entry(f"{GTLB1}[2]", *WRITTEN) | C37_RANGE | {"shared.mas6": 0, "r4": 0x30004100},
        guest_mas(0x10020000, *WRITTEN), 16,
    ),
    done(
        "C39", 0x7C002724,
        guest_mas(0, 0, 0x12345FFF, 0xFFFFF3FF)
        | {"shared.mas4": 0x107, "shared.mas6": 0x50001, "e500.gtlb_nv[0]": 1},
        guest_mas(0x10000, 0x51100, 0x12345003, 0x3C0) | {"e500.gtlb_nv[0]": 0}, 16,
    ),
    done(
        "C40", 0x7C002624, {"r4": 0xC, f"{GTLB1}.mas1[0]": 0x80000500, f"{GTLB1}.mas1[1]": 0xC0000500},
        {f"{GTLB1}.mas1[0]": 0},
    )._replace(events=(TLBILX,)),
    done(
        "C41", 0x7C000024,
        {
            f"{GTLB0}.mas1[0]": 0x80000100, f"{GTLB0}.mas1[255]": 0xC0000100,
            f"{GTLB1}.mas1[0]": 0x80000500, f"{GTLB1}.mas1[15]": 0xC0000500,
        },
        {f"{GTLB0}.mas1[0]": 0, f"{GTLB1}.mas1[0]": 0},
    ),
    done(
        "C42", 0x7C200024,
        {"shared.mas6": 0x50000, f"{GTLB0}.mas1[0]": 0x80050100, f"{GTLB0}.mas1[1]": 0x80000100},
        {f"{GTLB0}.mas1[0]": 0},
    ),
    done(
        "C43", 0x7C602024,
        {"shared.mas6": 0x50000, "r4": 0x4100}
        | entry(f"{GTLB0}[8]", 0x80051100, 0x4000) | entry(f"{GTLB0}[9]", 0x80050100, 0x4000),
        {f"{GTLB0}.mas1[8]": 0},
    ),
    done(
        "C44", 0x7C400024, {"r4": 0x4100} | entry(f"{GTLB0}[8]", 0x80000100, 0x4000), {},
    ),
)  # fmt: skip


def base(m: Machine) -> Machine:
    """The base state of emulate 9: pc 1000, MSR 10029000, gpr[i] = 1000 i + 100, vcpu_id = pir = 1."""
    fields = {f"r{n}": 0x1000 * n + 0x100 for n in range(32)} | {"pc": PC, "msr": BASE_MSR, "shared.pir": 1}
    m.set(whole(fields) | {"vcpu.vcpu_id": 1, "kvm.arch.lpid": 2, "host.threads_per_core": 1})
    return m


#: What the emulator keeps beside the row's fields: the word, its account, the union that is shown as one arm.
BOOKKEEPING = re.compile(
    r"vcpu\.arch\.(last_inst|last_exit_type|regs\.nip)$|vcpu\.stat\.|run\.(mmio|hw|debug)\."
)


CASES = [pytest.param(row, model, id=f"{row.id}-{model}") for row in GENERIC + E500 for model in row.models]


@pytest.mark.parametrize(("row", "model"), CASES)
def test_row(machine: MachineFactory, row: Row, model: str) -> None:
    """emulate 9.1, 9.2."""
    m = base(machine(model=model, vcpus=3))
    m.set(whole(row.before) | {"vcpu.arch.last_inst": row.word})
    before = m.snapshot()
    m.events()
    assert call(m, "emulation_exit") == RESUME[row.result]
    expected = whole(
        {"pc": PC, "last_exit_type": row.kind, "vcpu.stat.emulated_inst_exits": row.result == DONE}
    )
    expected |= whole(row.after)
    assert {name: m[name] for name in expected} == expected
    assert {name for name in changed(m, before) if not BOOKKEEPING.match(name)} <= expected.keys()
    events = log(m)
    for beginning in row.events:
        assert any(event.startswith(beginning) for event in events), events


def test_every_row_is_here() -> None:
    """58 rows of 9.1 and 44 of 9.2, each on all three flavours."""
    ids = [f"{kind}{n:02}" for kind, last in (("E", 58), ("C", 44)) for n in range(1, last + 1)]
    assert list(dict.fromkeys(row.id for row in GENERIC + E500)) == ids
    for id_ in ids:
        assert {model for row in GENERIC + E500 if row.id == id_ for model in row.models} == set(ALL), id_
