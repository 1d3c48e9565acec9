"""What the documentation says of names, files and options is there."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import sim
from sim.engine.figure_names import GROUPS, MARKET_FIGURES, VENUE_FIGURES
from sim.engine.recorder import CAUSES, COHORTS, PRICES, VENUES
from tests.cli.command import SMALL, invoke
from tests.docs.pages import PAGES, ROOT, page

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FOREIGN = re.compile(r"^[a-z]+:")
REPOSITORY_PATH = re.compile(r"`((?:sim|tests|docs|scenarios|notebooks)/[\w./-]+)`")


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return _module("build_reference")


def test_the_page_of_venues_is_up_to_date() -> None:
    assert page("docs/venues.md") == _module("build_venues").page(), (
        "run python docs/build_venues.py"
    )


def test_the_reference_is_up_to_date(generator: ModuleType) -> None:
    assert page("docs/scenario-reference.md") == generator.page(), (
        "run python docs/build_reference.py"
    )


def test_every_series_of_a_mechanism_is_explained() -> None:
    from sim.core.series import CATALOGUE

    text = page("docs/tables.md")
    for name, info in CATALOGUE.items():
        assert f"| `{name}` | {info.of} | {info.unit} | {info.text} |" in text


def test_the_reference_has_every_key_of_the_json_schema(generator: ModuleType) -> None:
    from sim.schema import json_schema

    text = generator.page()
    schema = json_schema()
    keys = {key for node in (schema, *schema["$defs"].values()) for key in _keys(node)}
    assert len(keys) > 80
    assert [key for key in sorted(keys) if f"`{key}`" not in text and f"`{key}:" not in text] == []


def _keys(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", {})


@pytest.mark.parametrize("file", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    targets = [found for found in LINK.findall(text) if not FOREIGN.match(found)]
    assert [target for target in targets if not (file.parent / target).exists()] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda path: path.name)
def test_named_paths_exist(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    named = [name for name in REPOSITORY_PATH.findall(text) if "<" not in name]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_table_and_figure_is_explained() -> None:
    text = page("docs/tables.md")
    groups = {name for group in GROUPS.values() for name in group}
    names = {*PRICES, *VENUES, *CAUSES, *COHORTS, *groups, *MARKET_FIGURES, *VENUE_FIGURES}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_every_column_and_key_of_a_run_is_explained() -> None:
    result = sim.run(sim.load_text(SMALL))
    text = page("docs/tables.md")
    tables = (result.prices, result.venues, result.liquidations, result.price_causes)
    names = {column for table in (*tables, result.cohorts) for column in table.columns}
    names |= set(result.summary) | set(result.manifest)
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_every_model_is_on_the_map() -> None:
    text = page("docs/models.md")
    folder = ROOT / "sim" / "models"
    aside = {"__init__.py", "base.py", "exogenous.py"}
    files = [
        path.relative_to(ROOT).as_posix()
        for path in sorted(folder.glob("*/*.py"))
        if path.name not in aside
    ]
    assert len(files) > 25
    assert [name for name in files if f"`{name}`" not in text] == []


def test_every_verb_and_option_is_described() -> None:
    text = page("docs/cli.md")
    verbs = re.findall(r"^  ([a-z]+)  ", invoke("--help").stdout, re.MULTILINE)
    assert {"run", "validate", "margin", "replay"} <= set(verbs)
    missing = []
    for verb in verbs:
        if f"`liqsim {verb}" not in text:
            missing.append(verb)
        said = invoke(verb, "--help").stdout
        missing += [
            f"{verb} {option}"
            for option in re.findall(r"--[a-z][a-z-]+", said)
            if option != "--help" and option not in text
        ]
    assert missing == []


def test_exit_codes_are_those_of_the_command() -> None:
    from sim.cli import guard

    codes = {0, guard.RUN_FAILED, guard.USAGE, guard.INVALID, guard.BREACHED, guard.MISMATCH}
    for name in ("README.md", "docs/cli.md"):
        rows = {int(code) for code in re.findall(r"^\| (\d+) \|", page(name), re.MULTILINE)}
        assert rows == codes | {guard.INTERRUPTED}, name


def test_layers_stand_in_the_order_of_the_contract() -> None:
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8")
    layers = contract.partition("layers =")[2].partition("exhaustive")[0]
    ordered = [re.findall(r"\w+", line) for line in layers.strip().splitlines()]
    here = [{name for name in line if (ROOT / "sim" / name).is_dir()} for line in ordered]
    table = page("ARCHITECTURE.md").partition("## Rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", table, flags=re.MULTILINE)
    stated = [set(re.findall(r"`(\w+)/`", row)) for row in rows]
    assert stated == [names for names in reversed(here) if names]


def test_phases_are_those_of_the_engine() -> None:
    from sim.engine.model import PHASES

    section = page("ARCHITECTURE.md").partition("## A tick")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \|", section, flags=re.MULTILINE)
    assert tuple(rows[1:]) == PHASES
