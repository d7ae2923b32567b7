# SPDX-License-Identifier: BSD-3-Clause
"""What every test can ask for: a backend, machines on it, and how many of the recorded cases to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pyexit import Machine
from pyexit.backends.base import LOCKSTEP, built

#: Behaviour is tested on each of these; lockstep compares native and ref after every step.
BACKENDS = (*built(), LOCKSTEP)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-vectors",
        action="store_true",
        help="run every recorded case (default: a tenth, spread over functions and tags)",
    )
    parser.addoption(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help=f"backend to test, may be repeated (default: PYEXIT_BACKEND, else {', '.join(BACKENDS)})",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that take `backend` or `machine` run once per backend."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", backends(metafunc.config))


def backends(config: pytest.Config) -> tuple[str, ...]:
    """The backends under test: --backend, else PYEXIT_BACKEND, else all."""
    chosen = config.getoption("--backend") or os.environ.get("PYEXIT_BACKEND", "").split()
    return tuple(chosen) or BACKENDS


@pytest.fixture
def machine(backend: str) -> Iterator[Callable[..., Machine]]:
    """machine(model="e500mc", **options) -> Machine on the backend under test; closed after the test."""
    with ExitStack() as stack:

        def make(model: str = "e500mc", **options: Any) -> Machine:
            return stack.enter_context(Machine(model, backend=backend, **options))

        yield make


@pytest.fixture
def all_vectors(request: pytest.FixtureRequest) -> bool:
    """Whether --all-vectors was given."""
    return bool(request.config.getoption("--all-vectors"))
