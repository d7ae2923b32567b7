# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit run``: boot a guest on the simulated hypervisor, and tell what it cost."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyexit.backends.base import FETCHES, MODELS, check_name
from pyexit.scenario import form_of

if TYPE_CHECKING:
    from pyexit.guest.board import Settings
    from pyexit.guest.console import Console
    from pyexit.guest.stat import Statistics
    from pyexit.recording import Recording

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

FAILED = 1
MIB = 1 << 20

EPILOG = """examples:
  pyexit run                                              the bundled guest: it checks itself
  pyexit run /usr/lib/u-boot/qemu-ppce500/uboot.elf       U-Boot; the terminal is its console
  pyexit run uboot.elf --script commands.txt --transcript out.txt
  pyexit run --record boot.scn && pyexit check boot.scn   replayed without an engine

The exit status is the guest's verdict: 0, or 1 if it failed; 2 for bad input.
Needs pip install pyexit[guest].
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run",
        help="boot a guest",
        description="Boot a PowerPC guest: the engine executes it, every exit goes through KVM's code.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", nargs="?", type=Path, help=_IMAGE_HELP)
    parser.add_argument("--script", metavar="FILE", type=Path, help=_SCRIPT_HELP)
    parser.add_argument("--transcript", metavar="FILE", type=Path, help=_TRANSCRIPT_HELP)
    parser.add_argument("--stat", action="store_true", help="print the table of exits at the end")
    parser.add_argument("--trace", metavar="FILE", type=Path, help="write the kernel's trace events, as text")
    parser.add_argument("--record", metavar="FILE", type=Path, help=_RECORD_HELP)
    parser.add_argument("--backend", metavar="NAME", help="native, ref or lockstep; default: native")
    parser.add_argument("--model", choices=list(MODELS), default="e500mc", help=_MODEL_HELP)
    parser.add_argument("--fetch", choices=list(FETCHES), default="merged", help="the fetch strategy")
    parser.add_argument("--memory", metavar="MIB", type=int, default=128, help="RAM in MiB; default: 128")
    parser.add_argument("--ticks", metavar="N", type=int, default=40_000, help=_TICKS_HELP)
    parser.set_defaults(run=run)


_IMAGE_HELP = "an ELF file, or a raw image for address 0; default: the bundled guest"
_SCRIPT_HELP = (
    "press a key at U-Boot's autoboot line, type a line at each prompt, end at the prompt after the last"
)
_TRANSCRIPT_HELP = "write what the guest prints, from its first line on and without the autoboot line"
_RECORD_HELP = "write the run as a scenario, .scn or .scn.jsonl, which pyexit check replays"
_MODEL_HELP = "e500mc; Unicorn cannot execute a guest of the 64-bit models"
_TICKS_HELP = "timebase ticks that pass with each read of the timebase; default: 40000, 0.1 ms"


def run(args: argparse.Namespace) -> int:
    """The command; the guest's verdict."""
    _check(args)
    from pyexit.guest import board, loader, stat, vcpu
    from pyexit.guest.bundled import IMAGE

    image = loader.load(args.image or IMAGE)
    counts = stat.Statistics() if args.stat or args.image is None else None
    with ExitStack() as stack:
        settings = _settings(args, stack, counts)
        machine = board.Board(image, stack.enter_context(_console(args)), settings)
        stack.callback(machine.close)
        stack.enter_context(_between_steps(machine.recording))
        try:
            status = machine.run()
        except (board.GuestError, vcpu.KernelStop) as error:
            print(f"\npyexit: {error}", file=sys.stderr)
            status = FAILED
    sys.stdout.buffer.flush()
    if counts is not None:
        print()
        counts.show()
    return FAILED if status else 0


def _check(args: argparse.Namespace) -> None:
    """Bad input is found before anything is opened."""
    if args.model != "e500mc":
        raise ValueError(f"{args.model}: Unicorn executes 32-bit guests only; use --model e500mc")
    if args.backend is not None:
        check_name(args.backend)
    if not 64 <= args.memory <= 2048:
        raise ValueError(f"--memory is 64 to 2048 MiB, not {args.memory}")
    if not 1 <= args.ticks <= 1 << 32:
        raise ValueError(f"--ticks is 1 to 2**32, not {args.ticks}")
    for path in (args.image, args.script):
        if path is not None and not path.exists():
            raise ValueError(f"{path}: no such file")
        if path is not None and path.is_dir():
            raise ValueError(f"{path} is a folder: give a file")
    if args.record is not None:
        form_of(args.record)
        if not args.record.parent.is_dir():
            raise ValueError(f"{args.record.parent}: no such folder")


def _settings(args: argparse.Namespace, stack: ExitStack, counts: Statistics | None) -> Settings:
    from pyexit.guest import board, console, stat

    settings = board.Settings(
        memory=args.memory * MIB,
        backend=args.backend,
        fetch=args.fetch,
        ticks_per_mftb=args.ticks,
        record=args.record,
    )
    settings.sinks.append(_print)
    if counts is not None:
        settings.on_exit = counts.add
    if args.transcript is not None:
        transcript = console.Transcript(args.transcript.open("wb"))
        stack.callback(transcript.close)
        settings.sinks.append(transcript.sent)
    if args.trace is not None:
        settings.on_events = stat.Trace(stack.enter_context(args.trace.open("w"))).add
    return settings


@contextmanager
def _between_steps(recording: Recording | None) -> Iterator[None]:
    """Ctrl-C ends a recorded run between two steps, so that the file is whole."""
    if recording is None:
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: recording.interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _print(byte: int) -> None:
    """What the guest sends, as it comes."""
    sys.stdout.buffer.write(bytes((byte,)))
    if byte == 0x0A or sys.stdout.isatty():
        sys.stdout.buffer.flush()


@contextmanager
def _console(args: argparse.Namespace) -> Iterator[Console]:
    """Who types: the script, the person, or nobody at the bundled guest."""
    from pyexit.guest import console

    if args.script is not None:
        yield console.Script(args.script)
    elif args.image is None or not _has_input():
        yield console.Silent()
    else:
        with console.keyboard() as keyboard:
            yield keyboard


def _has_input() -> bool:
    """Whether there is a standard input to read keys from."""
    try:
        os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return True
