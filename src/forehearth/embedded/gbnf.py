"""Grammars as values, and the GBNF text the engine reads.

A grammar is a mapping from rule names to nodes. Before it is printed, whatever cannot end is cut away, so that a
model is never led into a branch that it cannot leave. The engine's own limits are respected here: it silently drops
the upper bound of a repetition above 2,000, so none above `MOST_REPEATS` is ever printed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MOST_REPEATS: Final = 1_000
"""The largest bound of one repetition."""


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly these characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of these inclusive ranges."""

    ranges: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """These, one after another."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these; of none, when there is none."""

    options: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """This, from `least` to `most` times; `most` None means without bound."""

    node: "Node"
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """The rule of this name."""

    name: str


Node = Text | Chars | Seq | Choice | Repeat | Ref

NEVER: Final = Choice(())
"""Matches nothing at all, not even the empty text."""
EMPTY: Final = Text("")


class LeftRecursionError(ValueError):
    """A rule leads back to itself without reading a character; `rule` is its name."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"rule {rule} leads back to itself")
        self.rule = rule


def seq(*parts: Node) -> Node:
    """`parts` in order; `NEVER` when one of them is."""
    if NEVER in parts:
        return NEVER
    kept = tuple(part for part in parts if part != EMPTY)
    if not kept:
        return EMPTY
    return kept[0] if len(kept) == 1 else Seq(kept)


def choice(options: Iterable[Node]) -> Node:
    """One of `options`, without duplicates and without those that match nothing."""
    kept = tuple(dict.fromkeys(option for option in options if option != NEVER))
    return kept[0] if len(kept) == 1 else Choice(kept)


def optional(node: Node) -> Node:
    """`node` or nothing."""
    return EMPTY if node == NEVER else Repeat(node, 0, 1)


def render(rules: Mapping[str, Node], root: str) -> str | None:
    """The GBNF text of `rules`, starting at `root`; None when `root` matches nothing.

    Raises `LeftRecursionError` where the engine would refuse the grammar.
    """
    _refuse_left_recursion(_reachable(rules, root))
    alive = _fixpoint(rules, _ends)
    if root not in alive:
        return None
    kept = {name: _prune(rules[name], alive) for name in rules if name in alive}
    return _Printer(_reachable(kept, root), root).text()


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Seq):
        return node.parts
    if isinstance(node, Choice):
        return node.options
    return (node.node,) if isinstance(node, Repeat) else ()


def _refs(node: Node) -> Iterator[str]:
    if isinstance(node, Ref):
        yield node.name
    for child in _children(node):
        yield from _refs(child)


def _ends(node: Node, alive: set[str]) -> bool:
    """Whether some finite text matches `node`, given the rules known to."""
    if isinstance(node, Ref):
        return node.name in alive
    if isinstance(node, Seq):
        return all(_ends(part, alive) for part in node.parts)
    if isinstance(node, Choice):
        return any(_ends(option, alive) for option in node.options)
    if isinstance(node, Repeat):
        return node.least == 0 or _ends(node.node, alive)
    return True


def _nullable(node: Node, empty: set[str]) -> bool:
    """Whether the empty text matches `node`, given the rules known to match it."""
    if isinstance(node, Text):
        return not node.text
    if isinstance(node, Ref):
        return node.name in empty
    if isinstance(node, Seq):
        return all(_nullable(part, empty) for part in node.parts)
    if isinstance(node, Choice):
        return any(_nullable(option, empty) for option in node.options)
    return isinstance(node, Repeat) and (node.least == 0 or _nullable(node.node, empty))


def _fixpoint(rules: Mapping[str, Node], holds: Callable[[Node, set[str]], bool]) -> set[str]:
    """The smallest set of rules for which `holds`, which may look at the set so far, is true."""
    users: dict[str, list[str]] = {}
    for name, node in rules.items():
        for used in set(_refs(node)):
            users.setdefault(used, []).append(name)
    known: set[str] = set()
    todo = list(rules)
    while todo:
        name = todo.pop()
        if name not in known and holds(rules[name], known):
            known.add(name)
            todo.extend(users.get(name, ()))
    return known


def _prune(node: Node, alive: set[str]) -> Node:
    """`node` without what cannot end. Only for a node that can."""
    if isinstance(node, Seq):
        return seq(*(_prune(part, alive) for part in node.parts))
    if isinstance(node, Choice):
        return choice(_prune(option, alive) for option in node.options if _ends(option, alive))
    if isinstance(node, Repeat):
        return Repeat(_prune(node.node, alive), node.least, node.most) if _ends(node.node, alive) else EMPTY
    return node


def _reachable(rules: Mapping[str, Node], root: str) -> dict[str, Node]:
    """The rules that `root` needs, in their order."""
    seen = {root}
    todo = [root]
    while todo:
        for name in _refs(rules[todo.pop()]):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return {name: node for name, node in rules.items() if name in seen}


def _corners(node: Node, empty: set[str]) -> Iterator[str]:
    """The rules that may be entered before `node` has read a character."""
    if isinstance(node, Ref):
        yield node.name
    elif isinstance(node, Seq):
        for part in node.parts:
            yield from _corners(part, empty)
            if not _nullable(part, empty):
                return
    else:
        for child in _children(node):
            yield from _corners(child, empty)


def _refuse_left_recursion(rules: Mapping[str, Node]) -> None:
    empty = _fixpoint(rules, _nullable)
    corners = {name: list(_corners(node, empty)) for name, node in rules.items()}
    done: set[str] = set()
    for start in rules:
        trail: list[tuple[str, Iterator[str]]] = [(start, iter(corners[start]))] if start not in done else []
        open_rules = {start}
        while trail:
            name, ahead = trail[-1]
            following = next(ahead, None)
            if following is None:
                trail.pop()
                open_rules.discard(name)
                done.add(name)
            elif following in open_rules:
                raise LeftRecursionError(following)
            elif following not in done:
                open_rules.add(following)
                trail.append((following, iter(corners[following])))


_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "[": "\\[",
    "]": "\\]",
    "-": "\\-",
    "^": "\\x5E",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_HEX: Final = (("x", 2), ("u", 4), ("U", 8))
_PRINTABLE: Final = range(0x20, 0x7F)


def _char(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if code in _PRINTABLE:
        return char
    kind, digits = next((kind, digits) for kind, digits in _HEX if code < 16**digits)
    return f"\\{kind}{code:0{digits}X}"


def _literal(text: str) -> str:
    return '"' + "".join(char if char in "[]-" else _char(char) for char in text) + '"'


class _Printer:
    """Writes rules out. The body of a repetition becomes a rule of its own: the engine multiplies the rest."""

    def __init__(self, rules: Mapping[str, Node], root: str) -> None:
        self._rules = rules
        self._names = {name: f"r{index}" for index, name in enumerate(rules)}
        self._names[root] = "root"
        self._root = root
        self._extra: dict[Node, str] = {}
        self._lines: list[str] = []

    def text(self) -> str:
        for name in (self._root, *(name for name in self._rules if name != self._root)):
            self._lines.append(f"{self._names[name]} ::= {self._alternatives(self._rules[name])}")
        return "\n".join(self._lines) + "\n"

    def _alternatives(self, node: Node) -> str:
        options = node.options if isinstance(node, Choice) else (node,)
        return " | ".join(self._inline(option) for option in options)

    def _inline(self, node: Node) -> str:
        if isinstance(node, Text):
            return _literal(node.text)
        if isinstance(node, Chars):
            return "[" + "".join(_char(a) if a == b else f"{_char(a)}-{_char(b)}" for a, b in node.ranges) + "]"
        if isinstance(node, Ref):
            return self._names[node.name]
        if isinstance(node, Seq):
            return " ".join(self._inline(part) for part in node.parts)
        return self._repeat(node) if isinstance(node, Repeat) else f"({self._alternatives(node)})"

    def _repeat(self, node: Repeat) -> str:
        body = self._inline(node.node) if isinstance(node.node, Ref | Chars) else self._named(node.node)
        bounds = (node.least, node.most)
        if bounds == (1, 1):
            return body
        short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(bounds)
        if short is not None:
            return body + short
        most = "" if node.most is None else str(node.most)
        return f"{body}{{{node.least}}}" if node.least == node.most else f"{body}{{{node.least},{most}}}"

    def _named(self, node: Node) -> str:
        if node not in self._extra:
            self._extra[node] = name = f"x{len(self._extra)}"
            self._lines.append(f"{name} ::= {self._alternatives(node)}")
        return self._extra[node]
