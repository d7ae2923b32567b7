# SPDX-License-Identifier: BSD-3-Clause
"""What a run cost: exits by number and by what KVM accounted them as; KVM's trace events as text."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from pyexit.guest.vcpu import Exit
from pyexit.io.events import _EXITS, Event
from pyexit.io.tracefile import TRACE_POINTS, ftrace_text, record_of

#: Exit accounts as KVM prints them (exit.md 1.11).
ACCOUNTS = (
    *("MMIO", "SIGNAL", "ITLBREAL", "ITLBVIRT", "DTLBREAL", "DTLBVIRT", "SYSCALL", "ISI", "DSI", "EMULINST"),
    *("EMUL_WAIT", "EMUL_WRTEE", "EMUL_MTSPR", "EMUL_MFSPR", "EMUL_MTMSR", "EMUL_MFMSR", "EMUL_TLBSX"),
    *("EMUL_TLBWE", "EMUL_RFI", "EMUL_RFCI", "EMUL_RFDI", "DEC", "EXTINT", "HALT", "USR_PR_INST"),
    *("FP_UNAVAIL", "DEBUG", "TIMEINGUEST", "DBELL", "GDBELL"),
)
#: Exits to which KVM gives no account: their last_exit_type is another exit's (exit.md 13, T5).
UNACCOUNTED = frozenset({1, 5, 12, 32, 33, 35, 40})
WIDTH = 100


@dataclass
class Tally:
    """The exits of one kind."""

    count: int = 0
    operations: int = 0
    nanoseconds: int = 0


class Statistics:
    """Counts exits."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)

    def add(self, exit: Exit) -> None:
        """One exit."""
        known = exit.number not in UNACCOUNTED and exit.account < len(ACCOUNTS)
        account = ACCOUNTS[exit.account] if known else "-"
        tally = self.tallies[_EXITS.get(exit.number, str(exit.number)), account]
        tally.count += 1
        tally.operations += exit.operations
        tally.nanoseconds += exit.nanoseconds

    def show(self) -> None:
        """Print the table, the most frequent exit first."""
        table = Table(box=box.SIMPLE)
        table.add_column("exit", no_wrap=True)
        table.add_column("account", no_wrap=True)
        for name in ("count", "share", "hw operations", "ns per exit"):
            table.add_column(name, justify="right")
        total = sum(tally.count for tally in self.tallies.values())
        for (name, account), tally in sorted(self.tallies.items(), key=lambda row: -row[1].count):
            share, each = f"{100 * tally.count / total:.1f} %", tally.nanoseconds // tally.count
            operations = f"{tally.operations / tally.count:.1f}"
            table.add_row(name, account, str(tally.count), share, operations, str(each))
        console = Console()
        (console if console.is_terminal else Console(width=WIDTH)).print(table)
        print(f"{total} exits; hardware operations and time are per exit")


class Trace:
    """Writes KVM's trace events as the lines of the kernel's ``trace`` file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, events: list[Event], time: int) -> None:
        """The events of one exit, at a time in nanoseconds."""
        for event in events:
            if event.kind in TRACE_POINTS:
                print(ftrace_text(record_of(event, time)), file=self._stream)
