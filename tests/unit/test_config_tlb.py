# SPDX-License-Identifier: BSD-3-Clause
"""kvm/config_tlb: KVM_CAP_SW_TLB and KVM_DIRTY_TLB (mmu-kvm 2; 17 K38 to K46)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import call, log
from .support import MachineFactory, each_model

EFAULT, ENOMEM, EINVAL = 14, 12, 22
PARAMS, ARRAY = 0x3000, 0x10000000
VALID = 0x80000000
FLUSH = "tlbilxlpid mas5=0x80000002"

Sizes = tuple[int, int]


def vmm(machine: MachineFactory, model: str = "e5500", *, sw_tlb: bool = True) -> Machine:
    """A vcpu of LPID 2 whose guest TLB configuration is that of mmu-kvm 17."""
    m = machine(model=model, sw_tlb=sw_tlb)
    m.set({"kvm.arch.lpid": 2, "vcpu.arch.tlbcfg[0]": 0x02110100, "vcpu.arch.tlbcfg[1]": 0x101BC010})
    return m


def config(m: Machine, sizes: Sizes, ways: Sizes, *, length: int | None = None, **fields: int) -> int:
    """The ioctl; the array is exactly as long as it has to be, unless `length` says otherwise."""
    length = 24 * sum(sizes) if length is None else length
    values = {
        "user.config_tlb.params": PARAMS,
        "user.config_tlb.array": ARRAY,
        "user.config_tlb.mmu_type": 0,
        "user.config_tlb.array_len": length,
    }
    for n in range(4):
        values[f"user.tlb_params.tlb_sizes[{n}]"] = (*sizes, 0, 0)[n]
        values[f"user.tlb_params.tlb_ways[{n}]"] = (*ways, 0, 0)[n]
    m.set(values | {name.replace("__", "."): value for name, value in fields.items()})
    m.events()
    return call(m, "kvm_vcpu_ioctl_config_tlb")


def tlbcfg(m: Machine) -> tuple[int, int]:
    return m["vcpu.arch.tlbcfg[0]"], m["vcpu.arch.tlbcfg[1]"]


def geometry(m: Machine, tlbsel: int) -> tuple[int, int, int]:
    entries, ways, sets = (m[f"e500.gtlb_params{tlbsel}.{name}"] for name in ("entries", "ways", "sets"))
    return entries, ways, sets


@pytest.mark.parametrize(
    ("sizes", "ways", "expected", "offset", "sets"),
    [
        ((512, 64), (4, 64), (0x04110200, 0x401BC040), 512, 128),  # K38
        ((4096, 64), (8, 64), (0x08110000, 0x401BC040), 4096, 512),  # K44: too many for N_ENTRY
        ((512, 10), (4, 10), (0x04110200, 0x0A1BC00A), 512, 128),  # K45: TLB1 of no power of two
        ((2048, 0), (16, 0), (0x10110800, 0x001BC000), 2048, 128),
        ((519, 16), (4, 16), (0x04110207, 0x101BC010), 519, 129),
    ],
)
def test_geometry_of_user_space(
    machine: MachineFactory, sizes: Sizes, ways: Sizes, expected: tuple[int, int], offset: int, sets: int
) -> None:
    m = vmm(machine)
    m["e500.gtlb_nv[0]"] = 1
    if sets & (sets - 1):  # rule 6: sets not a power of two
        assert config(m, sizes, ways) == -EINVAL
        return
    assert config(m, sizes, ways) == 0
    assert (tlbcfg(m), m["e500.gtlb_offset[1]"]) == (expected, offset)
    assert geometry(m, 0) == (sizes[0], ways[0], sets)
    assert geometry(m, 1) == (sizes[1], ways[1], 1)
    assert m["e500.gtlb_nv[0]"] == 1  # it is not reset


@pytest.mark.parametrize(
    ("sizes", "ways", "fields"),
    [
        ((512, 65), (4, 65), {}),  # K39
        ((512, 64), (3, 64), {}),  # K40
        ((500, 64), (4, 64), {}),  # K41
        ((512, 64), (4, 32), {}),  # K42
        ((512, 64), (4, 64), {"user__tlb_params__tlb_sizes[2]": 1}),  # K43
        ((512, 64), (4, 64), {"user__tlb_params__tlb_ways[3]": 1}),
        ((512, 64), (4, 64), {"user__config_tlb__mmu_type": 1}),  # K46
        ((512, 64), (0, 64), {}),
        ((0, 64), (4, 64), {}),
    ],
)
def test_refused(machine: MachineFactory, sizes: Sizes, ways: Sizes, fields: dict[str, int]) -> None:
    m = vmm(machine)
    before = tlbcfg(m)
    assert config(m, sizes, ways, **fields) == -EINVAL
    assert (tlbcfg(m), log(m), m["e500.num_shared_tlb_pages"]) == (before, [], 0)


@pytest.mark.parametrize(("missing", "ret"), [(0, 0), (1, -EINVAL)])
def test_length_of_the_array(machine: MachineFactory, missing: int, ret: int) -> None:
    """2.7."""
    assert config(vmm(machine), (128, 16), (2, 16), length=24 * 144 - missing) == ret


def test_type_is_looked_at_before_the_parameters(machine: MachineFactory) -> None:
    """2.1."""
    fields = {"user__config_tlb__params": PARAMS + 4}
    assert config(vmm(machine), (128, 16), (2, 16), **fields) == -EFAULT
    assert config(vmm(machine), (128, 16), (2, 16), user__config_tlb__mmu_type=1, **fields) == -EINVAL


@pytest.mark.parametrize(
    ("fields", "ret"),
    [
        ({"host__gup_mode": 1}, -EFAULT),
        ({"host__gup_mode": 3}, -EFAULT),
        ({"host__vmap_fail": 1}, -ENOMEM),
        *(({"host__alloc_fail": n}, -ENOMEM) for n in range(1, 5)),
    ],
)
def test_failing_services_change_nothing(machine: MachineFactory, fields: dict[str, int], ret: int) -> None:
    """2.8: and whatever was obtained is given back."""
    m = vmm(machine)
    m["e500.gtlb0.mas1[3]"] = VALID
    assert config(m, (128, 16), (2, 16), **fields) == ret
    assert (m["e500.num_shared_tlb_pages"], m["e500.gtlb0.mas1[3]"]) == (0, VALID)
    events = log(m)
    assert FLUSH not in events
    pages = [event for event in events if event.startswith("put_page")]
    assert len(pages) == (1 if ret == -ENOMEM and fields.get("host__alloc_fail") != 1 else 0)


def test_array_is_adopted_as_it_is(machine: MachineFactory) -> None:
    """2: the bounds come from its TLB1; KVM's own arrays are freed, after a flush."""
    m = vmm(machine)
    m.set({"e500.gtlb0.mas1[3]": VALID, "e500.gtlb_priv1.flags[2]": VALID, "e500.h2g_tlb1_rmap[1]": 3})
    m.set({"user.tlb.mas1[128]": VALID | 0x500, "user.tlb.mas2[128]": 0x20045000})
    assert config(m, (128, 16), (2, 16)) == 0
    assert (m["e500.tlb1_min_eaddr"], m["e500.tlb1_max_eaddr"]) == (0x20045000, 0x20144FFF)
    freed = ("e500.gtlb0.mas1[3]", "e500.gtlb_priv1.flags[2]", "e500.h2g_tlb1_rmap[1]")
    assert [m[name] for name in freed] == [0, 0, 0]
    assert log(m) == [
        *("alloc pages array", f"get_user_pages_fast {ARRAY:#x} n=1 flags=0x1", "vmap n=1"),
        *("alloc gtlb_priv0", "alloc gtlb_priv1", "alloc g2h_tlb1_map", FLUSH),
        *("free g2h_tlb1_map", "free gtlb_priv0", "free gtlb_priv1", "free gtlb_arch"),
    ]


