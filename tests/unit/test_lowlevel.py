# SPDX-License-Identifier: BSD-3-Clause
"""kvm/lowlevel: the assembly path between guest and C: what is saved, what comes back (exit 11.2-11.5)."""

from __future__ import annotations

import pytest

from pyexit import Machine
from pyexit.machine import Where

from .kvmsupport import NOT_LOADED, PC, arch, guest, log, vcpu
from .support import GS, TGS, M, MachineFactory, V, each_model, put, refused, tsize

EXTERNAL, DTLB, ITLB, HV_PRIV, DBELL = 4, 13, 14, 41, 36
ENOENT = 2


def running(machine: MachineFactory, model: str) -> Machine:
    """A guest that has been entered."""
    m = guest(machine(model=model))
    m["host.irq_enabled"] = 1
    arch(m, {f"regs.gpr[{n}]": 0x100 + n for n in range(32)})
    arch(
        m,
        {
            "regs.link": 0x11,
            "regs.ctr": 0x22,
            "regs.xer": 0x33,
            "regs.ccr": 0x44,
            "pid": 5,
            "shared.mas4": 0x104,
        },
    )
    assert m.enter().where is Where.GUEST
    return m


@each_model
def test_entry_loads_the_thread(machine: MachineFactory, model: str) -> None:
    """11.5: GPRs, LR, CTR, XER, CR, PID, MAS4 and the guest's pc and MSR."""
    m = running(machine, model)
    assert [m[f"thread.gpr[{n}]"] for n in range(32)] == [0x100 + n for n in range(32)]
    assert [m[f"thread.{name}"] for name in ("lr", "ctr", "xer", "cr")] == [0x11, 0x22, 0x33, 0x44]
    assert (m["spr.PID"], m["spr.MAS4"], m["thread.pc"], m["thread.msr"]) == (5, 0x104, PC, GS)


@each_model
def test_exit_saves_and_resumes(machine: MachineFactory, model: str) -> None:
    """11.3, 11.4: a light exit comes back with the guest's registers."""
    m = running(machine, model)
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS, "thread.gpr[3]": 0x999, "thread.lr": 0x55})
    assert m.exit(DBELL).where is Where.GUEST
    assert vcpu(m, "regs.nip", "regs.gpr[3]", "regs.link") == (0x2000, 0x999, 0x55)
    assert (m["thread.pc"], m["thread.gpr[3]"], m["thread.lr"]) == (0x2000, 0x999, 0x55)


@each_model
@pytest.mark.parametrize(("exit_nr", "esr", "dear"), [(DTLB, 1, 1), (ITLB, 0, 0), (DBELL, 0, 0)])
def test_flags_of_the_handler(machine: MachineFactory, model: str, exit_nr: int, esr: int, dear: int) -> None:
    """11.2: NEED_ESR and NEED_DEAR; what is not saved keeps its old value."""
    m = running(machine, model)
    arch(m, {"fault_esr": 0x11, "fault_dear": 0x22})
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS, "spr.ESR": 0x00800000, "spr.DEAR": 0x3000})
    m.exit(exit_nr)
    assert vcpu(m, "fault_esr", "fault_dear") == (0x00800000 if esr else 0x11, 0x3000 if dear else 0x22)


@each_model
def test_need_emu_empties_the_instruction_cache(machine: MachineFactory, model: str) -> None:
    """E6: HV_PRIV; the fetch misses here, so the word stays unknown and the guest tries again."""
    m = running(machine, model)
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS})
    assert m.exit(HV_PRIV).where is Where.GUEST
    assert vcpu(m, "last_inst") == (NOT_LOADED,)
    assert m["thread.pc"] == 0x2000


@each_model
def test_v13_signal_leaves_with_eintr(machine: MachineFactory, model: str) -> None:
    """16 V13: -EINTR out of KVM_RUN; the live registers are in the vcpu."""
    m = running(machine, model)
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS, "host.signal_pending": 1, "thread.gpr[20]": 0x777})
    resume = m.exit(DBELL)
    assert (resume.where, resume.ret) == (Where.HOST, -4)
    assert vcpu(m, "regs.gpr[20]") == (0x777,)


def test_q39_high_halves_keep_old_data(machine: MachineFactory) -> None:
    """32-bit: shared.sprg4 is stored by its low word."""
    m = running(machine, "e500mc")
    arch(m, {"shared.sprg4": 0xAAAAAAAA_00000000})
    m.set({"spr.SPRG4": 0x1234, "spr.SRR0": 0x2000, "spr.SRR1": GS})
    m.exit(DBELL)
    assert vcpu(m, "shared.sprg4") == (0xAAAAAAAA_00001234,)


@each_model
def test_unhooked_exit_is_refused(machine: MachineFactory, model: str) -> None:
    """11.2: no vector has that number."""
    m = running(machine, model)
    with refused(ENOENT):
        m.exit(200)


