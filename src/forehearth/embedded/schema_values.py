"""The grammar of one type's values: objects, arrays, strings and numbers with the keywords that constrain them."""

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded import json_grammar
from forehearth.embedded.formats import FORMATS
from forehearth.embedded.gbnf import (
    EMPTY,
    MOST_REPEATS,
    NEVER,
    Chars,
    Choice,
    Node,
    Repeat,
    Seq,
    Text,
    choice,
    optional,
    seq,
)

Schema = Mapping[str, object]
Inner = Callable[[object, str], Node]
"""Compiles a schema below this one: the schema, and its place relative to this one."""

_DEFAULT_PLACES: Final = 2
_LONGEST_NAME: Final = 256
_SURROGATES: Final = ("\ud800", "\udfff")
_COMMA: Final = seq(Text(","), json_grammar.SPACE)


class Rules(Protocol):
    """Where rules are collected."""

    rules: dict[str, Node]

    def rule(self, node: Node) -> Node:
        """`node` as a rule of its own."""
        ...


def string_node(schema: Schema, path: str) -> Node:
    """Strings with `minLength`, `maxLength` and `format`."""
    least, most = _count(schema, "minLength", path) or 0, _count(schema, "maxLength", path)
    form = schema.get("format")
    if form is None:
        _refuse_above(least, "minLength", path)
        return NEVER if most is not None and most < least else json_grammar.string(least, most)
    if not isinstance(form, str):
        raise InvalidField(f"{path}.format must be a string.", param=f"{path}.format")
    if form not in FORMATS:
        message = f"{path}.format {form!r} is not supported: {', '.join(FORMATS)} are."
        raise NotSupported(message, param=f"{path}.format")
    shortest, longest = _span(FORMATS[form])
    if least > shortest or (most is not None and most < longest):
        message = f"{path}.format {form!r} cannot be combined with these length limits: it has {shortest} to {longest}."
        raise NotSupported(message, param=f"{path}.format")
    return seq(Text('"'), FORMATS[form], Text('"'))


def _span(node: Node) -> tuple[int, int]:
    """The shortest and the longest text of a node without references."""
    if isinstance(node, Text):
        return len(node.text), len(node.text)
    if isinstance(node, Repeat):
        low, high = _span(node.node)
        return low * node.least, high * (node.most or 0)
    spans = [_span(part) for part in (node.parts if isinstance(node, Seq) else ())]
    if isinstance(node, Choice):
        options = [_span(option) for option in node.options]
        return min(low for low, _ in options), max(high for _, high in options)
    return (1, 1) if isinstance(node, Chars) else (sum(low for low, _ in spans), sum(high for _, high in spans))


def number_node(schema: Schema, path: str, *, whole: bool) -> Node:
    """Numbers, or whole numbers only, within their bounds."""
    low, low_open = _bound(schema, "minimum", "exclusiveMinimum", path, max)
    high, high_open = _bound(schema, "maximum", "exclusiveMaximum", path, min)
    if low is None and high is None:
        return json_grammar.INTEGER if whole else json_grammar.NUMBER
    places = 0 if whole else max(_DEFAULT_PLACES, _places(low) + low_open, _places(high) + high_open)
    limit = Decimal(10) ** (json_grammar.SAFE_DIGITS - places)
    for bound in (low, high):
        if bound is not None and (abs(bound) >= limit or _places(bound) >= json_grammar.SAFE_DIGITS):
            raise NotSupported(f"{path} has a bound with more digits than {json_grammar.SAFE_DIGITS}.", param=path)
    step = Decimal(1).scaleb(-places)
    first = 1 - limit if low is None else _next(low, step, 1) if low_open else low
    last = limit - 1 if high is None else _next(high, step, -1) if high_open else high
    if first > last:
        return NEVER
    if whole:
        return json_grammar.integers(math.ceil(first), math.floor(last))
    return json_grammar.decimals(first, last, places)


