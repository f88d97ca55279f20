"""Places in the project, and names of files that several rooms share."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[3]
CONFIG_DIR = PROJECT_ROOT / "hydra"
# The saved surrogate in a run's folder.
MODEL_FILE = "lit_model.pth"
