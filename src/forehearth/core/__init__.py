"""The nouns everything else speaks in; they import nothing of the project and do no I/O."""
