"""Whose credential is this: from a head to a principal."""
