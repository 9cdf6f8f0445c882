"""Wire formats, both ways, without I/O: bytes in, bytes out."""
