"""The composition root: settings in, opened resources out; the parent process, its workers and what they share."""
