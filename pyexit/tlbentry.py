# SPDX-License-Identifier: BSD-3-Clause
"""One TLB entry, as the five MAS words it is made of (mmu-hardware 2.2-2.6)."""

from __future__ import annotations

from pyexit.errors import nearest

#: MAS2 attribute bits and MAS3 permission bits, in the order in which they are written.
ATTRIBUTES = {"W": 0x10, "I": 0x08, "M": 0x04, "G": 0x02, "E": 0x01}
PERMISSIONS = {"UX": 0x20, "SX": 0x10, "UW": 0x08, "SW": 0x04, "UR": 0x02, "SR": 0x01}

#: Fields by name: MAS word, shift, width in bits. rpn is not here: it spans MAS7 and MAS3.
FIELDS = {
    "valid": (1, 31, 1),
    "iprot": (1, 30, 1),
    "tid": (1, 16, 14),
    "ind": (1, 13, 1),
    "ts": (1, 12, 1),
    "tsize": (1, 7, 5),
    "epn": (2, 12, 52),
    "x": (2, 5, 2),
    "wimge": (2, 0, 5),
    "u": (3, 6, 4),
    "perms": (3, 0, 6),
    "tgs": (8, 31, 1),
    "vf": (8, 30, 1),
    "tlpid": (8, 0, 12),
}
_WORDS = {1: 32, 2: 64, 3: 32, 7: 32, 8: 32}
_RPN_LOW = 20  # bits of the real page number in MAS3; the rest is MAS7


class TlbEntry:
    """An entry of TLB0 or TLB1.

    ``TlbEntry(epn=0x590, rpn=0xc07d1, tsize=2, tid=5, tgs=1, tlpid=2, wimge="M", perms="UX SX UR SR")``

    Keyword arguments, all 0 unless given: `epn`, `rpn` (numbers of 4 KiB pages: address >> 12), `tsize` (the
    page is 2**tsize KiB; 2 unless given), `tid`, `ts`, `tgs`, `tlpid`, `iprot`, `ind`, `vf`, `valid` (1
    unless given), `wimge` and `perms` (an int, or the letters), `u` (U0-U3), `x` (X0, X1). `tlbsel` and
    `index` say where the entry was found and do not count in comparisons. ValueError for a value that its
    field cannot hold, TypeError for an unknown name. Every field is an attribute; the words are `mas1`,
    `mas2`, `mas3`, `mas7` and `mas8`.
    """

    __slots__ = ("_mas", "index", "tlbsel")
    _mas: tuple[int, int, int, int, int]

    def __init__(self, *, tlbsel: int | None = None, index: int | None = None, **fields: int | str) -> None:
        self.tlbsel, self.index = tlbsel, index
        self._fill({"valid": 1, "tsize": 2, **fields})

    def _fill(self, fields: dict[str, int | str]) -> None:
        """Work out the words."""
        words = dict.fromkeys(_WORDS, 0)
        rpn = _fit("rpn", fields.get("rpn", 0), 32 + _RPN_LOW)
        words[3], words[7] = rpn << 12 & 0xFFFFF000, rpn >> _RPN_LOW
        for name, value in fields.items():
            if name != "rpn":
                word, shift, width = _place(name)
                words[word] |= _fit(name, value, width) << shift
        self._mas = (words[1], words[2], words[3], words[7], words[8])

    @classmethod
    def from_mas(
        cls,
        mas1: int,
        mas2: int,
        mas3: int,
        mas7: int = 0,
        mas8: int = 0,
        *,
        tlbsel: int | None = None,
        index: int | None = None,
    ) -> TlbEntry:
        """The entry of five MAS words, every bit kept; ValueError if one does not fit its register."""
        for (number, width), value in zip(_WORDS.items(), (mas1, mas2, mas3, mas7, mas8), strict=True):
            _fit(f"mas{number}", value, width)
        entry = cls(tlbsel=tlbsel, index=index)
        entry._mas = (mas1, mas2, mas3, mas7, mas8)
        return entry

    @property
    def mas1(self) -> int:
        """MAS1: identity."""
        return self._mas[0]

    @property
    def mas2(self) -> int:
        """MAS2: effective page number and attributes, 64 bits."""
        return self._mas[1]

    @property
    def mas3(self) -> int:
        """MAS3: low real page number and permissions."""
        return self._mas[2]

    @property
    def mas7(self) -> int:
        """MAS7: high real page number."""
        return self._mas[3]

    @property
    def mas8(self) -> int:
        """MAS8: guest state and LPID tags."""
        return self._mas[4]

    @property
    def rpn(self) -> int:
        """Real page number: real address >> 12."""
        return self.mas7 << _RPN_LOW | self.mas3 >> 12

    @property
    def size(self) -> int:
        """Bytes that the entry maps; never less than 4 KiB (mmu-hardware 4.5)."""
        return 1 << max(self.tsize + 10, 12)

    def __getattr__(self, name: str) -> int:
        if name not in FIELDS:
            raise AttributeError(f"a TLB entry has no {name!r}{nearest(name, FIELDS)}")
        word, shift, width = FIELDS[name]
        value: int = getattr(self, f"mas{word}")
        return value >> shift & (1 << width) - 1

    def fields(self) -> dict[str, int | str]:
        """The fields that differ from a TlbEntry() without arguments, as the constructor takes them."""
        values: dict[str, int | str] = {"epn": self.epn, "rpn": self.rpn, "tsize": self.tsize}
        values |= {name: getattr(self, name) for name in FIELDS if name not in ("epn", "tsize", "valid")}
        values["wimge"] = "".join(letters(self.wimge, ATTRIBUTES))
        if not self.ind:
            values["perms"] = " ".join(letters(self.perms, PERMISSIONS))
        kept = {name: value for name, value in values.items() if value or name in ("epn", "rpn", "tsize")}
        return kept if self.valid else {"valid": 0, **kept}

    def __repr__(self) -> str:
        where = "" if self.tlbsel is None else f", tlbsel={self.tlbsel}, index={self.index}"
        plain = TlbEntry()
        plain._fill({"valid": 1, **self.fields()})
        if plain != self:
            return f"TlbEntry.from_mas({', '.join(map(hex, self._mas))}{where})"
        texts = (f"{name}={_text(name, value)}" for name, value in self.fields().items())
        return f"TlbEntry({', '.join(texts)}{where})"

    def __eq__(self, other: object) -> bool:
        return self._mas == other._mas if isinstance(other, TlbEntry) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._mas)


