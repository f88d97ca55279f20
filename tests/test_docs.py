"""The README and the pages under ``docs/``: links resolve, keys and commands exist, the Japanese pages are twins."""

import re
import shlex
import tomllib
from functools import cache
from importlib.metadata import distributions
from itertools import zip_longest
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from markdown_pages import CODE, anchors, code_blocks, commands, headings, prose, tables
from omegaconf import OmegaConf

from surrogate_modeling.config.composition import register_schemas
from surrogate_modeling.search.sampler_schemas import SCHEMAS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ENGLISH = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
PAGES = [*ENGLISH, *sorted(ROOT.glob("*.ja.md")), *sorted(DOCS.glob("ja/*.md")), ROOT / "RESULTS.md"]
SOURCE = ROOT / "src" / "surrogate_modeling"
SIMULATOR = SOURCE / "refrigerant" / "README.md"
KEY = re.compile(r"(?<![\w./])(settings|dataset|model|hydra\.sweeper)\.(?!(?:py|md)\b)([a-z]\w*)")
# Plugins that an extra installs; without one, its commands are not composed.
LAUNCHERS = {"joblib": "joblib", "ray": "ray", "slurm": "submitit", "local": "submitit", "submitit_slurm": "submitit"}
# Commands whose keys are composed from YAML.
COMPOSED = (
    "train",
    "finish",
    "import",
    "look",
    "compare",
    "generate",
    "predict",
    "plan",
    "adapt",
    "explain",
    "optimise",
    "export",
    "report",
)
PLACEHOLDER = re.compile(r"<[\w -]+>")


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def twin(page: Path) -> Path:
    """The Japanese page of an English one."""
    return page.with_suffix(".ja.md") if page.parent == ROOT else DOCS / "ja" / page.name


def yaml_of(*parts: str) -> dict[str, object]:
    tree = OmegaConf.to_container(OmegaConf.load(ROOT.joinpath("hydra", *parts[:-1], f"{parts[-1]}.yaml")))
    assert isinstance(tree, dict)
    # A YAML of the global package, which may choose other groups too.
    tree = tree.get(parts[0], tree) if len(parts) > 1 else tree
    return {str(key): value for key, value in tree.items() if key not in {"defaults", "hydra"}}


@cache
def keys_of(group: str) -> set[str]:
    if group == "hydra.sweeper":
        return set(yaml_of("hydra", "sweeper", "search"))
    return {key for file in (ROOT / "hydra" / group).glob("*.yaml") for key in yaml_of(group, file.stem)}


@pytest.mark.parametrize("page", [*PAGES, SIMULATOR], ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(page))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_every_page_is_reached_from_its_readme() -> None:
    for readme, folder in ((ROOT / "README.md", DOCS), (ROOT / "README.ja.md", DOCS / "ja")):
        linked = {readme.parent / link for link in re.findall(r"\]\(([^)#\s]+)", readme.read_text(encoding="utf-8"))}
        assert set(folder.glob("*.md")) <= linked


@pytest.mark.parametrize("page", ENGLISH, ids=page_id)
def test_the_japanese_page_is_a_twin(page: Path) -> None:
    other = twin(page)
    assert [level for level, _ in headings(page)] == [level for level, _ in headings(other)]
    for ours, theirs in zip_longest(code_blocks(page), code_blocks(other)):
        assert ours == theirs
    for ours, theirs in zip_longest(tables(page), tables(other), fillvalue=[]):
        assert [len(row) for row in ours] == [len(row) for row in theirs]


def test_every_japanese_page_has_an_english_one() -> None:
    assert {twin(page) for page in ENGLISH} == {*ROOT.glob("*.ja.md"), *DOCS.glob("ja/*.md")}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_key_in_the_text_exists(page: Path) -> None:
    known = {group: keys_of(group) for group in ("settings", "dataset", "model", "hydra.sweeper")}
    text = page.read_text(encoding="utf-8")
    assert [f"{group}.{key}" for group, key in KEY.findall(text) if key not in known[group]] == []


