"""What counts as a token of a scripted answer. It is a rule that anyone can follow by eye, and no model's tokenizer.

A token is up to six characters that are no white space, with the white space before them; white space at the end is
one more. `Hello, wonderful world` is `Hello,`, ` wonder`, `ful`, ` world`: four. Joined, the tokens are the text.
"""

import re

_TOKEN = re.compile(r"\s*\S{1,6}|\s+")


def split(text: str) -> list[str]:
    """The tokens of `text`, in order."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens `text` has."""
    return sum(1 for _ in _TOKEN.finditer(text))
