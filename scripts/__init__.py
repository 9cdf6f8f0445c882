"""The programs behind the Makefile. None of them is installed with the server."""
