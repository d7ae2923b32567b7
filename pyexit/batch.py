# SPDX-License-Identifier: BSD-3-Clause
"""Batches: records of pyexit.h as NumPy arrays (design.md 3, 7). NumPy is imported when first used."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pyexit.backends._core import ffi
from pyexit.errors import nearest

if TYPE_CHECKING:
    import numpy as np


class ExitRecord(NamedTuple):
    """struct pyexit_exit_record: what the processor would have left for an exit of `vcpu`."""

    vcpu: int
    exit_nr: int
    pc: int
    msr: int = 0
    dear: int = 0
    esr: int = 0


@cache
def dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of ``struct pyexit_<name>``, worked out from what the compiler says of it."""
    import numpy as np

    try:
        ctype = ffi.typeof(f"struct pyexit_{name}")
    except ffi.error:
        known = sorted(found.removeprefix("pyexit_") for found in ffi.list_types()[1])
        raise ValueError(f"no struct {name!r} in pyexit.h{nearest(name, known)}") from None
    made: np.dtype[Any] = np.dtype(cast(Any, _struct(ctype)))
    return made


def _struct(ctype: Any) -> dict[str, Any]:
    """A struct as NumPy's dictionary form; an unnamed union's arms stand beside the other fields."""
    named: list[tuple[str, Any, int]] = list(_fields(ctype, 0))
    return {
        "names": [name for name, _, _ in named],
        "formats": [form for _, form, _ in named],
        "offsets": [offset for _, _, offset in named],
        "itemsize": ffi.sizeof(ctype),
    }


def _fields(ctype: Any, base: int) -> Any:
    for name, field in ctype.fields or ():
        if not name:
            yield from _fields(field.type, base + field.offset)
        else:
            yield name, _format(field.type), base + field.offset


def _format(ctype: Any) -> Any:
    if ctype.kind == "struct":
        return _struct(ctype)
    if ctype.kind == "array":
        return (_format(ctype.item), (ctype.length,))
    if ctype.kind == "pointer":
        return f"<u{ffi.sizeof(ctype)}"
    signed = int(ffi.cast(ctype, -1)) < 0
    return f"<{'i' if signed else 'u'}{ffi.sizeof(ctype)}"


def records(exits: Any) -> Any:
    """Exit records as an array: an array of dtype("exit_record"), or a sequence of ExitRecord."""
    import numpy as np

    form = dtype("exit_record")
    if isinstance(exits, np.ndarray):
        if exits.dtype != form:
            raise TypeError(f"exits() takes an array of pyexit.dtype('exit_record'), not of {exits.dtype}")
        return np.ascontiguousarray(exits.reshape(-1))
    array = np.zeros(len(exits), form)
    for name in ExitRecord._fields:
        array[name] = [getattr(ExitRecord(*item), name) for item in exits]
    return array
