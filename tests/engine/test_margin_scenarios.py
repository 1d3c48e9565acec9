"""The scenarios of changing margins show what their comments say.

A margin spiral happens, and the measures of EMIR Article 28 damp it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sim

VENUES = Path(__file__).parents[2] / "scenarios" / "venues"
SCENARIO = VENUES / "margin-spiral.yaml"
SHOCK = 24 * 3600.0
VARIANTS: dict[str, dict[str, Any]] = {
    "constant": {"every": "1000d"},
    "plain": {},
    "buffer": {"buffer": 0.25},
    "stressed": {"stressed_weight": 0.25, "stressed_volatility": 0.6},
    "floor": {"floor_volatility": 0.3},
}


class Outcome(NamedTuple):
    start: float
    highest: float
    sold: float
    accounts: int
    lowest: float
    volatility: float


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """Return a monkeypatch that lasts for the module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def outcomes(monkeypatch_module: pytest.MonkeyPatch) -> dict[str, Outcome]:
    """Return what happens with each measure."""
    found = {}
    monkeypatch_module.setenv("LIQSIM_CHECK", "0")  # checked as a user runs it
    for name, keys in VARIANTS.items():
        overrides = {f"venues.ccp.margin.risk_model.{key}": value for key, value in keys.items()}
        result = sim.run(sim.load(SCENARIO, overrides))
        table = result.mechanisms
        rate = table.loc[table["series"] == "margin_rate", "value"]
        volatility = table.loc[table["series"] == "model_volatility", "value"]
        before = result.liquidations["tick"] * 300.0 < SHOCK
        assert not before.any()
        found[name] = Outcome(
            float(rate.iloc[0]),
            float(rate.max()),
            float(result.venues["liquidated_notional"].sum()),
            result.summary["accounts_liquidated"],
            result.summary["markets"]["ccp/INDEX-FUT"]["min_price"],
            float(volatility.max()),
        )
    return found


def test_the_shock_alone_breaks_nobody(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["constant"].sold == 0
    assert outcomes["constant"].highest == outcomes["constant"].start


def test_rising_margins_and_sales_feed_on_each_other(outcomes: dict[str, Outcome]) -> None:
    constant, plain = outcomes["constant"], outcomes["plain"]
    assert plain.sold > 4e8
    assert plain.lowest < 0.98 * constant.lowest
    assert plain.volatility > 1.3 * constant.volatility
    assert plain.highest > 2.5 * plain.start


@pytest.mark.parametrize("name", ["buffer", "stressed", "floor"])
def test_each_measure_damps_the_spiral(outcomes: dict[str, Outcome], name: str) -> None:
    plain, damped = outcomes["plain"], outcomes[name]
    assert damped.start > 1.2 * plain.start
    assert damped.highest < 0.9 * plain.highest
    assert damped.sold < 0.6 * plain.sold
    assert damped.accounts < 0.95 * plain.accounts
    assert damped.lowest > plain.lowest


def test_the_comparison_in_the_file_is_what_it_prints(outcomes: dict[str, Outcome]) -> None:
    written = [line for line in SCENARIO.read_text("utf-8").splitlines() if " %  " in line]
    assert len(written) == len(outcomes)
    for line, name in zip(
        written, ("plain", "buffer", "stressed", "floor", "constant"), strict=True
    ):
        found = outcomes[name]
        start, _, highest, _, sold, *_, lowest = line.split()[line.split().index("%") - 1 :]
        assert float(start) == pytest.approx(100 * found.start, abs=0.05)
        assert float(highest) == pytest.approx(100 * found.highest, abs=0.05)
        assert float(sold) == pytest.approx(found.sold / 1e6, abs=0.5)
        assert float(lowest) == pytest.approx(found.lowest, abs=0.5)


def test_a_venue_that_raises_margins_in_stress_sells_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIQSIM_CHECK", "0")  # checked as a user runs it
    path = VENUES / "stress-multipliers.yaml"
    result = sim.run(sim.load(path))
    venues, markets = result.summary["venues"], result.summary["markets"]
    for words, written in (
        ("accounts liquidated", [venues[v]["accounts_liquidated"] for v in ("fixed", "dynamic")]),
        (
            "sold by force",
            [round(venues[v]["liquidated_notional"] / 1e6) for v in ("fixed", "dynamic")],
        ),
        (
            "lowest price",
            [round(markets[f"{v}/BTC-PERP"]["min_price"]) for v in ("fixed", "dynamic")],
        ),
    ):
        line = next(x for x in path.read_text("utf-8").splitlines() if words in x)
        assert line.split()[-2:] == [f"{value:,}" for value in written]
    table = result.mechanisms[result.mechanisms["series"] == "margin_multiplier"]
    since = table["time"][table["value"].diff() != 0].to_list()
    assert [(t - 3600) / 60 for t in since[1:]] == [2, 4, 35, 48]  # prices are back at 20 min
