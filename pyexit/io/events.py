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
OBJECTS = constants("object", "PYEXIT_OBJECT_")

#: How a call ended, and where the kernel stops.
STOPS = constants("stop", "PYEXIT_")
SITES = constants("site", "PYEXIT_SITE_")

_ALL_ONES = (1 << 64) - 1

#: exit.md 14.1: level and text of each message; {0:08x} is %08lx, which prints up to 16 digits.
_FETCH = "kvmppc_load_last_inst: Instruction emulation from "
_MAP = "kvmppc_e500_shadow_map: "
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
    MESSAGES["host_tlb_size"]: (3, "e500_mmu_host_init: need to know host tlb size"),
    MESSAGES["host_tlb0_config"]: (3, "e500_mmu_host_init: bad tlb0 host config: {0} entries {1} ways"),
    MESSAGES["lpid_no_memory"]: (3, "kvmppc_alloc_lpid: Out of memory"),
    MESSAGES["lpid_none_free"]: (3, "kvmppc_alloc_lpid: No LPIDs free"),
    MESSAGES["timing_sum_wrap"]: (3, _WRAP.format("sum of durations")),
    MESSAGES["timing_quad_wrap"]: (3, _WRAP.format("sum of squared durations")),
    MESSAGES["emulation_failed"]: (2, "emulation_exit: emulation at {0:x} failed ({1:08x})"),
    MESSAGES["no_real_page"]: (3, _MAP + "real page not found for gfn {0:x}"),
    MESSAGES["pte_not_present"]: (3, _MAP + "pte not present: gfn {0:x},pfn {1:x}"),
    MESSAGES["cannot_emulate"]: (3, "Couldn't emulate instruction 0x{0:08x} (op {1} xop {2})"),
    MESSAGES["mtspr_unknown"]: (6, "mtspr: unknown spr {0:#x}"),
    MESSAGES["mfspr_unknown"]: (6, "mfspr: unknown spr {0:#x}"),
    MESSAGES["vmx_repeat"]: (6, "KVM: MMIO emulation failed (VMX repeat)"),
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
    WARNS["emulate_mmio"]: "powerpc.c:339 kvmppc_emulate_mmio",
    WARNS["inval_flags"]: "e500_mmu_host.c:193 inval_gtlbe_on_host",
    WARNS["inval_bitmap"]: "e500_mmu_host.c:195 inval_gtlbe_on_host",
    WARNS["tlb1_map"]: "e500_mmu_host.c:551",
    WARNS["int_type"]: "e500mc.c:43 kvmppc_set_pending_interrupt",
}

#: exit.md 14.1: the text that precedes a warning; the number of e500mc.c:43 is an int.
_WARN_TEXTS = {
    WARNS["inval_flags"]: "inval_gtlbe_on_host: flags {0:x}",
    WARNS["int_type"]: "kvmppc_set_pending_interrupt: unknown int type {1}",
}

#: vectors/SCHEMA.md, New events: what is allocated, where it is not the constant's own name.
_OBJECT_NAMES = {OBJECTS["pages_array"]: "pages array", OBJECTS["shared_page"]: "shared page"}

