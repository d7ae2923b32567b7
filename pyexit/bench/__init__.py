# SPDX-License-Identifier: BSD-3-Clause
"""What the fast path costs: prepared machines, timing, and the targets that pyexit sets itself."""
