"""Self-contained HTML pages: templates, style, scripts and texts that reports and exported pages share."""