#: vectors/SCHEMA.md, abort: where the kernel stops (exit.md 3.3, 7.6).
_SITES = {
    SITES["exit_nr"]: "BUG booke.c:1384 kvmppc_handle_exit",
    SITES["inst_load"]: "BUG booke.c:999 kvmppc_resume_inst_load",
    SITES["epr_kernel"]: "BUG booke.c:537 kvmppc_booke_irqprio_deliver",
    SITES["protect_msr"]: "BUG booke.c:1951 kvm_guest_protect_msr",
    SITES["no_progress"]: "HANG no progress (irq toggles)",
    SITES["halt_limit"]: "HANG halt_limit",
    SITES["mmio_class"]: "BUG powerpc.c:1259 kvmppc_complete_mmio_load",
    SITES["create_null"]: "OOPS signal 11 addr 0x8",
    SITES["entry_fetch"]: "OOPS bookehv_interrupts.S lwepx",
    SITES["xlate"]: "BUG booke.c:2000 kvmppc_xlate",
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
_OBJECTS = _named(OBJECTS, _OBJECT_NAMES)


def stop_text(outcome: int, site: int) -> str | None:
    """How a call ended, as the vectors say it; None if it returned."""
    if outcome == STOPS["returned"]:
        return None
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


def _trace_stlb_write(event: Event) -> str:
    return f"kvm_booke206_stlb_write {_hex('mas0 mas8 mas1 mas2 mas7_3', event.arg)}"


def _trace_gtlb_write(event: Event) -> str:
    return f"kvm_booke206_gtlb_write {_hex('mas0 mas1 mas2 mas7_3', event.arg)}"


def _trace_instr(event: Event) -> str:
    instruction, pc, result = event.arg[:3]
    return f"kvm_ppc_instr inst {instruction} pc {pc:#x} emulate {result}"


def _printk_warn(event: Event) -> str:
    text = _WARN_TEXTS.get(event.detail)
    values = " ".join(map(hex, event.arg))
    signed = _signed(event.arg[0], 32)
    return f"printk_warn {text.format(event.arg[0], signed) if text else f'{event.detail} {values}'}"


def _alloc(event: Event) -> str:
    return f"alloc {_OBJECTS.get(event.detail, event.detail)}{' fails' if event.arg[0] else ''}"


def _free(event: Event) -> str:
    return f"free {'new ' if event.arg[0] else ''}{_OBJECTS.get(event.detail, event.detail)}"


def _guest_access(name: str, data: bool) -> Callable[[Event], str]:
    """kvm_read_guest and kvm_write_guest: the bytes written, and whether the page faults."""

    def text(event: Event) -> str:
        gpa, size, fault, *words = event.arg
        # Four words hold the bytes; more than 32 there are not (kvmppc_st's buffer).
        stored = b"".join(word.to_bytes(8, "big") for word in words[:4])[:size]
        shown = f" data={stored.hex()}" if data else ""
        return f"{name} {gpa:#x} len={size}{shown}{' fault' if fault else ''}"

    return text


def _ida_alloc_range(event: Event) -> str:
    low, high, result = (_signed(value, 32) for value in event.arg[:3])
    return f"ida_alloc_range {low}..{high} -> {result}"


def _frame(name: str) -> Callable[[Event], str]:
    """A service that is about one page frame or guest frame."""
    return lambda event: f"{name} {event.arg[0]:#x}"


def _number(name: str) -> Callable[[Event], str]:
    """A service with one decimal number."""
    return lambda event: f"{name} {event.arg[0]}"


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
    KINDS["printk_warn"]: _printk_warn,
    KINDS["trace_exit"]: _trace_exit,
    KINDS["trace_queue"]: _trace_queue,
    KINDS["trace_requests"]: lambda event: f"kvm_check_requests {_hex('vcpu requests', event.arg)}",
    KINDS["trace_instr"]: _trace_instr,
    KINDS["trace_stlb_write"]: _trace_stlb_write,
    KINDS["trace_gtlb_write"]: _trace_gtlb_write,
    KINDS["trace_ref_release"]: lambda event: f"kvm_booke206_ref_release {_hex('pfn flags', event.arg)}",
    KINDS["gfn_to_pfn"]: _frame("gfn_to_pfn_memslot"),
    KINDS["set_pfn_accessed"]: _frame("set_pfn_accessed"),
    KINDS["set_pfn_dirty"]: _frame("set_pfn_dirty"),
    KINDS["release_pfn_clean"]: _frame("release_pfn_clean"),
    KINDS["flush_icache"]: _frame("flush_icache"),
    KINDS["io_read"]: lambda event: f"io_read {event.arg[0]:#x} len={event.arg[1]}",
    KINDS["io_write"]: lambda event: (
        f"io_write {event.arg[0]:#x} len={event.arg[1]} data={event.arg[2]:#018x}"
    ),
    KINDS["alloc"]: _alloc,
    KINDS["free"]: _free,
    KINDS["get_user_pages"]: lambda event: (
        f"get_user_pages_fast {event.arg[0]:#x} n={event.arg[1]} flags=0x1"
    ),
    KINDS["vmap"]: lambda event: f"vmap n={event.arg[0]}",
    KINDS["set_page_dirty"]: _number("set_page_dirty"),
    KINDS["put_page"]: _number("put_page"),
    KINDS["read_guest"]: _guest_access("read_guest", data=False),
    KINDS["write_guest"]: _guest_access("write_guest", data=True),
    KINDS["ida_alloc_range"]: _ida_alloc_range,
    KINDS["ida_free"]: _number("ida_free"),
}

#: Kinds that the recorder of the vectors does not have: trace points, and what only pyexit reports.
UNRECORDED = frozenset(
    number for name, number in KINDS.items() if name in ("multi_hit", "reload") or name.startswith("trace_")
)
