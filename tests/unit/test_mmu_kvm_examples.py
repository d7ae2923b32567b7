# SPDX-License-Identifier: BSD-3-Clause
"""The worked examples of mmu-kvm 17 in their order, K1 to K52: what a 64-bit build of the kernel did.

Those of KVM_CAP_SW_TLB, K38 to K46, are in test_config_tlb.py; those of kvmppc_load_last_inst, K53 to K65, in
test_last_inst.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pyexit import Machine

from .kvmsupport import ESR_PIL, PROGRAM, RESUME_GUEST, RESUME_HOST, call, log, pending, queued
from .support import ALL_PERMS, CM, DS, IS, SX, TGS, M, MachineFactory, V, put, tsize

HVA = 0x1_00000000
NAMES = ("mas0", "mas1", "mas2", "mas7_3", "mas4", "mas6")

#: Kinds of mapping of the VMM: flags, page size as log2.
ORDINARY, HUGE_4M, PFNMAP = (0, 12), (2, 22), (1, 12)


@dataclass
class Row:
    """One example: what is called with which MAS registers, and all that changes."""

    k: int
    call: tuple[str | int, ...]
    mas: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    nv: int = 0
    before: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    shadow: tuple[int, ...] = ()  # MAS1 MAS2 MAS7_3 and, in host TLB1, MAS0
    dirty: int | None = None
    log: tuple[str, ...] = ()  # beginnings of events that must be there too


def environment(machine: MachineFactory, model: str = "e5500") -> Machine:
    """17: guest RAM 0..3FFFFFFF, host pfn = gfn + 80000, 16 bolted TLB1 entries, LPID 2, MSR 0, PID 5."""
    m = machine(model)
    m.set(
        {
            "kvm.memslot.npages[0]": 0x40000,
            "kvm.memslot.userspace_addr[0]": HVA,
            "kvm.backing.hva[0]": HVA,
            "kvm.backing.npages[0]": 0x40000,
            "kvm.backing.pfn[0]": 0x80000,
            "kvm.arch.lpid": 2,
            "host.tlbcam_index": 16,
            "host.pte_wimge": 4,
            "vcpu.arch.pid": 5,
            "vcpu.arch.shared.msr": 0,
            "spr.MAS4": 0x100,
        }
    )
    return m


def vma(kind: tuple[int, int]) -> dict[str, int]:
    """The VMM maps guest RAM like this."""
    flags, shift = kind
    return {
        "kvm.vma.start[0]": HVA,
        "kvm.vma.end[0]": HVA + 0x40000000,
        "kvm.vma.pgoff[0]": 0x80000,
        "kvm.vma.flags[0]": flags,
        "kvm.vma.page_shift[0]": shift,
    }


def gtlb(tlbsel: int, entry: int, mas1: int, mas2: int, mas7_3: int, flags: int, pfn: int) -> dict[str, int]:
    """A guest entry and its reference."""
    values = {"mas1": mas1, "mas2": mas2, "mas7_3": mas7_3, "mas8": 0}
    words = {f"e500.gtlb{tlbsel}.{name}[{entry}]": value for name, value in values.items()}
    priv = f"e500.gtlb_priv{tlbsel}"
    return words | {f"{priv}.flags[{entry}]": flags, f"{priv}.pfn[{entry}]": pfn}


def run(m: Machine, row: Row) -> None:
    """Make the call of a row and compare all that it says."""
    shared = {f"vcpu.arch.shared.{name}": value for name, value in zip(NAMES, row.mas, strict=True)}
    m.set(shared | {"e500.gtlb_nv[0]": row.nv} | row.before)
    before = {name: m[name] for name in (*shared, "e500.gtlb_nv[0]", *BOUNDS)}
    m.events()
    name, *args = row.call
    call(m, str(name), *map(int, args))
    assert {name: m[name] for name in before} == before | named(row.changed), f"K{row.k}"
    assert {name: m[name] for name in row.after} == row.after, f"K{row.k}"
    events = log(m)
    assert [event for event in events if event.startswith("set_pfn_dirty")] == (
        [] if row.dirty is None else [f"set_pfn_dirty {row.dirty:#x}"]
    ), f"K{row.k}"
    assert shadows(events, len(row.shadow)) == ([row.shadow] if row.shadow else []), f"K{row.k}"
    for beginning in row.log:
        assert any(event.startswith(beginning) for event in events), f"K{row.k}: {beginning}"


BOUNDS = ("e500.tlb1_min_eaddr", "e500.tlb1_max_eaddr")
SHORT = {"nv0": "e500.gtlb_nv[0]", "min": BOUNDS[0], "max": BOUNDS[1]}


def named(changed: dict[str, int]) -> dict[str, int]:
    """The fields that the table's short names stand for."""
    return {SHORT.get(name, f"vcpu.arch.shared.{name}"): value for name, value in changed.items()}


