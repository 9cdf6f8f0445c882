"""YAML as nodes: where everything stands, what is bounded, and what is refused."""

import contextlib
import time

import pytest
import yaml

from forehearth.config.nodes import DEEPEST, MOST_VALUES, Broken, Fault, Mapping, Mark, Scalar, Sequence, compose


def tree(text):
    """The tree as plain values, all text."""
    root, faults = compose(text)
    assert not faults
    return plain(root)


def plain(node):
    match node:
        case Scalar():
            return node.text
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {entry.key.text: plain(entry.value) for entry in node.entries}
    return node


def faults(text):
    try:
        _, found = compose(text)
    except Fault as fault:
        found = [fault]
    return [(each.mark.line, each.mark.column, each.path, each.message) for each in found]


def test_every_node_knows_its_place():
    root, _ = compose("a:\n  - b\n  - {c: 'd'}\n")
    entry = root.entries[0]
    assert (root.mark, entry.key.mark, entry.value.mark) == (Mark(1, 1), Mark(1, 1), Mark(2, 3))
    inner = entry.value.items[1]
    assert (inner.mark, inner.entries[0].key.mark, inner.entries[0].value.mark) == (Mark(3, 5), Mark(3, 6), Mark(3, 9))


def test_quotes_are_remembered_and_nothing_is_converted():
    root, _ = compose("- 8080\n- '8080'\n- yes\n")
    assert [(item.text, item.plain) for item in root.items] == [("8080", True), ("8080", False), ("yes", True)]


@pytest.mark.parametrize("text", ["", "# only a comment", "---\n", "\n\n"])
def test_nothing_is_there(text):
    root, found = compose(text)
    assert not found
    assert root is None or plain(root) == ""


def test_aliases_and_merges_are_unfolded():
    assert tree("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}\nd: {l: 4, <<: [*x, {m: 5}]}") == {
        "a": {"k": "1", "l": "2"},
        "b": {"k": "1", "l": "2"},
        "c": {"l": "3", "k": "1"},
        "d": {"l": "4", "k": "1", "m": "5"},
    }
    assert tree("a: {'<<': 1}") == {"a": {"<<": "1"}}
    assert tree("a: &x 1\nb: &x 2\nc: *x")["c"] == "2"


REFUSED = [
    ("a: *x", [(1, 4, ("a",), "the alias *x names nothing")]),
    ("a: &x [*x]", [(1, 8, ("a", 0), "the alias *x stands inside the value that it names")]),
    ("a: &x {b: &y [*x, *y]}", 2),
    ("a: 1\nb: {c: 1, d: 2, c: 3}", [(2, 17, ("b", "c"), "the key 'c' is here twice")]),
    ("a: 1\n'a': 2", [(2, 1, ("a",), "the key 'a' is here twice")]),
    ("? [a]\n: b", [(1, 3, (), "a key must be text, and this one is a list or a mapping")]),
    ("a: {<<: 1}", [(1, 9, ("a",), "the key '<<' takes a mapping")]),
    ("a: {<<: [{}, 1]}", [(1, 14, ("a",), "the key '<<' takes a mapping")]),
    (
        "- !!python/object/apply:os.system [id]",
        [(1, 3, (0,), "the tag !!python/object/apply:os.system has no meaning here")],
    ),
    ("a: !env X", [(1, 4, ("a",), "the tag !env has no meaning here")]),
    ("a: !!str 1", [(1, 4, ("a",), "the tag !!str has no meaning here")]),
    ("--- a\n--- b", [(2, 1, (), "a second document begins here")]),
    ('a: "\\ud800"', [(1, 4, ("a",), "the text has half a character in it")]),
    ('a: "\\UFFFFFFFF"', [(1, 7, (), "an escape or a directive has an impossible number")]),
    (f"%YAML {'1' * 5000}.1\n---\na", [(1, 7, (), "an escape or a directive has an impossible number")]),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_is_refused(text, expected):
    found = faults(text)
    assert (len(found) if isinstance(expected, int) else found) == expected


def test_what_cannot_be_made_out_is_marked_and_the_rest_is_read():
    root, found = compose("a: *nothing\nb: 1")
    assert isinstance(root.entries[0].value, Broken)
    assert plain(root.entries[1].value) == "1"
    assert len(found) == 1


def nested(depth):
    return "[" * depth + "]" * depth


def test_depth_is_bounded():
    assert faults(nested(DEEPEST)) == []
    (fault,) = faults(nested(DEEPEST + 1))
    assert fault[3] == f"lists and mappings are nested more than {DEEPEST} deep"


def test_depth_through_aliases_is_bounded():
    chain = "- &a0 [x]\n" + "".join(f"- &a{each} [*a{each - 1}]\n" for each in range(1, 100))
    (fault,) = faults(chain)
    assert "deep through the alias" in fault[3]


BOMBS = {
    "of aliases": "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
    "of merges": "a0: &a0 {k: v}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30)),
    "of one large value": f"a: &a [{'x,' * 10_000}]\nb: [*a, *a, *a, *a, *a]",
    "of small values": "[" + "x," * (MOST_VALUES + 1) + "]",
    "of keys": "\n".join(f"k{n}:" for n in range(MOST_VALUES)),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_what_unfolds_to_too_much_is_refused(text):
    (fault,) = faults(text)
    assert fault[3] == f"the file has more than {MOST_VALUES} values, aliases unfolded"


DEEP = {
    "open lists": "[" * 100_000,
    "open mappings": "{" * 100_000,
    "open keys": "? " * 100_000,
    "open items": "- " * 100_000,
    "open quotes": '"' + "a\n" * 100_000,
    "closing": "]" * 100_000,
    "anchors": "&a " * 100_000,
    "tags": "!a " * 100_000,
    "indents": "".join(" " * n + "a:\n" for n in range(500)),
    "long key": "a" * 500_000 + ": b",
    "comments": "#" * 500_000 + "\n" + "#\n" * 100_000,
    "blanks": " \n" * 200_000 + "a: b",
    "escapes": '"' + "\\x41" * 100_000 + '"',
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_no_text_takes_long(text):
    begun = time.monotonic()
    with contextlib.suppress(Fault, yaml.MarkedYAMLError):
        compose(text)
    assert time.monotonic() - begun < 20
