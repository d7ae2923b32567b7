# SPDX-License-Identifier: BSD-3-Clause
"""``import pyexit`` loads nothing but itself; its names come when they are used (issue 7)."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest

import pyexit

LOADED = "import sys; before = set(sys.modules); import pyexit; print(*sorted(set(sys.modules) - before))"


def for_type_checkers() -> dict[str, str]:
    """The names that pyexit shows to a type checker, and the modules it says they come from."""
    tree = ast.parse(inspect.getsource(pyexit))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {
        alias.name: str(node.module) for node in imports for alias in node.names if alias.asname == alias.name
    }


def test_importing_pyexit_loads_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pyexit"]


def test_every_public_name_comes_from_the_module_that_defines_it() -> None:
    assert len(pyexit.__all__) > 20
    homes = {name: getattr(pyexit, name).__module__ for name in pyexit.__all__}
    assert homes == for_type_checkers()


def test_dir_lists_the_public_names_before_they_are_used() -> None:
    assert set(pyexit.__all__) <= set(dir(pyexit))


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"module 'pyexit' has no attribute 'Machin'"):
        _ = pyexit.Machin  # type: ignore[attr-defined]
