"""The tests' own reader of grammars, so that what it says about the compiler can be believed."""

import random
import re

import pytest

from tests.unit.embedded.gbnf_reader import read

CASES = [
    ('root ::= "a" | "b" r0\nr0 ::= [0-9]{2}\n', r"a|b[0-9]{2}"),
    ('root ::= "x" [a-c]* "y"\n', r"x[a-c]*y"),
    ('root ::= ("a" | "bc" ) "d"?\n', None),
    ('root ::= r0{1,3}\nr0 ::= "a" | "bb"\n', r"(a|bb){1,3}"),
    ('root ::= [^a-c] "\\"" [\\-\\]x]\n', r'[^a-c]"[\-\]x]'),
    ('root ::= "\\x41\\u00e9\\U0001F600" r0\nr0 ::= ""\n', "A\u00e9\U0001f600"),
]


@pytest.mark.parametrize(("grammar", "pattern"), [case for case in CASES if case[1]])
def test_it_matches_what_the_pattern_matches(grammar: str, pattern: str) -> None:
    chance = random.Random(1)
    read_grammar = read(grammar)
    alphabet = 'abcdxy019"-]A\u00e9\U0001f600'
    texts = ["".join(chance.choices(alphabet, k=chance.randint(0, 5))) for _ in range(3_000)]
    texts += [read_grammar.derive(chance) for _ in range(50)]
    found = {text: bool(re.fullmatch(pattern, text, re.DOTALL)) for text in texts}
    assert any(found.values())
    assert {text: read_grammar.matches(text) for text in texts} == found


@pytest.mark.parametrize(
    "bad",
    [
        "root ::= r9\n",
        'root ::= "a"{2000}\n',
        "root ::= r0{0,5000}\nr0 ::= [a]\n",
        'root ::= "\\q"\n',
        'root ::= "a" )\n',
        'root ::= "ab"*\n',
    ],
)
def test_it_refuses_what_the_engine_refuses(bad: str) -> None:
    with pytest.raises(AssertionError):
        read(bad)
