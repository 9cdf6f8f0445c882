"""What can keep a figure from being taken."""


class BenchError(Exception):
    """The base of what is told to the reader in one sentence instead of a trace."""


class MissingToolError(BenchError):
    """The machine lacks something that every stack needs."""


class OccupiedError(BenchError):
    """Another run of the benchmark is under way."""


class UnavailableError(BenchError):
    """A stack could not be installed or built."""


class FailedError(BenchError):
    """A stack was there, but did not start, or did not answer as it should."""
