# SPDX-License-Identifier: BSD-3-Clause
"""The arguments of Machine(), checked; messages say what is wrong and what would be right (pyexit.h)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pyexit.backends._core import lib
from pyexit.backends.base import (
    FETCHES,
    HANDLERS,
    MODELS,
    PAGE_SIZE,
    PARAM_SETS,
    SEARCHES,
    Options,
    Params,
    RamRange,
    allocate,
)
from pyexit.backends.native import params as native_params
from pyexit.errors import nearest

REAL_BITS = 40
MAX_RANGES = 4096

#: Counts and their bounds.
COUNTS = {"cores": (1, 64), "vms": (1, 64), "vcpus": (1, 4096), "events": (0, 1 << 20)}

#: Parameters that take only certain values (struct pyexit_params); the others are words of 32 bits.
CHOICES: dict[str, Sequence[int]] = {
    "width": (32, 64),
    "threads": (1, 2),
    "mav": (1, 2),
    "tlb0_ways": (1, 2, 4, 8),
    "tlb0_sets": tuple(1 << n for n in range(8)),
    "tlb1_entries": tuple(1 << n for n in range(7)),
    "raw": (0, 1),
    "miss_u": (0, 1),
    "miss_epn": (0, 1, 2),
    "tlbilx_as": (0, 1),
    "tlbilx_tid0": (0, 1),
    "tlbivax_tags": (0, 1),
    "dmiuh_access": (0, 1),
    "miss_wq": (0, 1, 2, 3),
    "hit_hes": (0, 1),
    "tsize_low": (0, 1),
    "tsize_check": (0, 1),
    "altivec": (0, 1),
}


def make_options(
    model: str,
    params: str | Mapping[str, Any] | None,
    fetch: str,
    counts: Mapping[str, int],
    wires: Mapping[str, Sequence[int] | None],
    ram: Sequence[tuple[int, Any]],
    registers: Mapping[str, int | None],
    handler: str = "merged",
    sw_tlb: bool = False,
    search: str | None = None,
    lookaside: int | str | None = None,
) -> Options:
    """Options for a backend; ValueError or TypeError if an argument is not valid."""
    choose("model", model, MODELS)
    choose("fetch strategy", fetch, FETCHES)
    choose("exit handler", handler, HANDLERS)
    search = _search_name(search)
    choose("search", search, SEARCHES)
    if not isinstance(sw_tlb, bool):
        raise TypeError(f"sw_tlb is a bool, not {type(sw_tlb).__name__}")
    for name, value in counts.items():
        bounded(name, value, *COUNTS[name])
    param_set, overrides = _params(model, params, registers)
    threads = {**native_params(model, param_set), **overrides}["threads"] * counts["cores"]
    return Options(
        model=model,
        param_set=param_set,
        overrides=overrides,
        fetch=fetch,
        cores=counts["cores"],
        vms=counts["vms"],
        vcpus=counts["vcpus"],
        events=counts["events"],
        vcpu_thread=_wires("vcpu_thread", wires["vcpu_thread"], counts["vcpus"], threads, "hardware threads"),
        vcpu_vm=_wires("vcpu_vm", wires["vcpu_vm"], counts["vcpus"], counts["vms"], "VMs"),
        ram=_ram(ram),
        handler=handler,
        sw_tlb=sw_tlb,
        search=search,
        lookaside=_lookaside(lookaside),
        lookaside_checked=_lookaside_name(lookaside) == "checked",
    )


def _search_name(value: str | None) -> str:
    """None is what PYEXIT_SEARCH says, else the best that the processor has."""
    return os.environ.get("PYEXIT_SEARCH") or "auto" if value is None else value


def _lookaside_name(value: int | str | None) -> int | str:
    """None is what PYEXIT_LOOKASIDE says, else the core's own size."""
    return os.environ.get("PYEXIT_LOOKASIDE") or int(lib.PYEXIT_LOOKASIDE) if value is None else value


def _lookaside(value: int | str | None) -> int:
    """How many pages of code each vcpu's fetch remembers."""
    named = _lookaside_name(value)
    if named in ("off", "checked"):
        return 0 if named == "off" else int(lib.PYEXIT_LOOKASIDE)
    lines = int(named) if isinstance(named, int) or named.isdecimal() else -1
    if lines < 0 or lines & (lines - 1) or lines > lib.PYEXIT_LOOKASIDE_MOST:
        raise ValueError(f"lookaside is off, checked, 0 or a power of two to 65536, not {named!r}")
    return lines


