# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit repro``: replays a finding, makes it small, explains it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pyexit.backends.base import lockstep_pair
from pyexit.fuzz.explain import explain
from pyexit.fuzz.minimise import Replayer, minimise
from pyexit.scenario import Scenario, read, replay, write

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EPILOG = """examples:
  pyexit repro found-e6500-7-1234.scn.jsonl               writes found-e6500-7-1234.min.scn.jsonl
  pyexit repro finding.scn --no-minimise                  only replays and explains

Exit status: 0 the backends agree, 1 they differ, 2 bad usage.
"""

SUFFIXES = (".scn.jsonl", ".scn")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "repro",
        help="replay a finding, make it small, explain it",
        description="Replay a scenario on two backends; if they differ, find a smaller one and explain it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a scenario, .scn.jsonl or .scn")
    parser.add_argument(
        "--backend", default="lockstep", metavar="NAME", help="lockstep or lockstep:A,B; default: lockstep"
    )
    parser.add_argument("--no-minimise", action="store_true", help="leave the scenario as it is")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where the small scenario goes; default: beside FILE"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; 0, 1 if the backends differ or an expectation is not met, 2 for bad usage."""
    pair = lockstep_pair(args.backend)
    if pair is None:
        raise ValueError(f"--backend {args.backend}: repro compares two: write lockstep or lockstep:A,B")
    scenario = read(args.file)
    status = 0
    replayer = Replayer(scenario, pair)
    try:
        for line in _report(replayer, scenario, args):
            status = 1
            print(line)
    finally:
        replayer.close()
    if not status:
        for line in _unmet(scenario, pair):
            status = 1
            print(line)
    print(f"{args.file}: {'differs' if status else 'no difference'}")
    return status


def _report(replayer: Replayer, scenario: Scenario, args: argparse.Namespace) -> Iterator[str]:
    """What there is to say about a scenario on which the backends differ; nothing if they agree."""
    _, difference = replayer.run(scenario)
    if difference is None:
        return
    if args.no_minimise:
        yield from explain(replayer, scenario, difference)
        return
    small = minimise(replayer, scenario, difference)
    path = args.output or smaller_name(args.file)
    write(small, path)
    yield f"made small in {replayer.runs} runs: {path}, {len(small.steps)} of {len(scenario.steps)} steps"
    _, difference = replayer.run(small)
    if difference is not None:
        yield from explain(replayer, small, difference)


def _unmet(scenario: Scenario, pair: tuple[str, str]) -> Iterator[str]:
    """The expectations of the scenario's own that both backends miss."""
    for step, part, expected, got in replay(scenario, pair[0]):
        yield f"step {step}: {part}: expected {expected}, got {got} on both backends"


def smaller_name(path: Path) -> Path:
    """The name of the small scenario: found.scn.jsonl becomes found.min.scn.jsonl."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.with_name(path.name.removesuffix(suffix) + ".min" + suffix)
    return path.with_name(path.name + ".min.scn.jsonl")
