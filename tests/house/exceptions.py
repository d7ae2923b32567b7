# SPDX-License-Identifier: BSD-3-Clause
"""Every exception from the laws that the house tests check, with its reason. There is no other list.

A test fails for a row that is no longer needed.
"""

from __future__ import annotations

#: Rooms of the core without a Python room of the same word, or the other way round, or without a unit test.
ONE_WORD: dict[str, str] = {
    "csrc/kvm/calls.c": "pyexit/ref/kvm/calls.py is a part of what csrc/calls.c is",
    "csrc/kvm/gtlb_array.c": "the arrays below gtlb and stlb, which need each other's in C",
    "csrc/kvm/host_services.c": "the reference splits the host into its state, host.py, and its verbs",
    "csrc/kvm/user.c": "the memory of the VMM is structs in the public header: C needs no code for it",
    "pyexit/ref/kvm/lookaside.py": "the reference has no fast path: it searches, one entry after the other",
    "csrc/kvm/kvm_run.c": "the arms of kvm_run's union: C has a union for that",
}

#: Files of tests/unit that are named after no room: what they test instead.
UNIT_TESTS: dict[str, str] = {
    "tests/unit/test_emulate_rows.py": "the tables of emulate 9.1 and 9.2, which cross rooms",
    "tests/unit/test_mmio_rows.py": "the table of emulate 9.3, which crosses rooms",
    "tests/unit/test_kvm_quirks.py": "the quirks of exit 15, which cross rooms",
    "tests/unit/test_mmu_kvm_examples.py": "the tables of mmu-kvm 17, which cross rooms",
    "tests/unit/test_worked_examples.py": "the tables of mmu-hardware 14, which cross rooms",
}

_RECORDS = (
    "the state block is bytes; the codec between bytes and objects is outside the reference (design.md 3)"
)

_SPEED = "the reference has no fast path: it searches, one entry after the other"

#: Constants of the C headers that the reference does not have.
C_ONLY: dict[str, str] = {
    "ABI_MAJOR": "the reference has no binary interface",
    "ABI_MINOR": "the reference has no binary interface",
    "RECORDS": _RECORDS,
    "RECORD_HTLB0": _RECORDS,
    "RECORD_HTLB1": _RECORDS,
    "RECORD_CORE": _RECORDS,
    "RECORD_SPR": _RECORDS,
    "RECORD_THREAD": _RECORDS,
    "RECORD_HOST": _RECORDS,
    "RECORD_KVM": _RECORDS,
    "RECORD_VCPU": _RECORDS,
    "RECORD_RUN": _RECORDS,
    "RECORD_E500": _RECORDS,
    "RECORD_LRAT": _RECORDS,
    "RECORD_USER": _RECORDS,
    "RECORD_SWTLB": _RECORDS,
    "SEARCH_AUTO": _SPEED,
    "SEARCH_SCALAR": _SPEED,
    "SEARCH_SSE41": _SPEED,
    "SEARCH_AVX2": _SPEED,
    "SEARCH_AVX512": _SPEED,
    "SEARCH_NEON": _SPEED,
    "LOOKASIDE": _SPEED,
    "LOOKASIDE_MOST": _SPEED,
    "SITE_LOOKASIDE": _SPEED,
    "SITE_INVARIANT": "the reference tells violations; only the core has a verb end with them",
    "CALL_THREAD": "the reference writes the word",
    "CALL_VCPU": "the reference writes the word",
    "CALL_VM": "the reference writes the word",
    "CALL_ARGUMENTS": "a Python function takes what it takes",
    "POINT_DONE": "marks an action that has happened; the reference removes it from its list",
    "KVM_NOTHING_MAPPED": "the reference says it with a flag",
    "KVM_MAPPED_GUARDED": "the reference says it with a flag",
    "KVM_MAPPED_UNGUARDED": "the reference says it with a flag",
}

_WALK = "how a walk ended: enum ppc_walk_outcome of hw/walk.h, which is no constant of the architecture"

#: Constants of the reference that no C header has.
REFERENCE_ONLY: dict[str, str] = {
    "RELOADED": _WALK,
    "INVALID": _WALK,
    "INELIGIBLE": _WALK,
    "LRAT_MISS": _WALK,
    "NOT_RAM": _WALK,
    "INST_GENERIC": "the type of a fetch, which HV Book E ignores (exit 4.1): C has no use for its name",
    "MSR_SF": "C says why it is not looked at (Q1, Q2); the reference looks and finds 0",
    "NO_CPU": "C writes UINT32_MAX",
    "NO_INDEX": "C writes -1",
    "PAGE_OFFSET": "C writes PYEXIT_PAGE_SIZE - 1",
}

#: Standard headers that a file of the core may include beyond string.h, stddef.h and stdint.h.
INCLUDES: dict[tuple[str, str], str] = {
    ("csrc/api/search.c", "immintrin.h"): "the compiler's names for vector instructions: x86",
    ("csrc/api/search.c", "arm_neon.h"): "the compiler's names for vector instructions: AArch64",
    ("csrc/api/new.c", "stdlib.h"): "pyexit_machine_new() is size and init over malloc, for who has it",
}

#: errno.h is the one header that several files may include besides: it has numbers, and no code.
NUMBERS_ONLY = "errno.h"

#: Top-level entries that design.md 8 does not list.
TOP_LEVEL: dict[str, str] = {
    "MANIFEST.in": "setuptools asks for it: the source distribution holds csrc",
    ".gitignore": "what building leaves behind",
    ".clang-format": "style.md: in the repository",
}
