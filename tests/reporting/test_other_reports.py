"""Reports of a search, a comparison, two runs, and of a run that kept none; each is drawn without an error."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import page_of
from finished_run import EVIL, run_facts, write_overrides

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.evaluation.coverage import write_coverage
from surrogate_modeling.evaluation.report import ReportOptions, write_errors, write_report
from surrogate_modeling.pages.embedding import unpack16
from surrogate_modeling.reporting.adaptation_report import (
    AdaptationFacts,
    KeptOutFacts,
    PartFacts,
    adaptation_content,
    relative_change,
)
from surrogate_modeling.reporting.comparison_report import RowFacts, comparison_content
from surrogate_modeling.reporting.content import Content
from surrogate_modeling.reporting.content import page_of as html_of
from surrogate_modeling.reporting.learning_report import CurveFacts, learning_content
from surrogate_modeling.reporting.older import older_content
from surrogate_modeling.reporting.pair import pair_content
from surrogate_modeling.reporting.run_report import run_content
from surrogate_modeling.reporting.search_report import SearchFacts, TrialFacts, search_content
from surrogate_modeling.tracking.stored_run import StoredRun

# Drawn by the same scripts as others.
SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("search", "no result")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder = tmp_path_factory.mktemp("run")
    write_overrides(folder, "model=ssm")
    return run_content(folder, run_facts())


@pytest.fixture(scope="module")
def older_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run from before there were reports."""
    folder, facts = tmp_path_factory.mktemp("older"), run_facts()
    write_overrides(folder, "dataset=csv", "model=ssm")
    (folder / ".hydra" / "config.yaml").write_text(
        f"model: {{name: ssm}}\ndataset: {{targets: ['{facts.scored.scores.channels.targets[0]}']}}\n", encoding="utf-8"
    )
    write_report(folder, facts.scored, ReportOptions(workers=1, num_figures=0, progress_bar=False))
    write_errors(folder, facts.analysis)
    assert facts.coverage is not None
    write_coverage(folder / "coverage.csv", facts.coverage)
    return folder


@pytest.fixture(scope="module")
def older(older_folder: Path) -> Content:
    metrics = {"nADE": 0.375, "nADE_linear": 0.4, "real_time_factor": 10.0}
    return older_content(
        older_folder, StoredRun("old", {"git_commit": "abc"}, metrics, {"val_loss": [(0, 2.0), (1, 1.0)]}), "id"
    )


def test_an_older_run_is_made_of_its_files(older: Content) -> None:
    facts = run_facts()
    order = [facts.scored.scores.cases.index(name) for name in older["cases"]]
    np.testing.assert_allclose(older["scores"]["ade"], facts.scored.scores.ade[order], rtol=1e-4)
    np.testing.assert_allclose(older["scores"]["scale"], facts.scored.scores.scale, rtol=1e-4)
    assert older["channels"]["predicted"] == list(facts.scored.scores.channels.predicted)
    assert older["channels"]["controls"] == list(facts.scored.scores.channels.controls)
    assert older["channels"]["targets"] == list(facts.scored.scores.channels.targets[:1])
    meta = older["curves"][0]
    curves = unpack16(older["blocks"][0], np.array(meta["low"]), np.array(meta["high"]))
    predicted = facts.scored.rows[order[0]]
    np.testing.assert_allclose(curves[4:7], predicted.T, atol=1e-3)
    np.testing.assert_allclose(curves[7:10], 0.5, atol=1e-3)


def test_an_older_run_says_what_it_did_not_keep(older: Content) -> None:
    assert older["verdict"]["light"] == "unknown"
    assert [key for key, _ in older["verdict"]["sentences"]] == ["verdict_better", "verdict_unknown"]
    assert {"missing_truth", "missing_baselines", "missing_data"} <= set(older["missing"])
    assert "missing_curves" not in older["missing"]
    page = html_of(older, "en")
    assert "the truth and the given rows of the test cases" in page


def test_a_folder_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no errors\.csv"):
        older_content(tmp_path, StoredRun("x", {}, {}, {}), "x")


def test_two_runs_differ_in_what_was_changed(run: Content) -> None:
    other = {
        **run,
        "repeat": {
            **run["repeat"],
            "configuration": {**run["repeat"]["configuration"], "settings.lr": "0.5", "settings.workers": "3"},
        },
    }
    found = pair_content(run, other)
    assert [(item["key"], item["values"][1], item["decides"]) for item in found["configuration"]] == [
        ("settings.lr", "0.5", True), ("settings.workers", "3", False),
    ]  # fmt: skip
    assert found["data"]["common_test"] == run["cases"]
    assert found["data"]["fingerprints"] == ["f00", "f00"]
    with pytest.raises(UserError, match="puts two trainings side by side"):
        pair_content(run, {**run, "kind": "search"})


