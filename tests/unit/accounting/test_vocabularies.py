"""The vocabularies count as their models do. The figures are those of tiktoken 0.14."""

import pytest

from forehearth.accounting.tokens import vocabulary

TEXTS = {
    "": (0, 0),
    "hello world": (2, 2),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_as_many_tokens_as_for_its_model(text: str) -> None:
    for name, tokens in zip(("o200k", "cl100k"), TEXTS[text], strict=True):
        counter = vocabulary(name)
        assert counter is not None
        assert counter.count(text) == tokens
