# SPDX-License-Identifier: BSD-3-Clause
"""kvm/user: the memory of the VMM that ioctls read and write, as fields (vectors/SCHEMA.md, User memory)."""

from __future__ import annotations

from dataclasses import dataclass, field

# Where the structures lie
USER_CAP = 0x1000
USER_CONFIG_TLB = 0x2000
USER_TLB_PARAMS = 0x3000
USER_ONE_REG = 0x4000
USER_BUF = 0x5000
USER_DIRTY = 0x6000
USER_IRQ = 0x7000
USER_PVINFO = 0x8000

SW_TLB_ENTRIES = 4160  # of the array, both TLBs
SW_TLB1_ENTRIES = 64


def _zeros(count: int) -> list[int]:
    return [0] * count


@dataclass(slots=True)
class UserRegs:
    """struct kvm_regs (exit 12.4)."""

    pc: int = 0
    cr: int = 0
    ctr: int = 0
    lr: int = 0
    xer: int = 0
    msr: int = 0
    srr0: int = 0
    srr1: int = 0
    pid: int = 0
    sprg0: int = 0
    sprg1: int = 0
    sprg2: int = 0
    sprg3: int = 0
    sprg4: int = 0
    sprg5: int = 0
    sprg6: int = 0
    sprg7: int = 0
    gpr: list[int] = field(default_factory=lambda: _zeros(32))


@dataclass(slots=True)
class SregsFsl:
    """The members of kvm_sregs that belong to Freescale cores."""

    features: int = 0
    svr: int = 0
    mcar: int = 0
    hid0: int = 0
    pid1: int = 0
    pid2: int = 0


@dataclass(slots=True)
class SregsImpl:
    """The implementation-specific members of kvm_sregs."""

    fsl: SregsFsl = field(default_factory=SregsFsl)


@dataclass(slots=True)
class UserSregs:
    """struct kvm_sregs, the members of its union without that prefix (exit 12.5)."""

    impl: SregsImpl = field(default_factory=SregsImpl)
    sprg8: int = 0
    sprg9: int = 0
    csrr0: int = 0
    dsrr0: int = 0
    mcsrr0: int = 0
    dear: int = 0
    ivpr: int = 0
    mcivpr: int = 0
    mcsr: int = 0
    tb: int = 0
    mas2: int = 0
    mas7_3: int = 0
    pvr: int = 0
    features: int = 0
    impl_id: int = 0
    update_special: int = 0
    pir: int = 0
    csrr1: int = 0
    dsrr1: int = 0
    mcsrr1: int = 0
    esr: int = 0
    tsr: int = 0
    tcr: int = 0
    decar: int = 0
    dec: int = 0
    dbsr: int = 0
    dbcr: list[int] = field(default_factory=lambda: _zeros(3))
    iac: list[int] = field(default_factory=lambda: _zeros(4))
    dac: list[int] = field(default_factory=lambda: _zeros(2))
    dvc: list[int] = field(default_factory=lambda: _zeros(2))
    epr: int = 0
    vrsave: int = 0
    epcr: int = 0
    mas0: int = 0
    mas1: int = 0
    mas4: int = 0
    mas6: int = 0
    ivor_low: list[int] = field(default_factory=lambda: _zeros(16))
    ivor_high: list[int] = field(default_factory=lambda: _zeros(18))
    mmucfg: int = 0
    eptcfg: int = 0
    tlbcfg: list[int] = field(default_factory=lambda: _zeros(4))
    tlbps: list[int] = field(default_factory=lambda: _zeros(4))
    eplc: int = 0
    epsc: int = 0
    num_iac: int = 0
    num_dac: int = 0
    num_dvc: int = 0


@dataclass(slots=True)
class UserCap:
    """struct kvm_enable_cap."""

    cap: int = 0
    flags: int = 0
    args: list[int] = field(default_factory=lambda: _zeros(4))


@dataclass(slots=True)
class UserConfigTlb:
    """struct kvm_config_tlb (mmu-kvm 2)."""

    params: int = 0
    array: int = 0
    mmu_type: int = 0
    array_len: int = 0


@dataclass(slots=True)
class UserTlbParams:
    """struct kvm_book3e_206_tlb_params."""

    tlb_sizes: list[int] = field(default_factory=lambda: _zeros(4))
    tlb_ways: list[int] = field(default_factory=lambda: _zeros(4))
    reserved: list[int] = field(default_factory=lambda: _zeros(8))


@dataclass(slots=True)
class UserOneReg:
    """struct kvm_one_reg."""

    id: int = 0
    addr: int = 0


@dataclass(slots=True)
class UserDirty:
    """struct kvm_dirty_tlb."""

    bitmap: int = 0
    num_dirty: int = 0


@dataclass(slots=True)
class UserPvinfo:
    """struct kvm_ppc_pvinfo."""

    hcall: list[int] = field(default_factory=lambda: _zeros(4))
    flags: int = 0


@dataclass(slots=True)
class User:
    """What the VMM's memory holds for the ioctls of a vcpu (vectors/SCHEMA.md, User memory)."""

    regs: UserRegs = field(default_factory=UserRegs)
    sregs: UserSregs = field(default_factory=UserSregs)
    cap: UserCap = field(default_factory=UserCap)
    config_tlb: UserConfigTlb = field(default_factory=UserConfigTlb)
    tlb_params: UserTlbParams = field(default_factory=UserTlbParams)
    one_reg: UserOneReg = field(default_factory=UserOneReg)
    dirty: UserDirty = field(default_factory=UserDirty)
    pvinfo: UserPvinfo = field(default_factory=UserPvinfo)
    buf: list[int] = field(default_factory=lambda: _zeros(16))


@dataclass(slots=True)
class SwtlbArray:
    """The array of KVM_CAP_SW_TLB: TLB0's entries, then TLB1's."""

    mas2: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))
    mas7_3: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))
    mas8: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))
    mas1: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))


@dataclass(slots=True)
class SwtlbPriv0:
    """References of that array's TLB0."""

    pfn: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))
    flags: list[int] = field(default_factory=lambda: _zeros(SW_TLB_ENTRIES))


@dataclass(slots=True)
class SwtlbPriv1:
    """References of that array's TLB1."""

    pfn: list[int] = field(default_factory=lambda: _zeros(SW_TLB1_ENTRIES))
    flags: list[int] = field(default_factory=lambda: _zeros(SW_TLB1_ENTRIES))


@dataclass(slots=True)
class Swtlb:
    """Userspace's guest TLB and KVM's private data for it."""

    tlb: SwtlbArray = field(default_factory=SwtlbArray)
    priv0: SwtlbPriv0 = field(default_factory=SwtlbPriv0)
    priv1: SwtlbPriv1 = field(default_factory=SwtlbPriv1)
    g2h_tlb1_map: list[int] = field(default_factory=lambda: _zeros(SW_TLB1_ENTRIES))
