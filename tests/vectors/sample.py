# SPDX-License-Identifier: BSD-3-Clause
"""Chooses few of many recorded cases so that every kind stays: for the package, and for pytest's tenth.

``python tests/vectors/sample.py`` writes pyexit/vectors/ anew from the recorded suites. Nothing is random.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import zlib
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, zip_longest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "pyexit" / "vectors"
COMPANIONS = ("baseline.json", "baseline_64.json", "baseline2.json", "baseline2_64.json", "world.json")

#: Cases a suite has in the package; the fetch and the TLB are what this version runs, so they have more.
CASES = {"load_last_inst": 300, "load_last_inst_64": 300, "hw_tlb": 24}
CASES_OF_OTHERS = 16

_STEP = re.compile(r"^seq\d+\.\d+/")  # sequences: the number of a step says nothing about its kind


def suites() -> list[Path]:
    """The recorded suites, kernel and peer."""
    return sorted((HERE / "linux-6.1").glob("*.jsonl.gz")) + sorted((HERE / "peer").glob("*.jsonl.gz"))


def lines(path: Path) -> list[bytes]:
    """The cases of a suite as they stand in the file."""
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def suite(path: Path) -> str:
    """The name of a suite's file without its suffixes."""
    return path.name.removesuffix(".jsonl.gz")


def stratified(cases: Iterable[bytes]) -> list[bytes]:
    """The cases in an order of which every prefix is spread over the strata as evenly as it can be."""
    strata: dict[str, list[bytes]] = defaultdict(list)
    for case in cases:
        strata[stratum(case)].append(case)
    # By checksum: where there are more strata than places, their names must not decide.
    ordered = sorted(strata.items(), key=lambda item: zlib.crc32(item[0].encode()))
    rounds = zip_longest(*(members for _, members in ordered))
    return [case for case in chain.from_iterable(rounds) if case is not None]


def stratum(case: bytes) -> str:
    """What a case is about: its function, and what its generator aimed at."""
    fields = json.loads(case)
    return f"{fields.get('func')} {_STEP.sub('', fields.get('tag', ''))}"


def sample(path: Path) -> list[bytes]:
    """The cases of a suite that the package has."""
    return stratified(lines(path))[: CASES.get(suite(path), CASES_OF_OTHERS)]


def write(folder: Path) -> None:
    """Write the sample and what it needs into `folder`."""
    folder.mkdir(exist_ok=True)
    for path in suites():
        (folder / path.name).write_bytes(gzip.compress(b"".join(sample(path)), 9, mtime=0))
    for name in COMPANIONS:
        shutil.copyfile(HERE / "linux-6.1" / name, folder / name)


if __name__ == "__main__":
    write(PACKAGE)