def test_second_array_gives_the_pages_of_the_first_back(machine: MachineFactory) -> None:
    """2: marked dirty."""
    m = vmm(machine)
    config(m, (256, 16), (2, 16))
    assert m["e500.num_shared_tlb_pages"] == 2
    assert config(m, (128, 16), (2, 16)) == 0
    assert log(m)[-6:] == [
        *("vfree", "set_page_dirty 0", "put_page 0", "set_page_dirty 1", "put_page 1"),
        "free pages array",
    ]


@each_model
def test_guest_instructions_work_on_it(machine: MachineFactory, model: str) -> None:
    """1.3: an entry of TLB1 lies behind those of TLB0; mas8 is user space's."""
    m = vmm(machine, model)
    config(m, (64, 5), (1, 5))
    mas = {"mas0": 0x10040000, "mas1": VALID | 0x500, "mas2": 0x30000004, "mas7_3": 0xFE00003F}
    m.set({f"vcpu.arch.shared.{name}": value for name, value in mas.items()} | {"user.tlb.mas8[68]": 0x77})
    call(m, "kvmppc_e500_emul_tlbwe")
    stored = [m[f"user.tlb.{name}[68]"] for name in ("mas1", "mas2", "mas7_3", "mas8")]
    assert stored == [VALID | 0x500, 0x30000004, 0xFE00003F, 0x77]
    assert call(m, "kvmppc_mmu_dtlb_index", 0x300FF000) == 0x10004