@pytest.mark.parametrize(
    ("folder", "page"),
    [
        ("model", "networks"), ("settings", "recipes"), ("dataset", "data"), ("search", "searches"),
        ("launch", "cluster"), ("hydra/sweeper/pruner", "searches"),
    ],
)  # fmt: skip
def test_every_choice_is_named(folder: str, page: str) -> None:
    names = {file.stem for file in (ROOT / "hydra" / folder).glob("*.yaml")}
    for language in (DOCS, DOCS / "ja"):
        spans = re.findall(r"`([^`]+)`", "\n".join(prose(language / f"{page}.md")))
        assert names <= {span.rpartition("=")[2] for span in spans}


def test_every_sampler_is_named() -> None:
    (row,) = [row for row in tables(DOCS / "searches.md")[0] if "sampler" in row[0]]
    assert set(re.findall(r"`(\w+)`", row[2])) == set(SCHEMAS)


def defaults(page: Path, number: int) -> dict[str, str]:
    """Key -> default of one table of a page, as written there."""
    return {row[0].strip("`").removeprefix("hydra.sweeper."): row[1].strip("`") for row in tables(page)[number][1:]}


def written(value: object) -> str:
    """A value as the pages write it."""
    if value == "???":
        return "required"
    if isinstance(value, list):
        return str(value).replace("'", "") if isinstance(value[:1], list) else f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)


@pytest.mark.parametrize(
    ("page", "numbers", "parts", "left_out"),
    [
        ("settings", (0, 1), ("settings", "default"), set()),
        ("data", (0,), ("dataset", "csv"), set()),
        ("networks", (2,), ("model", "ssm"), set()),
        ("networks", (3,), ("model", "nss"), set()),
        ("networks", (4,), ("model", "auto"), set()),
        ("data-import", (1,), ("import",), set()),
        ("comparison", (0,), ("compare",), set()),
        ("prediction", (0,), ("predict",), set()),
        ("look", (1,), ("look",), set()),
        ("exports", (0,), ("export",), set()),
        ("after", (0,), ("adapt",), set()),
        ("after", (3,), ("optimise",), set()),
        ("after", (6,), ("explain",), set()),
        ("after", (7,), ("plan",), set()),
        ("outputs", (1,), ("report",), set()),
        ("searches", (0,), ("hydra", "sweeper", "search"), {"_target_", "_recursive_", "trial", "parent_run"}),
    ],
)
def test_tables_of_keys_are_complete_and_have_the_defaults(
    page: str, numbers: tuple[int, ...], parts: tuple[str, ...], left_out: set[str]
) -> None:
    found: dict[str, str] = {}
    for number in numbers:
        found |= defaults(DOCS / f"{page}.md", number)
    found = {key: value for key, value in found.items() if not key.startswith("hydra/")}
    true = {key: written(value) for key, value in yaml_of(*parts).items() if key not in left_out}
    assert set(found) == set(true)
    words = {"all seven", "prediction/<time>", "optimum/<time>", "explain/<time>", "for nss"}  # said in words
    for key, value in found.items():
        assert value in words or value.lower().replace(" ", "") == true[key].lower().replace(" ", ""), key


def test_the_table_of_the_simulator_is_complete() -> None:
    own = {key: value for key, value in yaml_of("dataset", "refrigerant").items() if key not in keys_of_csv()}
    number = next(i for i, table in enumerate(tables(DOCS / "data.md")) if any("`refrigerant`" in row for row in table))
    found = defaults(DOCS / "data.md", number)
    assert set(found) == set(own)
    assert all(value == str(own[key]) for key, value in found.items() if key not in {"families", "workers"})


def test_the_table_of_planned_datasets_is_complete() -> None:
    own = {**yaml_of("dataset", "fmu"), **yaml_of("dataset", "command")}
    own = {key: "{}" if value == {} else written(value) for key, value in own.items() if key not in keys_of_csv()}
    assert {key: value.lower() for key, value in defaults(DOCS / "generation.md", 1).items()} == {
        key: value.lower() for key, value in own.items()
    }


def keys_of_csv() -> set[str]:
    return set(yaml_of("dataset", "csv"))


