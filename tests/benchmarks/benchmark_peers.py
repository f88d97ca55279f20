"""This tool beside what a user would pick instead: the same task on the same cases, one after the other, in one go.

    python tests/benchmarks/benchmark_peers.py --environments <folder> --output <folder> \\
        --oscillator <folder of its cases> --circuit <folder of cases made by generate> [--seconds 300] [--quick]

Of each test case a tool is given the first rows and the controls of all rows, and predicts the targets to the end (free
run). The split is that of a run of this tool; values are standardised for the others; all errors are computed here, by
this project's scores. A tool trains until its seconds are over, with the threads that it takes by itself. Its weights
are chosen by nADE of the validation cases; the table has the test nADE of these, and the seconds of training until the
validation nADE first was at the set's threshold (``--thresholds``). For peers, time that goes into predicting on the
way does not count; for this tool it does, and so does all from the start of the run: its curve is ``val_nADE`` of its
own record. ``model=auto`` learns from the validation cases too, and has no such curve: it is compared by
test nADE alone.

Each peer lives in a virtual environment of its own under ``--environments``, made at the first run with pip by
``peers/requirements/``: an extra cannot hold them, because jax-sysid declares a scipy that this project does not run
with. ``peers/with_<kind>.py`` says how each is used; lines are counted there between two marks, without reading,
decimating, splitting, standardising and scoring, which this tool does and a user of the others has to write too.
"""

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from peer_environments import Peer, lines_of_user, python_of
from peer_ours import run_ours
from peer_process import ToolFailed, run
from peer_table import Reached, table
from peer_task import PeerTask, make_task, read_snapshots, write_task

SEED = 0
QUICK_SECONDS = 10.0
LATE = 1.1
OURS = {
    "this tool, model=nss": ["model=nss", "settings=nss"],
    "this tool, model=auto": ["model=auto"],
}
PEERS = (
    Peer("deepSI", "deepsi"),
    Peer("neuralforecast", "neuralforecast"),
    Peer("darts", "darts"),
    Peer("jax-sysid", "jax_sysid"),
    Peer("jax-sysid, linear", "jax_sysid", ("linear",)),
    Peer("plain PyTorch LSTM", "lstm"),
)
OSCILLATOR = [
    "dataset=csv",
    "dataset.controls=1",
    "dataset.split=last",
    "dataset.test=2",
    "settings.decimate_range=0.05",
]
PROBLEMS = (ToolFailed, OSError, ValueError, KeyError, IndexError, StopIteration)


@dataclass(frozen=True)
class Run:
    """What all tools of one run share: folders, seconds of training of each, and variables of their processes."""

    environments: Path
    output: Path
    seconds: float
    variables: dict[str, str]


def own(run_: Run, task: PeerTask, name: str) -> Reached:
    """This tool on one set."""
    keys = OURS[name]
    form = " ".join(keys)
    folder = run_.output / task.name / form.replace("=", "_").replace(" ", "_")
    try:
        done = run_ours(task, keys, folder, run_.seconds, run_.variables)
    except PROBLEMS as problem:
        return Reached(task.name, name, form, 1, True, failure=said(problem))
    return Reached(
        task.name, name, form, 1, True,
        test=task.scores("test", done.rows).nade,
        validation=min((error for _, error in done.curve), default=None),
        curve=done.curve, training_seconds=done.training_seconds, prediction_seconds=done.prediction_seconds,
        peak=done.peak, seconds=done.seconds, versions={name: version(name) for name in ("surrogate-modeling", "torch")},
    )  # fmt: skip


