# SPDX-License-Identifier: BSD-3-Clause
"""``python -m pyexit``: the same as ``pyexit``."""

from pyexit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
