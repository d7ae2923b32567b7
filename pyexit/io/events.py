# SPDX-License-Identifier: BSD-3-Clause
"""Events: what a machine's ring holds, and their text (vectors/SCHEMA.md "events", exit.md 14.1).

The kinds that the kernel vectors have print exactly as they do there, and so do the places at which the
kernel stops. The others, which only pyexit has (tlbilx with T other than 0, tlbivax, multi_hit,
host_exception, reload, preempted_mapping, trace points), print in the same manner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pyexit.layout import constants

#: Numbers of enum pyexit_event_kind and of what `detail` names, by lower-case name.
KINDS = constants("event_kind", "PYEXIT_EVENT_")
MESSAGES = constants("message", "PYEXIT_MSG_")
HANDLERS = constants("host_handler", "PYEXIT_HOST_")
SERVICES = constants("service", "PYEXIT_SERVICE_")
WARNS = constants("warn", "PYEXIT_WARN_")

#: How a call ended, where the kernel stops, and what is not built.
STOPS = constants("stop", "PYEXIT_")
SITES = constants("site", "PYEXIT_SITE_")
ROOMS = constants("unbuilt", "PYEXIT_UNBUILT_")

_ALL_ONES = (1 << 64) - 1

#: exit.md 14.1: level and text of each message; {0:08x} is %08lx, which prints up to 16 digits.
_FETCH = "kvmppc_load_last_inst: Instruction emulation from "
_WRAP = "add_exit_timing - wrap adding {} old {{0}} new {{1}} type {{2}} exit # of type {{3}}"
_PRINTK = {
    MESSAGES["fetch_no_execute"]: (3, _FETCH + "guest address {0:08x} without execute permission"),
    MESSAGES["fetch_attributes"]: (3, _FETCH + "guest address {0:08x} mismatches storage attributes"),
    MESSAGES["fetch_not_ram"]: (3, _FETCH + "non-RAM host address {0:08x} is not supported"),
    MESSAGES["exit_nr"]: (0, "exit_nr {0}"),
    MESSAGES["machine_check"]: (-1, "MACHINE CHECK: {0:x}"),
    MESSAGES["dump_pc"]: (-1, "pc:   {0:08x} msr:  {1:08x}"),
    MESSAGES["dump_lr"]: (-1, "lr:   {0:08x} ctr:  {1:08x}"),
    MESSAGES["dump_srr"]: (-1, "srr0: {0:08x} srr1: {1:08x}"),
    MESSAGES["dump_exceptions"]: (-1, "exceptions: {0:08x}"),
    MESSAGES["dump_gpr"]: (-1, "gpr{0:02d}: {1:08x} {2:08x} {3:08x} {4:08x}"),
    MESSAGES["timing_sum_wrap"]: (3, _WRAP.format("sum of durations")),
    MESSAGES["timing_quad_wrap"]: (3, _WRAP.format("sum of squared durations")),
}

#: Messages whose values are signed in the kernel's format, with their width.
_SIGNED = {MESSAGES["exit_nr"]: 32, MESSAGES["timing_sum_wrap"]: 64, MESSAGES["timing_quad_wrap"]: 64}

#: exit.md 6: the handler's name where it is not the constant in lower case.
_HANDLER_NAMES = {HANDLERS["do_irq"]: "do_IRQ"}

#: Services that name the object which they are about (vectors/SCHEMA.md).
_SERVICE_NAMES = {
    SERVICES["load_fp_state"]: "load_fp_state vcpu",
    SERVICES["load_vr_state"]: "load_vr_state vcpu",
}

#: exit.md 14.1: where the kernel warns.
_WARNS = {
    WARNS["core_prepare_to_enter"]: "booke.c:710 kvmppc_core_prepare_to_enter",
    WARNS["prepare_to_enter"]: "powerpc.c:84 kvmppc_prepare_to_enter",
}

#: vectors/SCHEMA.md, abort: where the kernel stops (exit.md 3.3, 7.6).
_SITES = {
    SITES["exit_nr"]: "BUG booke.c:1384 kvmppc_handle_exit",
    SITES["inst_load"]: "BUG booke.c:999 kvmppc_resume_inst_load",
    SITES["epr_kernel"]: "BUG booke.c:537 kvmppc_booke_irqprio_deliver",
    SITES["protect_msr"]: "BUG booke.c:1951 kvm_guest_protect_msr",
    SITES["no_progress"]: "HANG no progress (irq toggles)",
    SITES["halt_limit"]: "HANG halt_limit",
}


#: exit.md 14: exit numbers and priorities as the trace points print them; others print as numbers.
_EXITS = {
    0: "CRITICAL",
    1: "MACHINE_CHECK",
    2: "DATA_STORAGE",
    3: "INST_STORAGE",
    4: "EXTERNAL",
    5: "ALIGNMENT",
    6: "PROGRAM",
    7: "FP_UNAVAIL",
    8: "SYSCALL",
    9: "AP_UNAVAIL",
    10: "DECREMENTER",
    11: "FIT",
    12: "WATCHDOG",
    13: "DTLB_MISS",
    14: "ITLB_MISS",
    15: "DEBUG",
    32: "SPE_UNAVAIL",
    33: "SPE_FP_DATA",
    34: "SPE_FP_ROUND",
    35: "PERFORMANCE_MONITOR",
    36: "DOORBELL",
    37: "DOORBELL_CRITICAL",
    38: "GUEST_DBELL",
    39: "GUEST_DBELL_CRIT",
    40: "HV_SYSCALL",
    41: "HV_PRIV",
}
_PRIORITIES = {
    0: "DATA_STORAGE",
    1: "INST_STORAGE",
    2: "ALIGNMENT",
    3: "PROGRAM",
    4: "FP_UNAVAIL",
    5: "ALTIVEC_UNAVAIL",
    6: "ALTIVEC_ASSIST",
    8: "SYSCALL",
    9: "AP_UNAVAIL",
    10: "DTLB_MISS",
    11: "ITLB_MISS",
    12: "MACHINE_CHECK",
    13: "DEBUG",
    14: "CRITICAL",
    15: "WATCHDOG",
    16: "EXTERNAL",
    17: "FIT",
    18: "DECREMENTER",
    19: "PERFORMANCE_MONITOR",
    20: "EXTERNAL_LEVEL",
    21: "DBELL",
    22: "DBELL_CRIT",
}


def _named(numbers: dict[str, int], texts: dict[int, str]) -> dict[int, str]:
    """Texts by number: the constant's own name where there is no other."""
    return {number: texts.get(number, name) for name, number in numbers.items()}