def shadows(events: list[str], size: int) -> list[tuple[int, ...]]:
    """The valid entries written to the host TLB; MAS0 only where the table has it; always for LPID 2."""
    found = []
    for event in events:
        if event.startswith("tlbwe "):
            mas = dict(word.split("=") for word in event.split()[1:])
            mas0, mas1, mas2, mas3, mas7, mas8 = (int(mas[f"mas{n}"], 16) for n in (0, 1, 2, 3, 7, 8))
            if mas1 >> 31:
                assert mas8 == 0x80000002
                found.append((mas1, mas2, mas7 << 32 | mas3, mas0)[: size or 4])
    return found


TLBILX = "tlbilxlpid mas5=0x80000002"
SEARCHED = "tlbsx 0x10003000 mas5=0x80000002 mas6={:#x} "
TLBWE, TLBRE, TLBSX = "kvmppc_e500_emul_tlbwe", "kvmppc_e500_emul_tlbre", "kvmppc_e500_emul_tlbsx"
TLBIVAX, TLBILX_OP = "kvmppc_e500_emul_tlbivax", "kvmppc_e500_emul_tlbilx"
MAP = "kvmppc_mmu_map"
MSR = "vcpu.arch.shared.msr"

FIRST = (
    Row(
        1, (TLBWE,), (0x30000, 0x80050280, 0x10003004, 0x7015, 0, 0), dirty=0x80007,
        shadow=(0x80050100, 0x10003004, 0x80007015),
        after=gtlb(0, 7, 0x80050100, 0x10003004, 0x7015, 0x80000004, 0x80007),
    ),
    Row(
        2, (TLBWE,), (0, 0x80050280, 0x10004004, 0x50007015, 0, 0),
        after=gtlb(0, 8, 0x80050280, 0x10004004, 0x50007015, 0, 0),
    ),
    Row(
        3, (TLBRE,), (0, 0, 0x10004FFF, 0, 0, 0),
        changed={"mas1": 0x80050280, "mas2": 0x10004004, "mas7_3": 0x50007015},
    ),
    Row(
        4, (TLBRE,), (0x70001, 0, 0x10003FFF, 0, 0, 0),
        changed={"mas0": 0x70000, "mas1": 0x80050100, "mas2": 0x10003004, "mas7_3": 0x7015},
    ),
    Row(
        5, (TLBSX, 0x10003000), (0, 0, 0x1234567F, 0xFFFFFFFFFF, 0x106, 0x50000),
        changed={"mas0": 0x10000, "mas1": 0x80050100, "mas2": 0x10003004, "mas7_3": 0x7015},
    ),
    Row(
        6, (TLBSX, 0x10004ABC), (0, 0, 0x1234567F, 0xFFFFFFFFFF, 0x106, 0x50000),
        changed={"mas1": 0x80050280, "mas2": 0x10004004, "mas7_3": 0x50007015},
    ),
    Row(
        7, (TLBSX, 0x7F000000), (0, 0, 0x1234567F, 0xFFFFFFFFFF, 0x106, 0x50000),
        changed={"mas0": 1, "mas1": 0x50100, "mas2": 0x12345002, "mas7_3": 0x3C0, "nv0": 1},
    ),
    Row(
        8, (TLBSX, 0x7F000000), (0, 0, 0x1234567F, 0xFFFFFFFFFF, 0x106, 0x50000), nv=1,
        changed={"mas0": 0x10000, "mas1": 0x50100, "mas2": 0x12345002, "mas7_3": 0x3C0, "nv0": 0},
    ),
    Row(
        9, (TLBSX, 0x7F000000), (0, 0, 0x1234567F, 0x3C0, 0x10000514, 0x3FFF0001),
        changed={"mas0": 0x10000000, "mas1": 0x3FFF1500, "mas2": 0x12345000},
    ),
    Row(
        10, ("kvmppc_mmu_dtlb_miss",),
        (0x11111111, 0x22222222, 0x33333333, 0xFFFFFFFFF, 0x1000057B, 0x50000),
        before={MSR: DS, "vcpu.arch.fault_dear": 0x20001234},
        changed={
            "mas0": 0x10000000, "mas1": 0x80051500, "mas2": 0x20001063, "mas7_3": 0x3C0, "mas6": 0x50001,
        },
    ),
    Row(
        11, ("kvmppc_mmu_itlb_miss",), (0, 0, 0, 0xFFFFFFFFF, 0x100, 0xFFFFFFFF),
        before={MSR: IS, "vcpu.arch.regs.nip": 0x30001234, "vcpu.arch.pid": 0x1FF},
        changed={
            "mas0": 1, "mas1": 0x80FF1100, "mas2": 0x30001000, "mas7_3": 0x3C0, "mas6": 0xFF7FFF, "nv0": 1,
        },
    ),
    Row(
        12, (TLBWE,), (0x10050000, 0x80000500, 0x20045004, 0x34501F, 0x100, 0x50000), nv=1,
        before={MSR: 0, "vcpu.arch.pid": 5} | vma(ORDINARY),
        changed={"min": 0x20000000, "max": 0x200FFFFF}, dirty=0x80345,
        shadow=(0x80000100, 0x20045004, 0x8034501F),
        after=gtlb(1, 5, 0x80000500, 0x20045004, 0x34501F, 0xA0000004, 0x80345),
    ),
    Row(
        13, (TLBSX, 0x20000000), (0x10050000, 0x80000500, 0x20045004, 0x34501F, 0x100, 0x50000), nv=1,
        changed={"mas0": 0x10000, "mas1": 0x50100, "mas2": 0x20045000, "mas7_3": 0, "nv0": 0},
    ),
    Row(
        14, (TLBSX, 0x20045000), (0x10000, 0x50100, 0x20045000, 0, 0x100, 0x50000),
        changed={"mas0": 0x10050000, "mas1": 0x80000500, "mas2": 0x20045004, "mas7_3": 0x34501F},
    ),
    Row(
        15, (TLBSX, 0x20144FFF), (0x10050000, 0x80000500, 0x20045004, 0x34501F, 0x100, 0x50000),
        changed={"mas0": 1, "mas1": 0x50100, "mas2": 0x20045000, "mas7_3": 0, "nv0": 1},
    ),
    Row(
        16, (TLBWE,), (0x10060000, 0x80000500, 0x30000004, 0x40003F, 0x100, 0x50000), nv=1,
        changed={"max": 0x300FFFFF}, dirty=0x80400, shadow=(0x80000100, 0x30000004, 0x8040003F),
        after=gtlb(1, 6, 0x80000500, 0x30000004, 0x40003F, 0xA0000004, 0x80400),
    ),
    Row(
        17, (TLBWE,), (0x10070000, 0x80000800, 0x40000004, 0xC3F, 0x100, 0x50000), nv=1,
        before=vma(HUGE_4M), changed={"max": 0x43FFFFFF}, dirty=0x80000,
        shadow=(0x80000600, 0x40000004, 0x8000003F, 0x103F0000),
        after=gtlb(1, 7, 0x80000800, 0x40000004, 0xC3F, 0xC0000004, 0x80000) | {"e500.g2h_tlb1_map[7]": 1},
    ),
    Row(
        18, (TLBWE,), (0x10080000, 0x80000580, 0x50000004, 0x40003F, 0x100, 0x50000), nv=1,
        changed={"max": 0x501FFFFF}, dirty=0x80400,
        shadow=(0x80000500, 0x50000004, 0x8040003F, 0x103E0000),
        after=gtlb(1, 8, 0x80000580, 0x50000004, 0x40003F, 0xC0000004, 0x80400) | {"e500.g2h_tlb1_map[8]": 2},
    ),
    Row(
        19, (MAP, 0x40400000, 0x400000, 0x10007), dirty=0x80400,
        shadow=(0x80000600, 0x40400004, 0x8040003F, 0x103D0000),
        after=gtlb(1, 7, 0x80000800, 0x40000004, 0xC3F, 0xC0000004, 0x80400) | {"e500.g2h_tlb1_map[7]": 5},
    ),
    Row(
        20, (TLBWE,), (0x10070000, 0x800, 0x40000004, 0, 0x100, 0x50000), nv=1,
        after=gtlb(1, 7, 0x800, 0x40000004, 0, 0, 0x80400)
        | {"e500.g2h_tlb1_map[7]": 0, "spr.MAS0": 0x103D0000, "spr.MAS1": 0},
    ),
    Row(
        21, (TLBWE,), (0x10090000, 0x80000900, 0x60000008, 0x1000003F, 0x100, 0x50000), nv=1,
        before=vma(PFNMAP), changed={"max": 0x6FFFFFFF}, dirty=0x90000,
        shadow=(0x80000900, 0x60000004, 0x9000003F, 0x103C0000),
        after=gtlb(1, 9, 0x80000900, 0x60000008, 0x1000003F, 0xC0000004, 0x90000)
        | {"e500.g2h_tlb1_map[9]": 8},
    ),
    Row(
        22, (TLBIVAX, 0x60000008), (0x10090000, 0x80000900, 0x60000008, 0x1000003F, 0x100, 0x50000), nv=1,
        changed={"min": 0x20045000}, log=(TLBILX,),
        after=gtlb(1, 9, 0, 0x60000008, 0x1000003F, 0, 0x90000) | {"e500.g2h_tlb1_map[9]": 0},
    ),
    Row(
        23, (TLBSX, 0x60000000), (0x10090000, 0x80000900, 0x60000008, 0x1000003F, 0x100, 0x50000), nv=1,
        changed={"mas0": 0x10000, "mas1": 0x50100, "mas2": 0x60000000, "mas7_3": 0, "nv0": 0},
    ),
    Row(
        24, (TLBWE,), (0x100A0000, 0xC0000500, 0x70000004, 0x50003F, 0x100, 0x50000),
        before=vma(ORDINARY), changed={"max": 0x700FFFFF}, dirty=0x80500,
        shadow=(0x80000100, 0x70000004, 0x8050003F),
    ),
    Row(
        25, (TLBILX_OP, 0, 0), (0x100A0000, 0xC0000500, 0x70000004, 0x50003F, 0x100, 0x50000), log=(TLBILX,),
        after=gtlb(1, 10, 0xC0000500, 0x70000004, 0x50003F, 0, 0x80500)
        | gtlb(1, 6, 0, 0x30000004, 0x40003F, 0, 0x80400)
        | gtlb(0, 7, 0, 0x10003004, 0x7015, 0, 0x80007),
    ),
    # Before K26: set 3 way 0 = TID 6, way 1 = TID 0.
    Row(
        26, (TLBWE,), (0, 0x80060280, 0x10003004, 0x7015, 0x100, 0x60000), dirty=0x80007,
        shadow=(0x80060100, 0x10003004, 0x80007015),
    ),
    Row(
        26, (TLBWE,), (0x10000, 0x80000280, 0x10003004, 0x7015, 0x100, 0x60000), dirty=0x80007,
        shadow=(0x80000100, 0x10003004, 0x80007015),
    ),
    Row(
        26, (TLBILX_OP, 1, 0), (0x10000, 0x80000280, 0x10003004, 0x7015, 0x100, 0x60000),
        log=(SEARCHED.format(0x60000),),
        after=gtlb(0, 6, 0, 0x10003004, 0x7015, 0, 0x80007)
        | gtlb(0, 7, 0x80000100, 0x10003004, 0x7015, 0x80000004, 0x80007),
    ),
    Row(
        27, (TLBILX_OP, 3, 0x10003000), (0x10000, 0x80000280, 0x10003004, 0x7015, 0x100, 0x60000),
        log=(SEARCHED.format(0),), after=gtlb(0, 7, 0, 0x10003004, 0x7015, 0, 0x80007),
    ),
    Row(28, (TLBILX_OP, 2, 0x10003000), (0x10000, 0x80000280, 0x10003004, 0x7015, 0x100, 0x60000)),
    Row(
        29, ("kvmppc_e500_emul_mt_mmucsr0", 2), (0x10000, 0x80000280, 0x10003004, 0x7015, 0x100, 0x60000),
        changed={"min": 0x70000000}, log=(TLBILX,),
        after=gtlb(1, 10, 0xC0000500, 0x70000004, 0x50003F, 0, 0x80500)
        | gtlb(1, 5, 0, 0x20045004, 0x34501F, 0, 0x80345),
    ),
    Row(
        30, (TLBWE,), (0, 0x80050100, 0xFFFFFFFF_10005004, 0x7015, 0x100, 0x60000), dirty=0x80007,
        shadow=(0x80050100, 0x10005004, 0x80007015),
        after=gtlb(0, 10, 0x80050100, 0x10005004, 0x7015, 0x80000004, 0x80007),
    ),
    Row(
        31, (TLBWE,), (0, 0x80050100, 0x1_10006004, 0x8000, 0x100, 0x60000), before={MSR: CM},
        shadow=(0x80050100, 0x1_10006004, 0x80008000),
        after=gtlb(0, 12, 0x80050100, 0x1_10006004, 0x8000, 0x80000004, 0x80008),
    ),
    Row(
        32, (TLBIVAX, 0x1_10006000), (0, 0x80050100, 0x1_10006004, 0x8000, 0x100, 0x60000), log=(TLBILX,),
        after=gtlb(0, 12, 0x80050100, 0x1_10006004, 0x8000, 0, 0x80008),
    ),
    Row(
        33, (TLBWE,), (0, 0x80050100, 0x1000707F, 0x8FFF, 0x100, 0x60000), before={"host.pte_wimge": 0x1B},
        dirty=0x80008, shadow=(0x80050100, 0x1000707B, 0x800083FF),
        after=gtlb(0, 14, 0x80050100, 0x1000707F, 0x8FFF, 0x8000007B, 0x80008),
    ),
    Row(
        34, (MAP, 0x10007000, 0x8000, 14), (0, 0x80050100, 0x1000707F, 0x8FFF, 0x100, 0x60000),
        shadow=(0x80050100, 0x1000707B, 0x800083FF),
    ),
    Row(
        35, (TLBWE,), (0, 0x80050100, 0x10008004, 0x8015, 0x100, 0x60000), before={"host.pte_mode": 1},
        after=gtlb(0, 16, 0x80050100, 0x10008004, 0x8015, 0, 0),
    ),
    Row(
        37, (TLBWE,), (0x10020000, 0x80000500, 0x80000004, 0x34501F, 0x100, 0x60000),
        before={"host.pte_mode": 0, "host.pte_wimge": 4}, changed={"max": 0x800FFFFF}, dirty=0x80345,
        shadow=(0x80000100, 0x80000004, 0x8034501F), after={"e500.host_tlb1_nv": 4},
    ),
)  # fmt: skip


