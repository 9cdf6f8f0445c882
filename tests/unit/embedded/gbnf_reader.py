"""A reader of GBNF text that shares nothing with the compiler: it says whether a text matches, and derives texts.

It follows the engine: the same expansion of repetitions, the same limit on them, no left recursion.
"""

import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ENGINE_REPEATS = 2_000
"""From here on the engine refuses a repetition, or silently drops its upper bound."""

_UNBOUNDED = -1
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}

Element = tuple[Any, ...]
"""`("chars", negated, ranges)`, `("rule", name)` or `("repeat", element, least, most)`."""


@dataclass(frozen=True)
class Grammar:
    """Rules by name: alternatives of sequences of elements."""

    rules: dict[str, list[list[Element]]]

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is derived from `root`."""
        stacks = self._ahead([(("rule", "root"), None)])
        for char in text:
            following = [rest for (element, rest) in stacks - {None} if _accepts(element, char)]
            stacks = self._ahead(following)
            if not stacks:
                return False
        return None in stacks

    def _ahead(self, stacks: list[Any]) -> set[Any]:
        """The stacks that have a character, or nothing, on top."""
        ready, seen, todo = set(), set(), list(stacks)
        while todo:
            stack = todo.pop()
            if stack in seen:
                continue
            seen.add(stack)
            if stack is None or stack[0][0] == "chars":
                ready.add(stack)
                continue
            (kind, *rest), below = stack
            if kind == "rule":
                for sequence in self.rules[rest[0]]:
                    pushed = below
                    for element in reversed(sequence):
                        pushed = (element, pushed)
                    todo.append(pushed)
            else:
                todo += _repeated(*rest, below)
        return ready

    def derive(self, chance: random.Random, budget: int = 200) -> str:
        """A text that the grammar matches, by chance; past `budget` characters it takes the shortest way out."""
        lengths = self._shortest
        out: list[str] = []
        stack: list[Element] = [("rule", "root")]
        while stack:
            element = stack.pop()
            over = len(out) + len(stack) > budget
            if element[0] == "chars":
                out.append(_some_char(element, chance))
            elif element[0] == "rule":
                options = self.rules[element[1]]
                if over:
                    options = [min(options, key=lambda option: _length(option, lengths))]
                stack += reversed(chance.choice(options))
            else:
                _, inner, least, most = element
                top = least if over else min(most, least + 4) if most != _UNBOUNDED else least + 4
                stack += [inner] * (
                    most if most != _UNBOUNDED and chance.random() < 0.05 and not over else chance.randint(least, top)
                )
        return "".join(out)

    @cached_property
    def _shortest(self) -> dict[str, float]:
        """How few characters each rule can do with."""
        lengths = dict.fromkeys(self.rules, float("inf"))
        while True:
            better = {name: min(_length(option, lengths) for option in options) for name, options in self.rules.items()}
            if better == lengths:
                return lengths
            lengths = better


def _repeated(element: Element, least: int, most: int, below: Any) -> list[Any]:
    if most == 0:
        return [below]
    fewer = most if most == _UNBOUNDED else most - 1
    once = (element, (("repeat", element, max(0, least - 1), fewer), below))
    return [once] if least else [once, below]


def _length(sequence: list[Element], lengths: dict[str, float]) -> float:
    total = 0.0
    for element in sequence:
        if element[0] == "chars":
            total += 1
        elif element[0] == "rule":
            total += lengths[element[1]]
        elif element[2]:
            total += element[2] * _length([element[1]], lengths)
    return total


def _accepts(element: Element, char: str) -> bool:
    _, negated, ranges = element
    return any(low <= char <= high for low, high in ranges) != negated


def _some_char(element: Element, chance: random.Random) -> str:
    _, negated, ranges = element
    while negated:
        char = chr(chance.randint(0x20, 0x7E))
        if _accepts(element, char):
            return char
    low, high = chance.choice(ranges)
    top = min(ord(high), ord(low) + 200) if chance.random() < 0.8 else ord(high)
    return chr(chance.randint(ord(low), top))


def read(text: str) -> Grammar:
    """The grammar that GBNF `text` means. Fails on whatever the engine would refuse."""
    grammar = Grammar(_Reader(text).rules())
    for options in grammar.rules.values():
        for name in (name for option in options for name in _names(option)):
            assert name in grammar.rules, f"undefined rule {name}"
    return grammar


def _names(sequence: list[Element]) -> list[str]:
    found = []
    for element in sequence:
        if element[0] == "rule":
            found.append(element[1])
        elif element[0] == "repeat":
            found += _names([element[1]])
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._rules: dict[str, list[list[Element]]] = {}

    def rules(self) -> dict[str, list[list[Element]]]:
        for line in self._text.splitlines():
            name, arrow, body = line.partition(" ::= ")
            assert arrow
            assert name not in self._rules, f"rule {name} twice"
            self._text, self._at = body, 0
            self._rules[name] = self._alternatives()
            assert self._at == len(body), f"{body[self._at :]!r} left over"
        return self._rules

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _blank(self) -> None:
        while self._peek() == " ":
            self._at += 1

    def _alternatives(self) -> list[list[Element]]:
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            self._blank()
            options.append(self._sequence())
        return options

    def _sequence(self) -> list[Element]:
        items: list[Element] = []
        while self._peek() and self._peek() not in "|)":
            last = self._item()
            self._blank()
            if self._peek() and self._peek() in "*+?{":
                assert len(last) == 1, "only one element is repeated, or the engine counts otherwise"
                last = [self._repetition(last[0])]
                self._blank()
            items += last
        return items

    def _item(self) -> list[Element]:
        mark = self._peek()
        if mark == '"':
            return self._literal()
        if mark == "[":
            return [self._chars()]
        if mark == "(":
            self._at += 1
            name = f"group {len(self._rules)}-{self._at}"
            self._rules[name] = self._alternatives()
            assert self._peek() == ")"
            self._at += 1
            return [("rule", name)]
        start = self._at
        while self._peek().isalnum() or self._peek() == "-":
            self._at += 1
        assert self._at > start, f"no element at {self._text[start:]!r}"
        return [("rule", self._text[start : self._at])]

    def _literal(self) -> list[Element]:
        self._at += 1
        chars: list[Element] = []
        while self._peek() != '"':
            char = self._char()
            chars.append(("chars", False, ((char, char),)))
        self._at += 1
        return chars

    def _chars(self) -> Element:
        self._at += 1
        negated = self._peek() == "^"
        self._at += negated
        ranges = []
        while self._peek() != "]":
            low = high = self._char()
            if self._peek() == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                high = self._char()
            assert low <= high
            ranges.append((low, high))
        self._at += 1
        return ("chars", negated, tuple(ranges))

    def _char(self) -> str:
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            return char
        kind = self._text[self._at]
        self._at += 1
        if kind in _HEX_DIGITS:
            digits = self._text[self._at : self._at + _HEX_DIGITS[kind]]
            self._at += _HEX_DIGITS[kind]
            return chr(int(digits, 16))
        assert kind in '\\"[]-' or kind in _ESCAPES, f"the engine knows no escape {kind!r}"
        return _ESCAPES.get(kind, kind)

    def _repetition(self, element: Element) -> Element:
        mark = self._peek()
        self._at += 1
        if mark != "{":
            return ("repeat", element, int(mark == "+"), 1 if mark == "?" else _UNBOUNDED)
        end = self._text.index("}", self._at)
        low, comma, high = self._text[self._at : end].partition(",")
        self._at = end + 1
        least = int(low)
        most = int(high) if high else _UNBOUNDED if comma else least
        assert max(least, most) < ENGINE_REPEATS, "the engine would drop the bound"
        return ("repeat", element, least, most)
