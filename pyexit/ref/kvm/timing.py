# SPDX-License-Identifier: BSD-3-Clause
"""kvm/timing: what an exit is accounted as, and how long exits take (exit 1.11, 13; covers timing.c)."""

from __future__ import annotations

from pyexit.ref.kvm.host_services import KVM_EINVAL
from pyexit.ref.kvm.trace import MSG_TIMING_QUAD_WRAP, MSG_TIMING_SUM_WRAP, printk
from pyexit.ref.kvm.vcpu import KVM_TIMING_UNSET, World

# enum kvm_exit_types (exit 1.11)
MMIO_EXITS = 0
SIGNAL_EXITS = 1
ITLB_REAL_MISS_EXITS = 2
ITLB_VIRT_MISS_EXITS = 3
DTLB_REAL_MISS_EXITS = 4
DTLB_VIRT_MISS_EXITS = 5
SYSCALL_EXITS = 6
ISI_EXITS = 7
DSI_EXITS = 8
EMULATED_INST_EXITS = 9
EMULATED_MTMSRWE_EXITS = 10
EMULATED_WRTEE_EXITS = 11
EMULATED_MTSPR_EXITS = 12
EMULATED_MFSPR_EXITS = 13
EMULATED_MTMSR_EXITS = 14
EMULATED_MFMSR_EXITS = 15
EMULATED_TLBSX_EXITS = 16
EMULATED_TLBWE_EXITS = 17
EMULATED_RFI_EXITS = 18
EMULATED_RFCI_EXITS = 19
EMULATED_RFDI_EXITS = 20
DEC_EXITS = 21
EXT_INTR_EXITS = 22
HALT_WAKEUP = 23
USR_PR_INST = 24
FP_UNAVAIL = 25
DEBUG_EXITS = 26
TIMEINGUEST = 27
DBELL_EXITS = 28
GDBELL_EXITS = 29
NUMBER_OF_KVM_EXIT_TYPES = 30

#: The counter of an account (exit 1.11); the other accounts count nothing.
COUNTERS = {
    EXT_INTR_EXITS: "ext_intr_exits",
    DEC_EXITS: "dec_exits",
    EMULATED_INST_EXITS: "emulated_inst_exits",
    DSI_EXITS: "dsi_exits",
    ISI_EXITS: "isi_exits",
    SYSCALL_EXITS: "syscall_exits",
    DTLB_REAL_MISS_EXITS: "dtlb_real_miss_exits",
    DTLB_VIRT_MISS_EXITS: "dtlb_virt_miss_exits",
    MMIO_EXITS: "mmio_exits",
    ITLB_REAL_MISS_EXITS: "itlb_real_miss_exits",
    ITLB_VIRT_MISS_EXITS: "itlb_virt_miss_exits",
    SIGNAL_EXITS: "signal_exits",
    DBELL_EXITS: "dbell_exits",
    GDBELL_EXITS: "gdbell_exits",
}

#: How the report names the accounts, in their order; Q30: four have no name: how the kernel prints a NULL.
NAMES = (
    *("MMIO", "SIGNAL", "ITLBREAL", "ITLBVIRT", "DTLBREAL", "DTLBVIRT", "SYSCALL", "ISI", "DSI", "EMULINST"),
    *("EMUL_WAIT", "EMUL_WRTEE", "EMUL_MTSPR", "EMUL_MFSPR", "EMUL_MTMSR", "EMUL_MFMSR", "EMUL_TLBSX"),
    *("EMUL_TLBWE", "EMUL_RFI", "(null)", "(null)", "DEC", "EXTINT", "HALT", "USR_PR_INST", "FP_UNAVAIL"),
    *("DEBUG", "TIMEINGUEST", "(null)", "(null)"),
)

#: T1: an account's shortest duration before the first; Q30: 2^32 - 1, so longer ones never replace it.
_MIN_UNSET = 0xFFFFFFFF
_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1
_USEC_PER_SEC = 1000000


def kvmppc_set_exit_type(world: World, vcpu: int, type: int) -> None:
    """The account that the time of this exit goes to, unless a later call names another."""
    world.vcpu[vcpu].arch.last_exit_type = type