def letters(value: int, table: dict[str, int]) -> list[str]:
    """The names of the bits that are set."""
    return [name for name, bit in table.items() if value & bit]


def _place(name: str) -> tuple[int, int, int]:
    if name not in FIELDS:
        raise TypeError(f"no TLB entry field {name!r}{nearest(name, [*FIELDS, 'rpn'])}")
    return FIELDS[name]


def _text(name: str, value: int | str) -> str:
    return hex(value) if isinstance(value, int) and name in ("epn", "rpn", "perms", "tid") else repr(value)


def _fit(name: str, value: int | str, width: int) -> int:
    """`value` as a number of `width` bits; letters are looked up."""
    if isinstance(value, str):
        return _from_letters(name, value)
    if not isinstance(value, int):
        raise TypeError(f"{name} takes an int, not {type(value).__name__}")
    if value < 0 or value >> width:
        raise ValueError(f"{name} is {width} bits wide: {value:#x} does not fit")
    return int(value)


def _from_letters(name: str, text: str) -> int:
    tables = {"wimge": ATTRIBUTES, "perms": PERMISSIONS}
    if name not in tables:
        raise TypeError(f"{name} takes an int, not str")
    words = text.upper().split() if name == "perms" else [*text.upper().replace(" ", "")]
    unknown = [word for word in words if word not in tables[name]]
    if unknown:
        raise ValueError(f"{name}: no {unknown[0]!r}; there are {' '.join(tables[name])}")
    return sum({tables[name][word] for word in words})