@each_model
def test_lwepx_whose_fault_nobody_knows(machine: MachineFactory, model: str) -> None:
    """11.6: the old fetch in the entry path; the page is gone, and the host cannot handle that."""
    m = guest(machine(model=model, fetch="lwepx"))
    assert m.enter().where is Where.GUEST
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS})
    assert m.exit(HV_PRIV).stop == "OOPS bookehv_interrupts.S lwepx"


ALL, NARROW, WIDE = (32, 64), (32,), (64,)

#: exit 11.2: exit number, save registers, NEED_EMU, NEED_DEAR, NEED_ESR, widths of the hosts that have it.
HANDLERS = [
    (0, "CSRR", 0, 0, 0, ALL), (1, "MCSRR", 0, 0, 0, ALL), (2, "SRR", 1, 1, 1, ALL), (3, "SRR", 0, 0, 1, ALL),
    (4, "SRR", 0, 0, 0, ALL), (5, "SRR", 0, 1, 1, ALL), (6, "SRR", 1, 0, 1, ALL), (7, "SRR", 0, 0, 0, ALL),
    (8, "SRR", 0, 0, 0, NARROW), (9, "SRR", 0, 0, 0, ALL), (10, "SRR", 0, 0, 0, ALL),
    (11, "SRR", 0, 0, 0, ALL), (12, "CSRR", 0, 0, 0, ALL), (13, "SRR", 1, 1, 1, ALL),
    (14, "SRR", 0, 0, 0, ALL), (15, "DSRR", 0, 0, 0, ALL),
    (32, "SRR", 0, 0, 0, WIDE), (33, "SRR", 0, 0, 0, WIDE),
    (35, "SRR", 0, 0, 0, ALL), (36, "SRR", 0, 0, 0, ALL), (37, "CSRR", 0, 0, 0, ALL),
    (38, "GSRR", 0, 0, 0, ALL), (39, "CSRR", 0, 0, 0, ALL), (40, "SRR", 0, 0, 0, ALL),
    (41, "SRR", 1, 0, 0, ALL), (42, "SRR", 1, 1, 1, WIDE),
]  # fmt: skip


@each_model
@pytest.mark.parametrize("row", HANDLERS, ids=lambda row: str(row[0]))
def test_handler(
    machine: MachineFactory, model: str, row: tuple[int, str, int, int, int, tuple[int, ...]]
) -> None:
    """11.2, 11.3 E4, E6-E8: whose save registers are read, and what is saved; elsewhere nothing is hooked."""
    number, pair, emu, dear, esr, widths = row
    m = running(machine, model)
    arch(m, {"fault_esr": 0x11, "fault_dear": 0x22, "last_inst": 0x60000000, "regs.gpr[20]": 0x999})
    for n, name in enumerate(("SRR", "CSRR", "MCSRR", "GSRR", "DSRR")):
        m.set({f"spr.{name}0": 0x2000 + 0x100 * n, f"spr.{name}1": GS | 0x20 * (n & 1)})
    m.set({"spr.ESR": 0x00800000, "spr.DEAR": 0x3000, "thread.gpr[20]": 0x777})
    pc, msr = m[f"spr.{pair}0"], m[f"spr.{pair}1"]
    m.events()
    if m.params["width"] not in widths:
        with refused(ENOENT):
            m.exit(number)
        return
    m.exit(number)
    assert vcpu(m, "fault_esr", "fault_dear") == (0x00800000 if esr else 0x11, 0x3000 if dear else 0x22)
    (trace,) = [text for text in log(m, traces=True) if text.startswith("kvm_exit ")]
    assert f"| pc={pc:#x} | msr={msr:#x} |" in trace
    assert trace.endswith(f"last_inst={NOT_LOADED if emu else 0x60000000:#x}")
    if emu:
        assert vcpu(m, "regs.gpr[20]") == (0x777,)


@each_model
def test_emulated_result_reaches_a_non_volatile_register(machine: MachineFactory, model: str) -> None:
    """11.4 X2: RESUME_GUEST_NV; mfspr r20,TSR, from the cache of the fetch."""
    m = running(machine, model)
    arch(m, {"tsr": 0x1234})
    put_code(m, 0x7E9052A6)
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": GS})
    assert m.exit(HV_PRIV).where is Where.GUEST
    assert (m["thread.gpr[20]"], m["thread.gpr[21]"], m["thread.pc"]) == (0x1234, 0x115, 0x2004)


def put_code(m: Machine, word: int) -> None:
    """The guest's page at 2000, PID 5, in TLB1, and a word in it."""
    put(m, 1, 9, V | 5 << 16 | tsize(2), 0x2000 | M, 0x5000 | 0x3F, mas8=TGS | m["kvm.arch.lpid"])
    m.store_word(0x5000, word)
