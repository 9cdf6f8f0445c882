"""Schemas by chance: mostly within the supported subset, now and then with something that must be refused."""

import random
from typing import Any

NAMES = ("a", "b", "ab", "name", "na\u00efve", 'q"', "", "x\\y", "\U0001f600")
FORMATS = ("date", "time", "date-time", "duration", "uuid", "ipv4", "ipv6", "hostname", "email", "uri", "regex")
LITERALS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    1.0,
    "",
    "a",
    'say "hi"',
    "\u00e9\n",
    [],
    [1, "a"],
    {},
    {"a": 1},
    10**18,
)
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
ODDITIES: tuple[tuple[str, Any], ...] = (
    ("pattern", "^a"),
    ("not", {}),
    ("if", True),
    ("multipleOf", 2),
    ("uniqueItems", True),
    ("uniqueItems", False),
    ("contains", {}),
    ("patternProperties", {"a": {}}),
    ("minProperties", 1),
    ("maxProperties", 2),
    ("$anchor", "here"),
    ("$id", "http://example.test/"),
    ("minLength", -1),
    ("maxItems", "3"),
    ("required", "a"),
    ("type", "text"),
    ("enum", []),
    ("title", "a title"),
    ("x-order", 1),
    ("nullable", True),
)


class SchemaMaker:
    """Makes one schema from a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def schema(self) -> Any:
        root = self._any(3)
        if isinstance(root, dict) and self._chance.random() < 0.4:
            root["$defs"] = {name: self._any(2) for name in ("t", "u")}
        return root

    def _any(self, depth: int) -> Any:
        chance = self._chance
        if chance.random() < 0.05:
            return chance.choice((True, False, {}))
        kinds = [self._string, self._number, self._literals, self._plain]
        if depth:
            kinds += [self._object, self._object, self._array, self._union, self._ref]
        made = chance.choice(kinds)(depth - 1)
        if chance.random() < 0.06:
            word, value = chance.choice(ODDITIES)
            made[word] = value
        if chance.random() < 0.05:
            made["type"] = chance.sample(TYPES, chance.randint(1, 3))
        return made

    def _typed(self, *names: str) -> dict[str, Any]:
        if self._chance.random() < 0.2:
            return {}
        return {"type": self._chance.choice((names[0], [names[0], "null"], list(names)))}

    def _plain(self, _: int) -> dict[str, Any]:
        return {"type": self._chance.choice(TYPES)}

    def _string(self, _: int) -> dict[str, Any]:
        chance, made = self._chance, self._typed("string")
        if chance.random() < 0.5:
            made["minLength"] = chance.randint(0, 4)
        if chance.random() < 0.5:
            made["maxLength"] = chance.choice((0, 2, 5, 40, 3000))
        if chance.random() < 0.3:
            made["format"] = chance.choice(FORMATS)
        return made

    def _number(self, _: int) -> dict[str, Any]:
        chance, kind = self._chance, self._chance.choice(("integer", "number"))
        made = self._typed(kind)
        # A range of numbers with fractions compiles to pages, so most of the ranges are of whole ones.
        often = 0.35 if made and kind == "integer" else 0.03
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if chance.random() < often:
                made[word] = self._bound()
        return made

    def _bound(self) -> float:
        chance = self._chance
        if chance.random() < 0.2:
            return chance.choice((1e-7, 10**14, 2**60))
        near, far = chance.randint(-20, 20), chance.randint(-5_000, 5_000)
        return chance.choice((near, far, round(chance.uniform(-3, 3), chance.randint(0, 4))))

    def _literals(self, _: int) -> dict[str, Any]:
        chance = self._chance
        if chance.random() < 0.5:
            return {"const": chance.choice(LITERALS)}
        return {"enum": chance.choices(LITERALS, k=chance.randint(1, 4))}

    def _object(self, depth: int) -> dict[str, Any]:
        chance, made = self._chance, self._typed("object")
        names = chance.sample(NAMES, chance.randint(0, 4))
        if names or chance.random() < 0.5:
            made["properties"] = {name: self._any(depth) for name in names}
        if chance.random() < 0.6:
            made["required"] = chance.sample(NAMES, chance.randint(0, 2)) + names[:1]
        if chance.random() < 0.6:
            made["additionalProperties"] = chance.choice((False, True, self._any(depth)))
        return made

    def _array(self, depth: int) -> dict[str, Any]:
        chance, made = self._chance, self._typed("array")
        if chance.random() < 0.7:
            made["items"] = self._any(depth)
        if chance.random() < 0.3:
            made["prefixItems"] = [self._any(depth) for _ in range(chance.randint(1, 3))]
        if chance.random() < 0.4:
            made["minItems"] = chance.randint(0, 4)
        if chance.random() < 0.4:
            made["maxItems"] = chance.choice((0, 1, 3, 6, 5_000))
        return made

    def _union(self, depth: int) -> dict[str, Any]:
        word = self._chance.choice(("anyOf", "anyOf", "oneOf", "allOf"))
        return {word: [self._any(depth) for _ in range(self._chance.randint(1, 3))]}

    def _ref(self, _: int) -> dict[str, Any]:
        return {"$ref": self._chance.choice(("#/$defs/t", "#/$defs/u", "#", "#/properties/a", "#/nowhere"))}
