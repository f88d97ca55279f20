"""Readers of binary and scientific file formats, one module each; their libraries are imported when a file is read."""
