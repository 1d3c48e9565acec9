"""The page of mechanisms: its examples are valid, its links and tables complete."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.schema import Venue
from sim.schema.introspect import kinds_at
from tests.docs.pages import ROOT, blocks, page

PAGE = "docs/mechanisms.md"
PLAIN = {"kind": "cross", "initial_rate": 0.02, "maintenance_rate": 0.01}


@pytest.mark.parametrize("number", range(len(blocks(PAGE, "yaml"))))
def test_every_example_is_a_valid_part_of_a_venue(number: int) -> None:
    keys: dict[str, Any] = YAML(typ="safe", pure=True).load(blocks(PAGE, "yaml")[number])
    venue = Venue.model_validate({"margin": PLAIN, **keys})
    assert set(keys) <= venue.model_fields_set


def test_the_python_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(PAGE, "python")
    exec(compile(code, PAGE, "exec"), {})  # noqa: S102
    assert capsys.readouterr().out == code.rpartition("# ")[2]


def test_every_scenario_of_a_mechanism_is_named() -> None:
    """In the table of the page and in the list of scenarios."""
    for name in (PAGE, "scenarios/README.md"):
        text = page(name)
        files = (ROOT / "scenarios" / "venues").glob("*.yaml")
        assert [file.stem for file in files if file.stem not in text] == [], name


def test_links_within_the_page_lead_to_sections() -> None:
    text = page(PAGE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    targets = re.findall(r"\]\(#([\w-]+)\)", text)
    assert len(targets) > 25
    assert [target for target in targets if target not in anchors] == []


@pytest.mark.parametrize(
    ("block", "item"), [("mark", ()), ("liquidation", ()), ("waterfall", (0,)), ("breakers", (0,))]
)
def test_every_kind_of_a_rule_is_there(block: str, item: tuple[int, ...]) -> None:
    kinds = kinds_at(("venues", "a", block, *item))
    assert len(kinds) > 1
    text = page(PAGE)
    assert [kind for kind in kinds if not re.search(rf"\b{kind}\b", text)] == []
