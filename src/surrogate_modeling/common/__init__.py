"""What every room may use: errors, paths, atomic files, progress, the console. Imports nothing of ours, no torch."""
