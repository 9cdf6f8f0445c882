"""Connections of a project: those of the configuration, and those that are made while the server runs."""
