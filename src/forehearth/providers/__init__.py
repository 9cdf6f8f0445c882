"""Kinds of model host, one small file each: configuration keys, address, credential and quirks."""
