"""The API surfaces, one file each: paths, bodies, pages and the words in which they refuse."""
