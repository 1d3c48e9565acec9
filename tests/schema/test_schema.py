"""What the models say about themselves: texts, units, JSON Schema, identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

import sim.schema
from sim.core.errors import ScenarioError
from sim.schema import (
    PresetNotes,
    Scenario,
    canonical,
    file_digests,
    json_schema,
    load,
    load_mapping,
    load_text,
    resolved,
    scenario_id,
)
from sim.schema.base import Model
from sim.schema.introspect import key_names
from sim.schema.json_schema import experiment_schema, json_schema_text, scorecard_schema
from tests.schema.base import GOOD, write_book

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def models(base: type[BaseModel] = Model) -> list[type[BaseModel]]:
    """Return every block a scenario can have."""
    below = [model for child in base.__subclasses__() for model in models(child)]
    return [*base.__subclasses__(), *below]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_attribute_has_text_and_unit(model: type[BaseModel]) -> None:
    """A block has a docstring; each attribute one sentence and a unit; all are frozen."""
    assert model.__doc__
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert isinstance(field.json_schema_extra, dict), name
        assert field.json_schema_extra["unit"], name


def test_written_schema_is_the_models(tmp_path: Path) -> None:
    """``scenarios/scenario.schema.json`` is what ``liqsim schema`` prints."""
    written = (SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8")
    assert written == json_schema_text(), "write it anew: liqsim schema > scenarios/..."


def test_schema_describes_every_key() -> None:
    """Every block and key of the models is in the schema, under the name a file uses."""
    scenario, experiment = json_schema(), experiment_schema()
    definitions = {**experiment["$defs"], **scenario["$defs"]}
    definitions |= {"Scenario": scenario, "Experiment": experiment, "Scorecard": scorecard_schema()}
    for model in models():
        if model.__name__.startswith("_") or model.__module__ == PresetNotes.__module__:
            continue  # what a preset says about itself is no part of a scenario
        assert set(definitions[model.__name__]["properties"]) == set(key_names(model))
    assert "return" in definitions["Jump"]["properties"]


@pytest.fixture(scope="module")
def validator() -> Any:
    """Return a validator of the JSON Schema."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


def values(text: str) -> Any:
    """Return a scenario's values as an editor sees them."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


def test_schema_accepts_what_loads(validator: Any) -> None:
    """An editor marks nothing in a good scenario, nor in the bundled ones."""
    assert [error.message for error in validator.iter_errors(values(GOOD))] == []
    for path in sorted(SCENARIOS.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert [error.message for error in validator.iter_errors(values(text))] == [], path


def test_schema_accepts_what_a_manifest_holds(validator: Any) -> None:
    """The resolved scenario is a scenario."""
    data = resolved(load_text(GOOD))
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 7", "sede: 7"),
        ("depth: 5e8", "depth: -5e8"),
        ("depth: 5e8", "depth: deep"),
        ("kind: linear", "kind: linaer"),
        ("horizon: 30min", "horizon: 30 minutes"),
        ("maintenance_rate: 50bps", "maintenance_rate: 5"),
        ("{kind: none}", "{}"),
        ("preset: binance-usdm", "preset: binance"),
        ("    margin:\n      kind: cross\n", "    margin:\n"),
        ("name: two-venues", "name: Two Venues"),
        ("clock: {tick: 1s, ", "clock: {"),
    ],
)
def test_schema_refuses_what_does_not_load(validator: Any, old: str, new: str) -> None:
    """An editor marks a mistake that loading refuses."""
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(ScenarioError):
        load_text(text)
    assert list(validator.iter_errors(values(text)))


def test_bundled_scenarios_load() -> None:
    """Every bundled scenario is a good one."""
    for path in sorted(SCENARIOS.glob("*.yaml")):
        assert load(path).markets


def test_identity_is_what_is_said_not_how(tmp_path: Path) -> None:
    """Units, order, comments, presets and places do not matter; values do."""
    write_book(tmp_path)
    identity = scenario_id(load_text(GOOD, base_dir=tmp_path))
    for old, new in (
        ("30min", "1800"),
        ("volatility: 60%", "volatility: 0.6"),
        ("seed: 7", "seed: 7  # root"),
        ("{kind: adl}", "{kind: 'adl'}"),
        ("name: two-venues\n", ""),
    ):
        text = GOOD.replace(old, new)
        text = text if "name: two" in text else text + "name: two-venues\n"
        assert scenario_id(load_text(text, base_dir=tmp_path)) == identity
    for old, new in (("30min", "31min"), ("seed: 7", "seed: 8"), ("beta: 1}", "beta: 2}")):
        changed = load_text(GOOD.replace(old, new), base_dir=tmp_path)
        assert scenario_id(changed) != identity


def test_identity_holds_the_bytes_of_files(tmp_path: Path) -> None:
    """The same book elsewhere is the same scenario; another byte is another one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_book(tmp_path)
    write_book(elsewhere)
    scenario = load_text(GOOD, base_dir=tmp_path)
    moved = load_mapping(json.loads(json.dumps(resolved(scenario))), elsewhere)
    assert scenario_id(moved) == scenario_id(scenario)
    with (elsewhere / "book" / "balances.csv").open("a", encoding="utf-8") as stream:
        stream.write("a2,USDT,1\n")
    assert scenario_id(moved) != scenario_id(scenario)
    entry = canonical(scenario)["traders"][2]["book"]["accounts"]
    assert entry["name"] == "accounts.csv"
    assert len(entry["sha256"]) == 64
    digests = file_digests(scenario)
    assert digests["traders.2.book.accounts"]["sha256"] == entry["sha256"]
    assert Path(digests["traders.2.book.accounts"]["file"]).is_file()


def test_missing_file_has_no_identity(tmp_path: Path) -> None:
    """A book that is not there is a problem at the line that names it."""
    with pytest.raises(ScenarioError) as caught:
        scenario_id(load_text(GOOD, base_dir=tmp_path))
    first = caught.value.problems[0]
    assert first.path == "traders.2.book.accounts"
    assert first.line == GOOD[: GOOD.index("- book:")].count("\n") + 1


def test_dumped_scenario_loads_again() -> None:
    """What pydantic dumps is a scenario again, equal to the first."""
    scenario = load_text(GOOD)
    again = load_mapping(json.loads(scenario.model_dump_json(by_alias=True)))
    assert again.model_dump() == scenario.model_dump()


def test_scenarios_are_frozen() -> None:
    """A scenario cannot be changed, only written anew."""
    scenario = load_text(GOOD)
    with pytest.raises(ValidationError):
        scenario.clock.tick = 5.0  # type: ignore[misc]


def test_models_check_without_a_file() -> None:
    """A scenario made in Python is held to the same rules."""
    data = resolved(load_text(GOOD))
    data["markets"][0]["venue"] = "nowhere"
    with pytest.raises(ValidationError, match="unknown venue 'nowhere'"):
        Scenario.model_validate(data)


def test_public_names() -> None:
    """Every public name is there."""
    for name in sim.schema.__all__:
        assert hasattr(sim.schema, name)
