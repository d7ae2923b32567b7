# SPDX-License-Identifier: BSD-3-Clause
"""Says in words what a finding is: where two backends part, what each did, which text decides."""

from __future__ import annotations

from collections.abc import Iterator

from pyexit.fuzz.minimise import Replayer
from pyexit.fuzz.pair import Difference, answer_text
from pyexit.scenario import Scenario, Step

SHOWN_FIELDS = 12

#: Where the specification speaks of a function: the beginning of its name, the sections. The first counts.
SECTIONS = (
    ("ppc_", "mmu-hardware 4-10"),
    ("kvmppc_entry_fetch", "exit 11.3, 11.6-11.8"),
    ("kvmppc_load_last_inst", "exit 4, mmu-kvm 15"),
    ("kvmppc_get_last_inst", "exit 4, mmu-kvm 15"),
    ("kvmppc_handle_exit", "exit 3"),
    ("kvmppc_vcpu_run", "exit 7.7"),
    ("kvmppc_booke", "exit 7"),
    ("kvmppc_core_queue", "exit 7.1"),
    ("kvmppc_core_dequeue", "exit 7.1"),
    ("kvmppc_core_check", "exit 7.5, 7.6"),
    ("kvmppc_core_prepare", "exit 7.6"),
    ("kvmppc_prepare", "exit 7.6"),
    ("kvmppc_e500_emul", "mmu-kvm 4"),
    ("kvmppc_e500_tlbil_one", "mmu-kvm 9"),
    ("inval_gtlbe_on_host", "mmu-kvm 9"),
    ("kvmppc_mmu_map", "mmu-kvm 7, 8"),
    ("kvmppc_core_flush_tlb", "mmu-kvm 10"),
    ("mmu_notifier", "mmu-kvm 11"),
    ("kvmppc_mmu", "mmu-kvm 6"),
    ("kvm_vcpu_ioctl_config_tlb", "mmu-kvm 2"),
    ("kvm_vcpu_ioctl_dirty_tlb", "mmu-kvm 2"),
    ("kvmppc_emulate_mmio", "emulate 6.3"),
    ("kvmppc_emulate_loadstore", "emulate 5"),
    ("kvmppc_emulate_dec", "exit 8"),
    ("kvmppc_emulate", "emulate 2-4"),
    ("kvmppc_handle_debug", "exit 9.1"),
    ("kvmppc_handle_", "emulate 6.4, 6.5"),
    ("kvmppc_complete_mmio_load", "emulate 6.7"),
    ("kvm_arch_vcpu_ioctl_run", "emulate 6.10, exit 7.8"),
    ("kvm_arch_vcpu_ioctl_set_guest_debug", "exit 9.2"),
    ("kvm_arch_vcpu_ioctl", "exit 12.4, 12.5"),
    ("kvm_vcpu_ioctl_", "exit 12.6"),
    ("kvmppc_ld", "exit 12.8"),
    ("kvmppc_st", "exit 12.8"),
    ("kvmppc_xlate", "exit 12.8"),
    ("kvmppc_kvm_pv", "exit 10"),
    ("kvm_arch_vcpu_create", "exit 12.2"),
    ("kvm_", "exit 12"),
    ("kvmppc_", "exit 7, 8"),
)
VERB_SECTIONS = {
    "translate": "mmu-hardware 5, 11, 12",
    "guest_op": "mmu-hardware 6.5",
    "interrupt": "mmu-hardware 12",
    "pending": "exit 7.4, mmu-hardware 12",
    "pin": "mmu-hardware 12",
    "advance": "exit 8",
    "enter": "exit 7.8, 7.7, 11.5",
    "exit": "exit 11.3, 11.4, 3",
    "exits": "exit 11.3, 11.4, 3",
    "interleave": "mmu-kvm 16",
}

#: What an exit needs decides more closely where to read: exit 3's table by exit number.
EXIT_SECTIONS = {13: "mmu-kvm 6, 7", 14: "mmu-kvm 6, 7", 15: "exit 9", 40: "exit 10", 41: "emulate 2-4"}


def explain(replayer: Replayer, scenario: Scenario, difference: Difference) -> Iterator[str]:
    """Lines about a scenario that has just been run and differs."""
    number, part, a, b = difference
    step = scenario.steps[number]
    first, second = replayer.pair.names
    yield f"{part} differs after step {number}, {describe(step)}"
    yield f"  {first} has {_show(a)}, {second} has {_show(b)}"
    yield f"  the specification decides: {section(step)}"
    yield from _state(scenario)
    for index, earlier in enumerate(scenario.steps[: number + 1]):
        yield f"step {index}: {describe(earlier)}"
        yield from (f"  sets {name} = {value:#x}" for name, value in earlier.set.items())
        yield from (f"  stores {word:#010x} at {at:#x}" for at, word in earlier.ram.items())
    yield from _fields(replayer)


def describe(step: Step) -> str:
    """A step as a call."""
    what = step.call or step.verb or "setting fields"
    return f"{what}({', '.join(map(hex, step.args))})" if step.call or step.verb else what


def section(step: Step) -> str:
    """Where the specification speaks of a step."""
    number = step.args[1] if len(step.args) > 1 else None
    about_exit = step.call == "kvmppc_handle_exit" or step.verb in ("exit", "exits")
    extra = f"; {EXIT_SECTIONS[number]}" if about_exit and number in EXIT_SECTIONS else ""
    if step.verb is not None:
        return VERB_SECTIONS.get(step.verb, "docs/scenario.md") + extra
    name = step.call or ""
    return next((where for start, where in SECTIONS if name.startswith(start)), "pyexit.h") + extra


def _state(scenario: Scenario) -> Iterator[str]:
    yield (
        f"machine: {scenario.model}, params {scenario.params}, fetch {scenario.fetch},"
        f" handler {scenario.handler}{', sw_tlb' if scenario.sw_tlb else ''}"
    )
    yield from (f"RAM {at:#x}: {word:#010x}" for at, word in scenario.mem.items())


def _fields(replayer: Replayer) -> Iterator[str]:
    found = replayer.pair.differences()
    first, second = replayer.pair.names
    if len(found) > 1:
        yield f"all {len(found)} fields that differ:"
        for name, a, b in found[:SHOWN_FIELDS]:
            yield f"  {name}: {first} {a:#x}, {second} {b:#x}"
        if len(found) > SHOWN_FIELDS:
            yield f"  and {len(found) - SHOWN_FIELDS} more"


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return answer_text(value)
    return f"{value:#x}" if isinstance(value, int) else str(value)
