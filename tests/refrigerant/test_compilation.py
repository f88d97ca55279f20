"""The cache of compiled code: keyed by the sources, and rebuilt where damaged."""

import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from surrogate_modeling.refrigerant import compilation
from surrogate_modeling.refrigerant import compilation as cache

PACKAGE = Path(cache.__file__).parent


def run(root: Path, cache_home: Path) -> str:
    """Evaluate a compiled function of a copy of the package in a fresh process."""
    code = textwrap.dedent(
        """
        from surrogate_modeling.refrigerant.components import valve_opening
        from surrogate_modeling.refrigerant.compilation import seal
        print(valve_opening(280.0, 270.0, 5.0))
        seal()
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache_home)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_an_edit_is_noticed_and_damage_repaired(tmp_path) -> None:
    root = tmp_path / "src"
    copy = root / "surrogate_modeling" / "refrigerant"
    shutil.copytree(PACKAGE.parent, copy.parent, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    home = tmp_path / "cache"
    assert run(root, home) == "0.51"
    compiled = list((home / "surrogate_modeling").rglob("*valve_opening*.nbc"))
    assert len(compiled) == 1
    compiled[0].write_bytes(b"damaged")
    assert run(root, home) == "0.51"
    (index,) = (home / "surrogate_modeling").rglob("*valve_opening*.nbi")
    index.write_bytes(index.read_bytes()[:40])
    assert run(root, home) == "0.51"
    source = copy / "components.py"
    source.write_text(source.read_text().replace("VALVE_RANGE = 10.0", "VALVE_RANGE = 1e9"))
    assert run(root, home) != "0.51"
    assert len(list((home / "surrogate_modeling").glob("compiled-*"))) == 2


def test_source_hash_covers_every_module() -> None:
    assert len(cache.source_hash()) == 16
    assert compilation.code_folder().is_dir()


def test_an_index_is_checked_without_importing_what_it_names(tmp_path: Path) -> None:
    """Modules are being imported when it is checked: loading it would fail, and all be compiled again each time."""
    index, version = tmp_path / "f.nbi", pickle.dumps("0.68")
    index.write_bytes(version + b"cno_such_module\nname\n.")
    assert compilation._readable(index)
    for damaged in (version, version + b"cno_such_module\nname\n", b"", b"text"):
        index.write_bytes(damaged)
        assert not compilation._readable(index)
