# SPDX-License-Identifier: BSD-3-Clause
"""What Machine.check_invariants() finds, as names (enum pyexit_rule, struct pyexit_violation of pyexit.h)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.backends.base import RawViolation
from pyexit.layout import constants

#: The rules by name: lpid, bits, entry, permissions, page, attributes, ref, rmap.
RULES = constants("rule", "PYEXIT_RULE_")
_NAMES = {number: name for name, number in RULES.items()}
_NONE = 0xFFFFFFFF


class Violation(NamedTuple):
    """A rule that does not hold of an entry of a host TLB: `entry` of TLB `tlbsel` of `core`.

    `vcpu` and `guest_entry` (TLB, number) say whose guest entry comes nearest to allowing it, None if none
    does; `got` and `want` are the values that enum pyexit_rule names.
    """

    rule: str
    core: int
    tlbsel: int
    entry: int
    vcpu: int | None
    guest_entry: tuple[int, int] | None
    got: int
    want: int

    def __str__(self) -> str:
        whose = "" if self.vcpu is None else f", vcpu {self.vcpu}"
        if self.guest_entry is not None:
            whose += f", guest TLB{self.guest_entry[0]}[{self.guest_entry[1]}]"
        place = f"core {self.core} TLB{self.tlbsel}[{self.entry}]{whose}"
        return f"{self.rule}: {place}: got {self.got:#x}, want {self.want:#x}"


def named(found: RawViolation) -> Violation:
    """A violation with its names."""
    guest = None if found.guest_entry == _NONE else (found.guest_entry >> 16, found.guest_entry & 0xFFFF)
    place = (found.entry >> 16, found.entry & 0xFFFF)
    vcpu = None if found.vcpu == _NONE else found.vcpu
    return Violation(_NAMES[found.rule], found.core, *place, vcpu, guest, found.got, found.want)