def test_the_table_of_window_networks_is_complete() -> None:
    head, *rows = tables(DOCS / "networks.md")[1]
    for column, name in enumerate(head[2:], start=2):
        found = {row[0].strip("`"): row[column].strip("`") for row in rows if row[column]}
        assert found == {key: str(value) for key, value in yaml_of("model", name.strip("`")).items()}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_exists(page: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pdm"]["scripts"]
    for command in commands(page):
        words = shlex.split(command)
        assert words[2] in {*scripts, "python", "mlflow", "pre-commit"}, command
        if words[2] == "python" and len(words) > 3:
            assert (ROOT / words[3]).exists(), command


@pytest.mark.parametrize("page", [*ENGLISH, ROOT / "RESULTS.md"], ids=page_id)
def test_every_configuration_in_a_command_composes(page: Path) -> None:
    for command in commands(page):
        _, _, name, *arguments = shlex.split(PLACEHOLDER.sub("x", command))
        if name not in COMPOSED:
            continue
        overrides = [word for word in arguments if "=" in word]
        keys = dict(word.split("=", 1) for word in overrides)
        launched = keys.get("+launch") or keys.get("hydra/launcher")
        if launched and not list(distributions(name=f"hydra-{LAUNCHERS[launched]}-launcher")):
            continue
        assert composes("config" if name == "train" else name, *map(first_choice, overrides)), command


@cache
def composes(name: str, *overrides: str) -> bool:
    """Whether a configuration composes, Hydra's own part too; a command stands on several pages."""
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "hydra"), version_base="1.3"):
        return bool(compose(name, [*overrides], return_hydra_config=True))


def first_choice(argument: str) -> str:
    """An override with a sweep, with the first of its values instead."""
    override: Override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return argument
    value = override.value()
    one = value.start if isinstance(value, IntervalSweep) else next(iter(override.sweep_iterator()))
    return f"{override.get_key_element()}={one}"


def test_python_in_the_pages_compiles() -> None:
    blocks = [block for page in PAGES for block in CODE.findall(page.read_text(encoding="utf-8"))]
    programs = [text for language, text in blocks if language == "python"]
    assert programs
    for program in programs:
        compile(program, "docs", "exec")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_test_file_in_the_text_exists(page: Path) -> None:
    named = re.findall(r"(?:\w+/)*test_\w+\.py", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / "tests" / name.removeprefix("tests/")).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "CONTRIBUTING.ja.md", SIMULATOR], ids=page_id)
def test_every_path_in_the_guides_exists(page: Path) -> None:
    """Those with a placeholder are left out."""
    places = (page.parent, ROOT, SOURCE, SOURCE.parent, ROOT / "tests", ROOT / "hydra")
    named = re.findall(r"`([\w./-]*(?:/|\.py|\.yaml|\.toml|\.md))`", "\n".join(prose(page)))
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "CONTRIBUTING.ja.md"], ids=page_id)
def test_every_name_in_the_guide_is_in_the_code(page: Path) -> None:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "pyproject.toml"]
    files.remove(Path(__file__))
    known = set(re.findall(r"\w+", "\n".join(file.read_text(encoding="utf-8") for file in files)))
    names = re.findall(r"`((?:[A-Za-z]\w+\.)?[A-Za-z]\w+)`", "\n".join(prose(page)))
    assert [name for name in names if not set(name.split(".")) <= known] == []


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "CONTRIBUTING.ja.md"], ids=page_id)
def test_the_table_of_rooms_is_what_the_linter_checks(page: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    found: dict[int, set[str]] = {}
    for level, rooms, _ in next(table for table in tables(page) if len(table) > 10 and len(table[0]) == 3)[1:]:
        found.setdefault(int(level), set()).update(re.findall(r"`(\w+)(?:/|\.py)`", rooms))
    assert [found[level] for level in sorted(found, reverse=True)] == [set(layer.split(" | ")) for layer in layers]


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "CONTRIBUTING.ja.md"], ids=page_id)
def test_every_dependency_is_explained(page: Path) -> None:
    """In the last table, but for those that the sentence before it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[<>=]", line)[0] for line in project["dependencies"]}
    named = {"torch", "pytorch-lightning", "hydra-core", "omegaconf", "optuna", "mlflow", "numpy", "matplotlib"}
    assert {row[0] for row in tables(page)[-1][1:]} == needed - named