def test_machine_without_room(machine: MachineFactory) -> None:
    """docs/choices.md: no memory for it."""
    m = vmm(machine, sw_tlb=False)
    assert config(m, (128, 16), (2, 16)) == -ENOMEM
    assert log(m)[-3:] == ["vmap n=1", "put_page 0", "free pages array"]


def test_too_large_an_array(machine: MachineFactory) -> None:
    """docs/choices.md: more than 4160 entries."""
    m = vmm(machine)
    assert config(m, (4096, 64), (8, 64)) == 0
    assert config(m, (8192, 16), (2, 16)) == -ENOMEM
    assert log(m)[-2:] == ["put_page 48", "free pages array"]
    assert geometry(m, 0) == (4096, 8, 512)


def test_size_that_wraps(machine: MachineFactory) -> None:
    """A 32-bit size_t: the array is short, the private data cannot be allocated (vectors, `wrap`)."""
    m = vmm(machine, "e500mc")
    assert config(m, (0x80000000, 16), (1, 16), length=0x180) == -ENOMEM
    assert log(m)[-3:] == ["vmap n=1", "put_page 0", "free pages array"]


def test_smaller_tlb_with_an_old_victim(machine: MachineFactory) -> None:
    """17.1 D9: ways 4 to 2 with gtlb_nv = 3: victim 3, then 0."""
    m = vmm(machine)
    m["e500.gtlb_nv[0]"] = 3
    config(m, (64, 4), (2, 4))
    call(m, "kvmppc_mmu_dtlb_miss")
    assert (m["vcpu.arch.shared.mas0"], m["e500.gtlb_nv[0]"]) == (0x30000, 0)


def test_dirty_tlb_looks_at_everything(machine: MachineFactory) -> None:
    """2: bitmap and num_dirty are ignored."""
    m = vmm(machine)
    m.set({"e500.gtlb1.mas1[3]": VALID | 0x500, "e500.gtlb1.mas2[3]": 0x50000000})
    m["e500.gtlb_priv1.flags[3]"] = VALID
    m.events()
    assert call(m, "kvm_vcpu_ioctl_dirty_tlb") == 0
    assert (m["e500.tlb1_min_eaddr"], m["e500.tlb1_max_eaddr"]) == (0x50000000, 0x500FFFFF)
    assert (m["e500.gtlb_priv1.flags[3]"], log(m)) == (0, [FLUSH])
