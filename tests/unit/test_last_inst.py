# SPDX-License-Identifier: BSD-3-Clause
"""kvm/last_inst: reading the guest's last instruction, by strategy (exit 4, 11.6, mmu-kvm 15, 17 K53-K65)."""

from __future__ import annotations

from typing import Any

import pytest

from pyexit import Machine

from .support import (
    ALL_PERMS,
    CM,
    GS,
    IPROT,
    IS,
    MHD,
    PR,
    REAL_BITS,
    SGS,
    SX,
    TGS,
    TS,
    TSIZES,
    UX,
    WAYS,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    events_of,
    mas,
    numbered,
    page_bytes,
    put,
    texts,
    tlb0_index,
    tsize,
)

# enum emulation_result (exit 1.3); what load_last_inst leaves in `instr` when it writes nothing
DONE, FAIL, AGAIN = 0, 2, 3
UNWRITTEN = 0xDEADBEEF
NOT_LOADED = 0xFFFFFFFF  # KVM_INST_FETCH_FAILED

PC, REAL, WORD, PID = 0x10003234, 0x00007234, 0x7C0007A4, 0x2A
STRATEGIES = ("merged", "seed-v4")
each_strategy = pytest.mark.parametrize("fetch", STRATEGIES)

#: exit 4.2: what a refused fetch is, by strategy; a miss is AGAIN in both.
REFUSED = {"merged": AGAIN, "seed-v4": FAIL}

NO_EXECUTE = (
    "kvmppc_load_last_inst: Instruction emulation from guest address {:08x} without execute permission"
)
ATTRIBUTES = (
    "kvmppc_load_last_inst: Instruction emulation from guest address {:08x} mismatches storage attributes"
)
NOT_RAM = "kvmppc_load_last_inst: Instruction emulation from non-RAM host address {:08x} is not supported"


def guest(m: Machine, *, pc: int = PC, pid: int = PID, msr: int = GS, n: int = 0) -> None:
    """A vcpu that exited at `pc`."""
    arch = f"{numbered('vcpu', n)}.arch"
    m.set({f"{arch}.regs.nip": pc, f"{arch}.pid": pid, f"{arch}.shared.msr": msr})
    m.set({f"{arch}.last_inst": NOT_LOADED})


def map_pc(
    m: Machine,
    *,
    pc: int = PC,
    real: int = REAL,
    perms: int = SX | UX,
    wimge: int = M,
    index: int = 7,
    **tags: int,
) -> None:
    """A 4 KiB host entry for the pc, as KVM's shadow entries are: GS and LPID in MAS8 (mmu-kvm 8.3)."""
    mas1 = V | tags.get("tid", PID) << 16 | tags.get("ts", 0) << 12 | tsize(2)
    mas8 = tags.get("mas8", TGS | m["kvm.arch.lpid"])
    put(m, 1, index, mas1, pc & ~0xFFF | wimge, real & 0xFFFFF000 | perms, real >> 32, mas8)


def fetchable(machine: MachineFactory, model: str, **options: Any) -> Machine:
    """A machine whose fetch succeeds with WORD."""
    m = machine(model=model, **options)
    guest(m)
    map_pc(m)
    m.store_word(REAL, WORD)
    return m


# The rows of exit 4.2


