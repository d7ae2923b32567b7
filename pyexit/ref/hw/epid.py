# SPDX-License-Identifier: BSD-3-Clause
"""hw/epid: the external-PID load that fetches a word in another context (mmu-hardware 9)."""

from __future__ import annotations

from pyexit.ref.events import DONE, EXTERNAL
from pyexit.ref.hw.core import OP_LWEPX, End, Hardware, count, ea_of
from pyexit.ref.hw.memory import PAGE_SIZE, load32
from pyexit.ref.hw.translate import LOAD, ppc_translate

_WORD_BYTES = 4


def ppc_lwepx(hw: Hardware, thread: int, ea: int, host: bool) -> tuple[End, int]:
    """Load the word at `ea` as EPLC says; with `host` the code is the hypervisor's, whatever MSR says."""
    count(hw, thread, OP_LWEPX)
    found = ppc_translate(hw, thread, ea, _WORD_BYTES, LOAD | EXTERNAL, probe=False, from_host=host)
    if found.outcome != DONE:
        return End(found.outcome, found.ivor), 0
    # A word that crosses pages has its last bytes in the second.
    below = min(PAGE_SIZE - ea_of(hw, thread, ea) % PAGE_SIZE, _WORD_BYTES)
    word = load32(hw.memory, found.real)
    if below < _WORD_BYTES:
        rest = 8 * (_WORD_BYTES - below)
        word = word >> rest << rest | load32(hw.memory, found.real2) >> 8 * below
    return End(DONE), word
