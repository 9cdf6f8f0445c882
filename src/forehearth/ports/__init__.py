"""What one part needs of another, as protocols of one to three methods, one a file."""
