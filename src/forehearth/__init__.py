"""Forehearth: one door to Microsoft Foundry's inference surface, in front of any model host."""

__version__ = "0.1.0"
