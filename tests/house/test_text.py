# SPDX-License-Identifier: BSD-3-Clause
"""The tree as text: licence lines, widths, top-level entries, and pages that say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from exceptions import TOP_LEVEL
from tree import CSRC, HEADER, ROOT, relative, run, tool, tracked, without_comments

from pyexit.backends._core import ffi

SPDX = "SPDX-License-Identifier: BSD-3-Clause"
SOURCES = {".py", ".pyi", ".c", ".h", ".toml", ".sh"}
SCRIPTS = {"run", ".clang-format"}
WIDTHS = {".py": 110, ".pyi": 110, ".c": 120, ".h": 120}

#: design.md 8
TOP = {
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    ".ci",
    "csrc",
    "pyexit",
    "tests",
    "bench",
    "docs",
}

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CHOICES = (ROOT / "docs" / "choices.md").read_text(encoding="utf-8")


def head(path: Path) -> str:
    """The first two lines of a file."""
    return "\n".join(path.read_text(encoding="utf-8").splitlines()[:2])


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return [text for kind, text in BLOCKS if kind == language]


def params_fields() -> set[str]:
    """The fields of struct pyexit_params."""
    return {name for name, _ in ffi.typeof("struct pyexit_params").fields}


def test_every_source_names_its_licence() -> None:
    sources = [path for path in tracked() if path.suffix in SOURCES or path.name in SCRIPTS]
    assert len(sources) > 50
    bare = [relative(path) for path in sources if SPDX not in head(path)]
    assert bare == []


def test_no_line_is_too_wide() -> None:
    files = [path for path in tracked() if path.suffix in WIDTHS]
    wide = [
        f"{relative(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line.expandtabs(8)) > WIDTHS[path.suffix]
    ]
    assert files
    assert wide == []


def test_no_c_file_is_too_long() -> None:
    # style.md: over 600 lines needs a reason in the first comment; the header's is that it is the only one.
    long = {path.name for path in CSRC.rglob("*.[ch]") if len(path.read_text().splitlines()) > 600}
    assert long <= {HEADER.name}


def test_nothing_else_at_the_top() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert found - TOP == TOP_LEVEL.keys()
    assert found > TOP


def test_choices_name_existing_options() -> None:
    rows = [row.split("|") for row in CHOICES.splitlines() if row.startswith("| U")]
    options = {name for row in rows for name in re.findall(r"`(\w+)`", row[-2])}
    assert options
    assert options <= params_fields()


def test_every_option_has_its_choice() -> None:
    text = without_comments(HEADER)
    struct = re.search(r"struct pyexit_params \{(.*?)\n\};", text, re.DOTALL)
    assert struct
    open_points = re.findall(r"uint32_t (\w+);", struct[1][struct[1].index("miss_u") - len("uint32_t ") :])
    assert "tsize_check" in open_points
    assert [name for name in open_points if name != "pad" and f"`{name}`" not in CHOICES] == []


@pytest.mark.parametrize("commands", blocks("sh"))
def test_readme_commands_parse(commands: str) -> None:
    assert commands.strip()
    run([tool("bash"), "-n", "-c", commands])


@pytest.mark.parametrize(("script", "output"), list(zip(blocks("python"), blocks("text"), strict=True)))
def test_readme_script_prints_what_the_readme_shows(script: str, output: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (output, "")
    assert len(script.splitlines()) <= 12


def test_readme_map_names_what_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_no_path_of_one_machine() -> None:
    here = re.compile(r"(?<![\w.$])/(?:tmp|work|root|home)/[A-Za-z0-9._-]+")
    texts = {path: path.read_text(encoding="utf-8") for path in tracked() if path.suffix in {*SOURCES, ".md"}}
    assert [relative(path) for path, text in texts.items() if here.search(text)] == []