@each_model
@each_strategy
def test_l5_reads_the_word_at_pc(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.2 L5."""
    m = fetchable(machine, model, fetch=fetch)
    assert m.load_last_inst() == (DONE, WORD)


@each_model
@each_strategy
def test_l1_miss_is_again_and_silent(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.2 L1, mmu-kvm 15.2.3, 15.3 row 3."""
    m = machine(model=model, fetch=fetch)
    guest(m)
    assert m.load_last_inst() == (AGAIN, UNWRITTEN)
    assert [text.split()[0] for text in texts(m)] == ["tlbsx"]


@each_model
@each_strategy
@pytest.mark.parametrize(
    ("msr", "perms"), [(GS, ALL_PERMS & ~SX), (GS | PR, ALL_PERMS & ~UX), (GS, 0), (GS | PR, 0)]
)
def test_l2_execute_permission_missing(
    machine: MachineFactory, model: str, fetch: str, msr: int, perms: int
) -> None:
    """exit 4.2 L2; the message is an error print in 6.1 and a debug print, which is compiled out, in v4."""
    m = fetchable(machine, model, fetch=fetch)
    guest(m, msr=msr)
    map_pc(m, perms=perms)
    assert m.load_last_inst() == (REFUSED[fetch], UNWRITTEN)
    assert texts(m)[1:] == ([f"printk 3 {NO_EXECUTE.format(PC)}"] if fetch == "merged" else [])


@each_model
@each_strategy
@pytest.mark.parametrize("wimge", [0, M | 8, M | 0x10, 8, 0x18, M | 0x18])
def test_l3_storage_attributes_on_mmu_v2(machine: MachineFactory, model: str, fetch: str, wimge: int) -> None:
    """exit 4.2 L3: I set, W set or M clear; the version is vcpu.arch.mmucfg's, not the model's (design 3)."""
    m = fetchable(machine, model, fetch=fetch)
    map_pc(m, wimge=wimge)
    m["vcpu.arch.mmucfg"] = 0x00500B45
    assert m.load_last_inst() == (REFUSED[fetch], UNWRITTEN)
    assert texts(m)[1:] == ([f"printk 3 {ATTRIBUTES.format(PC)}"] if fetch == "merged" else [])
    m["vcpu.arch.mmucfg"] = 0x004809C4
    assert m.load_last_inst() == (DONE, WORD)


@each_model
@pytest.mark.parametrize("wimge", [M, M | 1, M | 2, M | 0x60, M | 0x63])
def test_other_attributes_do_not_matter(machine: MachineFactory, model: str, wimge: int) -> None:
    """exit 4.2 L3; 4.1a: E is not honoured, the word is never swapped (Q22)."""
    m = fetchable(machine, model)
    m["vcpu.arch.mmucfg"] = 0x00500B45
    map_pc(m, wimge=wimge)
    assert m.load_last_inst() == (DONE, WORD)


@each_model
@each_strategy
def test_l4_page_is_not_ram(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.2 L4; the message has the full real address."""
    m = fetchable(machine, model, fetch=fetch)
    real = 0xE_0000_7000 & (1 << REAL_BITS[model]) - 1
    map_pc(m, real=real)
    assert m.load_last_inst() == (REFUSED[fetch], UNWRITTEN)
    assert texts(m)[1:] == ([f"printk 3 {NOT_RAM.format(real | 0x234)}"] if fetch == "merged" else [])
    assert "page_map" not in m.counters()


@each_model
@each_strategy
def test_rows_are_tested_in_order(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.2: permission before attributes before RAM."""
    m = fetchable(machine, model, fetch=fetch)
    m["vcpu.arch.mmucfg"] = 0x00500B45
    expected = [
        (0, 0, NO_EXECUTE.format(PC)),
        (SX, 0, ATTRIBUTES.format(PC)),
        (SX, M, NOT_RAM.format(0xE00000234)),
    ]
    for perms, wimge, text in expected:
        map_pc(m, real=0xE_0000_0000, perms=perms, wimge=wimge)
        assert m.load_last_inst().ret == REFUSED[fetch]
        assert texts(m)[1:] == ([f"printk 3 {text}"] if fetch == "merged" else [])


@each_model
@pytest.mark.parametrize("msr", [GS, GS | PR])
def test_execute_only_page_works(machine: MachineFactory, model: str, msr: int) -> None:
    """mmu-kvm 15.2 notes: no read permission is needed; PR picks UX or SX."""
    m = fetchable(machine, model)
    guest(m, msr=msr)
    map_pc(m, perms=UX if msr & PR else SX)
    assert m.load_last_inst() == (DONE, WORD)


# The search


@each_model
@each_strategy
def test_search_uses_guest_state_lpid_pid_and_is(machine: MachineFactory, model: str, fetch: str) -> None:
    """mmu-kvm 15.2 steps 1 and 2, seen in the event."""
    m = machine(model=model, fetch=fetch)
    for msr, space in ((GS, 0), (GS | IS, 1), (GS | 0x10, 0)):
        guest(m, msr=msr)
        m["spr.MAS4"] = 0x104
        m.load_last_inst()
        lpid = m["kvm.arch.lpid"]
        assert texts(m) == [
            f"tlbsx {PC:#x} mas5={SGS | lpid:#x} mas6={PID << 16 | space:#x} mas4=0x104 hit=-1"
        ]


@each_model
@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({}, True),
        ({"tid": 0}, True),
        ({"tid": PID ^ 1}, False),
        ({"ts": 1}, False),
        ({"mas8": TGS}, True),
        ({"mas8": TGS | 0x3E}, False),
        ({"mas8": 0}, False),
    ],
)
def test_entry_must_match_the_guests_tags(
    machine: MachineFactory, model: str, tags: dict[str, int], found: bool
) -> None:
    """mmu-hardware 6.2.2: TID 0 and TLPID 0 are wildcards, TGS is exact."""
    m = fetchable(machine, model)
    map_pc(m, **tags)
    assert m.load_last_inst() == ((DONE, WORD) if found else (AGAIN, UNWRITTEN))


