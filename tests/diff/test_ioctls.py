# SPDX-License-Identifier: BSD-3-Clause
"""KVM's ioctls between exits, interrupts and time, in any order, native against ref in lockstep (exit 12).

What userspace puts into its memory is boundary-biased and fits the width: registers of a 32-bit kernel are
never wider through the ioctls themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pyexit import Machine

from .limits import run_repeatably
from .pools import MODELS

Pick = Callable[..., Any]

EXAMPLES, STEPS = 60, 30
ONE_REGS = (
    *range(0x2, 0x8), *range(0x81, 0x9C), 0x40, 0x5F, 0xB4, 0xBA, 0xBB, 0x300,
)  # fmt: skip
SIZES = (0x0020, 0x0030, 0x0040)
ADDRESSES = (0x5000, 0x5000, 0x5000, 0x4000, 0x1000, 0x9999)
CAPS = (0, 69, 70, 71, 72, 77, 83, 93, 87)
EXITS = (4, 6, 10, 13, 14, 36, 38, 40, 2, 3)
REGS = ("pc", "cr", "ctr", "lr", "xer", "msr", "srr0", "srr1", "pid", "sprg0", "sprg7", "gpr[3]", "gpr[31]")
SREGS = (
    "features",
    "pvr",
    "pir",
    "impl_id",
    "update_special",
    "csrr0",
    "csrr1",
    "mcsr",
    "esr",
    "tsr",
    "tcr",
    "dec",
)
VALUES = (0, 1, 5, 0x8000, 0x10029002, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Userspace:
    """One VMM and its vcpu."""

    def __init__(self, model: str, shares: Counter[str]) -> None:
        self.m = Machine(model, backend="lockstep", ram=((0, 0x10000),), events=4096, sw_tlb=False)
        self.shares = shares

    def call(self, name: str, *args: int) -> None:
        result = self.m.call(name, 0, *args)
        kind = "stopped" if result.outcome else "refused" if result.ret < 0 else "done"
        self.shares[f"{name.removeprefix('kvm_').removeprefix('arch_')} {kind}"] += 1

    def regs(self, pick: Pick) -> None:
        self.m.set({f"user.regs.{pick(REGS)}": pick(VALUES) for _ in range(3)})
        self.call(pick(("kvm_arch_vcpu_ioctl_set_regs", "kvm_arch_vcpu_ioctl_get_regs")))

    def sregs(self, pick: Pick) -> None:
        self.call("kvm_arch_vcpu_ioctl_get_sregs")
        self.m.set({f"user.sregs.{pick(SREGS)}": pick(VALUES) for _ in range(pick((0, 1, 2)))})
        self.call("kvm_arch_vcpu_ioctl_set_sregs")

    def one_reg(self, pick: Pick) -> None:
        self.m.set({f"user.buf[{n}]": pick((0, 0, 1, 0x80, 0xFF)) for n in (0, 3, 7, 15)})
        number = 1 << 60 | pick(SIZES) << 48 | pick(ONE_REGS)
        verb = pick(("get", "set"))
        self.call(f"kvm_vcpu_ioctl_{verb}_one_reg", number, pick(ADDRESSES))

    def cap(self, pick: Pick) -> None:
        self.m.set(
            {"user.cap.cap": pick(CAPS), "user.cap.flags": pick((0, 0, 1)), "user.cap.args[0]": pick((0, 1))}
        )
        self.call("kvm_arch_vcpu_ioctl", 0x8068AEA3, pick((0x1000, 0x1000, 0x1008)))

    def interrupt(self, pick: Pick) -> None:
        self.call("kvm_vcpu_ioctl_interrupt", pick((0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 3)))

    def exit(self, pick: Pick) -> None:
        self.m.set({"vcpu.arch.last_inst": 0x60000000, "host.irq_enabled": 0})
        self.call("kvmppc_handle_exit", pick(EXITS))

    def time(self, pick: Pick) -> None:
        self.m.advance(pick((1, 1000, 160_000, 1 << 24)))

    def translate(self, pick: Pick) -> None:
        self.call("kvm_arch_vcpu_ioctl_translate", pick(VALUES))

    def load_put(self, pick: Pick) -> None:
        self.call(pick(("kvm_arch_vcpu_load", "kvm_arch_vcpu_put")))


KINDS = (
    Userspace.regs, Userspace.sregs, Userspace.sregs, Userspace.one_reg, Userspace.one_reg, Userspace.cap,
    Userspace.interrupt, Userspace.exit, Userspace.exit, Userspace.time, Userspace.translate,
    Userspace.load_put,
)  # fmt: skip


class IoctlMachine(RuleBasedStateMachine):
    """The kinds as rules, their operands chosen, and shrunk, by Hypothesis."""

    counts: ClassVar[Counter[str]] = Counter()
    user: Userspace | None = None

    @initialize(model=st.sampled_from(MODELS))
    def make(self, model: str) -> None:
        """A machine of one vcpu."""
        self.user = Userspace(model, self.counts)

    def teardown(self) -> None:
        if self.user is not None:
            self.user.m.close()

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def act(self, data: st.DataObject, kind: Callable[[Userspace, Pick], None]) -> None:
        """One step."""
        assert self.user is not None
        kind(self.user, lambda values: data.draw(st.sampled_from(values)))


def test_native_and_ref_agree_on_ioctls(shares: Counter[str]) -> None:
    """Both answers of every ioctl are reached: done, and refused where it can be."""
    made = type("CountedIoctlMachine", (IoctlMachine,), {"counts": shares})
    run_repeatably(made, EXAMPLES, STEPS)
    for name in ("vcpu_ioctl_set_sregs", "vcpu_ioctl_get_one_reg", "vcpu_ioctl_set_one_reg", "vcpu_ioctl"):
        assert shares[f"{name} done"], name
        assert shares[f"{name} refused"], name
    assert shares["vcpu_ioctl_set_regs done"]


@pytest.mark.parametrize("model", MODELS)
def test_every_one_reg_agrees(model: str) -> None:
    """Every number below 400 hex in the three sizes, both ways: the same answer and the same state."""
    user = Userspace(model, Counter())
    with user.m as m:
        start = m.snapshot()
        for number in range(0x400):
            for size in SIZES:
                for verb in ("get", "set"):
                    m.call(f"kvm_vcpu_ioctl_{verb}_one_reg", 0, 1 << 60 | size << 48 | number, 0x5000)
            m.restore(start)