def test_instructions_and_misses(machine: MachineFactory) -> None:
    """K1 to K37."""
    m = environment(machine)
    assert (m[BOUNDS[0]], m[BOUNDS[1]]) == (0xFFFFFFFF_FFFFFFFF, 0)
    for row in FIRST:
        run(m, row)
    assert m.call("kvmppc_core_vcpu_translate", 0, 0x5_10007ABC).value[:2] == (0, 0)  # K36
    assert call(m, "kvmppc_mmu_dtlb_index", 0x80012345) == 0x10002
    assert call(m, "kvmppc_mmu_xlate", 0x10002, 0x80012345) == 0x357345


SLOTS = (
    Row(
        47, (TLBWE,), (0x10030000, 0x80000800, 0x40000004, 0x3F, 0x100, 0), before=vma(HUGE_4M),
        changed={"min": 0x40000000, "max": 0x43FFFFFF}, dirty=0x80000,
        shadow=(0x80000600, 0x40000004, 0x8000003F, 0x103F0000),
        after={"e500.gtlb_priv1.flags[3]": 0xC0000004, "e500.g2h_tlb1_map[3]": 1, "e500.h2g_tlb1_rmap[0]": 4},
    ),
    Row(
        48, (MAP, 0x40800000, 0x800000, 0x10003), before=vma(ORDINARY), dirty=0x80800,
        shadow=(0x80000100, 0x40800004, 0x8080003F),
        after={"e500.gtlb_priv1.flags[3]": 0xA0000004, "e500.g2h_tlb1_map[3]": 1, "e500.h2g_tlb1_rmap[0]": 4},
    ),
    Row(
        49, (TLBWE,), (0x10030000, 0x800, 0x40000004, 0x3F, 0x100, 0), log=(TLBILX,),
        changed={"min": 0xFFFFFFFF_FFFFFFFF, "max": 0},
        after={"e500.gtlb_priv1.flags[3]": 0, "e500.g2h_tlb1_map[3]": 1, "e500.h2g_tlb1_rmap[0]": 4},
    ),
    Row(
        50, (TLBWE,), (0x10030000, 0x80000800, 0x40000004, 0x5000003F, 0x100, 0),
        changed={"min": 0x40000000, "max": 0x43FFFFFF}, after={"e500.gtlb_priv1.flags[3]": 0},
    ),
    Row(
        50, (TLBWE,), (0x10030000, 0x800, 0x40000004, 0x5000003F, 0x100, 0),
        changed={"min": 0xFFFFFFFF_FFFFFFFF, "max": 0},
        log=("WARN e500_mmu_host.c:195 inval_gtlbe_on_host",),
        after={"e500.gtlb_priv1.flags[3]": 0, "e500.g2h_tlb1_map[3]": 1},
    ),
    Row(
        51, (TLBWE,), (0x10040000, 0x80000800, 0x50000004, 0x40003F, 0x100, 0),
        before=vma(HUGE_4M) | {"e500.host_tlb1_nv": 46}, changed={"min": 0x50000000, "max": 0x53FFFFFF},
        dirty=0x80400, shadow=(0x80000600, 0x50000004, 0x8040003F, 0x10110000),
        after={"e500.host_tlb1_nv": 0, "e500.g2h_tlb1_map[4]": 0x400000000000},
    ),
    Row(
        52, (TLBWE,), (0x10050000, 0x80000800, 0x58000004, 0x40003F, 0x100, 0),
        changed={"max": 0x5BFFFFFF}, dirty=0x80400,
        shadow=(0x80000600, 0x58000004, 0x8040003F, 0x103F0000),
        after={
            "e500.host_tlb1_nv": 1, "e500.g2h_tlb1_map[5]": 1, "e500.g2h_tlb1_map[3]": 0,
            "e500.h2g_tlb1_rmap[0]": 6,
        },
    ),
)  # fmt: skip