@each_model
def test_search_looks_at_tlb0_too(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    guest(m)
    m.store_word(REAL, WORD)
    index = tlb0_index(PC, 3, ways=WAYS[model])
    put(
        m,
        0,
        index,
        V | PID << 16 | tsize(2),
        PC & ~0xFFF | M,
        REAL & ~0xFFF | SX,
        0,
        TGS | m["kvm.arch.lpid"],
    )
    assert m.load_last_inst() == (DONE, WORD)


@each_model
def test_search_is_of_the_host_tlb_not_of_the_guests(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 15.2 notes."""
    m = machine(model=model)
    guest(m)
    m.set({"e500.gtlb1.mas1[0]": V | PID << 16 | tsize(2), "e500.gtlb1.mas2[0]": PC & ~0xFFF | M})
    m.set({"e500.gtlb1.mas7_3[0]": REAL & ~0xFFF | ALL_PERMS, "e500.tlb1_min_eaddr": 0})
    assert m.load_last_inst().ret == AGAIN


@each_model64
def test_search_takes_the_whole_pc(machine: MachineFactory, model: str) -> None:
    """docs/choices.md: KVM's own code is a CM=1 program, whatever the thread's MSR says."""
    m = machine(model=model)
    pc = 0x12345678_10003234
    guest(m, pc=pc)
    map_pc(m, pc=pc)
    m.store_word(REAL, WORD)
    for msr in (0, CM):
        m["thread.msr"] = msr
        assert m.load_last_inst() == (DONE, WORD)
    guest(m, pc=PC)
    assert m.load_last_inst().ret == AGAIN


@each_model
def test_pid_reaches_mas6_through_its_register(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 15.2.2: the whole arch.pid, not 8 bits; the SPR keeps what the core has (mmu-hardware 2.8)."""
    m = machine(model=model)
    guest(m, pid=0x1FF)
    m.load_last_inst()
    assert m["spr.MAS6"] == (0xFF0000 if model == "e500mc" else 0x1FF0000)


@each_strategy
@pytest.mark.parametrize("thread", [0, 1])
def test_lpid_is_the_threads_in_6_1_and_the_vms_in_v4(
    machine: MachineFactory, fetch: str, thread: int
) -> None:
    """mmu-kvm 15.3 row 2, 12.2 (D1, D2): lpid | (cpu & 1) on two-thread cores."""
    m = machine(model="e6500", fetch=fetch, vcpu_thread=(thread,))
    guest(m)
    m.load_last_inst()
    lpid = m["kvm.arch.lpid"] | (thread if fetch == "merged" else 0)
    assert events_of(m, "tlbsx")[0].arg[1] == SGS | lpid


@pytest.mark.parametrize(("cpu", "lpid"), [(4, 6), (5, 7)])
def test_thread_lpid_goes_by_the_cpu_number(machine: MachineFactory, cpu: int, lpid: int) -> None:
    """mmu-kvm D1, D2: vm lpid 6."""
    m = machine(model="e6500")
    guest(m)
    m.set({"kvm.arch.lpid": 6, "host.cpu": cpu})
    m.load_last_inst()
    assert events_of(m, "tlbsx")[0].arg[1] == SGS | lpid


def test_single_thread_core_has_one_lpid(machine: MachineFactory) -> None:
    """mmu-kvm 12.2: only when threads_per_core is 2."""
    m = machine(model="e500mc")
    guest(m)
    m.set({"kvm.arch.lpid": 6, "host.cpu": 5})
    m.load_last_inst()
    assert events_of(m, "tlbsx")[0].arg[1] == SGS | 6


def test_each_vcpu_fetches_on_its_thread_with_its_vm(machine: MachineFactory) -> None:
    """design 7: vcpus are pinned; the registers of the other thread stay."""
    m = machine(model="e6500", vms=2, vcpus=2, vcpu_thread=(0, 1), vcpu_vm=(0, 1))
    guest(m, pc=0x1000, n=0)
    guest(m, pc=0x2000, n=1)
    put(m, 1, 3, V | PID << 16 | tsize(2), 0x2000 | M, 0x7000 | SX, 0, TGS | m["kvm1.arch.lpid"] | 1)
    m.store_word(0x7000, WORD)
    before = m.snapshot()
    assert m.load_last_inst(vcpu=1) == (DONE, WORD)
    assert all(name.startswith("spr1.") for name in changed(m, before))
    assert m.load_last_inst(vcpu=0).ret == AGAIN


# What it leaves


@each_model
@each_strategy
def test_mas5_and_mas8_are_cleared_and_the_rest_left(machine: MachineFactory, model: str, fetch: str) -> None:
    """mmu-kvm 15.2.2: MAS6 and MAS0-3, 7 stay as the search wrote them."""
    m = fetchable(machine, model, fetch=fetch)
    m["core.tlb0_nv"] = 2
    m["spr.MAS4"] = 0x104
    m.load_last_inst()
    entry = {1: V | PID << 16 | tsize(2), 2: PC & ~0xFFF | M, 3: REAL & ~0xFFF | SX | UX, 7: 0}
    assert mas(m) == {0: 0x10070002, 4: 0x104, 5: 0, 6: PID << 16, 8: 0} | entry


@each_model
@each_strategy
def test_mas5_and_mas8_are_cleared_after_a_miss(machine: MachineFactory, model: str, fetch: str) -> None:
    m = machine(model=model, fetch=fetch)
    guest(m)
    m.set({"spr.MAS5": 0x8000003F, "spr.MAS8": 0xC000003F})
    m.load_last_inst()
    assert (m["spr.MAS5"], m["spr.MAS8"], m["spr.MAS1"] & V) == (0, 0, 0)


@each_model
@each_strategy
def test_fetch_changes_nothing_but_mas(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.2 side effects: no entry is evicted (15.4), no TLB0[NV], no interrupt, no vcpu field."""
    m = fetchable(machine, model, fetch=fetch)
    for perms in (SX, 0):
        map_pc(m, perms=perms)
        before = m.snapshot()
        m.load_last_inst()
        assert {name for name in changed(m, before) if not name.startswith("spr.MAS")} == set()


@each_model
@each_strategy
def test_successful_fetch_leaves_two_events(machine: MachineFactory, model: str, fetch: str) -> None:
    """vectors/SCHEMA.md: the search and the mapping."""
    m = fetchable(machine, model, fetch=fetch)
    m.load_last_inst()
    search, kmap = texts(m)
    assert search.endswith("hit=65543")
    assert kmap == "kmap 0x7"


@each_model
@each_strategy
def test_hardware_operations_of_a_fetch(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 11.6: 4 mfspr, 4 mtspr, no isync, 1 tlbsx, and one page map, load and unmap if L5."""
    searched = {"mtspr": 4, "mfspr": 4, "tlbsx": 1}
    m = fetchable(machine, model, fetch=fetch)
    m.load_last_inst()
    assert m.counters() == searched | {"page_map": 1, "page_unmap": 1, "load": 1}
    for perms, tag in ((0, TGS), (SX, 0)):
        m = machine(model=model, fetch=fetch)
        guest(m)
        map_pc(m, perms=perms, mas8=tag)
        m.load_last_inst()
        assert m.counters() == searched


@each_model
def test_type_argument_is_ignored(machine: MachineFactory, model: str) -> None:
    """exit 4.1b."""
    m = fetchable(machine, model)
    assert {m.load_last_inst(type=kind) for kind in (0, 1, 7)} == {(DONE, WORD)}


@each_model
def test_machine_check_of_the_search_is_reported(machine: MachineFactory, model: str) -> None:
    """docs/choices.md, mmu-kvm V4: two hits with MHD; event host_exception, MAS5 and MAS8 cleared, AGAIN."""
    m = fetchable(machine, model)
    map_pc(m, index=8)
    m.set({"spr.HID0": MHD, "thread.msr": GS})  # KVM's code runs in hypervisor state all the same
    assert m.load_last_inst() == (AGAIN, UNWRITTEN)
    assert [event.arg[0] for event in events_of(m, "host_exception")] == [1]
    assert (m["spr.MAS5"], m["spr.MAS8"]) == (0, 0)


@each_model
def test_two_hits_without_mhd_read_through_the_first(machine: MachineFactory, model: str) -> None:
    """mmu-kvm V4, mmu-hardware 5.3."""
    m = fetchable(machine, model)
    map_pc(m, index=8, real=0x9000)
    assert m.load_last_inst() == (DONE, WORD)


# The real address


@each_model
def test_large_pages_take_the_offset_from_pc(machine: MachineFactory, model: str) -> None:
    """exit 4.2: (MAS7_MAS3 & ~0 << shift) | (nip & (1 << shift) - 1), shift = TSIZE + 10."""
    m = machine(model=model, ram=((0, 0x400000),))
    for size in TSIZES[model]:
        offset, dirty = 0x3FF234 & page_bytes(size) - 1, 0xFFFFF000 & page_bytes(size) - 1
        base = 0x40000000 & -page_bytes(size)
        guest(m, pc=base | offset)
        put(m, 1, 0, V | tsize(size), base | M, dirty | SX, mas8=TGS)
        m.store_word(offset, 0x60000000 | size)
        assert m.load_last_inst() == (DONE, 0x60000000 | size), f"TSIZE {size}"


@each_model
def test_address_reaches_the_top_of_real_memory(machine: MachineFactory, model: str) -> None:
    """exit 4.2: all in u64, MAS7 above MAS3."""
    top = 1 << REAL_BITS[model]
    m = machine(model=model, ram=((top - 0x1000, 0x1000),))
    guest(m)
    map_pc(m, real=top - 0x1000)
    m.store_word(top - 0x1000 + 0x234, WORD)
    assert m.load_last_inst() == (DONE, WORD)
    assert events_of(m, "kmap")[0].arg[0] == (top - 0x1000) >> 12


@pytest.mark.parametrize("size", [0, 1])
def test_page_code_under_4_kib_lets_low_rpn_bits_through(machine: MachineFactory, size: int) -> None:
    """exit 4.2: TSIZE 0 and 1 (recorded host) use RPN and permission bits below 4 KiB."""
    m = machine(params="recorded")
    guest(m)
    shift = size + 10
    put(m, 1, 0, V | PID << 16 | tsize(size), PC & ~0xFFF | M, 0x7C00 | SX, 0, TGS | 1)
    real = 0x7C00 & -(1 << shift) | PC & (1 << shift) - 1
    m.store_word(real, WORD)
    assert m.load_last_inst() == (DONE, WORD)


@each_model
@pytest.mark.parametrize("low", [1, 2, 3])
def test_misaligned_pc_reads_across_two_words(machine: MachineFactory, model: str, low: int) -> None:
    """mmu-kvm 15.2.8: the low 12 bits of the address as they are."""
    m = fetchable(machine, model)
    m.write_ram(REAL, bytes.fromhex("0011223344556677"))
    guest(m, pc=PC + low)
    assert m.load_last_inst().instr == int.from_bytes(bytes.fromhex("0011223344556677")[low : low + 4], "big")


@each_model
@pytest.mark.parametrize(("low", "word"), [(0xFFC, 0xAABBCCDD), (0xFFD, 0xBBCCDD00), (0xFFF, 0xDD000000)])
def test_bytes_beyond_the_end_of_ram_read_0(machine: MachineFactory, model: str, low: int, word: int) -> None:
    """docs/choices.md."""
    m = machine(model=model, ram=((0, 0x8000),))
    guest(m, pc=0x10003000 | low)
    map_pc(m, pc=0x10003000, real=0x7000)
    m.store_word(0x7FFC, 0xAABBCCDD)
    assert m.load_last_inst() == (DONE, word)


@each_model
def test_misaligned_word_at_the_page_end_goes_on_in_the_next_real_page(
    machine: MachineFactory, model: str
) -> None:
    """docs/choices.md: four bytes from that address on."""
    m = machine(model=model)
    guest(m, pc=0x10003FFE)
    map_pc(m, pc=0x10003000, real=0x7000)
    m.write_ram(0x7FFE, bytes.fromhex("11223344"))
    assert m.load_last_inst() == (DONE, 0x11223344)


# kvmppc_get_last_inst (exit 4.1, mmu-kvm 15.1)


@each_model
@each_strategy
def test_get_fills_the_cache(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.1.1: the loader writes directly into the cache; a second call answers from it."""
    m = fetchable(machine, model, fetch=fetch)
    assert m.get_last_inst() == (DONE, WORD)
    assert m["vcpu.arch.last_inst"] == WORD
    before = m.snapshot()
    m.events()
    m.store_word(REAL, 0)
    assert m.get_last_inst() == (DONE, WORD)
    assert (m.diff(before), m.events()) == ([], [])


@each_model
@pytest.mark.parametrize("cached", [0, 0x7C0004AC, 0xFFFFFFFE])
def test_get_answers_from_the_cache_without_searching(
    machine: MachineFactory, model: str, cached: int
) -> None:
    """mmu-kvm 15.1.1: also the 0 that a new vcpu has."""
    m = machine(model=model)
    m["vcpu.arch.last_inst"] = cached
    before = m.snapshot()
    assert m.get_last_inst() == (DONE, cached)
    assert (m.diff(before), m.events()) == ([], [])


@each_model
@each_strategy
def test_failing_get_leaves_the_sentinel(machine: MachineFactory, model: str, fetch: str) -> None:
    """exit 4.1: the raw cache and the error."""
    m = fetchable(machine, model, fetch=fetch)
    map_pc(m, perms=0)
    assert m.get_last_inst() == (REFUSED[fetch], NOT_LOADED)
    assert m["vcpu.arch.last_inst"] == NOT_LOADED


@each_model
def test_word_ffffffff_defeats_the_cache(machine: MachineFactory, model: str) -> None:
    """exit Q21, 4.1c: it is fetched again on each call, and may then be AGAIN."""
    m = fetchable(machine, model)
    m.store_word(REAL, NOT_LOADED)
    for _ in range(2):
        assert m.get_last_inst() == (DONE, NOT_LOADED)
    assert m.counters()["tlbsx"] == 2
    put(m, 1, 7, 0, 0, 0)
    assert m.get_last_inst() == (AGAIN, NOT_LOADED)


@each_model
def test_load_does_not_touch_the_cache(machine: MachineFactory, model: str) -> None:
    """exit 4.2: only get_last_inst hands it the cache."""
    m = fetchable(machine, model)
    m["vcpu.arch.last_inst"] = 0x11111111
    assert m.load_last_inst() == (DONE, WORD)
    assert m["vcpu.arch.last_inst"] == 0x11111111


# Worked examples

#: mmu-kvm 17, K53-K65 (executed on Linux 6.1): MMUCFG, MSR, pc, MAS1, attributes, MAS7_MAS3
#: -> MAS6, result, pfn mapped.
KERNEL_RUNS = {
    "K53 hit 4K kernel": (0x064809C4, 0, 0x10003234, 0x80050100, 4, 0x80007015, 0x50000, DONE, 0x80007),
    "K54 V=0": (0x064809C4, 0, 0x10003234, 0x00050100, 4, 0x80007015, 0x50000, AGAIN, None),
    "K55 kernel, UX only": (0x064809C4, 0, 0x10003234, 0x80050100, 4, 0x80007020, 0x50000, AGAIN, None),
    "K56 user, UX only": (0x064809C4, 0x4000, 0x10003234, 0x80050100, 4, 0x80007020, 0x50000, DONE, 0x80007),
    "K57 user, SX only": (0x064809C4, 0x4000, 0x10003234, 0x80050100, 4, 0x80007010, 0x50000, AGAIN, None),
    "K58 MAV1, I set": (0x064809C4, 0, 0x10003234, 0x80050100, 0xC, 0x80007015, 0x50000, DONE, 0x80007),
    "K59 MAV2, I set": (0x06510B45, 0, 0x10003234, 0x80050100, 0xC, 0x80007015, 0x50000, AGAIN, None),
    "K60 MAV2, W set": (0x06510B45, 0, 0x10003234, 0x80050100, 0x14, 0x80007015, 0x50000, AGAIN, None),
    "K61 MAV2, M clear": (0x06510B45, 0, 0x10003234, 0x80050100, 0, 0x80007015, 0x50000, AGAIN, None),
    "K62 MAV2, M set": (0x06510B45, 0, 0x10003234, 0x80050100, 4, 0x80007015, 0x50000, DONE, 0x80007),
    "K63 not RAM": (0x064809C4, 0, 0x10003234, 0x80050100, 4, 0xFE0007015, 0x50000, AGAIN, None),
    "K64 16M page": (0x064809C4, 0x20, 0x10ABC234, 0x80051700, 4, 0x123000015, 0x50001, DONE, 0x123ABC),
    # The harness answered the search whatever its tags; here the entry has the TID that is looked for.
    "K65 PID 0x1ff": (0x064809C4, 0, 0x10003234, 0x81FF0100, 4, 0x80007015, 0x1FF0000, DONE, 0x80007),
}
K_RAM = ((0x80000000, 0x10000), (0x123000000, 0x1000000))


@pytest.mark.parametrize("model", ["e500mc", "e6500"])
@pytest.mark.parametrize("name", KERNEL_RUNS)
def test_worked_example_of_linux(machine: MachineFactory, model: str, name: str) -> None:
    """mmu-kvm 17 K53-K65: LPID 2, PID 5, the instruction 7C0007A4 (host parameters `recorded`)."""
    mmucfg, msr, pc, mas1, attributes, mas7_3, mas6, ret, pfn = KERNEL_RUNS[name]
    m = machine(model=model, params="recorded", ram=K_RAM)
    guest(m, pc=pc, pid=mas6 >> 16, msr=msr)
    m.set({"kvm.arch.lpid": 2, "vcpu.arch.mmucfg": mmucfg, "spr.MAS5": 0x777, "spr.MAS8": 0x777})
    size = mas1 >> 7 & 0x1F
    put(m, 1, 0, mas1, pc & -page_bytes(size) | attributes, mas7_3 & 0xFFFFFFFF, mas7_3 >> 32, TGS | 2)
    if pfn is not None:
        m.store_word(pfn << 12 | pc & 0xFFF, 0x7C0007A4)
    assert m.get_last_inst() == (ret, 0x7C0007A4 if ret == DONE else NOT_LOADED)
    assert (m["spr.MAS5"], m["spr.MAS6"], m["spr.MAS8"]) == (0, mas6, 0)
    assert [event.arg[0] for event in events_of(m, "kmap")] == ([] if pfn is None else [pfn])


@each_model
def test_v21_v22_fetch_of_a_dtlb_miss(machine: MachineFactory, model: str) -> None:
    """exit 16 V21, V22, mmu-kvm D4-D6, the fetch's part: evicted is AGAIN; no SX AGAIN or FAIL."""
    for fetch in STRATEGIES:
        m = machine(model=model, fetch=fetch)
        guest(m)
        before = m.snapshot()
        assert m.get_last_inst() == (AGAIN, NOT_LOADED)
        fields = changed(m, before)
        assert not [name for name in fields if name.startswith(("vcpu", "run", "htlb"))]
        map_pc(m, perms=ALL_PERMS & ~SX)
        assert m.get_last_inst() == (REFUSED[fetch], NOT_LOADED)
        assert (m["vcpu.arch.pending_exceptions"], m["vcpu.arch.regs.nip"], m["run.exit_reason"]) == (
            0,
            PC,
            0,
        )


@each_model
def test_iprot_entries_are_found_like_others(machine: MachineFactory, model: str) -> None:
    m = fetchable(machine, model)
    m["htlb1.mas1[7]"] = V | IPROT | PID << 16 | tsize(2)
    assert m.load_last_inst() == (DONE, WORD)


@each_model
def test_address_space_1_is_searched_with_ts_1(machine: MachineFactory, model: str) -> None:
    m = fetchable(machine, model)
    guest(m, msr=GS | IS)
    assert m.load_last_inst().ret == AGAIN
    m["htlb1.mas1[7]"] = V | TS | PID << 16 | tsize(2)
    assert m.load_last_inst() == (DONE, WORD)
