"""The command line: `forehearth serve`, `config`, `models`, `tls` and `version`."""