def test_slots(machine: MachineFactory) -> None:
    """K47 to K52."""
    m = environment(machine)
    for row in SLOTS:
        run(m, row)


# 17.1: derived by hand. D9 is in test_config_tlb.py.

PC, EA, WORD = 0x10003234, 0x20005678, 0x60000000
DSI, DTLB_MISS, HV_PRIV = 2, 13, 41
NO_FETCH = 0xFFFFFFFF


@pytest.mark.parametrize(("cpu", "lpid"), [(5, 7), (4, 6)], ids=["D1", "D2"])
def test_d1_d2_lpid_of_a_thread(machine: MachineFactory, cpu: int, lpid: int) -> None:
    """An e6500's odd cpus have a guest's second LPID."""
    m = environment(machine, "e6500")
    m.set({"kvm.arch.lpid": 6, "host.cpu": cpu, "host.threads_per_core": 2, "spr.MAS0": 0})
    m.set({"vcpu.arch.shared.mas1": 0x80050280, "vcpu.arch.shared.mas2": 0x10003004})
    m.set({"vcpu.arch.shared.mas0": 0, "vcpu.arch.shared.mas7_3": 0x7015})
    assert call(m, TLBWE) == 0
    written = [event for event in log(m) if event.startswith("tlbwe ")]
    assert [event.split("mas8=")[1] for event in written] == [f"{0x80000000 | lpid:#x}"]


