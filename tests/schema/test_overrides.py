"""Values set from outside the file."""

from __future__ import annotations

from typing import Any

import pytest

from sim.schema import Scenario, load_text
from tests.schema.base import GOOD, problems


def with_set(path: str, value: Any) -> Scenario:
    """Return the good scenario with one value set."""
    return load_text(GOOD, overrides={path: value})


def test_value_in_the_file() -> None:
    """Values are read as YAML, with units."""
    assert with_set("shocks.0.return", "-30%").shocks[0].return_ == -0.3  # type: ignore[union-attr]
    assert with_set("clock.horizon", "1h").clock.horizon == 3600.0
    assert with_set("markets.1.impact", "{kind: none}").markets[1].impact.kind == "none"
    assert with_set("seed", 12).seed == 12


def test_key_that_the_file_leaves_out() -> None:
    """A block or key with a default may be set though the file does not have it."""
    assert with_set("engine.check", "true").engine.check is True
    assert with_set("markets.0.price", "1e5").markets[0].price == 1e5


def test_path_into_a_preset() -> None:
    """What a preset states may be set item by item."""
    layer = with_set("venues.alpha.waterfall.0.size", "1e9").venues["alpha"].waterfall[0]
    assert layer.size == 1e9  # type: ignore[union-attr]
    scenario = with_set("venues.alpha.margin.tiers.BTC.0.rate", "0.004")
    margin = scenario.venues["alpha"].margin
    assert margin is not None
    assert isinstance(margin.tiers, dict)
    assert len(margin.tiers["BTC"]) == 12
    assert set(margin.tiers) == {"BTC", "ETH", "SOL"}


def test_maintenance_rate_over_a_preset_replaces_its_tiers() -> None:
    """A rate that the preset's tiers would shadow takes their place."""
    margin = with_set("venues.alpha.margin.maintenance_rate", "0.01").venues["alpha"].margin
    assert margin is not None
    assert margin.tiers is None
    ladder = margin.ladder("BTC", "BTC-PERP")
    assert ladder is not None
    assert [tier.rate for tier in ladder] == [0.01]


def test_the_file_is_not_changed() -> None:
    """Overrides leave the mapping they are applied to alone."""
    data: dict[str, Any] = {"a": 1}
    from sim.schema.overrides import apply_overrides

    changed, paths = apply_overrides(data, {"a": "2"})
    assert (data, changed, paths) == ({"a": 1}, {"a": 2}, {("a",)})


@pytest.mark.parametrize(
    ("path", "value", "parts"),
    [
        ("venues.gama.mark.kind", "last", ("unknown name 'gama'", "did you mean 'gamma'")),
        ("assets.BCT.price", "1", ("unknown name 'BCT'", "did you mean 'BTC'")),
        ("shocks.9.return", "-0.1", ("'9' as an item of shocks", "0 to 6")),
        ("shocks.first.return", "-0.1", ("'first' as an item of shocks",)),
        ("seed.value", "3", ("'value' below seed, which is 7",)),
        ("shocks..return", "3", ("an empty part",)),
        ("", "3", ("an empty part",)),
        ("shocks.0.retrun", "3", ("unknown key 'retrun'", "did you mean 'return'")),
        ("shocks.0.return", "-2", ("found -2", "above -1")),
        ("shocks.0.return", "[", ("not YAML",)),
        ("clock.tick", "", ("clock.tick", "nothing")),
        ("nonsense", "3", ("unknown key 'nonsense'",)),
        ("venues.alpha.preset", "okex", ("'okex'", "did you mean 'okx'")),
    ],
)
def test_mistake_names_the_option(path: str, value: str, parts: tuple[str, ...]) -> None:
    """A problem of an override is found at ``--set`` and has no line."""
    found = [p for p in problems(GOOD, overrides={path: value}) if p.file == "--set"]
    assert found
    assert found[0].line is None
    for part in parts:
        assert part in str(found[0])


def test_all_mistakes_of_overrides_at_once() -> None:
    """Two bad paths are two problems."""
    assert len(problems(GOOD, overrides={"seed.x": "1", "shocks.99": "1"})) == 2
