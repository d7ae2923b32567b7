# SPDX-License-Identifier: BSD-3-Clause
"""Planted bugs: functions of the reference with one line changed, in place while the block runs."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FunctionType
from typing import NamedTuple

LOCKSTEP, INVARIANT = "lockstep", "invariant"
BOTH = (LOCKSTEP, INVARIANT)


class Mutant(NamedTuple):
    """A bug: its name, a function below pyexit.ref, the text there, what it becomes, what must find it."""

    name: str
    module: str
    function: str
    old: str
    new: str
    finders: tuple[str, ...] = (LOCKSTEP,)


# What only changes values is for lockstep; what makes shadow entries wrong the invariants find with no second
# opinion, from the reference alone.
MUTANTS = (
    # hw: match, search, TLB instructions
    Mutant("TID 0 is no wildcard", "hw.tlb", "entry_matches", "in (0, space.pid)", "== space.pid"),
    Mutant(
        "LPID not compared", "hw.tlb", "entry_matches", "mas8 & params.lpid_mask in (0, space.lpid)", "True"
    ),
    Mutant("TS not compared", "hw.tlb", "entry_matches", "bool(mas1 & MAS1_TS) == bool(space.ts)", "True"),
    Mutant("pages half as large", "hw.tlb", "page_size", "1024 <<", "512 <<"),
    Mutant("neighbour's set", "hw.tlb", "set_of", "(ea >> _PAGE_SHIFT)", "(ea >> _PAGE_SHIFT + 1)"),
    Mutant("tlbsx forgets SAS", "hw.tlbops", "_search_space", "ts=spr.MAS6 & MAS6_SAS", "ts=0"),
    Mutant("tlbsx hit leaves MAS8", "hw.tlbops", "_show_entry", "spr.MAS8 = entry.mas8", "pass"),
    Mutant(
        "way of a hit off by one",
        "hw.tlbops",
        "_tlbsx_hit",
        "place.entry % params",
        "(place.entry + 1) % params",
        BOTH,
    ),
    # kvm: the guest's TLB
    Mutant("guest TID 0 is no wildcard", "kvm.gtlb", "_matches", "in (0, pid)", "== pid"),
    Mutant("guest page ends one byte late", "kvm.gtlb_array", "get_tlb_bytes", "1024 <<", "1 + 1024 <<"),
    Mutant(
        "tlbwe keeps the old shadow",
        "kvm.gtlb",
        "kvmppc_e500_emul_tlbwe",
        "inval_gtlbe_on_host(world, vcpu, tlbsel, esel)",
        "pass",
        BOTH,
    ),
    Mutant(
        "tlbilx keeps the shadow",
        "kvm.gtlb",
        "_tlbilx_entry",
        "inval_gtlbe_on_host(world, vcpu, tlbsel, esel)",
        "pass",
        BOTH,
    ),
    Mutant(
        "tlbivax does not flush",
        "kvm.gtlb",
        "kvmppc_e500_emul_tlbivax",
        "kvmppc_core_flush_tlb(world, vcpu)",
        "pass",
        BOTH,
    ),
    Mutant(
        "MMUCSR0 does not flush",
        "kvm.gtlb",
        "kvmppc_e500_emul_mt_mmucsr0",
        "kvmppc_core_flush_tlb(world, vcpu)",
        "pass",
    ),
    Mutant(
        "tlbilx T=1 takes all",
        "kvm.gtlb",
        "_tlbilx_all",
        "pid in (None, get_tlb_tid(get_entry(world, vcpu, tlbsel, esel)))",
        "True",
    ),
    Mutant("IPROT ignored", "kvm.gtlb", "kvmppc_e500_gtlbe_invalidate", "entry.mas1 & MAS1_IPROT", "False"),
    Mutant(
        "tlbwe does not widen the bounds",
        "kvm.gtlb",
        "_add_tlb1map_range",
        "max(e500.tlb1_max_eaddr, end)",
        "e500.tlb1_max_eaddr",
    ),
    Mutant(
        "miss keeps W, I, M of MAS4",
        "kvm.gtlb",
        "kvmppc_e500_deliver_tlb_miss",
        "& MAS2_ATTRIB_MASK",
        "& 0x7F",
    ),
    Mutant("next victim stays", "kvm.gtlb", "_next_victim", "victim + 1 if", "victim if"),
    # kvm: shadow entries
    Mutant(
        "shadow without LPID",
        "kvm.stlb",
        "_write_host_tlbe",
        "MAS8_TGS | kvmppc_get_lpid(world, vcpu)",
        "MAS8_TGS",
        BOTH,
    ),
    Mutant("shadow without GS", "kvm.stlb", "_write_host_tlbe", "MAS8_TGS | ", ""),
    Mutant(
        "LPID of another VM",
        "kvm.stlb",
        "_write_host_tlbe",
        "kvmppc_get_lpid(world, vcpu)",
        "(kvmppc_get_lpid(world, vcpu) ^ 4)",
        BOTH,
    ),
    Mutant(
        "permissions widened to the user",
        "kvm.stlb",
        "_setup_stlbe",
        "entry.mas7_3 & MAS3_ATTRIB_MASK",
        "entry.mas7_3 & MAS3_ATTRIB_MASK | (entry.mas7_3 & 0x15) << 1",
        BOTH,
    ),
    Mutant(
        "write permission for free",
        "kvm.stlb",
        "_setup_stlbe",
        "entry.mas7_3 & MAS3_ATTRIB_MASK",
        "entry.mas7_3 & MAS3_ATTRIB_MASK | MAS3_SW",
        BOTH,
    ),
    Mutant("TID dropped", "kvm.stlb", "_setup_stlbe", "get_tlb_tid(entry) << MAS1_TID_SHIFT", "0", BOTH),
    Mutant("TS dropped", "kvm.stlb", "_setup_stlbe", "entry.mas1 & MAS1_TS", "0", BOTH),
    Mutant("IPROT on a shadow", "kvm.stlb", "_setup_stlbe", "mas1=MAS1_V", "mas1=MAS1_V | 0x40000000", BOTH),
    Mutant(
        "the next host page",
        "kvm.stlb",
        "_setup_stlbe",
        "block.pfn * PAGE_SIZE",
        "(block.pfn + 1) * PAGE_SIZE",
        BOTH,
    ),
    Mutant(
        "W, I, M of the guest",
        "kvm.stlb",
        "_shadow_page",
        "entry.mas2 & MAS2_ATTRIB_MASK",
        "entry.mas2 & 0x7F",
        BOTH,
    ),
    Mutant(
        "page size one step too large",
        "kvm.stlb",
        "_even",
        "max(tsize & ~1, _TSIZE_4K)",
        "max(tsize & ~1, _TSIZE_4K) + 2",
        BOTH,
    ),
    Mutant("flag TLB0 forgotten", "kvm.stlb", "_tlb1_map", "| E500_TLB_TLB0", "", BOTH),
    Mutant("flag BITMAP forgotten", "kvm.stlb", "_take_slot", "| E500_TLB_BITMAP", "", BOTH),
    Mutant("bitmap forgotten", "kvm.stlb", "_take_slot", "| 1 << slot", "", BOTH),
    Mutant("reverse map not cleared", "kvm.stlb", "_drop_slots", "rmap[slot] = 0", "pass", BOTH),
    Mutant("the neighbour's slot cleared", "kvm.stlb", "_slot_mas0", "- slot - 1", "- slot - 1 ^ (slot & 1)"),
    Mutant(
        "removal forgets the slots",
        "kvm.stlb",
        "inval_gtlbe_on_host",
        "_drop_slots(world, vcpu, esel)",
        "pass",
    ),
    Mutant("removal of a page forgotten", "kvm.stlb", "_tlbil_entry", "mas1 & ~MAS1_V", "mas1", BOTH),
    Mutant("removal in the other space", "kvm.stlb", "_tlbil_entry", "| get_tlb_ts(entry)", "", BOTH),
    Mutant(
        "removal under LPID 0",
        "kvm.stlb",
        "_tlbil_entry",
        "MAS5_SGS | kvmppc_get_lpid(world, vcpu)",
        "MAS5_SGS",
        BOTH,
    ),
    Mutant(
        "flush forgets the TLBs",
        "kvm.stlb",
        "kvmppc_core_flush_tlb",
        "kvmppc_e500_tlbil_all(world, vcpu)",
        "pass",
        BOTH,
    ),
    Mutant(
        "flush forgets the reverse map",
        "kvm.stlb",
        "kvmppc_core_flush_tlb",
        "[0] * len(rmap)",
        "list(rmap)",
        BOTH,
    ),
    Mutant("flush forgets TLB1's references", "kvm.stlb", "kvmppc_core_flush_tlb", "in (0, 1)", "in (0,)"),
    Mutant(
        "notifier asks nobody", "kvm.stlb", "mmu_notifier_invalidate", "1 << KVM_REQ_TLB_FLUSH", "0", BOTH
    ),
    Mutant(
        "flush request dropped",
        "kvm.entry",
        "kvmppc_core_check_requests",
        "kvmppc_core_flush_tlb(world, vcpu)",
        "pass",
        BOTH,
    ),
    # kvm: emulation, MMIO
    Mutant("pc does not move on", "kvm.emulate", "kvmppc_next_instruction", "+ _INSTRUCTION_SIZE", ""),
    Mutant(
        "sign extension lost",
        "kvm.mmio",
        "kvmppc_complete_mmio_load",
        "arch.mmio_sign_extend and ",
        "False and ",
    ),
    Mutant("bytes of a load reversed", "kvm.mmio", "_loaded", "if swabbed else", "if not swabbed else"),
)


def function_of(mutant: Mutant) -> FunctionType:
    """The function that is changed."""
    found = getattr(import_module(f"pyexit.ref.{mutant.module}"), mutant.function)
    assert isinstance(found, FunctionType)
    return found


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The bug is there: everybody who holds the function, a table too, calls its new code."""
    function = function_of(mutant)
    source = textwrap.dedent(inspect.getsource(function))
    assert mutant.old in source, f"{mutant.name}: {mutant.function} does not contain {mutant.old!r}"
    scope = dict(function.__globals__)
    exec("from __future__ import annotations\n" + source.replace(mutant.old, mutant.new, 1), scope)
    original = function.__code__
    function.__code__ = scope[mutant.function].__code__
    try:
        yield
    finally:
        function.__code__ = original
