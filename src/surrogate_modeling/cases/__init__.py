"""From files to cases on one time grid: columns, roles, split, schedules."""