def _next(bound: Decimal, step: Decimal, sign: int) -> Decimal:
    """The nearest multiple of `step` beyond an excluded bound."""
    units = bound / step
    nearest = math.floor(units) + 1 if sign > 0 else math.ceil(units) - 1
    return nearest * step


def _bound(
    schema: Schema, word: str, exclusive: str, path: str, tighter: Callable[[Decimal, Decimal], Decimal]
) -> tuple[Decimal | None, bool]:
    """The tighter of two bounds, and whether it is excluded itself."""
    closed, opened = _number(schema, word, path), _number(schema, exclusive, path)
    if closed is None or opened is None:
        return (closed, False) if opened is None else (opened, True)
    return (opened, True) if tighter(closed, opened) == opened else (closed, False)


def _number(schema: Schema, word: str, path: str) -> Decimal | None:
    if word not in schema:
        return None
    value = schema[word]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidField(f"{path}.{word} must be a number.", param=f"{path}.{word}")
    return Decimal(repr(value))


def _places(number: Decimal | None) -> int:
    if number is None:
        return 0
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _count(schema: Schema, word: str, path: str) -> int | None:
    if word not in schema:
        return None
    value = schema[word]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or not float(value).is_integer():
        raise InvalidField(f"{path}.{word} must be a whole number, not below zero.", param=f"{path}.{word}")
    return int(value)


def _refuse_above(count: int, word: str, path: str) -> None:
    if count > MOST_REPEATS:
        message = f"{path}.{word} is too large: {MOST_REPEATS} is the limit."
        raise NotSupported(message, param=f"{path}.{word}")


def array_node(schema: Schema, path: str, inner: Inner, rules: Rules) -> Node:
    """Arrays: the first items by place, the rest alike, so many in all."""
    if schema.get("uniqueItems", False) is not False:
        raise NotSupported(f"{path}.uniqueItems is supported as false only.", param=f"{path}.uniqueItems")
    least, most = _count(schema, "minItems", path) or 0, _count(schema, "maxItems", path)
    _refuse_above(least, "minItems", path)
    if most is not None and most < least:
        return NEVER
    prefix, rest = _items(schema, path, inner, least)
    most = None if most is None else min(most, max(MOST_REPEATS, len(prefix)))
    prefix = prefix if most is None else prefix[:most]
    more = rules.rule(seq(_COMMA, rest)) if prefix else rest
    at_most = None if most is None else most - len(prefix)
    tail = _rest(more, max(0, least - len(prefix)), at_most) if prefix else _listed(rest, least, most, rules)
    for at in range(len(prefix) - 1, -1, -1):
        node = seq(_COMMA if at else EMPTY, prefix[at], tail)
        tail = rules.rule(optional(node) if at >= least else node)
    return seq(Text("["), tail, Text("]"))


def _items(schema: Schema, path: str, inner: Inner, least: int) -> tuple[list[Node], Node]:
    """The nodes of the first items, and of all further ones (`NEVER` where there are none)."""
    word = "prefixItems" if "prefixItems" in schema else "items"
    first = schema.get(word)
    rest_word = "items" if word == "prefixItems" else "additionalItems" if isinstance(first, list) else "items"
    if rest_word == "items" and "additionalItems" in schema:
        message = f"{path}.additionalItems is supported beside a list in `items` only."
        raise NotSupported(message, param=f"{path}.additionalItems")
    if word == "prefixItems" and not isinstance(first, list):
        raise InvalidField(f"{path}.prefixItems must be a list of schemas.", param=f"{path}.prefixItems")
    prefix = [inner(item, f"{word}[{at}]") for at, item in enumerate(first)] if isinstance(first, list) else []
    if rest_word in schema:
        return prefix, inner(schema[rest_word], rest_word)
    is_open = not prefix or least > len(prefix)
    return prefix, json_grammar.VALUE if is_open else NEVER


def _rest(more: Node, least: int, most: int | None) -> Node:
    """What follows the first items: `more`, from `least` to `most` times."""
    if most == 0:
        return EMPTY
    return Repeat(more, least, most) if more != NEVER else (EMPTY if least == 0 else NEVER)


