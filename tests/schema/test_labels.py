"""Labels of shocks: a few words for figures, the same rules for every kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.core.errors import ScenarioError
from sim.schema import load_text, scenario_id
from sim.schema.json_schema import json_schema
from tests.schema.base import GOOD, write_book

JUMP = "{kind: jump, at: 5min"
KINDS = ("Jump", "Ramp", "PathShock", "Gbm", "JumpDiffusion", "DepthShock", "Outage")


def labelled(label: str) -> str:
    """Return the good scenario with a label, as YAML writes it, on its jump."""
    assert JUMP in GOOD
    return GOOD.replace(JUMP, f"{{kind: jump, label: {label}, at: 5min")


@pytest.mark.parametrize("label", ["x", "tariff news", "-12 % of $ & more", "n" * 40, "Stoß"])
def test_short_labels_load(label: str) -> None:
    """A label is kept as written; without one it is None."""
    assert load_text(labelled(f"'{label}'")).shocks[0].label == label
    assert load_text(GOOD).shocks[0].label is None


@pytest.mark.parametrize("label", ["''", "' '", "' x'", "'x '", "n" * 41, '"two\\nlines"', '"\\t"'])
def test_other_labels_are_refused(label: str) -> None:
    """An empty, long or broken label is refused at its place."""
    with pytest.raises(ScenarioError) as caught:
        load_text(labelled(label))
    (problem,) = caught.value.problems
    assert problem.path == "shocks.0.label"
    assert "40 characters" in problem.allowed


def test_every_kind_has_a_label_in_the_schema() -> None:
    """The JSON Schema describes it once per kind, with the rule of the loader."""
    definitions = json_schema()["$defs"]
    for kind in KINDS:
        text = definitions[kind]["properties"]["label"]["anyOf"][0]
        assert re.search(text["pattern"], "n" * 40)
        assert not re.search(text["pattern"], "n" * 41)


def test_a_label_is_part_of_what_a_scenario_says(tmp_path: Path) -> None:
    """As a description is: another text is another scenario."""
    write_book(tmp_path)
    one, two = (load_text(labelled(text), base_dir=tmp_path) for text in ("one", "two"))
    assert scenario_id(one) != scenario_id(two)
