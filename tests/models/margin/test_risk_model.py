"""Rates of a risk model, and the stress index and its multiplier."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.margin.risk_model import RiskModelRates
from sim.models.margin.stress import realised_volatility, stress_multiplier
from sim.schema import Asset, Market, RiskModel

DAY, YEAR = 86_400.0, 365.0 * 86_400.0
Z = 2.3263478740408408


ASSETS = {"BTC": Asset(price=100, volatility=0.5), "ETH": Asset(price=10, volatility=0.8)}


def rates(**keys: Any) -> RiskModelRates:
    """Return the rates for a market of BTC and one of ETH."""
    model = RiskModel.model_validate({"kind": "ewma", **keys})
    markets = [
        Market.model_validate(
            {
                "venue": "v",
                "symbol": f"{base}-FUT",
                "kind": "future",
                "base": base,
                "quote": "USD",
                "impact": {"kind": "none"},
            }
        )
        for base in ("BTC", "ETH")
    ]
    return RiskModelRates(model, SimpleNamespace(assets=ASSETS), markets)  # type: ignore[arg-type]


def test_rates_start_with_the_assets_own_volatilities() -> None:
    found = rates()
    expected = [Z * s * math.sqrt(2 / 365) for s in (0.5, 0.8)]
    assert found.maintenance(found.start) == pytest.approx(expected, rel=1e-14)
    assert found.annual(found.start) == pytest.approx([0.5, 0.8], rel=1e-14)


def test_volatilities_may_be_stated_for_all_or_by_asset() -> None:
    one, each = rates(start_volatility=0.3), rates(start_volatility={"ETH": 0.3})
    assert one.annual(one.start) == pytest.approx([0.3, 0.3])
    assert each.annual(each.start) == pytest.approx([0.5, 0.3])


def test_the_length_of_a_sample_does_not_matter_to_the_rate() -> None:
    minute, day = rates(sample=60), rates()
    assert minute.maintenance(minute.start) == pytest.approx(day.maintenance(day.start), rel=1e-14)


def test_the_three_measures_together_in_their_order() -> None:
    found = rates(
        period_of_risk=DAY,
        floor_volatility={"BTC": 0.6},
        stressed_weight=0.25,
        stressed_volatility={"BTC": 1.0, "ETH": 1.5},
        buffer=0.25,
    )
    root = Z / math.sqrt(365)
    calm = 0.75 * np.array([0.6, 0.8]) * root + 0.25 * np.array([1.0, 1.5]) * root
    assert found.maintenance(found.start) == pytest.approx(1.25 * calm, rel=1e-14)
    stormy = 0.75 * np.array([2.0, 3.2]) * root + 0.25 * np.array([1.0, 1.5]) * root
    assert found.maintenance(4 * found.start) == pytest.approx(stormy, rel=1e-14)


def test_nobody_asks_more_than_the_notional() -> None:
    found = rates(initial_multiple=3)
    start = found.maintenance(found.start)
    assert found.initial(start) == pytest.approx(np.minimum(3 * start, 1))
    assert found.maintenance(100 * found.start) == pytest.approx([1, 1])
    assert found.initial(np.array([0.2, 0.5])) == pytest.approx([0.6, 1])


@given(st.floats(1, 10), st.floats(0, 1), st.floats(0, 0.9), st.floats(0.1, 2))
def test_margin_never_falls_as_volatility_rises(
    growth: float, buffer: float, weight: float, floor: float
) -> None:
    stress = {"stressed_weight": weight, "stressed_volatility": 2.0} if weight > 0 else {}
    found = rates(buffer=buffer, floor_volatility=floor, **stress)
    calm, risen = found.maintenance(found.start), found.maintenance(growth * found.start)
    assert (risen >= calm * (1 - 1e-12)).all()
    plain = rates()
    assert (calm >= np.minimum(plain.maintenance(plain.start) * (1 - weight), 1)).all()


def test_realised_volatility_of_a_full_window() -> None:
    squares = np.array([60 * 0.001**2])
    found = realised_volatility(squares, 3600.0, 3600.0, np.array([9.0]))
    assert found[0] == pytest.approx(0.001 * math.sqrt(YEAR / 60), rel=1e-14)


def test_what_is_not_sampled_yet_counts_at_the_own_volatility() -> None:
    found = realised_volatility(np.zeros(2), 900.0, 3600.0, np.array([0.8, 0.0]))
    assert found == pytest.approx([0.8 * math.sqrt(0.75), 0.0])
    start = realised_volatility(np.zeros(1), 0.0, 3600.0, np.array([0.8]))
    assert start[0] == pytest.approx(0.8)


def test_a_return_over_more_than_the_window_counts_over_its_own_time() -> None:
    found = realised_volatility(np.array([0.02**2]), 7200.0, 3600.0, np.array([0.8]))
    assert found[0] == pytest.approx(0.02 * math.sqrt(YEAR / 7200), rel=1e-14)


def test_a_step_holds_from_its_volatility_on() -> None:
    volatility = np.array([0.0, 0.99, 1.0, 1.5, 2.0, 50.0])
    found = stress_multiplier(volatility, [1.0, 2.0], [1.5, 3.0])
    assert found.tolist() == [1.0, 1.0, 1.5, 1.5, 3.0, 3.0]
