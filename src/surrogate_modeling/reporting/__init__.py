"""Reports for people: what a run, a search or a comparison found, as one self-contained page."""
