# SPDX-License-Identifier: BSD-3-Clause
"""The compiled reference: the same modules, the same answers, and what its numbers may become (design 4)."""

from __future__ import annotations

import runpy
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pyexit
from pyexit.backends.base import built, check_name
from pyexit.fuzz.campaign import Campaign

PACKAGE = Path(pyexit.__file__).parent
WORDS = (0, 1, 2, 0x7F, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 64) - 1)

#: What the translator must not get wrong: each function is run by Python and compiled.
ARITHMETIC = """
from __future__ import annotations
from dataclasses import dataclass
from typing import NamedTuple

_WORD = 0xFFFFFFFF

@dataclass(slots=True)
class Regs:
    a: int = 0
    b: int = 0

class Pair(NamedTuple):
    first: int
    second: int = 7

def difference(regs: Regs) -> int:
    return regs.a - regs.b

def beyond(regs: Regs) -> int:
    return regs.a + regs.b

def product(regs: Regs) -> int:
    return regs.a * regs.b

def cut(regs: Regs) -> int:
    return (regs.a + regs.b - 1) & _WORD

def inverted(regs: Regs) -> int:
    return ~regs.a

def masked(regs: Regs) -> int:
    return regs.a & ~regs.b

def left(regs: Regs) -> int:
    return regs.a << (regs.b & 127)

def right(regs: Regs) -> int:
    return regs.a >> (regs.b & 127)

def ones(regs: Regs) -> int:
    return regs.b & ((1 << (regs.a & 64)) - 1)

def shifted_out(regs: Regs) -> int:
    return (regs.a << 32 | regs.b) >> 8

def rest(regs: Regs) -> int:
    return regs.a // (regs.b | 1) + regs.a % (regs.b | 1)

def negative(regs: Regs) -> int:
    return -1 if regs.a & 1 else regs.b

def compared(regs: Regs) -> bool:
    return regs.a - regs.b < 0 or regs.a == -1 or regs.b in (1, regs.a)

def changed(regs: Regs) -> tuple[int, ...]:
    pair = Pair(regs.a)._replace(second=regs.b & 0xFF)
    first, second = pair
    return first, second, pair[1], len(pair), pair == Pair(regs.a, regs.b & 0xFF)
"""
FUNCTIONS = [
    line.split("(")[0].removeprefix("def ") for line in ARITHMETIC.splitlines() if line[:4] == "def "
]


@pytest.fixture(scope="module")
def arithmetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ModuleType]:
    """The functions above, run by Python, and compiled as the reference is."""
    build = pytest.importorskip("Cython.Build")
    setuptools = pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("refc")
    source = folder / "ref"
    source.mkdir()
    (source / "arith.py").write_text(ARITHMETIC)
    write_tree = runpy.run_path(str(PACKAGE / "backends" / "refc_source.py"))["write_tree"]
    directives = runpy.run_path(str(PACKAGE / "backends" / "build_refc.py"))["DIRECTIVES"]
    assert write_tree(source, folder / "out") == ["pyexit.refc.arith"]
    path = folder / "out" / "pyexit" / "refc" / "arith.py"
    extension = setuptools.Extension("arith", [str(path)], extra_compile_args=["-O1", "-w"])
    modules = build.cythonize([extension], compiler_directives=directives, quiet=True)
    command = setuptools.Distribution({"ext_modules": modules}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    spec = spec_from_file_location("arith", command.get_ext_fullpath("arith"))
    assert spec is not None
    assert spec.loader is not None
    compiled = module_from_spec(spec)
    spec.loader.exec_module(compiled)
    return runpy.run_path(str(source / "arith.py"), run_name="plain"), compiled


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_are_those_of_python(arithmetic: tuple[dict[str, Any], ModuleType], name: str) -> None:
    """No sum, difference or shift of words wraps unless a mask makes it harmless."""
    plain, compiled = arithmetic
    for a in WORDS:
        for b in WORDS:
            expected = plain[name](plain["Regs"](a, b))
            assert getattr(compiled, name)(compiled.Regs(a, b)) == expected, (name, a, b)


def test_store_that_does_not_fit_is_an_error(arithmetic: tuple[dict[str, Any], ModuleType]) -> None:
    regs = arithmetic[1].Regs(1, 2)
    for value in (-1, 1 << 64):
        with pytest.raises(OverflowError):
            regs.a = value
    assert (regs.a, regs.b) == (1, 2)


refc = pytest.mark.skipif("refc" not in built(), reason="refc is not built")


@refc
def test_every_module_is_compiled_and_the_reference_stays_python() -> None:
    for path in sorted((PACKAGE / "ref").rglob("*.py")):
        if path.name == "__init__.py":
            continue
        room = ".".join(path.relative_to(PACKAGE / "ref").with_suffix("").parts)
        compiled, plain = import_module(f"pyexit.refc.{room}"), import_module(f"pyexit.ref.{room}")
        assert compiled.__file__ is not None
        assert not compiled.__file__.endswith(".py")
        assert plain.__file__ == str(path)


@refc
@pytest.mark.parametrize("model", ["e500mc", "e5500", "e6500"])
def test_ref_and_refc_agree_on_random_scenarios(model: str) -> None:
    campaign = Campaign([model], seed=7, backends=("ref", "refc"))
    tally = campaign.run(seconds=120, max_scenarios=150)
    campaign.close()
    assert tally.scenarios == 150
    assert tally.findings == []


def test_backend_that_is_not_built_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyexit.backends.base.built", lambda: ("native", "ref"))
    for name in ("refc", "lockstep:native,refc"):
        with pytest.raises(ValueError, match="refc is not built"):
            check_name(name)
