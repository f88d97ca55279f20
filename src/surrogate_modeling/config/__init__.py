"""The configuration: one dataclass per YAML group, composition by Hydra, and one-line error messages."""
