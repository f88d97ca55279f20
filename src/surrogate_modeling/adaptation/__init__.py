"""A surrogate for new cases, made from one that is there: its units, or all its weights; before and after."""
