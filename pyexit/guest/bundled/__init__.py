# SPDX-License-Identifier: BSD-3-Clause
"""The bundled guest: guest.elf, made of entry.S and guest.c by build.py."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
IMAGE = FOLDER / "guest.elf"
