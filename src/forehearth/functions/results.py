"""What stands in a cell that has no answer: an object that says why, never a silent null."""

import msgspec


class NonResult(msgspec.Struct, frozen=True):
    """Why a row has no answer."""

    code: str
    """A word of docs/reference/enrichment.md, or of the host."""
    message: str

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.code}: {self.message})"

    def __bool__(self) -> bool:
        return False


class ExceptionResult(NonResult, frozen=True):
    """It failed."""


class NotEvaluatedResult(NonResult, frozen=True):
    """It was not asked, because an earlier failure made it pointless to go on."""


class FilterResult(NonResult, frozen=True):
    """The host's content filter kept the prompt or the answer back."""


class CapacityExceededResult(NonResult, frozen=True):
    """The host was too busy for too long. Asked later, it may be answered."""


def non_result(code: str, message: str) -> NonResult:
    """The object for what became of a prompt."""
    kind = FilterResult if code in ("content_filter", "ResponsibleAIPolicyViolation") else ExceptionResult
    return kind(code, message)
