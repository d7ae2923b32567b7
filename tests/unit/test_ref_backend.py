# SPDX-License-Identifier: BSD-3-Clause
"""The codec between the reference's objects and the bytes of the state block (design.md 3)."""

from __future__ import annotations

from random import Random

import pytest

from pyexit import Machine, Snapshot
from pyexit.backends.ref_backend import codec
from pyexit.layout import RECORDS, record

from .support import each_model


@each_model
@pytest.mark.parametrize("sw_tlb", [False, True])
def test_any_bytes_load_as_they_do_in_the_core(model: str, sw_tlb: bool) -> None:
    """Fields alike; padding is 0 in the reference."""
    with (
        Machine(model, backend="native", sw_tlb=sw_tlb) as native,
        Machine(model, backend="ref", sw_tlb=sw_tlb) as ref,
    ):
        shape, random = native.shape, Random(1)
        for _ in range(4):
            state = Snapshot(shape, random.randbytes(len(native.snapshot().data)))
            native.restore(state)
            ref.restore(state)
            assert native.diff(ref) == []
            assert ref.snapshot().data == ref.snapshot().data


def test_loading_sets_only_what_differs_and_all_of_it() -> None:
    with Machine(backend="ref") as m:
        before = m.snapshot()
        names = ("spr.MAS1", "htlb0.mas2[5]", "htlb0.mas2[1023]", "vcpu.arch.io_gpr", "run.mmio.len")
        for number, name in enumerate(names, 1):
            m[name] = number
        after = m.snapshot()
        m.restore(before)
        assert m.diff(before) == []
        m.restore(after)
        assert [m[name] for name in names] == [1, 2, 3, 4, 5]
        m.call("ppc_mtspr", 0, 624, 0x10030000)
        m.restore(after)
        assert m.diff(after) == []


@pytest.mark.parametrize("kind", RECORDS)
def test_every_byte_is_a_field_or_padding(kind: str) -> None:
    """Fields and padding cover a record once."""
    covered = bytearray(codec(kind).padding.to_bytes(record(kind).size, "little"))
    for slot in codec(kind).slots:
        assert covered[slot.start : slot.end] == bytes(slot.end - slot.start)
        covered[slot.start : slot.end] = b"\xff" * (slot.end - slot.start)
    assert set(covered) == {0xFF}


def test_value_that_does_not_fit_is_named() -> None:
    """A slip of the reference shows where it is."""
    with Machine(backend="ref") as m:
        world = m._core._world  # type: ignore[attr-defined]
        world.hw.spr[0].MAS1 = -1
        with pytest.raises(ValueError, match=r"spr\.MAS1 = -1"):
            m.snapshot()
        world.hw.spr[0].MAS1 = 0
        world.hw.htlb0[0].mas1.append(0)
        with pytest.raises(ValueError, match=r"htlb0\.mas1"):
            m.snapshot()
        world.hw.htlb0[0].mas1.pop()
