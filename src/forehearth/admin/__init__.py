"""What operators do, without HTTP: `wire.admin` and the command line call it."""
