"""The command that shows studies in a browser: what it refuses before it serves."""

import pytest

from surrogate_modeling.search.dashboard import main


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_port_that_no_machine_has_is_refused(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", str(port)]) == 2
    assert f"--port={port}: must be from 1 to 65535" in capsys.readouterr().err
