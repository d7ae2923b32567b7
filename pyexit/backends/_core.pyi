# SPDX-License-Identifier: BSD-3-Clause
"""The compiled core: what cffi makes of csrc/include/pyexit.h."""

from typing import Any

ffi: Any
lib: Any
