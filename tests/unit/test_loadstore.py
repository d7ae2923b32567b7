# SPDX-License-Identifier: BSD-3-Clause
"""kvm/loadstore: which words are loads and stores, their sizes, and the update of rA (emulate 5)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import PC, arch, call, guest, pending, vcpu
from .support import MachineFactory, each_model

DONE, DO_MMIO, FAIL = 0, 1, 2
FP, VEC = 0x2000, 0x02000000
GPR, FPR, VMX = 0x0000, 0x0040, 0x0180
PADDR, RT, RA, RB = 0xE0001000, 4, 5, 6
WIDE, VECTOR = ("e5500", "e6500"), ("e6500",)
ALL = ("e500mc", *WIDE)

#: emulate 5.2, D-form: primary opcode to (class, bytes, sign, update); stores have class None.
D_FORM = {
    32: (GPR, 4, 0, 0), 33: (GPR, 4, 0, 1), 34: (GPR, 1, 0, 0), 35: (GPR, 1, 0, 1), 40: (GPR, 2, 0, 0),
    41: (GPR, 2, 0, 1), 42: (GPR, 2, 1, 0), 43: (GPR, 2, 1, 1), 48: (FPR, 4, 0, 0), 49: (FPR, 4, 0, 1),
    50: (FPR, 8, 0, 0), 51: (FPR, 8, 0, 1), 36: (None, 4, 0, 0), 37: (None, 4, 0, 1), 38: (None, 1, 0, 0),
    39: (None, 1, 0, 1), 44: (None, 2, 0, 0), 45: (None, 2, 0, 1), 52: (None, 4, 0, 0), 53: (None, 4, 0, 1),
    54: (None, 8, 0, 0), 55: (None, 8, 0, 1),
}  # fmt: skip

#: X-form of all flavours, and those of 64-bit hosts.
X_FORM = {
    23: (GPR, 4, 0, 0), 55: (GPR, 4, 0, 1), 87: (GPR, 1, 0, 0), 119: (GPR, 1, 0, 1), 279: (GPR, 2, 0, 0),
    311: (GPR, 2, 0, 1), 343: (GPR, 2, 1, 0), 375: (GPR, 2, 1, 1), 534: (GPR, 4, 0, 0), 790: (GPR, 2, 0, 0),
    151: (None, 4, 0, 0), 183: (None, 4, 0, 1), 215: (None, 1, 0, 0), 247: (None, 1, 0, 1),
    407: (None, 2, 0, 0), 439: (None, 2, 0, 1), 662: (None, 4, 0, 0), 918: (None, 2, 0, 0),
    535: (FPR, 4, 0, 0), 567: (FPR, 4, 0, 1), 599: (FPR, 8, 0, 0), 631: (FPR, 8, 0, 1), 663: (None, 4, 0, 0),
    695: (None, 4, 0, 1), 727: (None, 8, 0, 0), 759: (None, 8, 0, 1),
}  # fmt: skip
X_FORM_WIDE = {
    341: (GPR, 4, 1, 0), 373: (GPR, 4, 1, 1), 21: (GPR, 8, 0, 0), 53: (GPR, 8, 0, 1), 532: (GPR, 8, 0, 0),
    149: (None, 8, 0, 0), 181: (None, 8, 0, 1), 660: (None, 8, 0, 0), 855: (FPR, 4, 1, 0),
    887: (FPR, 4, 0, 0), 983: (None, 4, 0, 0),
}  # fmt: skip
REVERSED = {534, 790, 532}
CACHE = (54, 86, 246, 278, 982, 1014)
#: emulate 5.2: what the decoder knows and the emulator refuses.
REFUSED = (20, 150, 533, 597, 661, 725, 470, 758, 566, 166, 31, 95, 159, 223, 255, 1023)


def x_form(xop: int) -> int:
    return 31 << 26 | RT << 21 | RA << 16 | RB << 11 | xop << 1


def d_form(primary: int, offset: int = 0x10) -> int:
    return primary << 26 | RT << 21 | RA << 16 | offset


def accessing(m: Machine, word: int) -> Machine:
    """A guest with FP and vectors on, whose access at PADDR faulted."""
    guest(m, FP | VEC, last_inst=word, paddr_accessed=PADDR, vaddr_accessed=PADDR)
    arch(m, {f"regs.gpr[{RA}]": 0x1000, f"regs.gpr[{RB}]": 0x20, f"regs.gpr[{RT}]": 0x11223344})
    return m


def check_access(
    m: Machine, row: tuple[int | None, int, int, int], ea: int, *, swabbed: bool = False
) -> None:
    kind, size, sign, update = row
    assert call(m, "kvmppc_emulate_loadstore") == DO_MMIO
    assert (m["run.mmio.phys_addr"], m["run.mmio.len"], m["run.mmio.is_write"]) == (PADDR, size, kind is None)
    assert (m["vcpu.mmio_needed"], m["vcpu.mmio_is_write"]) == (1, kind is None)
    assert vcpu(m, "regs.nip") == (PC + 4,)
    assert vcpu(m, f"regs.gpr[{RA}]") == (ea if update else 0x1000,)
    if kind is not None:
        assert vcpu(m, "io_gpr", "mmio_sign_extend", "mmio_host_swabbed") == (kind | RT, sign, swabbed)


@each_model
@pytest.mark.parametrize("primary", D_FORM)
def test_d_form(machine: MachineFactory, model: str, primary: int) -> None:
    m = accessing(machine(model=model), d_form(primary))
    check_access(m, D_FORM[primary], 0x1010)


@each_model
@pytest.mark.parametrize("xop", X_FORM)
def test_x_form(machine: MachineFactory, model: str, xop: int) -> None:
    m = accessing(machine(model=model), x_form(xop))
    check_access(m, X_FORM[xop], 0x1020, swabbed=xop in REVERSED)


@each_model
@pytest.mark.parametrize("xop", X_FORM_WIDE)
def test_x_form_of_64_bit_hosts(machine: MachineFactory, model: str, xop: int) -> None:
    m = accessing(machine(model=model), x_form(xop))
    if model in WIDE:
        check_access(m, X_FORM_WIDE[xop], 0x1020, swabbed=xop in REVERSED)
    else:
        assert call(m, "kvmppc_emulate_loadstore") == FAIL


@each_model
@pytest.mark.parametrize(
    ("word", "row"),
    [(58 << 26, (GPR, 8, 0, 0)), (58 << 26 | 1, (GPR, 8, 0, 1)), (58 << 26 | 2, (GPR, 4, 1, 0)),
     (62 << 26, (None, 8, 0, 0)), (62 << 26 | 1, (None, 8, 0, 1))],
)  # fmt: skip
def test_ds_form(
    machine: MachineFactory, model: str, word: int, row: tuple[int | None, int, int, int]
) -> None:
    """5.3.1: the low two bits of the displacement are the operation."""
    m = accessing(machine(model=model), word | RT << 21 | RA << 16 | 0x10)
    if model in WIDE:
        check_access(m, row, 0x1010)
    else:
        assert call(m, "kvmppc_emulate_loadstore") == FAIL


@each_model
@pytest.mark.parametrize("xop", CACHE)
def test_cache_instructions_are_done_without_access(machine: MachineFactory, model: str, xop: int) -> None:
    """5.2: dcbz too: nothing is zeroed."""
    m = accessing(machine(model=model), x_form(xop))
    assert call(m, "kvmppc_emulate_loadstore") == DONE
    assert (*vcpu(m, "regs.nip"), m["vcpu.mmio_needed"]) == (PC + 4, 0)


@each_model
@pytest.mark.parametrize("xop", REFUSED)
def test_refused(machine: MachineFactory, model: str, xop: int) -> None:
    m = accessing(machine(model=model), x_form(xop))
    assert call(m, "kvmppc_emulate_loadstore") == FAIL
    assert vcpu(m, "regs.nip") == (PC,)


@each_model
@pytest.mark.parametrize(
    ("word", "priority"), [(d_form(50), 4), (d_form(54), 4), (x_form(103), 5), (x_form(231), 5)]
)
def test_unit_off_queues_unavailable(machine: MachineFactory, model: str, word: int, priority: int) -> None:
    """5.4: DONE, the pc stays, no access; vectors exist on a host with AltiVec."""
    m = accessing(machine(model=model), word)
    arch(m, {"shared.msr": 0x10000000})
    known = priority == 4 or model in VECTOR
    assert call(m, "kvmppc_emulate_loadstore") == (DONE if known else FAIL)
    assert (pending(m), *vcpu(m, "regs.nip")) == ({priority} if known else set(), PC)


@pytest.mark.parametrize(("xop", "size", "copies"), [(7, 1, 1), (39, 2, 1), (71, 4, 1), (103, 16, 2)])
def test_vector_loads(machine: MachineFactory, xop: int, size: int, copies: int) -> None:
    """5.4: the address is aligned down; 16 bytes go in two steps of 8."""
    m = accessing(machine(model="e6500"), x_form(xop))
    arch(m, {"paddr_accessed": PADDR + 0xD, "vaddr_accessed": PADDR + 0xD})
    assert call(m, "kvmppc_emulate_loadstore") == DO_MMIO
    aligned = PADDR + (0xD & -size & 0xF)
    assert (m["run.mmio.phys_addr"], m["run.mmio.len"]) == (aligned, min(size, 8))
    assert vcpu(m, "mmio_vmx_copy_nums", "mmio_vmx_offset") == (copies, (aligned & 0xF) // size)
    assert vcpu(m, "io_gpr") == (VMX | RT,)


@each_model
def test_invalid_update_forms_are_accepted(machine: MachineFactory, model: str) -> None:
    """5.3.4, M31: lwzu r4,16(r4): the decoder's test never fires."""
    m = accessing(machine(model=model), 33 << 26 | RT << 21 | RT << 16 | 0x10)
    assert call(m, "kvmppc_emulate_loadstore") == DO_MMIO
    assert vcpu(m, f"regs.gpr[{RT}]") == (0x11223354,)


@each_model
@pytest.mark.parametrize(("spr", "kept"), [(1, 1), (8, 1), (9, 1), (26, 0)])
def test_moves_of_xer_lr_and_ctr_are_computed(
    machine: MachineFactory, model: str, spr: int, kept: int
) -> None:
    """5.2: the decoder answers 1 for them alone, so mmio_is_write keeps its value; FAIL in any case."""
    for xop in (339, 467):
        m = accessing(machine(model=model), 31 << 26 | RT << 21 | spr << 16 | xop << 1)
        m["vcpu.mmio_is_write"] = 1
        assert call(m, "kvmppc_emulate_loadstore") == FAIL
        assert m["vcpu.mmio_is_write"] == kept
