# SPDX-License-Identifier: BSD-3-Clause
"""The shares of outcomes that the differential tests reached, printed at the end of the run."""

from __future__ import annotations

from collections import Counter

import pytest

SHARES: pytest.StashKey[dict[str, Counter[str]]] = pytest.StashKey()


@pytest.fixture
def shares(request: pytest.FixtureRequest) -> Counter[str]:
    """Counts of this test's outcomes, as ``kind outcome``."""
    return request.config.stash.setdefault(SHARES, {}).setdefault(request.node.name, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line per test and kind: what came out, in percent."""
    reached = config.stash.get(SHARES, {})
    if not reached:
        return
    terminalreporter.section("outcome shares")
    for test, counts in reached.items():
        kinds = sorted({name.split()[0] for name in counts})
        for kind in kinds:
            parts = {name: count for name, count in counts.items() if name.split()[0] == kind}
            total = sum(parts.values())
            text = ", ".join(
                f"{name.partition(' ')[2]} {100 * count / total:.1f} %"
                for name, count in sorted(parts.items())
            )
            terminalreporter.write_line(f"{test}: {kind} ({total}): {text}")
