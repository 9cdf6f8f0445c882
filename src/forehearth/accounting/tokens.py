"""How many tokens a call may use: a bound that holds, known before the call.

A token is at least one byte, so the body's length bounds the prompt; it costs nothing to know. Only where that would
not fit is the prompt counted, with the model's own vocabulary. The answer is bounded by what the caller asked for, or
by the deployment's own bound, which is then sent to the backend.
"""

import importlib
import logging
import re
from collections.abc import Iterable
from typing import Protocol

import msgspec

from forehearth.accounting.bounds import Bounds
from forehearth.core.call import MEDIA, Call, Operation
from forehearth.core.limit_settings import TokenSettings, Vocabulary
from forehearth.dialects import json_members, prompts

COMPLETION_OUTPUT = 16
"""What text completions have where nobody says otherwise: the default of that operation."""
LONGEST_COUNTED = 262_144
"""Characters of prompt that are counted; a longer one would hold up all other calls, and is bounded by its bytes."""
VOCABULARIES = "bpe_openai._bindings"
"""An extra: loaded where a deployment names a vocabulary."""
_COMPLETIONS = Operation.COMPLETIONS
_ONLY_COMPLETION_TOKENS = re.compile(r"(^|/)(o[1-9]|gpt-[5-9])", re.IGNORECASE)

_log = logging.getLogger("forehearth.limits")


class TokenCounter(Protocol):
    """A vocabulary."""

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        ...


def output_member(model: str) -> str:
    """The member of a chat completion's body that bounds the answer of a model, by its name."""
    return "max_completion_tokens" if _ONLY_COMPLETION_TOKENS.search(model) else "max_tokens"


class TokenBounds:
    """The bounds of one deployment's calls. `longest` is the longest answer that its limits allow."""

    def __init__(self, settings: TokenSettings, model: str, vocabulary: TokenCounter | None) -> None:
        self._settings = settings
        self._vocabulary = vocabulary
        self._member = settings.output_member or output_member(model)

    @property
    def counts(self) -> bool:
        """Whether it has a vocabulary to count with."""
        return self._vocabulary is not None

    def of(self, call: Call, longest: int | None) -> Bounds:
        """By the length of the body."""
        settings = self._settings
        images, size = prompts.attached(call.operation, call.body)
        whole = len(call.body)
        if call.form is not None:
            whole, images = call.form.texts, call.form.images
        prompt = whole - size + images * settings.image + settings.overhead
        own = COMPLETION_OUTPUT if call.operation is _COMPLETIONS else settings.output
        output = own if call.output is None else call.output
        output = output if longest is None else min(output, longest)
        return Bounds(prompt=prompt, output=output, choices=call.choices, by_caller=call.output is not None)

    def counted(self, call: Call, bounds: Bounds) -> Bounds:
        """The same, with the prompt counted as far as it can be."""
        if self._vocabulary is None or len(call.body) > LONGEST_COUNTED or call.operation in MEDIA:
            return bounds
        try:
            found = prompts.prompt(call.operation, call.body)
        except RecursionError:
            return bounds
        settings = self._settings
        known = found.tokens + found.size + found.images * settings.image + settings.overhead
        prompt = known + self.count(found.texts)
        return msgspec.structs.replace(bounds, prompt=min(prompt, bounds.prompt))

    def count(self, texts: Iterable[str]) -> int:
        """The tokens of some texts; without a vocabulary their bytes, which they cannot be more than."""
        vocabulary = self._vocabulary
        if vocabulary is None:
            return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        return sum(vocabulary.count(text) for text in texts)

    def bounded(self, call: Call, bounds: Bounds) -> Call:
        """The call with the bound of its answer in it, so that it holds; the very call when it says so already."""
        if not bounds.choices or call.output == bounds.output:
            return call
        value = str(bounds.output).encode()
        body = call.body
        for member in call.output_members:
            body = json_members.replace(body, member, value)
        if not call.output_members:
            body = json_members.insert_first(body, self._member, value)
        members = call.output_members or (self._member,)
        call = msgspec.structs.replace(call, body=body, output=bounds.output, output_members=members)
        if call.responses is None:
            return call
        passed = json_members.put(call.responses, {"max_output_tokens": value})
        return msgspec.structs.replace(call, responses=passed)


def vocabulary(name: Vocabulary | None) -> TokenCounter | None:
    """The vocabulary of that name; None, and a line in the log, where it is not installed."""
    if name is None:
        return None
    try:
        module = importlib.import_module(VOCABULARIES)
    except ImportError:
        _log.warning(
            "the vocabulary %s is not installed, so prompts are bounded by their length in bytes, and what a backend "
            "does not report is too: pip install 'forehearth[tokens]'",
            name,
        )
        return None
    found: TokenCounter = module.tokenizer_for_encoding(f"{name}_base")
    return found
