"""Cases made by a simulator: the embedded circuit, an FMU, or any program; in parallel, resumable, each file whole."""
