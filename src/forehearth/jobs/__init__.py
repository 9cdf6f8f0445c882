"""Work that outlives the process that does it: asked for, done in recorded steps, and followed while it is done."""
