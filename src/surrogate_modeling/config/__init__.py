"""The configuration: one dataclass per YAML group, composition by Hydra, and refusals in one line."""