def search(objective: tuple[str, ...] = ("nADE",), count: int = 12) -> Content:
    trials = [
        TrialFacts(
            i,
            "COMPLETE",
            [1.0 / (1 + i) + k for k, _ in enumerate(objective)],
            {"settings.lr": 10.0**-i, "model": EVIL if i % 2 else "don"},
            1.5,
            "",
        )
        for i in range(count)
    ]
    failed = TrialFacts(count, "FAIL", None, {"settings.lr": 1.0}, None, f"because of {EVIL}")
    best = [count - 1] if count else []
    return search_content(
        SearchFacts(
            EVIL,
            "FINISHED",
            objective,
            ["minimize"] * len(objective),
            ["settings.lr", "model"],
            [*trials, failed],
            best,
            {objective[0]: {"settings.lr": 0.75, "model": 0.25}} if count else {},
            "a: 1\n" if count else "",
            "pdm run train" if count else "",
            20,
            "memory",
        )
    )


def test_a_search_says_whether_more_trials_are_worth_it() -> None:
    sentences = dict(search()["verdict"]["sentences"])
    # Of 12 values 1 / (1 + i), the best of the first 8 is 1/8 and of all 1/12: a third less.
    assert sentences["search_falling"] == {"share": "33.3"}
    assert sentences["search_importance"] == {"objective": "nADE", "key": "settings.lr", "share": "75"}
    assert sentences["search_counts"] == {"n": 13, "wanted": 20, "complete": 12, "pruned": 0, "failed": 1}
    assert dict(search(count=0)["verdict"]["sentences"]) == {
        "search_none": {"n": 1, "complete": 0, "pruned": 0, "failed": 1}
    }


def row(model: str, recipe: str, nade: float, validation: float | None, p: float = 0.1) -> RowFacts:
    numbers = [[nade], [nade], [] if validation is None else [validation], [60.0], [0.01], [100.0]]
    return RowFacts(model, recipe, *numbers, {"T": nade, EVIL: p}, [])


def comparison() -> Content:
    rows = [row("linear", "", 0.3, None, p=0.05), row("ssm", "quick", 0.2, 0.1), row("don", "quick", 0.15, 0.4)]
    lost = RowFacts("dot", "quick", [], [], [], [], [], [], {}, [f"seed 1 failed: {EVIL}"])
    content = comparison_content(
        EVIL,
        [*rows, lost],
        [],
        {"seeds": "1", "cases": "3", "devices": "cpu", "commits": "abc"},
        "pdm run compare",
        {("ssm", "quick"): "pdm run train model=ssm"},
    )
    curve = CurveFacts(
        name=EVIL, is_baseline=False, cases=[5, 10, 20], errors=[[0.3, 0.2, 0.15], [0.4, 0.2, 0.1]],
        counts=[5.0, 20.0, 80.0], law=[0.35, 0.13, 0.08], low=[0.3, 0.1, 0.05], high=[0.4, 0.16, 0.12],
        sentences=[("learning_now", {"name": EVIL, "error": "0.13", "cases": 20}), ("learning_never", {"goal": "0.01"})],
    )  # fmt: skip
    return {**content, "learning": learning_content([curve], [["model", "5 cases"], [EVIL, "0.35"]], 0.1)}


def test_a_comparison_is_decided_by_the_validation_cases() -> None:
    found = comparison()
    assert found["chosen"] == ["ssm", "quick"]
    assert found["next"] == "pdm run train model=ssm"
    assert [key for key, _ in found["verdict"]["sentences"]] == [
        "compare_chosen", "compare_better", "compare_worse_in", "compare_least", "compare_lost",
    ]  # fmt: skip
    assert found["verdict"]["light"] == "fair"
    assert found["verdict"]["sentences"][2][1] == {"n": 1, "all": 2, "names": [EVIL], "baseline": "linear"}


def adaptation(after: float = 0.5, old: float | None = 1.2, same: bool = False) -> Content:
    """Errors times a factor on new cases, and another on old ones; the rows of the run stand for both surrogates."""
    scored = run_facts().scored
    scores = scored.scores
    scaled = [replace(scores, ade=factor * scores.ade) for factor in (after, old or 1.0)]
    return adaptation_content(
        AdaptationFacts(
            title=EVIL,
            how="unit",
            is_same=same,
            tried=[("as it is", scores.nade, 0.0), ("unit", after * scores.nade, 0.5)],
            new=PartFacts(scores, scaled[0]),
            old=PartFacts(scores, scaled[1]) if old else None,
            kept_out=KeptOutFacts(scored.cases, scored.rows, scored.rows),
            given=3,
            facts=[("surrogate", EVIL)],
        )
    )


