# SPDX-License-Identifier: BSD-3-Clause
"""The pages of docs/: the tutorial prints what it shows, the references name all that is public."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tree import C11, HEADER, ROOT, UNITS, c_compiler, run, without_comments

import pyexit
from pyexit import Machine
from pyexit.machine import PUBLIC

DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
PAGES = sorted(DOCS.glob("*.md"))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str]]:
    """The code blocks of a page: language and text."""
    return _BLOCK.findall(page(name))


def shown() -> tuple[str, str]:
    """What the tutorial says that its Python and its C print."""
    texts = [text for kind, text in blocks("tutorial.md") if kind == "text"]
    return "".join(texts[:-1]), texts[-1]


def test_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    """All Python blocks, one after the other, as in one session."""
    script = "\n".join(text for kind, text in blocks("tutorial.md") if kind == "python")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (shown()[0], "")


def test_tutorial_in_c_prints_what_it_shows(tmp_path: Path) -> None:
    strict = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")
    run([*c_compiler(), *C11, *strict, DOCS / "embed.c", *UNITS, "-o", tmp_path / "embed"])
    assert run([tmp_path / "embed"]) == shown()[1]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    broken = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not (DOCS / link).exists()]
    assert broken == []


def code_of_first_cells(name: str) -> list[str]:
    """The code in the first cell of every table row of a page."""
    rows = (line.split(" | ")[0] for line in page(name).splitlines() if line.startswith("| "))
    return [code for cell in rows for code in re.findall(r"`([^`]+)`", cell)]


def bare(parameter: inspect.Parameter) -> inspect.Parameter:
    """Without its annotation; a long list as a default is `...`."""
    default = Ellipsis if isinstance(parameter.default, tuple) and parameter.default else parameter.default
    return parameter.replace(annotation=inspect.Parameter.empty, default=default)


def signature(name: str) -> str:
    """A method as api-python.md writes it."""
    parameters = inspect.signature(getattr(Machine, name)).parameters.values()
    written = inspect.Signature([bare(parameter) for parameter in parameters if parameter.name != "self"])
    return name + str(written).replace("Ellipsis", "...")


def properties() -> set[str]:
    return {name for name, value in inspect.getmembers(Machine) if isinstance(value, property)}


def test_python_reference_names_every_method_as_it_is() -> None:
    found = code_of_first_cells("api-python.md")
    assert [signature(name) for name in PUBLIC if signature(name) not in found] == []


def test_python_reference_names_every_property_and_name() -> None:
    found = set(code_of_first_cells("api-python.md"))
    assert sorted((properties() | set(pyexit.__all__)) - found) == []


def test_python_reference_names_every_option() -> None:
    options = set(inspect.signature(Machine).parameters) - {"self"}
    assert sorted(options - set(code_of_first_cells("api-python.md"))) == []


def structs() -> dict[str, str]:
    """The structs of the header that have a body."""
    return dict(re.findall(r"\bstruct (pyexit_\w+) \{(.*?)\n\};", without_comments(HEADER), re.DOTALL))


def members(struct: str) -> set[str]:
    """The names of a struct's members; size is a struct's own, pad is nothing."""
    body = re.sub(r"\((?:\*(\w+))\)\([^)]*\)", r"\1", structs()[struct])
    names = re.findall(r"(\w+)(?:\[\w+\])?(?=[,;])", body)
    return set(names) - {"size", "pad"}


def test_c_reference_names_every_function() -> None:
    functions = re.findall(r"PYEXIT_API [^;]*?\b(pyexit_\w+)\(", without_comments(HEADER))
    assert len(functions) > 25
    found = set(re.findall(r"\bpyexit_\w+(?=\()", " ".join(code_of_first_cells("api-c.md"))))
    assert found == set(functions)


def test_c_reference_names_every_struct_and_enumeration() -> None:
    enumerations = re.findall(r"\benum (pyexit_\w+) \{", without_comments(HEADER))
    named = set(re.findall(r"\bpyexit_\w+", page("api-c.md")))
    assert len(enumerations) > 15
    assert sorted({*enumerations, *structs()} - named) == []


@pytest.mark.parametrize("struct", ["pyexit_options", "pyexit_params", "pyexit_host_ops", "pyexit_ram"])
def test_c_reference_names_every_option(struct: str) -> None:
    found = members(struct)
    assert len(found) > 2
    assert sorted(found - set(code_of_first_cells("api-c.md"))) == []
