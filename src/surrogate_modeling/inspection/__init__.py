"""Looks at cases before training: sampling, time constants, relations of columns, roles, and cases that stand out."""
