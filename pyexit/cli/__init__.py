# SPDX-License-Identifier: BSD-3-Clause
"""The command line (design.md 7): one module per command.

Exit status: 0, 1 if something failed, 2 for bad input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pyexit import __version__
from pyexit.cli import bench, check, fuzz, info, repro, run, stat
from pyexit.errors import FieldError, ScenarioError, VectorError

COMMANDS = (run, check, bench, fuzz, repro, stat, info)

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="pyexit",
        description="Linux KVM's Book E hypervisor exit path, as a library.",
        epilog="example: pyexit check",
    )
    top.add_argument("--version", action="version", version=f"pyexit {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    args = parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BAD_INPUT
    except KeyboardInterrupt:
        print("pyexit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (VectorError, ScenarioError, FieldError, ValueError, OSError) as error:
        print(f"pyexit: {error}", file=sys.stderr)
        return BAD_INPUT
