"""Worker process that simulates cases; started by ``pool``, not by hand."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_modeling.common.atomic_file import write_atomic
from surrogate_modeling.refrigerant.plan import CasePlan, case_name

SIGNIFICANT_DIGITS = 7


def round_significant(values: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """Round to significant digits, so that the decimal form is short."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    exponent = np.where(np.isfinite(exponent), exponent, 0.0)
    places = np.clip(digits - 1 - exponent, -22, 22)
    up, down = 10.0 ** np.maximum(places, 0.0), 10.0 ** np.maximum(-places, 0.0)
    # Dividing by an exact power of ten gives the double nearest to the decimal; its inverse would not.
    return np.asarray(np.round(values * up / down) * down / up)


def case_csv(table: np.ndarray) -> bytes:
    """Format a case as CSV in the case format: names, units, numbers."""
    import pyarrow as pa
    import pyarrow.csv

    from surrogate_modeling.refrigerant.case import names_and_units

    names, units = names_and_units()
    buffer = io.BytesIO()
    buffer.write((",".join(names) + "\n" + ",".join(units) + "\n").encode())
    rounded = round_significant(table)
    rounded += 0.0  # no negative zeros
    data = pa.table({name: rounded[:, k] for k, name in enumerate(names)})
    pyarrow.csv.write_csv(data, buffer, pyarrow.csv.WriteOptions(include_header=False, batch_size=len(table)))
    return buffer.getvalue()


def make_case(folder: Path, plan: CasePlan, number: int) -> dict[str, Any]:
    """Simulate and write one case; the answer gives the reason if it failed."""
    from surrogate_modeling.refrigerant.case import CaseFailed, case_table
    from surrogate_modeling.refrigerant.families import family_of

    family = family_of(number, plan.shares(), plan.seed)
    try:
        table = case_table(number, plan.duration, plan.step, plan.refrigerant, family, plan.seed)
    except CaseFailed as failure:
        return {"reason": failure.reason, "state": failure.state}
    if not np.isfinite(table).all():
        return {"reason": "a column is not finite", "state": {}}
    write_atomic(folder / f"{case_name(number)}.csv", case_csv(table))
    return {"reason": "", "state": {}}


def main() -> None:
    """Read folder and plan, then case numbers, from standard input until it ends."""
    from surrogate_modeling.refrigerant.case import prepare

    answers, sys.stdout = sys.stdout, sys.stderr  # a stray print must not be taken for an answer
    first = json.loads(sys.stdin.readline())
    folder, plan = Path(first["folder"]), CasePlan(**json.loads(first["plan"]))
    prepare(plan.refrigerant)
    print(json.dumps({"reason": "", "state": {}}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(make_case(folder, plan, int(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
