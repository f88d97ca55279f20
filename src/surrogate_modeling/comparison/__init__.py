"""Compare networks and recipes on one dataset: which pairs, the loop over them, the table and its picture."""
