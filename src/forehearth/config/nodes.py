"""YAML text as a tree of nodes that know their line and column. Nothing is converted here: `port: 8080` is text.

It reads the parser's events, one by one, and not PyYAML's own tree, so that depth and size are bounded before
anything is built. Aliases and merge keys (`<<`) are unfolded, within the same bounds; tags are refused.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from forehearth.config.problems import shortened

MOST_VALUES: Final = 50_000
"""Keys and values of one file, aliases unfolded."""
DEEPEST: Final = 32
"""How deep lists and mappings may be nested."""


class Mark(msgspec.Struct, frozen=True):
    """A place in the file, both from 1."""

    line: int
    column: int


class Fault(Exception):
    """Something is wrong at a place. Raised where reading cannot go on, and kept where it can."""

    def __init__(self, mark: Mark, message: str, hint: str = "", path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.mark = mark
        self.path = path
        self.message = message
        self.hint = hint


class Scalar(msgspec.Struct, frozen=True, kw_only=True):
    """A single value, as text. `plain` is one without quotes, whose words may mean a number, true, false or null."""

    mark: Mark
    text: str
    plain: bool
    height: int = 0


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """A list."""

    mark: Mark
    items: tuple["Node", ...]
    height: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its value."""

    key: Scalar
    value: "Node"


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and values, each key once."""

    mark: Mark
    entries: tuple[Entry, ...]
    height: int


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A value that could not be made out; its fault is told already."""

    mark: Mark
    height: int = 0


Node = Scalar | Sequence | Mapping | Broken


class _Anchored(msgspec.Struct, frozen=True):
    node: Node
    size: int


def compose(text: str) -> tuple[Node | None, list[Fault]]:
    """The tree of the one document in `text`, None when there is none, and the faults that did not end the reading.

    Raises `Fault` for one that did, and `MarkedYAMLError` for a fault of syntax.
    """
    loader = yaml.SafeLoader(text)
    composer = _Composer(_events(loader))
    try:
        return composer.document(), composer.faults
    except (ValueError, OverflowError) as error:
        # The parser turns digits of escapes and directives into numbers without asking whether Python takes them.
        mark = loader.get_mark()
        raise Fault(
            Mark(mark.line + 1, mark.column + 1),
            "an escape or a directive has an impossible number",
            "look for \\U in quotes, or a line that begins with %",
        ) from error
    finally:
        loader.dispose()


def _events(loader: yaml.SafeLoader) -> Iterator[Event]:
    while loader.check_event():
        yield loader.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it out


class _Composer:
    """Events in, nodes out, one document."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Anchored | None] = {}
        self._path: list[str | int] = []
        self._count = 0
        self.faults: list[Fault] = []

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, StreamStartEvent | StreamEndEvent | DocumentEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise Fault(
                        _mark(event),
                        "a second document begins here",
                        "the file is one document: remove the line '---'",
                    )
                continue
            root = self._node(event, 1)
        return root

    def _node(self, event: Event, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        before = self._count
        self._grow(1, event)
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = None
        self._refuse_tag(event)
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        else:
            if depth > DEEPEST:
                raise Fault(_mark(event), f"lists and mappings are nested more than {DEEPEST} deep")
            node = self._mapping(event, depth) if isinstance(event, MappingStartEvent) else self._list(event, depth)
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, self._count - before)
        return node

    def _below(self, step: str | int, event: Event, depth: int) -> Node:
        self._path.append(step)
        try:
            return self._node(event, depth + 1)
        finally:
            self._path.pop()

    def _alias(self, event: AliasEvent, depth: int) -> Node:
        mark = _mark(event)
        name = str(event.anchor)
        known = self._anchors.get(name)
        if known is None:
            if name in self._anchors:
                self._tell(mark, f"the alias *{name} stands inside the value that it names")
            else:
                self._tell(
                    mark,
                    f"the alias *{name} names nothing",
                    f"write &{name} before a value above this line; or quote this one if the * is part of it",
                )
            return Broken(mark=mark)
        self._grow(known.size, event)
        if depth + known.node.height > DEEPEST + 1:
            raise Fault(mark, f"lists and mappings are nested more than {DEEPEST} deep through the alias *{name}")
        return known.node

    def _scalar(self, event: ScalarEvent) -> Node:
        text: str = event.value
        if any("\ud800" <= each <= "\udfff" for each in text):
            self._tell(_mark(event), "the text has half a character in it", "write the whole one: \\U0001F600")
            return Broken(mark=_mark(event))
        return Scalar(mark=_mark(event), text=text, plain=event.style is None)

    def _list(self, start: Event, depth: int) -> Sequence:
        items: list[Node] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._below(len(items), event, depth))
        return Sequence(mark=_mark(start), items=tuple(items), height=_height(items))

    def _mapping(self, start: Event, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Entry] = []
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._node(event, depth + 1)
            value = self._below(key.text if isinstance(key, Scalar) else "?", next(self._events), depth)
            if not isinstance(key, Scalar):
                if not isinstance(key, Broken):
                    self._tell(key.mark, "a key must be text, and this one is a list or a mapping")
            elif key.plain and key.text == "<<":
                merged.extend(self._merged(value))
            elif key.text in entries:
                first = entries[key.text].key.mark.line
                hint = f"the first one is in line {first}"
                self._tell(key.mark, f"the key '{shortened(key.text)}' is here twice", hint, key.text)
            else:
                entries[key.text] = Entry(key=key, value=value)
        for entry in merged:
            entries.setdefault(entry.key.text, entry)
        return Mapping(
            mark=_mark(start),
            entries=tuple(entries.values()),
            height=_height([entry.value for entry in entries.values()]),
        )

    def _merged(self, value: Node) -> Iterator[Entry]:
        for each in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(each, Mapping):
                yield from each.entries
            elif not isinstance(each, Broken):
                self._tell(each.mark, "the key '<<' takes a mapping", "give it an alias of one: '<<: *name'")

    def _refuse_tag(self, event: Event) -> None:
        tag = event.tag if isinstance(event, ScalarEvent | CollectionStartEvent) else None
        if tag is not None:
            name = tag.replace("tag:yaml.org,2002:", "!!", 1)
            self._tell(_mark(event), f"the tag {name} has no meaning here", "remove it; quotes make a value text")

    def _grow(self, size: int, event: Event) -> None:
        self._count += size
        if self._count > MOST_VALUES:
            raise Fault(_mark(event), f"the file has more than {MOST_VALUES} values, aliases unfolded")

    def _tell(self, mark: Mark, message: str, hint: str = "", *below: str) -> None:
        self.faults.append(Fault(mark, message, hint, (*self._path, *below)))


def _mark(event: Event) -> Mark:
    mark = event.start_mark
    return Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark(1, 1)


def _height(children: list[Node]) -> int:
    return 1 + max((child.height for child in children), default=0)
