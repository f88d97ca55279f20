"""The installed command: ``surrogate <verb> ...``, from any folder.

    surrogate train dataset=csv dataset.path=cases dataset.controls=2
    surrogate predict surrogate=<lit_model.pth> cases=<folder> output=<folder>

Each verb is the module of the same name; ``surrogate <verb> --help`` shows its keys.
"""

from __future__ import annotations

import sys
from importlib import import_module

VERBS = {
    "train": "train a surrogate on cases, one run or with -m a search",
    "import": "make clean cases of the files of any tool",
    "look": "say what cases hold: speed, roles, relations; and how to train on them",
    "compare": "train several networks and recipes, one table",
    "finish": "end a training after its epoch, and keep what there is",
    "generate": "make cases with the embedded simulator, an FMU or a program",
    "predict": "run control schedules through a surrogate",
    "plan": "say which cases to simulate next, or simulate them and go on",
    "adapt": "make a surrogate for new cases from one that is there",
    "explain": "say which control matters for which target, how much and how fast",
    "optimise": "find the schedule that serves an objective and keeps bounds",
    "export": "write a surrogate as ONNX, FMU or a page that runs it",
    "report": "make the page of a run again, or put two runs side by side",
    "ui": "open MLflow on the runs",
    "send": "send runs to the tracking store that could not be reached",
    "dashboard": "open Optuna's dashboard on the searches",
}
# Verbs whose module has another name: `import` is a word of Python.
MODULES = {"dashboard": "search.dashboard", "import": "import_cases"}
# Verbs of one module, which takes the verb as its first argument.
TRACKING_VERBS = ("ui", "send")


def main() -> None:
    """Run the verb of the command line."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help"):
        print("usage: surrogate <verb> [key=value ...]\n")
        print("\n".join(f"  {name:<10} {what}" for name, what in VERBS.items()))
        return
    if verb not in VERBS:
        sys.exit(f"error: surrogate {verb}: no such verb; known: {', '.join(VERBS)}")
    if verb in TRACKING_VERBS:
        sys.exit(import_module("surrogate_modeling.tracking.__main__").main(sys.argv[1:]))
    del sys.argv[1]
    import_module(f"surrogate_modeling.{MODULES.get(verb, verb)}").cli()


if __name__ == "__main__":
    main()
