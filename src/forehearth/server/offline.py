"""Where commands find what they do to a data directory that no server holds."""

from forehearth.server.administration import open_admin

__all__ = ["open_admin"]
