# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit fuzz``: a seeded differential campaign; progress, outcome shares, findings as scenarios."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pyexit.backends.base import MODULES, lockstep_pair
from pyexit.fuzz.campaign import MODELS, Campaign, Finding, Tally
from pyexit.fuzz.explain import describe
from pyexit.fuzz.plans import KINDS
from pyexit.scenario import write

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EVERY = 5.0  # seconds between two plain lines of progress

EPILOG = """examples:
  pyexit fuzz --seconds 60                                all models, native against the reference
  pyexit fuzz --seconds 10 --model e6500 --seed 7         one model; the same seed draws the same scenarios
  pyexit fuzz --seconds 5 --backend native --kind fetch   native alone: how fast it is

A finding is written to found-MODEL-SEED-NUMBER.scn.jsonl; `pyexit repro` makes it small and explains it.
Exit status: 0 nothing found, 1 a finding, 2 bad usage.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fuzz",
        help="look for scenarios on which two backends differ",
        description="Draw scenarios at the boundary and compare two backends after every step.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, required=True, metavar="N", help="how long")
    parser.add_argument("--model", choices=[*MODELS, "all"], default="all", help="default: all")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    parser.add_argument(
        "--backend",
        default="lockstep",
        metavar="NAME",
        help="lockstep, lockstep:A,B, or one alone: no comparison",
    )
    parser.add_argument(
        "--kind", action="append", choices=list(KINDS), help="only this kind of scenario; may be repeated"
    )
    parser.add_argument(
        "--max-findings",
        type=int,
        default=1,
        metavar="N",
        help="stop after N findings (0: never); default: 1",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where findings are written; default: ."
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; 0, 1 if the backends differ, 2 for bad usage."""
    if not args.seconds > 0:
        raise ValueError(f"--seconds is more than 0, not {args.seconds:g}")
    if args.max_findings < 0:
        raise ValueError(f"--max-findings is 0 or more, not {args.max_findings}")
    if args.seed < 0:
        raise ValueError(f"--seed is 0 or more, not {args.seed}")
    if not args.output.is_dir():
        raise ValueError(f"--output {args.output}: no such folder")
    models = MODELS if args.model == "all" else (args.model,)
    campaign = Campaign(models, args.seed, backends(args.backend), args.kind or tuple(KINDS))
    try:
        with _progress(args.seconds) as tell:
            tally = campaign.run(args.seconds, args.max_findings, tell)
    finally:
        campaign.close()
    show(tally)
    for finding in tally.findings:
        tell_finding(finding, args.seed, args.output)
    print(summary(tally))
    return 1 if tally.findings else 0


def backends(name: str) -> tuple[str, ...]:
    """The backends of --backend: two that are compared, or one alone."""
    pair = lockstep_pair(name)
    if pair is None and name not in MODULES:
        raise ValueError(f"no backend {name!r}; there are lockstep, lockstep:A,B, {', '.join(MODULES)}")
    return pair or (name,)


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[Tally], None]]:
    """A function that shows how it goes: a live line on a terminal, a plain one now and then elsewhere."""
    if sys.stderr.isatty():
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("")
            yield lambda tally: progress.update(task, description=summary(tally))
        return
    due = EVERY

    def tell(tally: Tally) -> None:
        nonlocal due
        if tally.seconds >= due and tally.seconds < seconds:
            due = tally.seconds + EVERY
            print(summary(tally), file=sys.stderr, flush=True)

    yield tell


def summary(tally: Tally) -> str:
    """The line that a campaign ends with."""
    rate = tally.scenarios / tally.seconds if tally.seconds else 0.0
    found = len(tally.findings)
    return (
        f"{tally.scenarios} scenarios in {tally.seconds:.1f} s ({rate:.0f}/s), "
        f"{tally.steps} steps, {found} finding{'' if found == 1 else 's'}"
    )


def show(tally: Tally) -> None:
    """The shares of the outcomes of each kind's steps."""
    kinds: dict[str, Counter[str]] = {}
    for (kind, outcome), count in tally.outcomes.items():
        kinds.setdefault(kind, Counter())[outcome] += count
    for kind in (kind for kind in KINDS if kind in kinds):
        total = kinds[kind].total()
        shares = ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in kinds[kind].most_common())
        print(f"{kind}: {total} steps: {shares}")


def tell_finding(finding: Finding, seed: int, folder: Path) -> None:
    """Write a finding and say where it is."""
    scenario, difference = finding.scenario, finding.difference
    path = folder / f"found-{scenario.model}-{seed}-{finding.number}.scn.jsonl"
    write(scenario, path)
    step = describe(scenario.steps[difference.step])
    print(f"FOUND {path}: {difference.part} differs after step {difference.step}, {step}")
    print(f"  {difference.a} against {difference.b}; next: pyexit repro {path}")