def test_d3_one_shadow_entry_is_removed(machine: MachineFactory) -> None:
    """tlbilx T=3: a search with the guest's PID and the VM's LPID, V cleared, MAS5 and MAS8 put back."""
    m = environment(machine)
    mas = {"mas0": 0, "mas1": 0x80030280, "mas2": 0x10003004, "mas7_3": 0x7015, "mas6": 0x30000}
    m.set({f"vcpu.arch.shared.{name}": value for name, value in mas.items()})
    assert call(m, TLBWE) == 0
    log(m)
    call(m, TLBILX_OP, 3, 0x10003000)
    events = log(m)
    assert events[0].startswith(SEARCHED.format(0x30000))
    assert [event.split()[2] for event in events if event.startswith("tlbwe ")] == ["mas1=0x30100"]
    assert (m["spr.MAS5"], m["spr.MAS8"]) == (0, 0)
    assert m["e500.gtlb0.mas1[6]"] == 0


def at_pc(machine: MachineFactory, perms: int, fetch: str = "merged") -> Machine:
    """A guest in supervisor state whose pc has a host entry with these permissions, or none with 0."""
    m = machine("e5500", fetch=fetch)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": 5, "vcpu.arch.last_inst": NO_FETCH, "kvm.arch.lpid": 2})
    if perms:
        put(m, 1, 5, V | 5 << 16 | tsize(2), PC & ~0xFFF | M, 0x5000 | perms, mas8=TGS | 2)
        m.store_word(0x5234, WORD)
    m.events()
    return m


