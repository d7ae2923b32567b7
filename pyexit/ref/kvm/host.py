# SPDX-License-Identifier: BSD-3-Clause
"""kvm/host: the host kernel around KVM, one record per hardware thread (vectors/SCHEMA.md host.*)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class DebugReg:
    """struct debug_reg (exit 2.2): a set of debug registers, the guest's or the host thread's."""

    iac1: int = 0
    iac2: int = 0
    dac1: int = 0
    dac2: int = 0
    dbcr0: int = 0
    dbcr1: int = 0
    dbcr2: int = 0
    dbsr: int = 0


@dataclass(slots=True)
class Host:
    """The inputs of a run that come from the host kernel, and the few that it keeps."""

    jiffies: int = 0
    tb_ticks_per_jiffy: int = 0
    tb_freq: int = 0
    wake_pending_exceptions: int = 0
    wake_requests: int = 0
    io_base: int = 0
    io_len: int = 0
    io_data: int = 0
    pfn_mode: int = 0
    thread_debug: DebugReg = field(default_factory=DebugReg)
    saved_debug: DebugReg = field(default_factory=DebugReg)  # before the guest was entered (exit 7.7 R4)
    irq_enabled: int = 0
    signal_pending: int = 0
    need_resched: int = 0
    wake_signal: int = 0
    halt_limit: int = 0
    thread_regs_msr: int = 0
    cpu: int = 0
    threads_per_core: int = 0
    pte_wimge: int = 0
    pte_mode: int = 0
    last_vcpu_self: int = 0
    guest_enter_ret: int = 0
    real_vcpu_load: int = 0  # ioctls load and put the vcpu
    gup_mode: int = 0
    vmap_fail: int = 0
    alloc_fail: int = 0
    ida_err: int = 0
    module_gone: int = 0
    no_ops: int = 0
    online_cpus: int = 0
    tlbcam_index: int = 0  # host TLB1 entries that the host kernel has bolted (mmu-kvm 8.4)
    lpid_inuse: int = 0  # bitmap of allocated LPIDs; thread 0 has it


def new_host(thread: int, threads_per_core: int) -> Host:
    """The host of hardware thread `thread` at the start of a run: the recorder's but for its clock."""
    return Host(
        cpu=thread,
        threads_per_core=threads_per_core,
        halt_limit=4,
        wake_signal=1,
        pte_wimge=4,
        tb_freq=40_000_000,
        tb_ticks_per_jiffy=160_000,
        real_vcpu_load=1,
        tlbcam_index=3,
    )
