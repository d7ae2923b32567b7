# SPDX-License-Identifier: BSD-3-Clause
"""How the Hypothesis tests of this folder run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_repeatably(made: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """`examples` runs of up to `steps` steps: the same everywhere, so that a finding can be repeated."""
    limits = settings(
        max_examples=examples,
        derandomize=True,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(made, settings=limits)