_HANDLERS = _named(HANDLERS, _HANDLER_NAMES)
_SERVICES = _named(SERVICES, _SERVICE_NAMES)
_ROOMS = _named(ROOMS, {})


def stop_text(outcome: int, site: int) -> str | None:
    """How a call ended, as the vectors say it; None if it returned."""
    if outcome == STOPS["returned"]:
        return None
    if outcome == STOPS["unbuilt"]:
        return f"UNBUILT {_ROOMS.get(site, site)}"
    return _SITES.get(site, f"stop {outcome} site {site}")


class Event(NamedTuple):
    """One event: `kind` of enum pyexit_event_kind, `detail`, and 8 arguments (struct pyexit_event)."""

    kind: int
    detail: int
    arg: tuple[int, ...]

    def __str__(self) -> str:
        text = _TEXTS.get(self.kind)
        return text(self) if text else f"event {self.kind} {self.detail} {' '.join(map(hex, self.arg))}"


def _words(names: str, values: Iterable[int]) -> str:
    """`names` with their values in hex: ``mas5=0x80000002 mas6=0x0``."""
    return " ".join(f"{name}={value:#x}" for name, value in zip(names.split(), values, strict=False))


def _tlbsx(event: Event) -> str:
    hit = -1 if event.arg[4] == _ALL_ONES else event.arg[4]
    return f"tlbsx {event.arg[0]:#x} {_words('mas5 mas6 mas4', event.arg[1:])} hit={hit}"