def kvmppc_account_exit_stat(world: World, vcpu: int, type: int) -> None:
    """Count an event of an account."""
    counter = COUNTERS.get(type)
    if counter is not None:
        stat = world.vcpu[vcpu].stat
        setattr(stat, counter, (getattr(stat, counter) + 1) & _DOUBLEWORD)


def kvmppc_account_exit(world: World, vcpu: int, type: int) -> None:
    """Set the type, then count."""
    kvmppc_set_exit_type(world, vcpu, type)
    kvmppc_account_exit_stat(world, vcpu, type)


def kvmppc_init_timing_stats(world: World, vcpu: int) -> None:
    """T1: forget everything."""
    arch = world.vcpu[vcpu].arch
    arch.last_exit_type = KVM_TIMING_UNSET
    for array in (
        arch.timing_count_type,
        arch.timing_max_duration,
        arch.timing_sum_duration,
        arch.timing_sum_quad_duration,
    ):
        array[:] = [0] * NUMBER_OF_KVM_EXIT_TYPES
    arch.timing_min_duration[:] = [_MIN_UNSET] * NUMBER_OF_KVM_EXIT_TYPES
    arch.timing_last_exit = arch.timing_exit = arch.timing_last_enter = 0


def kvmppc_update_timing_stats(world: World, vcpu: int) -> None:
    """T3: the previous exit's time in the host, then the time in the guest since."""
    arch = world.vcpu[vcpu].arch
    previous, enter = arch.timing_last_exit, arch.timing_last_enter
    arch.timing_last_exit = arch.timing_exit
    if arch.last_exit_type >= NUMBER_OF_KVM_EXIT_TYPES or previous == 0:  # KVM_TIMING_UNSET is one of those
        return
    add_exit_timing(world, vcpu, (enter - previous) & _DOUBLEWORD, arch.last_exit_type)
    add_exit_timing(world, vcpu, (arch.timing_last_exit - enter) & _DOUBLEWORD, TIMEINGUEST)


def add_exit_timing(world: World, vcpu: int, duration: int, type: int) -> None:
    """T4: one duration of one account."""
    arch = world.vcpu[vcpu].arch
    arch.timing_count_type[type] = (arch.timing_count_type[type] + 1) & _WORD
    _add(world, vcpu, arch.timing_sum_duration, duration, type, MSG_TIMING_SUM_WRAP)
    _add(world, vcpu, arch.timing_sum_quad_duration, duration * duration, type, MSG_TIMING_QUAD_WRAP)
    arch.timing_min_duration[type] = min(arch.timing_min_duration[type], duration)
    arch.timing_max_duration[type] = max(arch.timing_max_duration[type], duration)


def _add(world: World, vcpu: int, sums: list[int], amount: int, type: int, message: int) -> None:
    """Add to a sum of 64 bits; a wrap is worth a message."""
    old = sums[type]
    sums[type] = (old + amount) & _DOUBLEWORD
    if sums[type] < old:
        count = world.vcpu[vcpu].arch.timing_count_type[type]
        printk(world, message, old, sums[type], type, count)


def kvmppc_exit_timing_show(world: World, vcpu: int) -> str:
    """T7: the debugfs file "timing". Q30: the sum of squares is divided once, so ticks^2 / ticks per us."""
    arch = world.vcpu[vcpu].arch
    per_usec = world.host[world.vcpu_thread[vcpu]].tb_freq // _USEC_PER_SEC
    lines = ["type\tcount\tmin\tmax\tsum\tsum_squared\n"]
    for type, name in enumerate(NAMES):
        lines.append(
            f"{name:>12s}\t{arch.timing_count_type[type]:10d}"
            f"\t{arch.timing_min_duration[type] // per_usec:10d}"
            f"\t{arch.timing_max_duration[type] // per_usec:10d}"
            f"\t{arch.timing_sum_duration[type] // per_usec:20d}"
            f"\t{arch.timing_sum_quad_duration[type] // per_usec:20d}\n"
        )
    return "".join(lines)


def kvmppc_exit_timing_write(world: World, vcpu: int, data: bytes) -> int:
    """T8: writing "c" resets; Q30: with a count of 0 the kernel still reads a byte of the buffer."""
    if data != b"c":
        return -KVM_EINVAL
    kvmppc_init_timing_stats(world, vcpu)
    return len(data)
