# SPDX-License-Identifier: BSD-3-Clause
"""Instruction fetches on native against ref: seeded, biased to the boundary, outcome shares printed."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, NamedTuple

import pytest

from pyexit import Machine

from .pools import MODELS, PR, RAM, Access, Entry, access, entry, entry_or_near_miss

#: Fetches per model and strategy.
COUNT = 700

OUTCOMES = {0: "DONE", 2: "FAIL", 3: "AGAIN"}
FLOOR = {"DONE": 0.20, "AGAIN": 0.20}  # of a run; uniform states reach DONE 0.16 % of the time

SENTINEL = 0xFFFFFFFF
CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"set": "recorded"},
    {"tlb0_ways": 2, "tlb0_sets": 4, "tlb1_entries": 4},
)


class Case(NamedTuple):
    """Fields of the state before the fetch, and what is called."""

    fields: dict[str, int]
    function: str


def place(rng: random.Random, m: Machine, words: Entry) -> dict[str, int]:
    """The entry in a way of its TLB0 set, or anywhere in TLB1."""
    geometry = m.geometry
    tlbsel = rng.randrange(2)
    if tlbsel:
        index = rng.randrange(geometry.tlb1_entries)
    else:
        index = (words.mas2 >> 12) % geometry.tlb0_sets * geometry.tlb0_ways + rng.randrange(
            geometry.tlb0_ways
        )
        if not m.params["raw"]:  # a TLB0 entry of the cores is 4 KiB and has no IPROT
            words = words._replace(mas1=words.mas1 & ~0x40000F80 | 0x100)
    names = (f"htlb{tlbsel}.mas{n}[{index}]" for n in (1, 2, 3, 7, 8))
    return dict(zip(names, words, strict=True))


def guest(rng: random.Random, wanted: Access, m: Machine) -> dict[str, int]:
    """A vcpu at that pc, on a VM with that LPID."""
    msr = wanted.gs << 28 | wanted.space << 5 | rng.choice((0, 0, PR)) | rng.choice((0, 0x8000))
    mmucfg = rng.choice((m["spr.MMUCFG"], 0x064809C4, 0x06510B45))
    return {
        "vcpu.arch.regs.nip": wanted.ea,
        "vcpu.arch.pid": rng.choice((wanted.pid, wanted.pid, wanted.pid | 0x4000)),
        "vcpu.arch.shared.msr": msr,
        "vcpu.arch.last_inst": rng.choice((SENTINEL, SENTINEL, SENTINEL, 0x60000000)),
        "vcpu.arch.mmucfg": mmucfg,
        "kvm.arch.lpid": wanted.lpid,
        "host.cpu": rng.choice((0, 0, 1)),
        "host.threads_per_core": rng.choice((1, 1, 2)),
    }


def case(rng: random.Random, m: Machine) -> Case:
    """A fetch whose pc one entry serves or just misses, among other entries."""
    width = m.params["width"]
    wanted = access(rng.choice, width)._replace(gs=1)
    fields = {f"spr.MAS{n}": rng.choice((0, m.params["mas_mask"][n])) for n in (4, 5, 8)}
    fields |= {"spr.HID0": rng.choice((0x80, 0x80, 0x80, 0, 0x40000080)), "core.tlb0_nv": rng.randrange(2)}
    for _ in range(rng.choice((0, 0, 1, 3))):
        other = access(rng.choice, width)
        fields |= place(rng, m, entry(rng.choice, m.params, other))
    for _ in range(rng.choice((1, 1, 1, 2))):
        fields |= place(rng, m, entry_or_near_miss(rng.choice, m.params, wanted))
    return Case(fields | guest(rng, wanted, m), rng.choice(("kvmppc_load_last_inst", "kvmppc_get_last_inst")))


def fill_ram(m: Machine) -> None:
    """Words that say where they are, and one that is the sentinel."""
    for base, size in RAM:
        m.write_ram(base, b"".join((base + at).to_bytes(4, "big") for at in range(0, size, 4)))
    m.store_word(0x7FFC, SENTINEL)


def run(m: Machine, reset: Any, made: Case) -> tuple[object, ...]:
    """Everything that a case comes to on one backend."""
    m.restore(reset.replace(made.fields))
    result = m.call(made.function, 0, 0)
    return result, tuple(map(str, m.events())), m.snapshot()


@pytest.mark.parametrize("fetch", ["merged", "seed-v4"])
@pytest.mark.parametrize("model", MODELS)
def test_fetches_agree(model: str, fetch: str, shares: Counter[str]) -> None:
    """mmu-kvm 15.2 in C and in the reference: result, events and whole state."""
    rng = random.Random(f"{model} {fetch}")
    for params in CONFIGURATIONS:
        options: dict[str, Any] = {"params": params, "fetch": fetch, "ram": RAM}
        with (
            Machine(model, backend="native", **options) as native,
            Machine(model, backend="ref", **options) as ref,
        ):
            fill_ram(native)
            fill_ram(ref)
            reset = native.snapshot()
            for number in range(COUNT // len(CONFIGURATIONS)):
                made = case(rng, native)
                a, b = run(native, reset, made), run(ref, reset, made)
                assert a[:2] == b[:2], f"case {number} of {params}: {made}"
                assert native.diff(ref) == [], f"case {number} of {params}: {made}"
                shares[f"fetch {OUTCOMES[a[0].ret]}"] += 1  # type: ignore[attr-defined]
    total = shares.total()
    for outcome, floor in FLOOR.items():
        assert shares[f"fetch {outcome}"] / total >= floor
    assert (shares["fetch FAIL"] > 0) == (fetch == "seed-v4")
