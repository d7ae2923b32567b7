# SPDX-License-Identifier: BSD-3-Clause
"""kvm/trace: what the exit handler tells its caller as events: trace points, log lines, warnings (exit 14).

Numbers only; their text is the business of who reads the events.
"""

from __future__ import annotations

from pyexit.ref.events import EVENT_PRINTK
from pyexit.ref.hw.core import log
from pyexit.ref.kvm.vcpu import World

# Kinds of event; behind each, its arguments (pyexit.h).
EVENT_HOST_HANDLER = 13  # detail = HOST_*
EVENT_SERVICE = 14  # detail = SERVICE_*
EVENT_HALT = 15  # irq_enabled
EVENT_KICK = 16  # vcpu
EVENT_MOD_TIMER = 17  # expiry in jiffies
EVENT_HRTIMER_START = 18  # ns mode
EVENT_WARN = 19  # detail = WARN_*
EVENT_PRINTK_WARN = 20  # detail = WARN_*; the values of its text
EVENT_TRACE_EXIT = 21  # exit pc msr dar last_inst
EVENT_TRACE_QUEUE = 22  # vcpu_id prio pending
EVENT_TRACE_REQUESTS = 23  # vcpu_id requests

# The host's own interrupt handlers (exit 6)
HOST_DO_IRQ = 1
HOST_TIMER_INTERRUPT = 2
HOST_DOORBELL_EXCEPTION = 3
HOST_PERFORMANCE_MONITOR_EXCEPTION = 4
HOST_UNKNOWN_EXCEPTION = 5

# Services of the host kernel that take no argument (vectors/SCHEMA.md)
SERVICE_LOAD_FP_STATE = 1
SERVICE_LOAD_VR_STATE = 2
SERVICE_GIVEUP_FPU = 3
SERVICE_GIVEUP_ALTIVEC = 4
SERVICE_SWITCH_BOOKE_DEBUG_REGS = 5
SERVICE_ENTER_GUEST = 6
SERVICE_COND_RESCHED = 7
SERVICE_DEL_TIMER = 8
SERVICE_HRTIMER_TRY_TO_CANCEL = 9

# Warnings (exit 14.1)
WARN_CORE_PREPARE_TO_ENTER = 1  # booke.c:710
WARN_PREPARE_TO_ENTER = 2  # powerpc.c:84

# Log lines (exit 14.1); behind each, its values.
MSG_EXIT_NR = 4  # exit number
MSG_MACHINE_CHECK = 5  # MCSR
MSG_DUMP_PC = 6  # pc msr
MSG_DUMP_LR = 7  # lr ctr
MSG_DUMP_SRR = 8  # srr0 srr1
MSG_DUMP_EXCEPTIONS = 9  # pending_exceptions
MSG_DUMP_GPR = 10  # n, gpr n to n + 3
MSG_TIMING_SUM_WRAP = 11  # old new account count
MSG_TIMING_QUAD_WRAP = 12  # old new account count

_WORD = (1 << 32) - 1


def printk(world: World, message: int, *values: int) -> None:
    """A line of the kernel's log."""
    log(world.hw, EVENT_PRINTK, message, *values)


def warn(world: World, warning: int) -> None:
    """WARN_ON or WARN_ON_ONCE: every time, as no machine outlives its first."""
    log(world.hw, EVENT_WARN, warning)


def trace_kvm_exit(world: World, vcpu: int, exit_nr: int) -> None:
    """kvm_exit. Q29: dar and last_inst are old where the exit saves none."""
    arch = world.vcpu[vcpu].arch
    values = (arch.regs.nip, arch.shared.msr, arch.fault_dear, arch.last_inst)
    log(world.hw, EVENT_TRACE_EXIT, 0, exit_nr, *values)


def trace_kvm_booke_queue_irqprio(world: World, vcpu: int, priority: int) -> None:
    """kvm_booke_queue_irqprio: what was pending before."""
    state = world.vcpu[vcpu]
    log(world.hw, EVENT_TRACE_QUEUE, 0, state.vcpu_id, priority, state.arch.pending_exceptions)


def trace_kvm_check_requests(world: World, vcpu: int) -> None:
    """kvm_check_requests: the low word of the bitmap."""
    state = world.vcpu[vcpu]
    log(world.hw, EVENT_TRACE_REQUESTS, 0, state.vcpu_id, state.requests & _WORD)
