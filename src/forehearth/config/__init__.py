"""The configuration file: reading it strictly, and saying what is wrong with it in words a newcomer can act on."""
