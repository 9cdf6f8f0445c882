"""How many tokens a call may use, as a noun: `tokens` finds it out."""

import msgspec

LEAST_OUTPUT = 16
"""A shorter answer is none: where less than this is left, the call is refused."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens that a call may use."""

    prompt: int
    output: int
    """Of each choice."""
    choices: int
    by_caller: bool
    """Whether the caller set the bound: then the answer may not become shorter than it."""

    @property
    def answer(self) -> int:
        """Of all choices together."""
        return self.output * self.choices

    @property
    def total(self) -> int:
        """Of prompt and answer."""
        return self.prompt + self.output * self.choices

    @property
    def least(self) -> int:
        """What is of use, if there is no more."""
        if self.by_caller:
            return self.total
        return self.prompt + min(self.output, LEAST_OUTPUT) * self.choices

    def within(self, total: int) -> "Bounds":
        """With an answer as short as it has to be for so many tokens together."""
        if self.total <= total or not self.choices:
            return self
        return msgspec.structs.replace(self, output=max(0, total - self.prompt) // self.choices)
