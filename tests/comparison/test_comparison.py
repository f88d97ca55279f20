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
from surrogate_modeling.comparison.pairs import Pair, compose_pairs, passed_on
from surrogate_modeling.comparison.picture import draw
from surrogate_modeling.comparison.report import Report, pasted
from surrogate_modeling.comparison.results import Numbers, Result, Status, make_rows, read_result, write_result
from surrogate_modeling.comparison.table import main_table, markdown, results_csv, target_table, with_spread
from surrogate_modeling.config.commands import CompareConfig
from surrogate_modeling.config.composition import register_schemas
from surrogate_modeling.config.models import MODEL_SCHEMAS, UNTRAINED
from surrogate_modeling.config.settings import SettingsConfig

DATASET = ["dataset=csv", "dataset.path=cases", "dataset.controls=2"]


def pairs(common: list[str] | None = None, **keys: object) -> list[Pair]:
    register_schemas()
    GlobalHydra.instance().clear()
    plain = dict(models=["don"], recipes=["default"], seeds=[1])
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose_pairs(CompareConfig(**{**plain, **keys}), [*DATASET, *(common or [])])  # type: ignore[arg-type]


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


def test_every_model_meets_every_recipe_and_seed_and_each_entry_may_differ() -> None:
    found = pairs(
        ["settings.epochs=7"], models=["don", "ssm model.base=level"], recipes=["default", "stable settings.epochs=9"],
        seeds=[1, 2], pairs=["lstm model.dim=8 quick settings.in_len=5"], minutes=3.0,
    )  # fmt: skip
    assert [str(pair) for pair in found] == [
        *(f"{m}, {r}, seed {s}" for m in ("don", "ssm model.base=level") for r in ("default", "stable settings.epochs=9") for s in (1, 2)),
        *(f"lstm model.dim=8, quick settings.in_len=5, seed {s}" for s in (1, 2)),
    ]  # fmt: skip
    by_name = {str(pair): pair.config for pair in found}
    assert by_name["don, default, seed 2"].settings.epochs == 7
    assert by_name["don, default, seed 2"].settings.seed == 2
    assert by_name["don, default, seed 2"].settings.max_minutes == 3.0
    assert by_name["don, stable settings.epochs=9, seed 1"].settings.epochs == 9
    assert by_name["don, stable settings.epochs=9, seed 1"].settings.horizon == 600
    assert by_name["ssm model.base=level, default, seed 1"].model.base.value == "level"
    own = by_name["lstm model.dim=8, quick settings.in_len=5, seed 1"]
    assert (own.model.dim, own.settings.in_len, own.settings.horizon) == (8, 5, 300)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(models=["donn"]), "donn with default: model=donn: no such file in hydra/model/; known: auto, bt, dol, don, dot, lstm, nss, ssm"),
        (dict(models=["don", "dot model.widht=3"]), "dot model.widht=3 with default: model.widht: no such key; did you mean width?"),
        (dict(recipes=["default settings.out_len=99"]), "don with default settings.out_len=99: settings.out_len=99: must be at most"),
        (dict(recipes=[" "]), "recipes: an empty entry"),
        (dict(models=["don 'x"]), "No closing quotation"),
        (dict(pairs=["don"]), "pairs: 'don': a model and a recipe"),
        (dict(models=["don", "don"]), "given more than once: don with default"),
        (dict(seeds=[1, 1]), "given more than once: seeds"),
        (dict(seeds=[-1]), "don with default: settings.seed=-1: must be at least 0"),
        (dict(seeds=[]), "seeds=[]: must not be empty"),
        (dict(models=[]), "nothing to compare"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pair_is_said_before_anything_is_trained(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        pairs(**keys)
    assert said in str(refusal.value)


def test_a_learning_curve_trains_the_largest_fraction_first_and_it_is_the_plain_comparison() -> None:
    found = pairs(seeds=[1, 2], fractions=[0.1, 1.0, 0.5])
    assert [str(pair) for pair in found] == [
        "don, default, seed 1", "don, default, seed 2",
        "don, default, seed 1, 50 % of the cases", "don, default, seed 2, 50 % of the cases",
        "don, default, seed 1, 10 % of the cases", "don, default, seed 2, 10 % of the cases",
    ]  # fmt: skip
    assert [pair.config.dataset.training_fraction for pair in found] == [1.0, 1.0, 0.5, 0.5, 0.1, 0.1]
    assert found[0].digest("f") == pairs()[0].digest("f")
    assert len({pair.digest("f") for pair in found}) == 6


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict(fractions=[0.5, 1.0]), "fractions=[0.5, 1.0]: a learning curve needs three at least"),
        (dict(fractions=[0.0, 0.5, 1.0]), "fractions=[0.0, 0.5, 1.0]: must be fractions of the training cases"),
        (dict(fractions=[0.5, 0.5, 1.0]), "given more than once"),
        (dict(fractions=[0.1, 0.5, 1.0], seeds=[1]), "seeds=[1]: a learning curve needs two at least"),
        (dict(goal=0.1), "goal=0.1: needs a learning curve"),
        (dict(fractions=[0.1, 0.5, 1.0], goal=0.0), "goal=0.0: must be an error above 0"),
    ],
)
def test_what_is_wrong_with_a_learning_curve_is_said(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        pairs(**{"seeds": [1, 2], **keys})
    assert said in str(refusal.value)


def test_overrides_of_dataset_and_settings_hold_for_all() -> None:
    assert passed_on(["models=[don]", "dataset=csv", "+dataset.x=1", "settings.lr=1", "output=x", "minutes=3"]) == [
        "dataset=csv", "+dataset.x=1", "settings.lr=1",
    ]  # fmt: skip
    for override in ("settings=stable", "settings.seed=3", "settings.max_minutes=1", "dataset.training_fraction=1"):
        with pytest.raises(UserError, match="give "):
            passed_on([override])


def test_a_result_is_known_by_what_it_depends_on() -> None:
    (plain,) = pairs()
    same = pairs(["settings.workers=1", "settings.num_figures=3", "settings.progress_bar=False"])[0]
    elsewhere = pairs(["dataset.path=moved"])[0]
    assert plain.digest("f") == same.digest("f") == elsewhere.digest("f")
    others = [
        pairs(["settings.lr=0.5"])[0], pairs(seeds=[2])[0], pairs(minutes=1.0)[0], pairs(models=["don model.width=3"])[0],
        pairs(["dataset.split=last"])[0],
    ]  # fmt: skip
    assert len({plain.digest("f"), plain.digest("g"), *(pair.digest("f") for pair in others)}) == 7


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


def test_the_shipped_yaml_compares_every_network() -> None:
    register_schemas()
    GlobalHydra.instance().clear()
    from hydra import compose

    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        assert set(compose("compare").models) == set(MODEL_SCHEMAS) - set(UNTRAINED)
    assert composed("settings=stable").settings.max_minutes is None
