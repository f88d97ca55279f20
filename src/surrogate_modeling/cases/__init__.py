"""Read case files and resample them to one time grid: columns and their roles, split, control schedules."""
