"""Export a surrogate as an FMU: a zip of the model description, a shared library, and its C sources.

Why an exporter of our own: the ready-made ones either need Python and a runtime on the machine that runs the FMU
(pythonfmu), or load a runtime library of tens of megabytes while building (onnx2fmu). A surrogate is a few matrix
products per step; written in C (:mod:`surrogate_modeling.deployment.c_code`) it needs the C library only, can be
compiled for any platform from the sources inside, and is as fast.

Time 0 is the last given row. One communication step is one row, or a whole number of rows; other steps are refused.
The control of a row is the input during the step that ends at it. FMI 2.0 and 3.0 share all but their outermost
functions; FMI 3.0 has no input derivatives, so that inputs are held over a step of several rows.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.common.errors import UserError
from surrogate_modeling.deployment.band_stepping import edge_names
from surrogate_modeling.deployment.export_check import Difference, FreeRunInputs, given_rows, largest_difference
from surrogate_modeling.deployment.fmu.description import (
    Binary,
    initial_name,
    write_build_description,
    write_description,
)
from surrogate_modeling.deployment.fmu.sources import main_source, write_sources
from surrogate_modeling.deployment.stepping import require_single_rows
from surrogate_modeling.surrogate.band import BandScope, existing
from surrogate_modeling.surrogate.model import Surrogate

log = logging.getLogger(__name__)
SUFFIXES = {"linux": ".so", "darwin": ".dylib", "win": ".dll"}
# O3 turns the inner loops into vector instructions; no flag that lets a compiler reorder sums.
FLAGS = ("-O3", "-std=c99", "-shared", "-fPIC", "-fvisibility=hidden", "-w")


def export_fmu(
    surrogate: Surrogate,
    path: Path,
    real: Sequence[FreeRunInputs] = (),
    version: float = 2.0,
    scope: BandScope | None = None,
) -> Difference | None:
    """Write the FMU, after comparing it with the surrogate.

    Args:
        surrogate: on the CPU, in evaluation mode.
        path: of the FMU; it appears there only when the comparison has passed.
        real: cases to compare beside random ones; the first rows of the first are the start values, which else are the
            training mean.
        version: of FMI, 2.0 or 3.0.
        scope: of the band that the FMU gives as well; None: no band.

    Returns:
        The largest difference found; None when FMPy is not installed and nothing was compared.

    Raises:
        UserError: the surrogate has no band or cannot be stepped row by row, there is no C compiler, or it differs.
    """
    require_single_rows(surrogate, "format=fmu")
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    name = name if name[:1].isalpha() else f"model_{name}"
    start = _start_values(surrogate, real)
    edges: tuple[str, ...] = ()
    if scope is not None:
        existing(surrogate.band, f"band={scope}: ")
        edges = edge_names(surrogate.description.channels)
    main = main_source(version)
    binary = Binary(f"{{{_fingerprint(surrogate, start, scope)}}}", name, main, version)
    sources = write_sources(surrogate, start, binary.token, version, scope)
    content = {
        "modelDescription.xml": write_description(surrogate.description, start, binary, edges),
        f"binaries/{_platform(version)}/{name}{_suffix()}": compile_sources(sources, main, name),
        **{f"sources/{file}": text.encode() for file, text in sources.items()},
    }
    if version >= 3:
        content["sources/buildDescription.xml"] = write_build_description(name, main)
    part = path.with_name(f"{path.stem}.part.fmu")
    try:
        write_atomic(part, _zipped(content))
        difference = compare(surrogate, part, real, scope)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return difference


def compile_sources(sources: dict[str, str], main: str, name: str) -> bytes:
    """Compile the shared library for this platform.

    Args:
        sources: file name -> text.
        main: the one to compile.
        name: of the library.

    Raises:
        UserError: no C compiler, or it failed.
    """
    found = [[name] for name in ("cc", "gcc", "clang") if shutil.which(name)]
    command = shlex.split(os.environ.get("CC", "")) or (found[0] if found else [])
    if not command:
        raise UserError("format=fmu: no C compiler (cc, gcc or clang) on this machine; install one, or set CC")
    with tempfile.TemporaryDirectory() as folder:
        for file, text in sources.items():
            (Path(folder) / file).write_text(text)
        output = Path(folder) / f"{name}{_suffix()}"
        call = [*command, *FLAGS, "-o", str(output), str(Path(folder) / main), "-lm"]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"format=fmu: {command[0]} failed: {done.stderr.strip()[:500]}")
        return output.read_bytes()


def compare(
    surrogate: Surrogate, path: Path, real: Sequence[FreeRunInputs], scope: BandScope | None = None
) -> Difference | None:
    """Run the FMU over whole cases with FMPy, where it is installed.

    Raises:
        UserError: the trajectories differ by more than float32 rounding.
    """
    try:
        from fmpy.validation import validate_fmu
    except ImportError:
        log.warning("FMPy is not installed (pip install fmpy): the FMU was not compared with the surrogate")
        return None
    problems = validate_fmu(str(path))
    if problems:
        raise UserError(f"format=fmu: the FMU is not valid: {'; '.join(problems)}")

    def run(initial: np.ndarray, controls: np.ndarray) -> np.ndarray:
        """Run a batch, one case after another."""
        cases = zip(initial, controls, strict=True)
        return np.stack([run_fmu(surrogate, path, *case, banded=scope is not None) for case in cases])

    return largest_difference(surrogate, run, real, "the FMU", scope=scope)


def _start_values(surrogate: Surrogate, real: Sequence[FreeRunInputs]) -> np.ndarray:
    """Start values (in_len, G) of the given rows: of all columns, or of the controls alone."""
    if real:
        return np.asarray(given_rows(surrogate, *real[0])[0])
    level = surrogate.scaling.level.numpy()
    if not surrogate.description.given_rows:
        level = level[: surrogate.description.sizes.controls]
    return np.tile(level, (surrogate.description.in_len, 1))


def run_fmu(
    surrogate: Surrogate, path: Path, initial: np.ndarray, controls: np.ndarray, *, banded: bool = False
) -> np.ndarray:
    """One case in FMPy: initial (G, P) and controls (T, C) -> (T - in_len, P), with lower and upper edges (.., 3 P)."""
    import fmpy

    description = surrogate.description
    channels = description.channels
    given = given_rows(surrogate, initial[None], controls[None])[0]
    columns = (*channels.controls, *channels.predicted)[: given.shape[1]]
    start = {
        initial_name(i + 1, name): float(value)
        for i, row in enumerate(given)
        for name, value in zip(columns, row, strict=True)
        if name not in channels.parameters
    }
    # Parameters have one value, in the given rows too.
    start |= {name: float(controls[0, i]) for i, name in enumerate(channels.controls) if name in channels.parameters}
    driven = controls[description.in_len :]
    inputs = [name for name in channels.controls if name not in channels.parameters]
    signals = np.zeros(len(driven), dtype=[("time", float), *((name, float) for name in inputs)])
    signals["time"] = np.arange(len(driven)) * description.step
    for name in inputs:
        signals[name] = driven[:, channels.controls.index(name)]
    outputs = [*channels.predicted, *(edge_names(channels) if banded else ())]
    result = fmpy.simulate_fmu(
        str(path), start_time=0.0, stop_time=len(driven) * description.step, step_size=description.step,
        output_interval=description.step, start_values=start, input=signals, output=outputs,
    )  # fmt: skip
    return np.stack([result[name] for name in outputs], axis=-1)[1:]


def _fingerprint(surrogate: Surrogate, start: np.ndarray, scope: BandScope | None) -> str:
    digest = hashlib.sha256(start.tobytes())
    for name, values in surrogate.state_dict().items():
        digest.update(name.encode() + values.cpu().numpy().tobytes())
    digest.update(repr(surrogate.description).encode())
    if scope is not None:
        digest.update(repr((scope, existing(surrogate.band).to_dict())).encode())
    return digest.hexdigest()[:32]


def _zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in content.items():
            # A fixed date: the same surrogate gives the same file.
            archive.writestr(zipfile.ZipInfo(file, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _system() -> str:
    return "win" if sys.platform.startswith("win") else "darwin" if sys.platform == "darwin" else "linux"


def _suffix() -> str:
    return SUFFIXES[_system()]


def _platform(version: float) -> str:
    """FMI's name of this platform, e.g. ``linux64`` or ``x86_64-linux``; FMI 2.0 has none but for x86."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if version < 3 and machine == "x86_64":
        return f"{_system()}64"
    return f"{machine}-{'windows' if _system() == 'win' else _system()}"
