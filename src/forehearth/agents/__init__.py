"""Agents: what a project's people write down once, under a name and in versions, for responses to be made with."""