def _tlbilx(event: Event) -> str:
    if event.detail == 0:
        return f"tlbilxlpid {_words('mas5', event.arg)}"
    return f"tlbilx t={event.detail} {_words('mas5 mas6 ea', event.arg)}"


def _printk(event: Event) -> str:
    if event.detail not in _PRINTK:
        return f"printk -1 message {event.detail} {' '.join(map(hex, event.arg))}"
    level, text = _PRINTK[event.detail]
    width = _SIGNED.get(event.detail)
    values = [_signed(value, width) for value in event.arg] if width else event.arg
    return f"printk {level} {text.format(*values)}"


def _signed(value: int, width: int) -> int:
    """`value` as a signed number of `width` bits."""
    value &= (1 << width) - 1
    return value - (value >> (width - 1) << width)


def _hex(names: str, values: Iterable[int]) -> str:
    """As the trace points of exit.md 14 have it: hex without 0x."""
    return " ".join(f"{name}={value:x}" for name, value in zip(names.split(), values, strict=False))


def _trace_exit(event: Event) -> str:
    values = _words("pc msr dar last_inst", event.arg[1:]).split()
    return " | ".join([f"kvm_exit exit={_EXITS.get(event.arg[0], hex(event.arg[0]))}", *values])


def _trace_queue(event: Event) -> str:
    vcpu, priority, pending = event.arg[:3]
    name = _PRIORITIES.get(priority, hex(priority))
    return f"kvm_booke_queue_irqprio vcpu={vcpu:x} prio={name} pending={pending:x}"


_TEXTS: dict[int, Callable[[Event], str]] = {
    KINDS["tlbsx"]: _tlbsx,
    KINDS["tlbwe"]: lambda event: f"tlbwe {_words('mas0 mas1 mas2 mas3 mas7 mas8', event.arg)}",
    KINDS["tlbilx"]: _tlbilx,
    KINDS["tlbivax"]: lambda event: f"tlbivax {event.arg[0]:#x} {_words('mas5 mas6', event.arg[1:])}",
    KINDS["multi_hit"]: lambda event: f"multi_hit {event.arg[0]:#x} {event.arg[1]} {event.arg[2]}",
    KINDS["kmap"]: lambda event: f"kmap {event.arg[0]:#x}",
    KINDS["printk"]: _printk,
    KINDS["host_exception"]: lambda event: f"host_exception {event.arg[0]} {event.arg[1]:#x}",
    KINDS["mtspr"]: lambda event: f"mtspr {event.arg[0]} {event.arg[1]:#x}",
    KINDS["reload"]: lambda event: f"reload {event.arg[0]:#x} entry={event.arg[1]} pte={event.arg[2]:#x}",
    KINDS["preempted_mapping"]: lambda event: f"preempted_mapping {event.arg[0]:#x}",
    KINDS["msgsnd"]: lambda event: f"msgsnd {event.arg[0]:#x}",
    KINDS["host_handler"]: lambda event: f"host {_HANDLERS.get(event.detail, event.detail)}",
    KINDS["service"]: lambda event: f"{_SERVICES.get(event.detail, f'service {event.detail}')}",
    KINDS["halt"]: lambda event: f"halt irq_enabled={event.arg[0]}",
    KINDS["kick"]: lambda event: f"kick {event.arg[0]}",
    KINDS["mod_timer"]: lambda event: f"mod_timer {event.arg[0]:#x}",
    KINDS["hrtimer_start"]: lambda event: f"hrtimer_start ns={event.arg[0]} mode={event.arg[1]}",
    KINDS["warn"]: lambda event: f"WARN {_WARNS.get(event.detail, event.detail)}",
    KINDS["printk_warn"]: lambda event: f"printk_warn {event.detail} {' '.join(map(hex, event.arg))}",
    KINDS["trace_exit"]: _trace_exit,
    KINDS["trace_queue"]: _trace_queue,
    KINDS["trace_requests"]: lambda event: f"kvm_check_requests {_hex('vcpu requests', event.arg)}",
}
