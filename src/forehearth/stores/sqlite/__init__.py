"""The store in a file: SQLite, with one thread that writes and one that reads in each process."""
