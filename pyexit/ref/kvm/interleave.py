# SPDX-License-Identifier: BSD-3-Clause
"""kvm/interleave: what other threads do while a fetch is under way (design.md 6).

A scenario sets the actions; each happens once, when its point is passed.
"""

from __future__ import annotations

from pyexit.ref.events import TAKEN_BY_HOST
from pyexit.ref.hw.core import Hardware, log
from pyexit.ref.hw.memory import find_ram, write
from pyexit.ref.kvm.vcpu import Action, World

# Points of a fetch. With lwepx: MAS_SET = EPLC is set, READ = the word is loaded.
POINT_MAS_SET = 0
POINT_SEARCHED = 1
POINT_MAS_READ = 2
POINT_TRANSLATED = 3
POINT_MAPPED = 4
POINT_READ = 5

# Kinds of action
ACTION_CALL = 0  # an instruction of a thread
ACTION_STORE = 1  # RAM word arg[0] := arg[1]
ACTION_PREEMPT = 2  # the vcpu's task is preempted and comes back

#: The most actions that can wait.
ACTIONS = 16

EVENT_PREEMPTED_MAPPING = 11  # pfn

_WORD_BYTES = 4
_WORD = 0xFFFFFFFF
_DOUBLEWORD = 0xFFFFFFFF_FFFFFFFF


def kvmppc_point(world: World, point: int, unguarded: int | None = None) -> None:
    """The fetch passes a point; `unguarded` is the page that is mapped while preemption is possible."""
    due = [action for action in world.actions if action.point == point]
    world.actions = [action for action in world.actions if action.point != point]
    for action in due:
        if action.kind == ACTION_CALL:
            _call(world, action)
        elif action.kind == ACTION_STORE:
            _store(world.hw, *action.arg)
        elif unguarded is not None:
            log(world.hw, EVENT_PREEMPTED_MAPPING, 0, unguarded)


def _call(world: World, action: Action) -> None:
    """An instruction; the vector of its fault asks whether it is KVM's, or is hijacked (exit 11.7, 11.8)."""
    # entry_fetch passes points itself, so it stands above this room.
    from pyexit.ref.kvm.entry_fetch import kvmppc_do_kvm, kvmppc_forward

    end = action.perform(world)
    if end.outcome == TAKEN_BY_HOST:
        kvmppc_do_kvm(world, action.arg[0], end.ivor)
        kvmppc_forward(world, action.arg[0], end.ivor)


def _store(hw: Hardware, address: int, word: int) -> None:
    """A big-endian word, byte by byte; those that are not RAM go nowhere."""
    for offset, byte in enumerate((word & _WORD).to_bytes(_WORD_BYTES, "big")):
        at = address + offset & _DOUBLEWORD
        if find_ram(hw.memory, at) is not None:
            write(hw.memory, at, bytes([byte]))
