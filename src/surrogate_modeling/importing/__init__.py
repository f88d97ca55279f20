"""Reads files of other tools as tables and writes them as clean cases: formats, units, time, text, parameters."""
