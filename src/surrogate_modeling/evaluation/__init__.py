"""Compare predictions with the truth: scores, error analysis, figures, tables and the files of a report."""
