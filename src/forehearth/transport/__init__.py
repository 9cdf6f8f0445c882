"""HTTP to the model hosts that an operator configured, and hosts that are only a script."""
