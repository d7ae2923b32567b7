# SPDX-License-Identifier: BSD-3-Clause
"""Differential fuzzing: seeded scenarios at the boundary, native against the reference (design.md 7).

``arena`` makes the machine and the state that scenarios begin in, ``pools`` and ``plans`` draw them, ``pair``
runs one on two backends, ``campaign`` is the loop, ``minimise`` and ``explain`` are for what it finds.
"""
