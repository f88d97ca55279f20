"""The command ``explain``: its refusals are one line, before anything heavy loads."""

from pathlib import Path

from builders import run_command


def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.pth").touch()
    given = ["surrogate=model.pth", "output=out", "cases=none"]
    done = run_command(tmp_path, ["-m", "surrogate_modeling.explain"], *given)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "cases=none: " in done.stderr
    assert not (tmp_path / "out").exists()
