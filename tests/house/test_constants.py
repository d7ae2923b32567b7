# SPDX-License-Identifier: BSD-3-Clause
"""Every shared constant is equal in C and in the reference (design.md 4): each side has its own list of them.

Names are found in the headers as text; their values are what the C compiler says.
"""

from __future__ import annotations

import errno
import re
from enum import IntEnum
from importlib import import_module
from inspect import isclass
from pathlib import Path
from types import ModuleType

import pytest
from exceptions import C_ONLY, REFERENCE_ONLY
from tree import C11, CSRC, HEADER, REFERENCE, c_compiler, run, without_comments

from pyexit import Machine
from pyexit.backends._core import ffi, lib
from pyexit.ref.hw.core import params

HEADERS = [CSRC / "hw" / "regs.h", *sorted((CSRC / "kvm").glob("*.h")), HEADER]
MODULES = sorted(REFERENCE.rglob("*.py"))
MODELS = {"e500mc": "PYEXIT_E500MC", "e5500": "PYEXIT_E5500", "e6500": "PYEXIT_E6500"}
SETS = {"core": "PYEXIT_PARAMS_CORE", "recorded": "PYEXIT_PARAMS_RECORDED"}
DONE = lib.PYEXIT_DONE

_DEFINE = re.compile(r"^#define[ \t]+([A-Z]\w*)[ \t]+[^\s(]", re.MULTILINE)
_ENUM = re.compile(r"\benum\b[^{;()]*\{([^}]*)\}")
_ENUMERATOR = re.compile(r"\b([A-Z]\w*)[ \t]*(?:=[^,}]*)?(?:,|\s*$)")


def c_names(path: Path) -> set[str]:
    """The constants that a header defines."""
    text = without_comments(path)
    bodies = ",\n".join(body.strip() for body in _ENUM.findall(text))
    return set(_DEFINE.findall(text)) | set(_ENUMERATOR.findall(bodies))


def shared_name(name: str) -> str:
    """A constant's name in the reference: without the prefix of the public header."""
    return name.removeprefix("PYEXIT_")


def c_program(names: list[str]) -> str:
    """A program that prints constants, one a line."""
    includes = ["<stdint.h>", "<stdio.h>", *(f'"{path.relative_to(CSRC).as_posix()}"' for path in HEADERS)]
    lines = ["#define PYEXIT_WIDTH 64", "typedef unsigned long long ulong_t;"]
    lines += [f"#include {name}" for name in includes]
    prints = (f'\tprintf("%s %lld\\n", "{name}", (long long)({name}));' for name in names)
    return "\n".join([*lines, "int main(void)", "{", *prints, "\treturn 0;", "}", ""])


@pytest.fixture(scope="module")
def c_values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The constants of the headers with the compiler's values, by their names in the reference."""
    folder = tmp_path_factory.mktemp("constants")
    names = sorted({name for path in HEADERS for name in c_names(path)} - {"PYEXIT_API"})
    source = folder / "constants.c"
    source.write_text(c_program(names), encoding="ascii")
    # -w: the rooms' functions are declared and, rightly, not defined here.
    run([*c_compiler(), *C11, f"-I{CSRC}", "-w", source, "-o", folder / "constants"])
    printed = (line.split() for line in run([folder / "constants"]).splitlines())
    return {shared_name(name): int(value) for name, value in printed}


def constants_of(module: ModuleType) -> dict[str, int]:
    """The integers that a module names in capitals, members of enumerations included, errno's left out."""
    found = {name: value for name, value in vars(module).items() if name.isupper() and type(value) is int}
    for value in vars(module).values():
        if isclass(value) and issubclass(value, IntEnum) and value is not IntEnum:
            found |= {member.name: int(member) for member in value}
    return {
        name: value for name, value in found.items() if not (name.startswith("_") or hasattr(errno, name))
    }


@pytest.fixture(scope="module")
def reference_values() -> dict[str, int]:
    """The constants of the reference; a name has one value in all of its modules."""
    found: dict[str, int] = {}
    for path in MODULES:
        dotted = ".".join(("pyexit", "ref", *path.relative_to(REFERENCE).with_suffix("").parts))
        for name, value in constants_of(import_module(dotted.removesuffix(".__init__"))).items():
            assert found.setdefault(name, value) == value, f"{dotted}.{name}"
    return found


def test_values_are_equal(c_values: dict[str, int], reference_values: dict[str, int]) -> None:
    both = c_values.keys() & reference_values.keys()
    assert len(both) > 150
    word = (1 << 64) - 1  # the program prints the highest bit of a 64-bit constant as a sign
    mine = {name: c_values[name] & word for name in both}
    assert mine == {name: reference_values[name] & word for name in both}


def test_reference_has_every_constant_of_the_core(
    c_values: dict[str, int], reference_values: dict[str, int]
) -> None:
    assert sorted(c_values.keys() - reference_values.keys()) == sorted(C_ONLY)


def test_core_has_every_constant_of_the_reference(
    c_values: dict[str, int], reference_values: dict[str, int]
) -> None:
    assert sorted(reference_values.keys() - c_values.keys()) == sorted(REFERENCE_ONLY)


@pytest.mark.parametrize("set_", SETS)
@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_equal(model: str, set_: str) -> None:
    number, kind = getattr(lib, MODELS[model]), getattr(lib, SETS[set_])
    core = ffi.new("struct pyexit_params *")
    assert lib.pyexit_params(number, kind, core) == 0
    reference = params(number, kind)
    names = [name for name, _ in ffi.typeof("struct pyexit_params").fields if name not in ("size", "pad")]
    for name in names:
        value = getattr(core, name)
        expected = list(value) if name == "mas_mask" else value
        assert getattr(reference, name) == expected, name
    assert len(names) > 30


@pytest.mark.parametrize("set_", SETS)
@pytest.mark.parametrize("model", MODELS)
def test_special_registers_are_equal(model: str, set_: str) -> None:
    # By behaviour: the table of each side is its own. lockstep compares the whole state after every call.
    with Machine(model, params=set_, backend="lockstep", ram=(), events=16) as machine:
        reset = machine.snapshot()
        readable = writable = 0
        for number in range(1024):
            readable += machine.call("ppc_mfspr", 0, number).ret == DONE
            machine.restore(reset)
            writable += machine.call("ppc_mtspr", 0, number, (1 << machine.params["width"]) - 1).ret == DONE
            machine.restore(reset)
    assert 60 < writable < readable < 120
