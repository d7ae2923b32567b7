# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit bench``: what the fast path costs on this machine, and whether the targets hold."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pyexit.bench.machines import STATES, STRATEGIES, prepare
from pyexit.bench.targets import Target, measure, per_call, per_exit
from pyexit.bench.timing import Timing, interleaved

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="what the fast path costs here",
        description="Time the fetch and whole exits by strategy and TLB state, interleaved, smallest "
        "round; or measure the targets. Exit status 1 if a target does not hold.",
        epilog="example: pyexit bench --targets",
    )
    parser.add_argument(
        "--targets", action="store_true", help="measure the targets: found, limit, pass or fail"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command."""
    return _targets(args.json) if args.targets else _table(args.json)


def _targets(as_json: bool) -> int:
    rows = []
    for target in measure():
        rows.append(target)
        if not as_json:
            print(_line(target), flush=True)
    passed = sum(target.passed for target in rows)
    if as_json:
        print(json.dumps([{**vars(target), "passed": target.passed} for target in rows], indent=1))
    else:
        print(f"{passed} passed, {len(rows) - passed} failed")
    return int(passed < len(rows))


def _line(target: Target) -> str:
    found = "not measured" if target.found is None else f"{target.found:.2f} {target.unit}"
    limit = f"{'>=' if target.at_least else '<='} {target.limit:.2f} {target.unit}"
    verdict = "pass" if target.passed else "FAIL"
    return f"{verdict}  {target.what:42} {found:>14}  {limit:>14}  {target.note}".rstrip()


def _table(as_json: bool) -> int:
    found: dict[str, Timing] = {}
    for state in STATES:
        variants = {}
        for fetch in STRATEGIES:
            m = prepare(fetch, state)
            name = "kvmppc_load_last_inst" if "lwepx" not in fetch else "kvmppc_entry_fetch"
            args = (0, 0) if "lwepx" not in fetch else (0,)
            variants[f"fetch, {state}, {fetch}"] = per_call(m, name, *args)
        found |= interleaved(variants)
    found |= interleaved(
        {f"HV_PRIV exit, TLB1 last of 64, {fetch}": per_exit(prepare(fetch)) for fetch in STRATEGIES}
    )
    if as_json:
        print(json.dumps({name: vars(timing) for name, timing in found.items()}, indent=1))
        return 0
    print(f"{'what':48} {'ns':>8} {'noise':>8}")
    for name, timing in found.items():
        print(f"{name:48} {timing.ns:8.1f} {timing.noise:8.1f}")
    return 0
