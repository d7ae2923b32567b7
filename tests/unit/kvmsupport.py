# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of KVM's rooms share: a vcpu as the worked examples have it, calls, the log of events."""

from __future__ import annotations

from pyexit import Machine
from pyexit.io.events import SITES

from .support import GS, numbered, texts

# enum pyexit_stop
RETURNED, BUG, HANG = range(3)
SITE = SITES

# Results of the exit handler (exit 1.3): -EINTR comes as (-4 << 2) | RESUME_HOST
RESUME_GUEST, RESUME_GUEST_NV, RESUME_HOST, RESUME_HOST_NV = range(4)
EINTR_HOST = -14

# KVM_EXIT_* (exit 1.4)
EXIT_UNKNOWN, EXIT_DEBUG, EXIT_INTR, EXIT_INTERNAL_ERROR, EXIT_WATCHDOG, EXIT_EPR = 0, 4, 10, 17, 21, 23

# Requests (exit 1.4)
TLB_FLUSH, VM_DEAD, UNBLOCK, REQ_WATCHDOG, EPR_EXIT, PENDING_TIMER = (1 << n for n in (0, 1, 2, 8, 9, 10))

# ESR (exit 1.6), EPCR, TCR, TSR (exit 1.8, 1.9)
ESR_PIL, ESR_PPR, ESR_PTR = 0x08000000, 0x04000000, 0x02000000
ICM, GICM = 0x02000000, 0x01000000
WRC, WIE, DIE, ARE = 0x30000000, 0x08000000, 0x04000000, 0x00400000
ENW, WIS, DIS = 0x80000000, 0x40000000, 0x08000000

# Accounts (exit 1.11)
SIGNAL_EXITS, DEC_EXITS, MTMSRWE, FP_ACCOUNT, DEBUG_EXITS = 1, 21, 10, 25, 26
NO_TYPE = 0xDEAD

#: Priorities by name (exit 1.2).
PRIORITIES = (
    "DATA_STORAGE", "INST_STORAGE", "ALIGNMENT", "PROGRAM", "FP_UNAVAIL", "ALTIVEC_UNAVAIL", "ALTIVEC_ASSIST",
    None, "SYSCALL", "AP_UNAVAIL", "DTLB_MISS", "ITLB_MISS", "MACHINE_CHECK", "DEBUG", "CRITICAL", "WATCHDOG",
    "EXTERNAL", "FIT", "DECREMENTER", "PERFORMANCE_MONITOR", "EXTERNAL_LEVEL", "DBELL", "DBELL_CRIT",
)  # fmt: skip
(
    DATA_STORAGE, INST_STORAGE, ALIGNMENT, PROGRAM, FP_UNAVAIL, ALTIVEC_UNAVAIL, ALTIVEC_ASSIST, _, SYSCALL,
    AP_UNAVAIL, DTLB_MISS, ITLB_MISS, MACHINE_CHECK, DEBUG, CRITICAL, WATCHDOG, EXTERNAL, FIT, DECREMENTER,
    PERFORMANCE_MONITOR, EXTERNAL_LEVEL, DBELL, DBELL_CRIT,
) = range(23)  # fmt: skip

#: Guest doorbells of LPID 2, vcpu 0 (exit 7.4).
DOORBELL, DOORBELL_CRIT, DOORBELL_MC = "msgsnd 0x10008000", "msgsnd 0x18008000", "msgsnd 0x20008000"

PC = 0x1000
NOT_LOADED = 0xFFFFFFFF
NOP = 0x60000000  # a word in the cache: the early fetch is DONE without a search

#: Models whose kernel has AltiVec (exit, "Which configurations can exist").
ALTIVEC = ("e6500",)


def arch(m: Machine, values: dict[str, int], n: int = 0) -> None:
    """Fields of vcpu->arch."""
    m.set({f"{numbered('vcpu', n)}.arch.{name}": value for name, value in values.items()})


def guest(m: Machine, msr: int = 0, **fields: int) -> Machine:
    """The common start of exit 16: lpid 2, one thread per core, pc 1000, host interrupts off; returns `m`."""
    m.set({"kvm.arch.lpid": 2, "host.threads_per_core": 1, "host.irq_enabled": 0})
    arch(m, {"regs.nip": PC, "shared.msr": GS | msr, "last_inst": NOP} | fields)
    m.events()
    return m


def pend(m: Machine, *priorities: int) -> None:
    """Exactly these priorities are pending."""
    arch(m, {"pending_exceptions": sum(1 << n for n in priorities)})


def pending(m: Machine) -> set[int]:
    """The priorities that are pending."""
    return {n for n in range(32) if m["vcpu.arch.pending_exceptions"] >> n & 1}


def call(m: Machine, name: str, *args: int, vcpu: int = 0) -> int:
    """What the function returned; it must have returned."""
    result = m.call(name, vcpu, *args)
    assert result.outcome == RETURNED, result
    return result.ret


def stopped(m: Machine, name: str, *args: int) -> tuple[int, int]:
    """How the kernel stopped, and where."""
    result = m.call(name, 0, *args)
    return result.outcome, result.site


def handle_exit(m: Machine, number: int) -> int:
    return call(m, "kvmppc_handle_exit", number)


def spr(m: Machine, *names: str) -> tuple[int, ...]:
    return tuple(m[f"spr.{name}"] for name in names)


def vcpu(m: Machine, *names: str) -> tuple[int, ...]:
    """Fields of vcpu->arch."""
    return tuple(m[f"vcpu.arch.{name}"] for name in names)


def log(m: Machine, *, traces: bool = False) -> list[str]:
    """The events as text, without trace points unless asked for; the ring is empty afterwards."""
    return [text for text in texts(m) if traces or not text.startswith("kvm_")]


def queued(m: Machine) -> list[str]:
    """The names of the priorities that were queued, by their trace points; the ring is empty afterwards."""
    found = [text.split("prio=")[1] for text in texts(m) if text.startswith("kvm_booke_queue_irqprio")]
    return [text.split()[0] for text in found]


def units(model: str) -> list[str]:
    """Events of loading the guest's FP and vector state (exit 3.1)."""
    return ["load_fp_state vcpu"] + ["load_vr_state vcpu"] * (model in ALTIVEC)


def vector(priority: int) -> int:
    """Where a new vcpu takes `priority` (exit 12.2 C5)."""
    return 0x55557700 | 4 * priority
