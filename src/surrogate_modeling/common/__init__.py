"""Shared basics: errors, paths, atomic files, progress, the console. Imports no other room, no torch."""
