"""One run, top to bottom: cases, windows, surrogate, fit, free run, scores, report, record."""
