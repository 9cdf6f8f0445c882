"""Indexes and datasets: what a project's people register under a name and a version, and others look up."""
