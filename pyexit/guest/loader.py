# SPDX-License-Identifier: BSD-3-Clause
"""Images: ELF (read by pyelftools) and raw ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pyexit.guest import library

ELF_MAGIC = b"\x7fELF"


class Image(NamedTuple):
    """What is loaded: (guest physical address, bytes) pairs, the last end, and where execution begins."""

    segments: tuple[tuple[int, bytes], ...]
    end: int
    entry: int


def load(path: Path) -> Image:
    """The image in a file: ELF if it says so, else raw, to be loaded and entered at 0."""
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path} is empty")
    if data.startswith(ELF_MAGIC):
        return _elf(path)
    return Image(((0, data),), len(data), 0)


def _elf(path: Path) -> Image:
    elf: Any = library("elftools.elf.elffile")
    errors: Any = library("elftools.common.exceptions")
    with path.open("rb") as stream:
        try:
            return _segments(path, elf.ELFFile(stream))
        except errors.ELFError as error:
            raise ValueError(f"{path}: not a whole ELF file: {error}") from error


def _segments(path: Path, file: Any) -> Image:
    if file["e_machine"] != "EM_PPC" or file.elfclass != 32 or file.little_endian:
        machine = (
            f"{file.elfclass}-bit {'little' if file.little_endian else 'big'}-endian {file['e_machine']}"
        )
        raise ValueError(f"{path} is for {machine}; a guest is 32-bit big-endian EM_PPC")
    loads = [part for part in file.iter_segments() if part["p_type"] == "PT_LOAD" and part["p_memsz"]]
    if not loads:
        raise ValueError(f"{path} has nothing to load (no PT_LOAD segment)")
    segments = tuple((part["p_paddr"], part.data().ljust(part["p_memsz"], b"\0")) for part in loads)
    return Image(segments, max(base + len(data) for base, data in segments), _entry(file["e_entry"], loads))


def _entry(entry: int, loads: list[Any]) -> int:
    """The entry point is a virtual address; execution begins before anybody has mapped those."""
    for part in loads:
        if part["p_vaddr"] <= entry < part["p_vaddr"] + part["p_memsz"]:
            return int(entry - part["p_vaddr"] + part["p_paddr"])
    return entry