def _listed(item: Node, least: int, most: int | None, rules: Rules) -> Node:
    """From `least` to `most` items, with commas between them."""
    if most == 0:
        return EMPTY
    more = rules.rule(seq(_COMMA, item))
    items = seq(item, _rest(more, max(0, least - 1), None if most is None else most - 1))
    return items if least else optional(items)


def object_node(schema: Schema, path: str, inner: Inner, rules: Rules) -> Node:
    """Objects: the listed properties in order, then others where they are allowed."""
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        raise InvalidField(f"{path}.properties must be an object of schemas.", param=f"{path}.properties")
    required = _names(schema, path)
    others: Node = json_grammar.VALUE
    if "additionalProperties" in schema:
        others = inner(schema["additionalProperties"], "additionalProperties")
    nodes = {name: inner(sub, f"properties.{name}") for name, sub in properties.items()}
    nodes |= {name: others for name in required if name not in properties}
    is_open = "additionalProperties" in schema or "properties" not in schema
    _refuse_names(nodes, path, is_open=is_open)
    extra = _extra(others, frozenset(nodes), rules) if is_open else NEVER
    _refuse_counts(schema, path, len(required), len(nodes) if extra == NEVER else None)
    members = [(rules.rule(_member(name, node)), name in required) for name, node in nodes.items()]
    return seq(Text("{"), _members(members, extra, rules), Text("}"))


def _names(schema: Schema, path: str) -> list[str]:
    required = schema.get("required", [])
    if not isinstance(required, list) or any(not isinstance(name, str) for name in required):
        raise InvalidField(f"{path}.required must be a list of names.", param=f"{path}.required")
    return list(dict.fromkeys(required))


def _refuse_names(names: Iterable[str], path: str, *, is_open: bool) -> None:
    for name in names:
        if any(_SURROGATES[0] <= char <= _SURROGATES[1] for char in name):
            raise InvalidField(f"{path}.properties has a name that is not valid Unicode.", param=f"{path}.properties")
        if is_open and len(name) > _LONGEST_NAME:
            message = f"{path}.properties has a name of more than {_LONGEST_NAME} characters beside other properties."
            raise NotSupported(message, param=f"{path}.properties")


def _refuse_counts(schema: Schema, path: str, required: int, listed: int | None) -> None:
    least, most = _count(schema, "minProperties", path), _count(schema, "maxProperties", path)
    if least is not None and least > required:
        message = f"{path}.minProperties is supported where `required` names as many."
        raise NotSupported(message, param=f"{path}.minProperties")
    if most is not None and (listed is None or listed > most):
        message = f"{path}.maxProperties is supported where `properties` lists no more and no others are allowed."
        raise NotSupported(message, param=f"{path}.maxProperties")


def _member(name: str, node: Node) -> Node:
    return seq(Text(json_grammar.quoted(name) + ":"), json_grammar.SPACE, node)


def _extra(node: Node, names: frozenset[str], rules: Rules) -> Node:
    """A member with another name than `names`."""
    if node == NEVER:
        return NEVER
    key = json_grammar.other_key(names, rules.rules, "k") if names else json_grammar.STRING
    return rules.rule(seq(key, Text(":"), json_grammar.SPACE, node))


def _members(members: list[tuple[Node, bool]], extra: Node, rules: Rules) -> Node:
    """Members in order, the optional ones as one likes, then any number of `extra`.

    Built from the end. `first` is what may stand here when nothing was written yet, `later` when something was.
    """
    more = rules.rule(seq(_COMMA, extra))
    later: Node = Repeat(more) if extra != NEVER else EMPTY
    first = optional(seq(extra, later))
    for member, is_required in reversed(members):
        with_first, with_later = seq(member, later), seq(_COMMA, member, later)
        first = rules.rule(with_first if is_required else choice((with_first, first)))
        later = rules.rule(with_later if is_required else choice((with_later, later)))
    return first