@pytest.mark.parametrize(
    ("keys", "light", "said"),
    [
        (dict(), "fair", ["adapt_kept", "adapt_forgotten"]),
        (dict(old=1.05), "good", ["adapt_kept", "adapt_old"]),
        (dict(old=None), "good", ["adapt_kept", "adapt_old_gone"]),
        (dict(after=1.5, old=1.0), "bad", ["adapt_kept", "adapt_worse_in", "adapt_old"]),
        (dict(after=1.0, old=1.0, same=True), "fair", ["adapt_same", "adapt_old"]),
    ],
)
def test_an_adaptation_is_judged_by_cases_that_were_kept_out(keys: dict[str, Any], light: str, said: list[str]) -> None:
    found = adaptation(**keys)
    assert found["verdict"]["light"] == light
    assert [key for key, _ in found["verdict"]["sentences"]] == said
    change = {0.5: "-50", 1.5: "+50", 1.0: "+0"}[keys.get("after", 0.5)]
    assert found["verdict"]["sentences"][0][1]["change"] == change


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [(2.0, 1.5, -0.25), (2.0, 2.5, 0.25), (np.inf, 1.0, -1.0), (np.inf, np.inf, 0.0), (1.0, np.inf, np.inf), (0, 1, 0)],
)
def test_the_relative_change_of_an_error_where_runs_diverge_too(before: float, after: float, change: float) -> None:
    assert relative_change(before, after) == change


def test_an_adaptation_draws_truth_before_and_after() -> None:
    scored, found = run_facts().scored, adaptation()
    item = found["drawn"][0]
    case, rows = scored.cases[item["place"]], scored.rows[item["place"]]
    curves = unpack16(found["blocks"][0], np.array(item["low"]), np.array(item["high"]))
    targets = scored.scores.channels.target_indices
    np.testing.assert_allclose(curves[: len(targets)], case.outputs[:, targets].T, atol=1e-3)
    given = len(case.time) - len(rows)
    assert np.isnan(curves[len(targets) :, :given]).all()
    np.testing.assert_allclose(curves[-len(targets) :, given:], rows[:, targets].T, atol=1e-3)


@pytest.mark.parametrize("kind", ["adaptation", "older", "pair", "front", "comparison", *SLOW])
def test_each_page_is_drawn_and_hostile_names_are_text(
    browser: Any, run: Content, older: Content, tmp_path: Path, kind: str
) -> None:
    contents = {
        "older": lambda: older, "pair": lambda: pair_content(run, run), "search": search, "comparison": comparison,
        "adaptation": adaptation,
        "front": lambda: search(("nADE", "parameters")), "no result": lambda: search(count=0),
    }  # fmt: skip
    file = tmp_path / "page.html"
    file.write_text(html_of(contents[kind](), "en" if kind != "pair" else "ja"), encoding="utf-8")
    with page_of(browser, file, viewport={"width": 1000, "height": 4000}) as page:
        page.wait_for_timeout(300)
        text = page.inner_text("body")
        assert EVIL in text
        if kind == "pair":
            assert f"どちらも同じ{len(run['cases'])}件のケースでテストしています。" in text
        assert not re.search(r"\bundefined\b|\bNaN\b|\{\w+\}", text)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000


def test_runs_without_a_common_test_case_are_not_ranked(browser: Any, run: Content, tmp_path: Path) -> None:
    """The second is better in every number, but over other cases."""
    better = {key: [[value / 2 for value in row] for row in run["scores"][key]] for key in ("ade", "fde")}
    scores = {**run["scores"], **better, "nade": run["scores"]["nade"] / 2, "nfde": run["scores"]["nfde"] / 2}
    other = {**run, "cases": [f"other {i}" for i, _ in enumerate(run["cases"])], "scores": scores}
    file = tmp_path / "page.html"
    file.write_text(html_of(pair_content(run, other), "en"), encoding="utf-8")
    with page_of(browser, file, viewport={"width": 1000, "height": 4000}) as page:
        count = len(run["cases"])
        said = f"No test case is common to both: A was tested on {count} cases, B on {count} others."
        assert said in page.inner_text("#error p.bad")
        # Neither a target nor nADE and nFDE; what does not depend on the cases is compared.
        rows = [line.split("\t") for line in page.inner_text("#error").splitlines() if "\t" in line]
        last = {row[0]: row[-1].strip() for row in rows}
        assert {last[name] for name in ("nADE", "nFDE", *run["channels"]["targets"])} == {"–"}
        assert last["trained numbers"] == "="
