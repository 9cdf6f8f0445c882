"""The sender of a `scripted` backend: a model host in the OpenAI dialect that answers by rule, without a network."""

from forehearth.transport.scripted.sender import ScriptedSender

__all__ = ["ScriptedSender"]
