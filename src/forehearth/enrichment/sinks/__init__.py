"""Where enriched rows go: one file a kind. Each chunk lands once, however often it is written."""
