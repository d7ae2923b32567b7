# SPDX-License-Identifier: BSD-3-Clause
"""The command line as a user meets it: exit status, last line, one-line errors (design 7)."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyexit import Scenario, Step, recorded
from pyexit.backends.base import built

VECTORS = Path(__file__).parents[1] / "vectors" / "linux-6.1"
LAST = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")

Case = dict[str, Any]


def pyexit(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """python -m pyexit, in a plain terminal of unknown width."""
    command = [sys.executable, "-P", "-m", "pyexit", *map(str, args)]
    environment = {**os.environ, "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


def last_line(run: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    match = LAST.fullmatch(run.stdout.splitlines()[-1])
    assert match, run.stdout + run.stderr
    passed, failed, skipped = map(int, match.groups())
    return passed, failed, skipped


def recorded_cases(count: int, name: str = "load_last_inst.jsonl.gz") -> list[Case]:
    with gzip.open(VECTORS / name, "rt") as lines:
        return [json.loads(next(lines)) for _ in range(count)]


def write_cases(folder: Path, cases: list[Case], name: str = "load_last_inst.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))
    return path


def spoiled(cases: list[Case], number: int) -> list[Case]:
    """The cases with another return value expected in one of them."""
    case = cases[number]
    return [*cases[:number], case | {"ret": case["ret"] | {"ret": 9}}, *cases[number + 1 :]]


def test_check_passes_recorded_cases(backend: str, tmp_path: Path) -> None:
    run = pyexit("check", write_cases(tmp_path, recorded_cases(20)), "--backend", backend)
    assert (run.returncode, last_line(run)) == (0, (20, 0, 0)), run.stdout + run.stderr
    assert "load_last_inst" in run.stdout


def test_check_counts_each_backend(tmp_path: Path) -> None:
    """design 7: N counts case x backend; all is every one that is built, and the default."""
    path, cases = write_cases(tmp_path, recorded_cases(7)), 7 * len(built())
    assert last_line(pyexit("check", path)) == (cases, 0, 0)
    assert last_line(pyexit("check", path, "--backend", "all")) == (cases, 0, 0)
    assert last_line(pyexit("check", path, "--backend", "native,lockstep")) == (14, 0, 0)


def test_check_reads_folders_and_compressed_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    write_cases(folder, recorded_cases(3))
    text = write_cases(tmp_path, recorded_cases(4), "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").unlink()
    (folder / "load_last_inst_64.jsonl.gz").write_bytes(gzip.compress(text)[:])
    (folder / "notes.txt").write_text("not a vector")
    run = pyexit("check", tmp_path, "--backend", "native")
    passed, failed, skipped = last_line(run)
    assert passed + failed + skipped == 7


def test_check_without_a_path_runs_the_packages_sample() -> None:
    run = pyexit("check", "--backend", "native")
    passed, failed, _ = last_line(run)
    assert (run.returncode, failed) == (0, 0), run.stdout
    assert passed > 0


def test_failed_case_is_shown_by_field(tmp_path: Path) -> None:
    """Exit status 1; the case, what was expected, what came."""
    cases = recorded_cases(5)
    run = pyexit("check", write_cases(tmp_path, spoiled(cases, 2)), "--backend", "native")
    assert (run.returncode, last_line(run)) == (1, (4, 1, 0))
    assert f"FAILED load_last_inst:{cases[2]['id']}" in run.stdout
    assert f"ret: expected 9, got {cases[2]['ret']['ret']}" in run.stdout


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"spr.MAS6": "0x123"}, "spr.MAS6"),
        ({"vcpu.arch.regs.gpr[7]": "0x5"}, "vcpu.arch.regs.gpr[7]"),
    ],
)
def test_wrong_out_field_is_named(tmp_path: Path, change: dict[str, str], field: str) -> None:
    case = recorded_cases(1)[0]
    case["out"] = case["out"] | change
    run = pyexit("check", write_cases(tmp_path, [case]), "--backend", "native")
    assert run.returncode == 1
    assert f"{field}: expected {int(change[field], 16):#x}"[:40] in run.stdout or field in run.stdout


def test_missing_out_field_is_a_change_that_was_not_expected(tmp_path: Path) -> None:
    """Every field of out, and that nothing else changed."""
    case = recorded_cases(1)[0]
    del case["out"]["spr.MAS6"]
    run = pyexit("check", write_cases(tmp_path, [case]), "--backend", "native")
    assert (run.returncode, last_line(run)) == (1, (0, 1, 0))
    assert "spr.MAS6" in run.stdout


def test_missing_event_is_found(tmp_path: Path) -> None:
    case = recorded_cases(1)[0]
    case["events"] = case["events"][:-1]
    run = pyexit("check", write_cases(tmp_path, [case]), "--backend", "native")
    assert (run.returncode, last_line(run)) == (1, (0, 1, 0))
    assert "event" in run.stdout


def test_max_failures_stops(tmp_path: Path) -> None:
    cases = recorded_cases(6)
    for number in range(6):
        cases = spoiled(cases, number)
    path = write_cases(tmp_path, cases)
    run = pyexit("check", path, "--backend", "native", "--max-failures", "2")
    assert (run.returncode, last_line(run)) == (1, (0, 2, 0))


def test_filter_picks_cases_by_tag(tmp_path: Path) -> None:
    cases = recorded_cases(40)
    path = write_cases(tmp_path, cases)
    expected = sum(1 for case in cases if "noexec" in case["tag"])
    run = pyexit("check", path, "--backend", "native", "--filter", "noexec")
    assert last_line(run) == (expected, 0, 0)
    assert expected


def test_filter_without_a_case_is_bad_input(tmp_path: Path) -> None:
    path = write_cases(tmp_path, recorded_cases(3))
    assert_bad_input(pyexit("check", path, "--filter", "no such case"), "no such case")


def test_function_that_is_not_built_is_a_skip_with_its_name(tmp_path: Path) -> None:
    cases = [case | {"func": "kvmppc_not_there"} for case in recorded_cases(2)]
    run = pyexit("check", write_cases(tmp_path, cases), "--backend", "native")
    assert (run.returncode, last_line(run)) == (0, (0, 0, 2))
    assert "kvmppc_not_there" in run.stdout


def test_seed_v4_derives_its_expectations(backend: str, tmp_path: Path) -> None:
    """Issue 2: no execute permission, attributes and non-RAM are FAIL without a printk."""
    path = write_cases(tmp_path, recorded_cases(60))
    run = pyexit("check", path, "--backend", backend, "--fetch", "seed-v4")
    passed, failed, skipped = last_line(run)
    assert (failed, passed + skipped) == (0, 60), run.stdout


def test_json_report_to_a_file(tmp_path: Path) -> None:
    path = write_cases(tmp_path, spoiled(recorded_cases(5), 1))
    report = tmp_path / "report.json"
    run = pyexit("check", path, "--backend", "native", "--json", report)
    assert last_line(run) == (4, 1, 0)
    data = json.loads(report.read_text())
    assert (data["passed"], data["failed"], data["skipped"]) == (4, 1, 0)
    assert data["suites"][0]["suite"] == "load_last_inst"
    assert data["failures"][0]["differences"][0]["field"] == "ret"


def test_json_report_on_standard_output(tmp_path: Path) -> None:
    path = write_cases(tmp_path, recorded_cases(2))
    run = pyexit("check", path, "--backend", "native", "--json", "-")
    first, last = run.stdout.splitlines()
    assert json.loads(first)["passed"] == 2
    assert LAST.fullmatch(last)


@pytest.mark.parametrize("form", [".scn.jsonl", ".scn"])
def test_scenario_is_replayed(tmp_path: Path, form: str) -> None:
    scenario = recorded(Scenario("e6500", ram=(), steps=[Step(call="ppc_tlbsx", args=(0, 0x1000))]), "native")
    good = tmp_path / f"good{form}"
    scenario.save(good)
    run = pyexit("check", good)
    assert (run.returncode, last_line(run)) == (0, (len(built()), 0, 0)), run.stdout
    assert scenario.steps[0].expect is not None
    scenario.steps[0].expect.ret = 1
    bad = tmp_path / f"bad{form}"
    scenario.save(bad)
    run = pyexit("check", bad, "--backend", "native")
    assert (run.returncode, last_line(run)) == (1, (0, 1, 0))
    assert "step 0: ret: expected 1, got 0" in run.stdout


def assert_bad_input(run: subprocess.CompletedProcess[str], *texts: str) -> None:
    """Exit status 2, and one line that says what is wrong and where."""
    assert run.returncode == 2, run.stdout + run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("pyexit: ")]
    assert len(lines) == 1, run.stderr
    assert "Traceback" not in run.stderr
    for text in texts:
        assert text in lines[0]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("check", "/no/such/path"), "/no/such/path"),
        (("check", __file__), "not a vector file"),
        (("check", "--backend", "qemu"), "qemu"),
        (("check", "--max-failures", "-1"), "--max-failures"),
    ],
)
def test_bad_argument_is_one_line(args: tuple[str, ...], text: str) -> None:
    assert_bad_input(pyexit(*args), text)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("not json", ("load_last_inst.jsonl", "1")),
        ("[1, 2]", ("load_last_inst.jsonl",)),
        ("{}", ("load_last_inst.jsonl",)),
        (
            '{"id": 1, "func": "kvmppc_load_last_inst", "args": ["0x"], "in": {}, "out": {}, "ret": {},'
            ' "events": []}',
            (),
        ),
        (
            '{"id": 1, "suite": "load_last_inst", "tag": "", "func": "kvmppc_load_last_inst",'
            ' "args": ["0x0"], "in": {"spr.NONE": "0x1"}, "out": {}, "ret": {"ret": 0}, "events": []}',
            ("spr.NONE",),
        ),
    ],
)
def test_bad_vector_is_one_line_with_its_place(tmp_path: Path, line: str, texts: tuple[str, ...]) -> None:
    path = tmp_path / "load_last_inst.jsonl"
    path.write_text(line + "\n")
    assert_bad_input(pyexit("check", path, "--backend", "native"), *texts)


def test_damaged_gzip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "load_last_inst.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1}\n' * 100)[:-20])
    assert_bad_input(pyexit("check", path, "--backend", "native"), "load_last_inst.jsonl.gz")


def test_unknown_scenario_format_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.scn.jsonl"
    path.write_text('{"format": 7, "model": "e500mc"}\n')
    assert_bad_input(pyexit("check", path, "--backend", "native"), "format 7")


def test_folder_without_vectors_is_bad_input(tmp_path: Path) -> None:
    assert_bad_input(pyexit("check", tmp_path), str(tmp_path))


def test_unknown_command_or_option_is_bad_usage() -> None:
    for args in (("chek",), ("check", "--nope"), (), ("check", "--fetch", "none")):
        run = pyexit(*args)
        assert run.returncode == 2
        assert "usage:" in run.stderr


@pytest.mark.parametrize("args", [(), ("check",), ("info",)])
def test_help_shows_an_example(args: tuple[str, ...]) -> None:
    run = pyexit(*args, "--help")
    assert run.returncode == 0
    assert "example" in run.stdout


def test_info_tells_versions_and_backends() -> None:
    run = pyexit("info")
    assert run.returncode == 0
    for text in ("pyexit", "core ABI", "python", "native", "ref", "lockstep", "e500mc", "seed-v4"):
        assert text in run.stdout


def test_version() -> None:
    run = pyexit("--version")
    assert (run.returncode, run.stdout.split()[0]) == (0, "pyexit")


def test_report_never_replaces_cases(tmp_path: Path) -> None:
    """``--json`` with the option's value forgotten takes the file of cases for it."""
    path = write_cases(tmp_path, recorded_cases(1))
    before = path.read_bytes()
    run = pyexit("check", "--json", path)
    assert (run.returncode, "file of cases" in run.stderr) == (2, True)
    assert path.read_bytes() == before
