# SPDX-License-Identifier: BSD-3-Clause
"""Unicorn as the engine (unicorn.md): a deprivileged e500mc with a virtual TLB.

The guest runs at MSR[PR] = 1, so every privileged instruction traps; MSR[IS] = MSR[DS] = the guest's PR keeps
its user and supervisor pages apart without a flush (pitfall 21). A page that the machine refuses ends the run
with nothing changed and pc at the instruction; the driver takes the interrupt and tries again.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from pyexit.guest import library
from pyexit.guest.engine import Cause, Mmu, Page, Registers, Stop

unicorn: Any = library("unicorn")
const: Any = library("unicorn.unicorn_const")
ppc: Any = library("unicorn.ppc_const")
#: The C functions behind the binding: its own batch calls take 80 us, these take one.
_lib: Any = library("unicorn.unicorn_py3.unicorn").uclib

PAGE = 4096
_MASK32 = 0xFFFFFFFF
#: Pitfall 14: the default reserves 1 GiB an engine.
_TCG_BUFFER = 32 << 20

MSR_PR, MSR_FP, MSR_IS_DS = 0x4000, 0x2000, 0x30
_MSR_PASSED = 0x2900  # FP, FE0, FE1

_INTR_ALIGNMENT, _INTR_PROGRAM, _INTR_FP_UNAVAILABLE, _INTR_SYSCALL, _INTR_EMULATION = 5, 6, 7, 8, 96
_ESR_PTR = 0x02000000
_WAIT = 0x7C00007C

#: Moves that Unicorn executes from its own registers (pitfalls 1, 2): mftb, mfspr TBL, TBU, SPRG3 to SPRG7.
_OWN_MOVES = re.compile(
    rb"(?=[\x7c-\x7f][\x03-\x07\x0c\x0d\x23-\x27\x2c\x2d\x43-\x47\x4c\x4d\x63-\x67\x6c\x6d"
    rb"\x83-\x87\x8c\x8d\xa3-\xa7\xac\xad\xc3-\xc7\xcc\xcd\xe3-\xe7\xec\xed]\x42[\xa6\xe6])",
    re.DOTALL,
)
_ACCESS = {const.UC_MEM_READ: "load", const.UC_MEM_WRITE: "store", const.UC_MEM_FETCH: "fetch"}
_REGISTERS = (
    *(ppc.UC_PPC_REG_0 + n for n in range(32)),
    ppc.UC_PPC_REG_LR,
    ppc.UC_PPC_REG_CTR,
    ppc.UC_PPC_REG_CR,
)
_IDS = (ctypes.c_int * len(_REGISTERS))(*_REGISTERS)


def _is_own_move(word: int) -> bool:
    return _OWN_MOVES.match(word.to_bytes(4, "big")) is not None


class UnicornEngine:
    """One guest processor; `ram`: (real address, writable buffer) ranges, shared with the machine."""

    def __init__(self, mmu: Mmu, ram: Sequence[tuple[int, Any]]) -> None:
        self._mmu = mmu
        self._ram = [(base, len(memoryview(buffer).cast("B")), buffer) for base, buffer in ram]
        self._pins = [(ctypes.c_ubyte * size).from_buffer(buffer) for _, size, buffer in self._ram]
        self._uc = uc = unicorn.Uc(const.UC_ARCH_PPC, const.UC_MODE_PPC32 | const.UC_MODE_BIG_ENDIAN)
        uc.ctl_set_cpu_model(ppc.UC_CPU_PPC32_E500MC)
        uc.ctl_set_tcg_buffer_size(_TCG_BUFFER)
        uc.ctl_set_tlb_mode(const.UC_TLB_VIRTUAL)
        uc.ctl_exits_enabled(True)  # pitfall 5
        uc.ctl_set_exits([])
        for (base, size, _), pin in zip(self._ram, self._pins, strict=True):
            uc.mem_map_ptr(base, size, const.UC_PROT_ALL, ctypes.addressof(pin))
        uc.hook_add(const.UC_HOOK_TLB_FILL, self._fill)
        uc.hook_add(const.UC_HOOK_INTR, self._trap)
        self._hooked: set[int] = set()  # addresses with a CODE hook
        self._written: set[int] = set()  # real pages that were granted for stores
        self._code: set[int] = set()  # real pages that were granted for fetches
        self._scanned: set[tuple[int, int]] = set()  # pages in which own moves were looked for
        self._refused: tuple[str, int] | None = None
        self._intr: int | None = None
        self._own_move = False
        self._asked = False
        self._error: BaseException | None = None
        self._pc = 0
        self._msr = -1
        self._values = (ctypes.c_uint32 * len(_IDS))()
        start = ctypes.addressof(self._values)
        self._places = (ctypes.c_void_p * len(_IDS))(*(start + 4 * n for n in range(len(_IDS))))

    # The registers

    def read(self) -> Registers:
        """The registers; XER stays in the engine, which is the only one that changes it (pitfall 10)."""
        _lib.uc_reg_read_batch(self._uc._uch, _IDS, self._places, len(_IDS))
        *gpr, lr, ctr, cr = self._values
        return Registers(tuple(gpr), lr, ctr, cr, self._pc, self._msr)

    def write(self, registers: Registers) -> None:
        """Set the registers."""
        self._values[:] = [*registers.gpr, registers.lr, registers.ctr, registers.cr]
        _lib.uc_reg_write_batch(self._uc._uch, _IDS, self._places, len(_IDS))
        self._pc = registers.pc & _MASK32
        if registers.msr != self._msr:
            self._msr = registers.msr
            spaces = MSR_IS_DS if registers.msr & MSR_PR else 0
            self._uc.reg_write(ppc.UC_PPC_REG_MSR, MSR_PR | spaces | (registers.msr & _MSR_PASSED))

    # Execution

    def run(self, limit: int) -> Stop:
        """Execute up to `limit` instructions."""
        self._refused = self._intr = None
        self._own_move = False
        if self._asked:
            return self._was_asked()
        try:
            self._uc.emu_start(self._pc, 0, 0, limit)
            faulted = False
        except unicorn.UcError as error:
            faulted = True
            if self._error is None and (error.errno != const.UC_ERR_EXCEPTION or self._refused is None):
                raise
        self._pc = self._uc.reg_read(ppc.UC_PPC_REG_PC) & _MASK32
        if self._error is not None:
            raised, self._error = self._error, None
            raise raised
        return self._explain(faulted)

    def _explain(self, faulted: bool) -> Stop:
        """What the hooks have left behind."""
        pc = self._pc
        if faulted and self._refused is not None:
            access, page = self._refused
            if access == "fetch":
                return Stop(Cause.FETCH, pc, page)
            return Stop(Cause.DATA, pc, page, store=access == "store")
        if self._intr is not None:
            self._pc = pc = (pc - 4) & _MASK32  # unicorn.md: always behind the instruction
            return self._trapped(pc, self._intr)
        if self._own_move:
            return Stop(Cause.INSTRUCTION, pc)
        if self._asked:
            return self._was_asked()
        if self.word((pc - 4) & _MASK32) == _WAIT:
            return Stop(Cause.WAIT, pc)
        return Stop(Cause.SLICE, pc)

    def _trapped(self, pc: int, number: int) -> Stop:
        """An interrupt of Unicorn; it does not say why, the instruction does."""
        word = self.word(pc) or 0
        if number == _INTR_SYSCALL:
            return Stop(Cause.INTERRUPT, pc, ivor=40 if word >> 5 & 1 else 8)
        if number == _INTR_FP_UNAVAILABLE:
            return Stop(Cause.INTERRUPT, pc, ivor=7)
        if number == _INTR_ALIGNMENT:
            return Stop(Cause.INTERRUPT, pc, ivor=5)
        if number == _INTR_PROGRAM and (word >> 26 == 3 or (word >> 26 == 31 and word >> 1 & 0x3FF == 4)):
            return Stop(Cause.INTERRUPT, pc, ivor=6, esr=_ESR_PTR)
        if number in (_INTR_PROGRAM, _INTR_EMULATION):
            return Stop(Cause.INSTRUCTION, pc)
        raise RuntimeError(f"Unicorn reports interrupt {number} at {pc:#x} ({word:#010x})")

    def _was_asked(self) -> Stop:
        self._asked = False
        return Stop(Cause.ASKED, self._pc)

    def stop(self) -> None:
        """Ask for a stop between slices (pitfall 19: stopping Unicorn from outside corrupts the guest)."""
        self._asked = True

    def word(self, ea: int) -> int | None:
        """The instruction at `ea`; None where nothing can be fetched."""
        page = self._mmu.page(ea & ~(PAGE - 1), "fetch")
        if page is None:
            return None
        data = self._memory(page.real + (ea & (PAGE - 1)), 4)
        return None if data is None else int.from_bytes(data, "big")

    def _memory(self, real: int, size: int) -> bytes | None:
        for base, length, buffer in self._ram:
            if base <= real and real + size <= base + length:
                return bytes(memoryview(buffer)[real - base : real - base + size])
        return None

    # Forgetting

    def forget(self) -> None:
        """Empty the virtual TLB; legal in hooks too."""
        self._uc.ctl(const.UC_CTL_TLB_FLUSH, const.UC_CTL_IO_WRITE)

    def code_changed(self, real: int, size: int) -> None:
        """Forget translated code (pitfall 4); nothing to do for pages that were never executed."""
        pages = range(real & ~(PAGE - 1), real + size, PAGE)
        if any(page in self._code for page in pages):
            self._uc.ctl_flush_tb()

    def close(self) -> None:
        """Let go of the RAM."""
        for base, size, _ in self._ram:
            self._uc.mem_unmap(base, size)
        self._pins.clear()

    # Hooks: nothing may be raised in them (pitfall 11)

    def _fill(self, uc: Any, ea: int, kind: int, entry: Any, data: Any) -> bool:
        try:
            access = _ACCESS[kind]
            page = self._mmu.page(ea, access)
            if page is None:
                self._refused = (access, ea)
                return False
            entry.paddr = page.real
            entry.perms = self._grant(ea, access, page)
            return True
        except BaseException as error:
            self._error = error
            return False

    def _grant(self, ea: int, access: str, page: Page) -> int:
        """The permissions of a fill (pitfall 17): never stores and fetches together, but for known code."""
        granted: int = const.UC_PROT_READ if page.read else 0
        if access == "fetch":
            if page.real not in self._code:
                self._code.add(page.real)
                if page.real in self._written:
                    self.forget()
            self._hook_own_moves(ea, page.real)
            return granted | int(const.UC_PROT_EXEC)
        if access == "store":
            self._written.add(page.real)
            granted |= int(const.UC_PROT_WRITE)
            if page.real in self._code:
                granted |= int(const.UC_PROT_EXEC)
        return granted

    def _hook_own_moves(self, ea: int, real: int) -> None:
        """Find them at a fetch; a page that was never granted for stores is looked at once."""
        if (ea, real) in self._scanned and real not in self._written:
            return
        self._scanned.add((ea, real))
        data = self._memory(real, PAGE) or b""
        for found in _OWN_MOVES.finditer(data):
            address = ea + found.start()
            if not address & 3 and address not in self._hooked:
                self._hooked.add(address)
                self._uc.hook_add(const.UC_HOOK_CODE, self._move, begin=address, end=address)

    def _move(self, uc: Any, ea: int, size: int, data: Any) -> None:
        try:
            word = self.word(ea)
            if word is not None and _is_own_move(word):
                self._own_move = True
                uc.emu_stop()
        except BaseException as error:
            self._error = error
            uc.emu_stop()

    def _trap(self, uc: Any, number: int, data: Any) -> None:
        self._intr = number
        uc.emu_stop()