def test_d4_seed_fetch_without_execute_permission(machine: MachineFactory) -> None:
    """v4, DSI exit: FAIL, PROGRAM with PIL, and an exit to userspace with all ones."""
    m = at_pc(machine, ALL_PERMS & ~SX, "seed-v4")
    assert call(m, "kvmppc_handle_exit", DSI) == RESUME_HOST
    assert m["run.hw.hardware_exit_reason"] == 0xFFFFFFFF_FFFFFFFF
    assert (pending(m), m["vcpu.arch.queued_esr"]) == ({PROGRAM}, ESR_PIL)


def test_d5_merged_fetch_without_execute_permission(machine: MachineFactory) -> None:
    """6.1, same: the guest goes on, nothing is queued, the DSI is not reflected."""
    m = at_pc(machine, ALL_PERMS & ~SX)
    assert call(m, "kvmppc_handle_exit", DSI) == RESUME_GUEST
    assert (pending(m), m["vcpu.arch.regs.nip"]) == (set(), PC)


def test_d6_entry_of_the_pc_is_gone(machine: MachineFactory) -> None:
    """6.1, HV_PRIV: AGAIN; the guest fetches the same pc once more."""
    m = at_pc(machine, 0)
    assert call(m, "kvmppc_handle_exit", HV_PRIV) == RESUME_GUEST
    assert (pending(m), m["vcpu.arch.regs.nip"]) == (set(), PC)
    assert m["vcpu.arch.last_inst"] == NO_FETCH


