# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit check``: run vectors and scenarios, print a table, the first differences, and the sum."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pyexit.backends.base import FETCHES, built, check_name
from pyexit.check import Failure, Report, Run, find_files
from pyexit.errors import VectorError
from pyexit.io.vectors import SCENARIO_SUFFIXES, SUFFIXES, sample

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

SHOWN_FAILURES = 10
SHOWN_PARTS = 5
PROGRESS_STEP = 100  # cases between two updates
WIDTH = 100

EPILOG = """examples:
  pyexit check                                        the sample in the package, on every backend
  pyexit check tests/vectors --backend lockstep       every vector, both backends compared state by state
  pyexit check load_last_inst.jsonl.gz --fetch seed-v4 --filter noexec
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="run vectors and scenarios on the backends and compare",
        description="Run kernel vectors, peer vectors and scenarios; compare with what is expected. "
        "The sequences of a file, where it has them from their first step on, are also run as wholes: each "
        "step begins in the state in which the step before it ended.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="files (.jsonl, .jsonl.gz, .scn, .scn.jsonl) or folders; default: the sample in the package",
    )
    parser.add_argument("--backend", default="all", metavar="NAME", help=_BACKEND_HELP)
    parser.add_argument(
        "--filter", default="", metavar="TEXT", help="only cases whose suite:id tag function has TEXT"
    )
    parser.add_argument(
        "--max-failures", type=int, default=0, metavar="N", help="stop after N failures (0: never)"
    )
    parser.add_argument(
        "--fetch", choices=list(FETCHES), default="merged", help="the fetch strategy of kernel cases"
    )
    parser.add_argument("--json", metavar="FILE", help=_JSON_HELP)
    parser.set_defaults(run=run)


_BACKEND_HELP = (
    "native, ref, refc, lockstep, all (native, ref, and refc where it is built) or a list with commas; "
    "default: all"
)
_JSON_HELP = "write the report to FILE; -: as one line on standard output, instead of the table"


def run(args: argparse.Namespace) -> int:
    """The command; 0, 1 if a case failed, 2 for bad input."""
    if args.max_failures < 0:
        raise ValueError(f"--max-failures is 0 or more, not {args.max_failures}")
    if args.json is not None and args.json.endswith(SUFFIXES + SCENARIO_SUFFIXES):
        raise ValueError(
            f"--json {args.json}: that is the name of a file of cases; the report is a .json file"
        )
    files = find_files(args.paths or [sample()])
    if not files:
        raise VectorError(f"no vector file in {', '.join(map(str, args.paths or [sample()]))}")
    report = check_files(files, Run(backends(args.backend), args.fetch, args.filter, args.max_failures))
    if not report.passed and not report.failed and not report.skipped:
        raise VectorError(f"no case has {args.filter!r}" if args.filter else "the files have no cases")
    show(report, args.json)
    return 1 if report.failed else 0


def backends(text: str) -> tuple[str, ...]:
    """The backends of --backend, in order."""
    if text.startswith("lockstep:"):
        return (check_name(text),)
    names = [name for part in text.split(",") for name in (built() if part == "all" else (part,))]
    return tuple(dict.fromkeys(map(check_name, names)))


def check_files(files: list[Path], run: Run) -> Report:
    """Run the files, and tell on standard error how it goes."""
    with _progress() as tell:
        for path in files:
            done = 0
            for done in run.file(path):
                if done % PROGRESS_STEP == 0:
                    tell(f"{path.name}: case {done}", False)
            tell(f"{path.name}: {done} case{'' if done == 1 else 's'}", True)
            if run.full:
                break
    return run.report


@contextmanager
def _progress() -> Iterator[Any]:
    """A function that shows a text: a live line on a terminal, finished ones as plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text, finished: finished and print(text, file=sys.stderr)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda text, finished: progress.update(task, description=text)


def show(report: Report, json_path: str | None) -> None:
    """Print the report; the last line is the sum."""
    if json_path == "-":
        print(json.dumps(as_json(report)))
    else:
        if json_path is not None:
            Path(json_path).write_text(json.dumps(as_json(report), indent=1) + "\n")
        _show_table(report)
        _show_failures(report.failures)
        for reason, count in sorted(report.skipped.items()):
            print(f"skipped {count:6}  {reason}")
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped.total()} skipped")


def _show_table(report: Report) -> None:
    table = Table(box=box.SIMPLE)
    table.add_column("suite", no_wrap=True)
    table.add_column("backend", no_wrap=True)
    for name in ("passed", "failed", "skipped", "seconds"):
        table.add_column(name, justify="right")
    for (suite, backend), tally in report.tallies.items():
        counts = (tally.passed, tally.failed, tally.skipped.total())
        table.add_row(suite, backend, *map(str, counts), f"{tally.seconds:.2f}")
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(table)


def _show_failures(failures: list[Failure]) -> None:
    for failure in failures[:SHOWN_FAILURES]:
        print(f"FAILED {failure.suite}:{failure.case} {failure.label} on {failure.backend}")
        for part in failure.parts[:SHOWN_PARTS]:
            print(f"  {part.field}: expected {value_text(part.expected)}, got {value_text(part.got)}")
        if len(failure.parts) > SHOWN_PARTS:
            print(f"  and {len(failure.parts) - SHOWN_PARTS} more")
    if len(failures) > SHOWN_FAILURES:
        print(f"and {len(failures) - SHOWN_FAILURES} more failed cases")


def value_text(value: object) -> str:
    """A number in hex, decimal where it is negative or small; anything else as it prints."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 10:
        return "nothing" if value is None else str(value)
    return hex(value)


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "passed": report.passed,
        "failed": report.failed,
        "skipped": report.skipped.total(),
        "skips": dict(Counter(report.skipped)),
        "suites": [
            {
                "suite": suite,
                "backend": backend,
                "passed": tally.passed,
                "failed": tally.failed,
                "skipped": tally.skipped.total(),
                "seconds": round(tally.seconds, 3),
            }
            for (suite, backend), tally in report.tallies.items()
        ],
        "failures": [
            {
                "suite": failure.suite,
                "backend": failure.backend,
                "case": failure.case,
                "label": failure.label,
                "differences": [part._asdict() for part in failure.parts],
            }
            for failure in report.failures
        ],
    }