def choose(what: str, name: object, known: Mapping[str, int]) -> int:
    """The number of a name; ValueError lists the names."""
    if not isinstance(name, str):
        raise TypeError(f"{what} is a name, not {type(name).__name__}")
    if name not in known:
        raise ValueError(f"no {what} {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    return known[name]


def bounded(what: str, value: object, low: int, high: int) -> int:
    """`value` if it is an integer of low..high."""
    if not isinstance(value, int):
        raise TypeError(f"{what} takes an int, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{what} is {_range(low, high)}, not {value if value < 1 << 24 else hex(value)}")
    return int(value)


def _range(low: int, high: int) -> str:
    return f"{low} to {high}" if high < 1 << 24 else f"{low:#x} to {high:#x}"


def _params(
    model: str, params: str | Mapping[str, Any] | None, registers: Mapping[str, int | None]
) -> tuple[str, Params]:
    """The name of the set, and what is laid over it."""
    if params is None or isinstance(params, str):
        given: Params = {"set": params or "core"}
    elif isinstance(params, Mapping):
        given = {"set": "core", **params}
    else:
        raise TypeError(f"params is a set name or a dict, not {type(params).__name__}")
    param_set = given.pop("set")
    choose("parameter set", param_set, PARAM_SETS)
    given |= {name: value for name, value in registers.items() if value is not None}
    known = native_params(model, param_set)
    return param_set, {name: _param(name, value, known) for name, value in given.items()}


def _param(name: str, value: Any, known: Params) -> Any:
    if name not in known:
        raise ValueError(f"no parameter {name!r}{nearest(name, known)}")
    if name == "mas_mask":
        if not isinstance(value, list | tuple) or len(value) != 9:
            raise ValueError("mas_mask is a list of 9 masks, for MAS0 to MAS8")
        return [bounded(f"mas_mask[{n}]", mask, 0, (1 << 64) - 1) for n, mask in enumerate(value)]
    bounded(name, value, 0, (1 << 32) - 1)
    if value not in CHOICES.get(name, (value,)):
        raise ValueError(f"{name} is one of {', '.join(map(str, CHOICES[name]))}, not {value}")
    return int(value)


def _wires(
    name: str, values: Sequence[int] | None, count: int, limit: int, what: str
) -> tuple[int, ...] | None:
    if values is None:
        return None
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} numbers, one for each of {count} vcpus is needed")
    for n, value in enumerate(values):
        if not isinstance(value, int) or not 0 <= value < limit:
            raise ValueError(f"{name}[{n}] is {value!r}, but there are {limit} {what}")
    return tuple(values)


def _ram(ranges: Sequence[tuple[int, Any]]) -> tuple[RamRange, ...]:
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"{len(ranges)} RAM ranges, at most {MAX_RANGES} are possible")
    made = tuple(_ram_range(item) for item in ranges)
    ordered = sorted(made, key=lambda item: item.base)
    for low, high in pairwise(ordered):
        if low.base + low.size > high.base:
            raise ValueError(f"RAM ranges at {low.base:#x} and {high.base:#x} overlap")
    return made


def _ram_range(item: tuple[int, Any]) -> RamRange:
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise TypeError(f"a RAM range is (base, size) or (base, buffer), not {item!r}")
    base, what = item
    lent = not isinstance(what, int)
    size = _lent_size(what) if lent else what
    limit = 1 << REAL_BITS
    bounded("RAM base", base, 0, limit - PAGE_SIZE)
    bounded("RAM size", size, PAGE_SIZE, limit - base)
    if (base | size) % PAGE_SIZE:
        raise ValueError(f"RAM range {base:#x} + {size:#x}: base and size are multiples of {PAGE_SIZE:#x}")
    return RamRange(base, size, what if lent else allocate(size), lent)


def _lent_size(buffer: Any) -> int:
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"RAM is a size or a writable buffer, not {type(buffer).__name__}") from None
    if view.readonly or not view.c_contiguous:
        raise ValueError("a buffer lent as RAM must be writable and contiguous")
    return view.nbytes
