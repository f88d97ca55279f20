"""The command ``optimise``: its refusals are one line, before anything heavy loads."""

from pathlib import Path

from builders import run_command

OPTIMISE = ["-m", "surrogate_modeling.optimise"]


def test_refusals_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.pth").touch()
    given = ["surrogate=model.pth", "output=out", "objective={T out: minimise last}", "bounds={p: [null, 3.5]}"]
    done = run_command(tmp_path, OPTIMISE, *given, "case=none.csv")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "case=none.csv: no such file; give one schedule" in done.stderr
    assert not (tmp_path / "out").exists()
