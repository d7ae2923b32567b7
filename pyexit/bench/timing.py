# SPDX-License-Identifier: BSD-3-Clause
"""Interleaved timing: variants take turns; the smallest round counts; against itself it shows the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

ROUNDS = 15


@dataclass(frozen=True)
class Timing:
    """ns of one operation: the smallest round, and the median's distance from it."""

    ns: float
    noise: float


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, Timing]:
    """Each variant returns the ns of one operation; they run in turn, `rounds` times."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        variant()
    for _ in range(rounds):
        for name, variant in variants.items():
            found[name].append(variant())
    return {name: Timing(min(ns), median(ns) - min(ns)) for name, ns in found.items()}


def noise_floor(variant: Callable[[], float], rounds: int = ROUNDS) -> float:
    """How far two runs of the same variant, interleaved, are apart, as a share of the smaller."""
    same = interleaved({"a": variant, "b": variant}, rounds)
    low, high = sorted((same["a"].ns, same["b"].ns))
    return high / low - 1
