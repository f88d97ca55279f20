"""The parts of a comparison: pairs, rows, tables, picture, section of a document."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from builders import composed
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from matplotlib.image import imread

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.common.paths import CONFIG_DIR, PROJECT_ROOT
from surrogate_modeling.comparison.output import find_document
from surrogate_modeling.comparison.picture import draw
from surrogate_modeling.comparison.report import Report, pasted
from surrogate_modeling.comparison.results import Numbers, Result, Status, make_rows, read_result, write_result
from surrogate_modeling.comparison.table import main_table, markdown, results_csv, target_table, with_spread
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.config.composition import register_schemas
from surrogate_modeling.config.models import MODEL_SCHEMAS, UNTRAINED
from surrogate_modeling.config.settings import SettingsConfig


def numbers(nade: float, nfde: float = 1.0, seconds: float = 60.0, **targets: float) -> Numbers:
    return Numbers(
        nade=nade,
        nfde=nfde,
        targets=targets or {"T": nade},
        fit_seconds=seconds,
        seconds_per_case=0.002,
        parameters=1000,
        diverged_cases=int(math.isinf(nade)),
    )


def result(model: str, recipe: str, seed: int, nade: float, **more: object) -> Result:
    baselines = {"persistence": numbers(1.0, 2.0, 0.0), "linear": numbers(0.5 + seed, 0.5)}
    plain = dict(
        numbers=numbers(nade),
        validation=nade / 2,
        test_cases=7,
        baselines=baselines,
        commit="a" * 40 + "-dirty",
        device="cpu",
    )
    return Result(model, recipe, seed, Status.done, **{**plain, **more})  # type: ignore[arg-type]


def lost(model: str, recipe: str, seed: int, status: Status = Status.diverged) -> Result:
    return Result(model, recipe, seed, status, "the loss became inf")


def test_results_come_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = [result("don", "default", 1, math.inf), lost("ssm", "stable", 2)]
    for i, one in enumerate(kept):
        write_result(tmp_path / f"{i}.json", one)
    assert read_result(tmp_path / "0.json") == kept[0]
    back = read_result(tmp_path / "1.json")
    assert back is not None
    assert (back.status, back.reason, back.numbers) == (Status.diverged, "the loss became inf", None)
    assert math.isnan(back.validation)
    assert read_result(tmp_path / "2.json") is None


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"status": "unheard of"}', "null"])
def test_a_damaged_result_counts_as_none(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "0.json").write_text(damage, encoding="utf-8")
    assert read_result(tmp_path / "0.json") is None
    assert f"{tmp_path / '0.json'}: damaged" in caplog.text
    assert "this training is done again" in caplog.text


def test_rows_by_hand() -> None:
    results = [
        result("don", "default", 1, 0.4), result("don", "default", 2, 0.6),
        result("ssm", "stable", 1, 0.1), lost("ssm", "stable", 2),
        result("bt", "default", 1, 0.3), result("bt", "default", 2, math.inf),
        lost("dot", "default", 1, Status.failed),
    ]  # fmt: skip
    rows = make_rows(results)
    # Baselines, whole rows by their means, then those that lost a seed.
    assert [(row.model, row.recipe) for row in rows] == [
        ("persistence", ""), ("linear", ""), ("don", "default"), ("bt", "default"), ("ssm", "stable"), ("dot", "default"),
    ]  # fmt: skip
    persistence, linear, don, bt, ssm, dot = rows
    # One value per seed, however many networks were trained with it.
    assert linear.values("nade").tolist() == [1.5, 2.5]
    assert persistence.mean("nfde") == 2.0
    assert don.mean("nade") == pytest.approx(0.5)
    assert don.spread("nade") == pytest.approx(math.sqrt(0.02))
    assert math.isinf(bt.mean("nade"))
    assert ssm.mean("nade") == 0.1
    assert math.isnan(ssm.spread("nade"))
    assert ssm.lost == ["seed 2 diverged: the loss became inf"]
    assert dot.runs == []
    cells = main_table(rows)
    assert cells[2] == [
        "don",
        "default",
        "2",
        "0.5000 ± 0.1414",
        "1.0000 ± 0.0000",
        "T 0.5000",
        "0.2500",
        "1.00",
        "2.00",
        "1,000",
    ]
    assert cells[3][3] == "diverged"
    assert cells[4][2] == "1/2"
    assert cells[5][2:5] == ["0/1", "diverged or failed", "-"]
    assert cells[0][1] == "-"


def test_spread_is_said_where_there_is_one() -> None:
    assert with_spread(0.5, math.nan) == "0.5000"
    assert with_spread(0.5, 0.01) == "0.5000 ± 0.0100"
    assert with_spread(math.inf, math.nan) == "diverged"


def test_targets_have_a_table_of_their_own_where_it_fits() -> None:
    two = [result("don", "default", seed, 0.2, numbers=numbers(0.2, T=0.1 * seed, p=0.3)) for seed in (1, 2)]
    for one in two:
        one.baselines.clear()
    assert target_table(make_rows(two)) == [["model", "recipe", "T", "p"], ["don", "default", "0.1500", "0.3000"]]
    many = {f"t{i}": 0.1 for i in range(20)}
    assert target_table(make_rows([result("don", "default", 1, 0.2, numbers=numbers(0.2, **many), baselines={})])) == []
    assert target_table(make_rows([result("don", "default", 1, 0.2)])) == []


def test_markdown_keeps_bars_in_names() -> None:
    assert markdown([["a", "b"], ["x|y", "1"]]) == "| a | b |\n|---|---|\n| x\\|y | 1 |"


def test_csv_has_a_line_per_training_and_per_baseline_and_seed() -> None:
    results = [result("don", "default", 1, 0.4), result("ssm", "stable", 1, 0.1), lost("dot", "default", 1)]
    rows = list(csv.DictReader(io.StringIO(results_csv(results))))
    assert [(row["model"], row["status"], row["nADE"]) for row in rows] == [
        ("persistence", "baseline", "1.0"), ("linear", "baseline", "1.5"), ("don", "done", "0.4"), ("ssm", "done", "0.1"),
        ("dot", "diverged", ""),
    ]  # fmt: skip
    assert rows[2]["nADE of T"] == "0.4"
    assert rows[2]["validation_nADE"] == "0.2"
    assert rows[4]["reason"] == "the loss became inf"
    assert rows[4]["validation_nADE"] == ""


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_picture_of_anything() -> None:
    everything = [
        result("don", "default", 1, 0.4), result("don", "default", 2, 0.6), result("bt", "default", 1, math.inf),
        result("bt", "default", 2, 300.0), lost("ssm model.base=level model.width=32 model.depth=4", "stable", 1),
    ]  # fmt: skip
    for results in (everything, everything[-1:], [result("don", "default", 1, 0.0, baselines={})]):
        picture = imread(io.BytesIO(draw(make_rows(results))), format="png")
        assert picture.shape[1] > 1000
        assert np.std(picture[..., :3]) > 0.05


def test_report_says_command_and_circumstances(tmp_path: Path) -> None:
    document = tmp_path / "RESULTS.md"
    document.write_text("# Results\n", encoding="utf-8")
    typed = [
        f"dataset.path={PROJECT_ROOT}/data/x",
        "dataset.targets=['T/out']",
        "seeds=[1,2]",
        "output=y",
        f"paste={document}",
        "title=x",
    ]
    report = Report(
        CompareConfig(
            settings=SettingsConfig(),
            models=["don"],
            recipes=["default"],
            seeds=[1],
            paste=str(document),
            title="Plant",
        ),
        tmp_path,
        document,
        typed,
    )
    for nade in (0.4, 0.3):
        report.write([result("don", "default", 1, nade), lost("don", "stable", 1)])
    text = (tmp_path / "compare.md").read_text(encoding="utf-8")
    assert "pdm run compare dataset.path=data/x \"dataset.targets=['T/out']\" 'seeds=[1,2]'\n" in text
    assert f"Seeds 1; 7 test cases; trained on cpu; commit {'a' * 10}-dirty." in text
    assert "- don, stable: seed 1 diverged: the loss became inf" in text
    assert "0.3000" in text
    pasted_text = document.read_text(encoding="utf-8")
    assert pasted_text.startswith("# Results\n\n<!-- compare: Plant -->\n## Plant\n")
    assert pasted_text.count("## Plant") == 1
    assert "0.4000" not in pasted_text
    assert {path.name for path in report.files} == {
        "compare.md",
        "compare.csv",
        "compare.png",
        "report.html",
        "report.json.gz",
    }
    assert report.metrics([result("don", "default", 1, 0.4)])["nADE/don default"] == 0.4


def test_sections_are_written_anew_one_by_one() -> None:
    text = pasted(pasted("# R\n", "a", "old \\1 a\n"), "b", "old b\n") + "\nby hand\n"
    text = pasted(text, "a", "new \\g<0> a\n")
    assert "old \\1 a" not in text
    assert "new \\g<0> a" in text
    assert "old b" in text
    assert text.endswith("by hand\n")
    assert text.index("## a") < text.index("## b")


def test_a_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = CompareConfig(models=["don"], recipes=["default"], seeds=[1], paste=str(tmp_path / "nowhere.md"))
    with pytest.raises(UserError, match="nowhere.md: no such file"):
        find_document(config)


def test_a_document_that_is_not_utf8_is_refused_before_any_training(tmp_path: Path) -> None:
    document = tmp_path / "cp932.md"
    config = CompareConfig(models=["don"], recipes=["default"], seeds=[1], paste=str(document))
    document.write_bytes("# Results\n\n圧力\n".encode("cp932"))
    with pytest.raises(UserError, match=r"paste=.*cp932.md: line 3 is not UTF-8; save the file as UTF-8"):
        find_document(config)
    document.write_text("# Results\n\n圧力\n", encoding="utf-8")
    assert find_document(config) == document


@pytest.mark.parametrize(
    ("minutes", "recipe", "expected"),
    [
        (None, "default", "pdm run train model=don settings=default dataset.path=x settings.seed=3"),
        (
            10,
            "default",
            "pdm run train model=don settings=default dataset.path=x settings.max_minutes=10 settings.seed=3",
        ),
        (
            2.5,
            "default settings.max_minutes=1",
            "pdm run train model=don settings=default dataset.path=x settings.max_minutes=2.5 settings.max_minutes=1 "
            "settings.seed=3",
        ),
    ],
)
def test_the_command_of_the_chosen_network_trains_it_as_it_was_judged(
    tmp_path: Path, minutes: float | None, recipe: str, expected: str
) -> None:
    """With the limit and the first seed; overrides of one entry win over the limit, as in the comparison."""
    config = CompareConfig(
        settings=SettingsConfig(), models=["don"], recipes=[recipe], seeds=[3, 1], minutes=minutes, output=str(tmp_path)
    )
    results = [result("don", recipe, seed, 0.1) for seed in (3, 1)]
    made = Report(config, tmp_path, None, ["dataset.path=x", "seeds=[3,1]"])
    assert made.content(make_rows(results), [], results)["next"] == expected


def test_the_shipped_yaml_compares_every_network() -> None:
    register_schemas()
    GlobalHydra.instance().clear()
    from hydra import compose

    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        assert set(compose("compare").models) == set(MODEL_SCHEMAS) - set(UNTRAINED)
    assert composed("settings=stable").settings.max_minutes is None
