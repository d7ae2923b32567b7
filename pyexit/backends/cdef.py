# SPDX-License-Identifier: BSD-3-Clause
"""cffi's declarations, derived from csrc/include/pyexit.h (design.md 3).

A small lexer instead of a preprocessor: no compiler is needed, and there is no second copy of the header. It
knows the constructs that the header is written in and refuses any other by line, so that a new construct is
noticed here and not in a wrong layout. The result has one line for each line of the header.

The compiler stays the authority on values: ``#define NAME 16`` becomes ``#define NAME ...`` and an enumerator
``NAME = ...``. Structs are copied as they are, so cffi compares their layout with the compiler's.

This module imports nothing of pyexit: the build runs it by path, before there is a package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# [ \t] and never \s: a newline ends a directive.
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TOKEN = re.compile(
    r"(?P<directive>^[ \t]*#[^\n]*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>\d\w*)"
    r"|(?P<mark>[{}()\[\];:,=*.])"
    r"|(?P<newline>\n)"
    r"|(?P<space>[ \t]+)"
    r"|(?P<unknown>[^\n])",
    re.MULTILINE,
)
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(?P<keyword>\w*)[ \t]*(?P<rest>.*?)[ \t]*")
_INTEGER_DEFINE = re.compile(r"(?P<name>\w+)[ \t]+(?P<value>0[xX][0-9A-Fa-f]+|[0-9]+)[uUlL]*")

#: What cffi knows without being told.
_INCLUDES = frozenset({"<stddef.h>", "<stdint.h>"})
#: Conditionals whose every branch is for compilers only.
_DROPPED = frozenset({"ifdef __cplusplus", "if defined(__GNUC__)"})
_DROPPED_WORDS = frozenset({"PYEXIT_API"})


class CdefError(ValueError):
    """The header has a construct that this lexer does not know."""


class Token(NamedTuple):
    """A piece of the header: its kind, its text, and the line it starts on."""

    kind: str
    text: str
    line: int


def cdef(header: str) -> str:
    """The text for ``ffi.cdef()`` that declares what `header` declares."""
    return "".join(_enums(_arrays(_declarations(_tokens(header)))))


def _tokens(header: str) -> Iterator[Token]:
    """The header cut into tokens, comments gone and line numbers kept."""
    text = _COMMENT.sub(lambda comment: " " + "\n" * comment[0].count("\n"), header)
    line = 1
    for match in _TOKEN.finditer(text):
        token = Token(match.lastgroup or "", match[0], line)
        line += token.kind == "newline"
        yield token


def _declarations(tokens: Iterable[Token]) -> Iterator[Token]:
    """What stands inside the include guard and outside every other conditional, integer #defines included."""
    conditionals = Conditionals()
    for token in tokens:
        if token.kind == "directive":
            yield from conditionals.directive(token)
        elif token.kind == "newline":
            yield token
        elif not conditionals.dropping and token.text not in _DROPPED_WORDS:
            yield _known(token)
    conditionals.end()


class Conditionals:
    """Where the lexer is among the conditionals: in the include guard, and in at most one that is dropped."""

    def __init__(self) -> None:
        self.name = ""
        self.open: list[Token] = []

    @property
    def dropping(self) -> bool:
        """Inside a conditional that is not the include guard."""
        return len(self.open) > 1

    def directive(self, token: Token) -> Iterator[Token]:
        """Handle one directive; yields the tokens that stand for it."""
        keyword, rest = _split(token)
        if keyword == "endif" and self.open:
            self.open.pop()
        elif keyword in ("if", "ifdef", "ifndef"):
            self._conditional(token, keyword, rest)
        elif not self.dropping:
            yield from self._plain(token, keyword, rest)
        elif keyword not in ("else", "define"):
            raise _unknown(token, "directive")

    def _conditional(self, token: Token, keyword: str, rest: str) -> None:
        if keyword == "ifndef" and not self.name:
            self.name = rest
        elif len(self.open) != 1 or f"{keyword} {rest}" not in _DROPPED:
            raise _unknown(token, "conditional")
        self.open.append(token)

    def _plain(self, token: Token, keyword: str, rest: str) -> Iterator[Token]:
        if keyword == "include" and rest in _INCLUDES:
            return
        if keyword == "define" and rest == self.name:
            return
        if keyword != "define" or not _INTEGER_DEFINE.fullmatch(rest):
            raise _unknown(token, "directive")
        yield token

    def end(self) -> None:
        """The header must have closed what it opened."""
        if self.open:
            raise _unknown(self.open[-1], "conditional without #endif:")


def _arrays(tokens: Iterable[Token]) -> Iterator[Token]:
    """#defines as cffi writes them, and array sizes that are written with their names as numbers."""
    sizes: dict[str, str] = {}
    in_brackets = False
    for token in tokens:
        if token.kind == "directive":
            name, value = _integer(token)
            sizes[name] = value
            token = token._replace(text=f"#define {name} ...")
        elif in_brackets and token.kind == "word":
            if token.text not in sizes:
                raise _unknown(token, "array size")
            token = token._replace(text=sizes[token.text])
        in_brackets = token.text == "[" or (in_brackets and token.text != "]")
        yield token


def _enums(tokens: Iterable[Token]) -> Iterator[str]:
    """The text, with every enumerator's value left to the compiler."""
    in_head = in_body = in_value = False
    for token in tokens:
        if in_body:
            in_body = token.text != "}"
            in_value = in_body and (in_value or token.text == "=") and token.text != ","
            if not in_value or token.kind == "newline":
                yield f"{token.text} = ..." if token.kind == "word" else token.text
            continue
        in_body = in_head and token.text == "{"
        in_head = token.text == "enum" or (in_head and token.kind != "mark")
        yield token.text


def _known(token: Token) -> Token:
    if token.kind == "unknown":
        raise _unknown(token, "character")
    return token


def _split(token: Token) -> tuple[str, str]:
    """A directive's keyword and what follows it."""
    match = _DIRECTIVE.fullmatch(token.text)
    if match is None:
        raise _unknown(token, "directive")
    return match["keyword"], match["rest"]


def _integer(token: Token) -> tuple[str, str]:
    """The name and the value, without suffix, of a #define of an integer."""
    match = _INTEGER_DEFINE.fullmatch(_split(token)[1])
    if match is None:
        raise _unknown(token, "directive")
    return match["name"], match["value"]


def _unknown(token: Token, what: str) -> CdefError:
    return CdefError(f"pyexit.h line {token.line}: {what} {token.text.strip()!r} is not known to cdef.py")
