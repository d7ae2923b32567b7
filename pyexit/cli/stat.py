# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit stat``: exit statistics of a trace, as ``perf kvm stat`` prints them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pyexit.errors import VectorError
from pyexit.io import tracefile

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

EPILOG = """examples:
  pyexit stat boot.trace.jsonl                            a trace of pyexit (docs/trace.md)
  pyexit stat /sys/kernel/tracing/trace                   ftrace text with the events of kvm_booke
  pyexit stat boot.trace.jsonl --chrome boot.json         and a file for Perfetto (ui.perfetto.dev)

Exit status: 0, or 2 for a trace that cannot be read.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "stat",
        help="exit statistics of a trace",
        description="Print how often each exit happened and how long it took.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", metavar="TRACE", type=Path, help="JSON lines, or ftrace text")
    parser.add_argument("--chrome", metavar="FILE", type=Path, help="write the trace for Perfetto")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; 0, 2 for bad input."""
    records = tracefile.read(args.trace)
    rows = tracefile.stat(tracefile.spans(records))
    if not rows:
        raise VectorError(
            f"{args.trace}: no exit that ends: {len(records)} events, none of them kvm_exit in pairs"
        )
    if args.chrome is not None:
        args.chrome.write_text(json.dumps(tracefile.chrome(records)) + "\n")
    print("\n".join(tracefile.table(rows)))
    return 0
