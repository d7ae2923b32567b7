# SPDX-License-Identifier: BSD-3-Clause
"""Formats: events as text, kernel vectors, scenarios (vectors/SCHEMA.md, docs/scenario.md)."""
