"""Scores, error analysis, figures, tables and the files of a report: predictions beside the truth."""