def test_d7_data_miss_is_the_guests(machine: MachineFactory) -> None:
    """The guest's TLB has no entry: DTLB_MISS is queued, with MAS defaults of MAS4; M is dropped."""
    m = at_pc(machine, ALL_PERMS)
    m.set({"vcpu.arch.fault_dear": EA, "vcpu.arch.shared.mas4": 0x104})
    call(m, "kvmppc_handle_exit", DTLB_MISS)
    assert m["vcpu.arch.shared.mas1"] == 0x80050100
    assert m["vcpu.arch.shared.mas2"] == EA & ~0xFFF
    assert "DTLB_MISS" in queued(m)


def test_d8_entry_of_the_whole_address_space(machine: MachineFactory) -> None:
    """32-bit host: TSIZE 22 at 0 ends at FFFFFFFF."""
    m = machine("e500mc")
    m.set({"e500.gtlb1.mas1[3]": V | tsize(22), "e500.tlb1_min_eaddr": 0, "e500.tlb1_max_eaddr": 0xFFFFFFFF})
    assert call(m, "kvmppc_mmu_dtlb_index", 0xFFFFFFFF) == 0x10003


def test_d10_mmucsr0_of_0_flushes_shadows_alone(machine: MachineFactory) -> None:
    m = environment(machine)
    m.set({"e500.gtlb0.mas1[0]": 0x80000100, "e500.gtlb1.mas1[0]": 0x80000500})
    call(m, "kvmppc_e500_emul_mt_mmucsr0", 0)
    assert (m["e500.gtlb0.mas1[0]"], m["e500.gtlb1.mas1[0]"]) == (0x80000100, 0x80000500)
    assert TLBILX in log(m)