def other(run_: Run, task: PeerTask, peer: Peer) -> Reached:
    """A peer on one set."""
    lines = lines_of_user(peer.adapter.read_text(encoding="utf-8"))
    folder = run_.output / task.name / "_".join((peer.kind, *peer.arguments))
    try:
        python = python_of(peer, run_.environments)
        write_task(task, folder, run_.seconds, SEED)
        # Packages leave checkpoints and logs in the home and working folders.
        variables = {**run_.variables, "HOME": str(folder)}
        words = [str(python), str(peer.adapter), str(folder), *peer.arguments]
        done = run(words, folder, variables, 4 * run_.seconds + 600)
        snapshots = sorted(read_snapshots(task, folder), key=lambda each: each[0])
        measures = json.loads((folder / "measures.json").read_text(encoding="utf-8"))
        # A step that cannot be interrupted may end late; what it gives counts only where there is nothing else.
        in_time = [each for each in snapshots if each[0] <= LATE * run_.seconds] or snapshots
        _, validation, test = min(in_time, key=lambda each: each[1].nade)
    except PROBLEMS as problem:
        return Reached(task.name, peer.name, peer.kind, lines, failure=said(problem))
    return Reached(
        task.name, peer.name, measures["form"], lines,
        test=test.nade, validation=validation.nade,
        curve=[(seconds, scores.nade) for seconds, scores, _ in snapshots],
        training_seconds=measures["training_seconds"], prediction_seconds=measures["prediction_seconds_per_case"],
        peak=done.peak, seconds=done.seconds, versions=measures["versions"],
    )  # fmt: skip


def said(problem: BaseException) -> str:
    """In one line."""
    return " ".join(f"{type(problem).__name__}: {problem}".split())


def results_of(run_: Run, task: PeerTask, only: list[str]) -> Iterator[Reached]:
    """All tools on one set, ours first; each is printed when it is through."""
    works = {name: lambda name=name: own(run_, task, name) for name in OURS}
    works |= {peer.name: lambda peer=peer: other(run_, task, peer) for peer in PEERS}
    for name, work in works.items():
        if only and not any(word in name for word in only):
            continue
        result = work()
        said_ = result.failure or f"test nADE {result.test:.4f}, {result.seconds:.0f} s in all"
        print(f"{task.name}: {name}: {said_}", flush=True)
        yield result


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, required=True, help="folder of the peers' virtual environments")
    parser.add_argument("--output", type=Path, required=True, help="new folder of what the tools leave, and the tables")
    parser.add_argument("--oscillator", type=Path, help="folder of the cases of the made-up plant of that name")
    parser.add_argument("--circuit", type=Path, help="folder of the default circuit, as generate makes it")
    parser.add_argument("--seconds", type=float, default=300.0, help="of training of each tool on each set")
    parser.add_argument(
        "--thresholds", type=float, nargs=2, default=[0.05, 0.05], help="validation nADE: oscillator, circuit"
    )
    parser.add_argument("--threads", type=int, help="of each tool (OMP_NUM_THREADS); none: what each takes by itself")
    parser.add_argument("--only", nargs="*", default=[], help="tools whose name holds one of these words")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s of training, to see it work")
    return parser.parse_args()


def main() -> None:
    """Run all tools on the sets that are given, and write ``peers.json`` and ``peers.md``."""
    options = arguments()
    variables = {} if options.threads is None else {"OMP_NUM_THREADS": str(options.threads)}
    seconds = QUICK_SECONDS if options.quick else options.seconds
    output = options.output.resolve()
    output.mkdir(parents=True)
    run_ = Run(options.environments.resolve(), output, seconds, variables)
    sets = {
        "oscillator": (options.oscillator, OSCILLATOR, options.thresholds[0]),
        "circuit": (options.circuit, [], options.thresholds[1]),
    }
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.platform(),
        "python": platform.python_version(), "seconds": seconds, "threads": options.threads,
    }  # fmt: skip
    kept, texts = [], [f"Training of {seconds:.0f} s for each tool and set, one after the other on one machine."]
    for name, (folder, keys, threshold) in sets.items():
        if folder is None:
            continue
        task = make_task(name, [*keys, f"dataset.path={folder.resolve()}"])
        results: list[Reached] = []
        for result in results_of(run_, task, options.only):
            results.append(result)
            every = [*kept, *(each.kept(threshold) for each in results)]
            (output / "peers.json").write_text(json.dumps({**facts, "results": every}, indent=1), encoding="utf-8")
        kept = every
        texts += [f"## {name}", table(results, threshold)]
    versions = {name: each for result in kept for name, each in result["versions"].items()}
    texts.append("Versions: " + ", ".join(f"{name} {each}" for name, each in sorted(versions.items())) + ".")
    (output / "peers.md").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    print("\n\n".join(texts))


if __name__ == "__main__":
    main()
