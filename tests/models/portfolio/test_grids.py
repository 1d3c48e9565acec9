"""Margin by grids of scenarios: worked examples with the figures of the bundled venues."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.models.margin.deribit_options import short_option_margin
from sim.models.margin.deribit_portfolio import GridRules, coin_gain, portfolio_margin
from sim.models.margin.portfolio_margin_us import portfolio_margin as us_portfolio_margin
from sim.models.margin.span import span_risk
from sim.models.pricing import Legs
from sim.schema import Venue, preset


def figures(name: str, *path: str) -> dict[str, Any]:
    found: Any = preset(name)["figures"]
    for key in path:
        found = found[key]
    return dict(found)


def straddle(size: float, strike: float, years: float, volatility: float) -> Legs:
    return Legs(("call", "put"), np.full(2, size), np.full(2, strike), np.full(2, years),
                np.full(2, volatility))  # fmt: skip


def one_sided(kinds: tuple[str, ...], size: list[float], strike: list[float], v: float) -> Legs:
    n = len(kinds)
    return Legs(kinds, np.array(size), np.array(strike), np.full(n, 30 / 365), np.full(n, v))


@pytest.mark.parametrize(
    ("rules", "risk", "scenario"), [("span", 8_211.15, 15), ("span_nse", 6_153.54, 11)]
)
def test_span_of_a_short_straddle(rules: str, risk: float, scenario: int) -> None:
    """F = K = 4,000, 20 %, 45 days, 50 a point, range 240, volatility 5 points."""
    found = span_risk(straddle(-50.0, 4_000.0, 45 / 365, 0.2), 4_000.0, 240.0, 0.05,
                      **figures("cme-futures", rules))  # fmt: skip
    assert found.scan_risk == pytest.approx(risk, abs=0.005)
    assert found.scenario == scenario
    assert -found.net_option_value == pytest.approx(11_203.94, abs=0.005)
    if rules == "span":
        assert found.scan_risk - found.net_option_value == pytest.approx(19_415.08, abs=0.01)


@pytest.mark.parametrize(
    ("legs", "risk", "scenario"),
    [
        (one_sided(("call", "put"), [-1, -1], [100, 100], 0.6), 7.533439, 15),
        (one_sided(("future", "call"), [1, -1], [100, 105], 0.6), 10.296517, 16),
        (one_sided(("future", "put"), [1, 1], [100, 95], 0.6), 7.098055, 14),
        (one_sided(("call",), [-10], [140], 0.8), 31.802574, 15),
    ],
)
def test_span_of_other_portfolios(legs: Legs, risk: float, scenario: int) -> None:
    """Price 100, range 12, volatility range 10 points, 30 days."""
    found = span_risk(legs, 100.0, 12.0, 0.1, **figures("cme-futures", "span"))
    assert found.scan_risk == pytest.approx(risk, abs=5e-7)
    assert found.scenario == scenario


def test_span_of_a_future_is_its_range_or_the_extreme() -> None:
    """One future loses its range, 3 times the range at a third of it covers a little less."""
    found = span_risk(one_sided(("future",), [1], [100], 0.2), 100.0, 12.0, 0.1, 3.0, 0.33)
    assert found.scan_risk == pytest.approx(12.0)
    assert found.losses[15] == pytest.approx(0.33 * 36.0)
    assert found.scenario == 13


def deribit(coin: str) -> GridRules:
    rules = figures("deribit", "portfolio_margin", coin)
    return GridRules(**{**rules, "extended_moves": tuple(rules["extended_moves"])})


def test_deribit_short_straddles() -> None:
    """10 BTC straddles at 100,000, 60 %, 30 days: worst at -16 % with volatility up."""
    found = portfolio_margin(straddle(-10.0, 100_000.0, 30 / 365, 0.6), 100_000.0, deribit("BTC"))
    assert (found.worst_move, found.worst_volatility) == (pytest.approx(-0.16), "up")
    assert found.worst_loss == pytest.approx(1.36815, abs=5e-6)
    assert found.roll == pytest.approx(0.00685, abs=5e-6)
    assert found.initial == pytest.approx(1.37501, abs=5e-6)
    assert found.maintenance == pytest.approx(1.10001, abs=5e-6)


def test_deribit_perpetual_vector() -> None:
    """The gains that the venue's API shows for a coin-margined perpetual of 0.31453836 BTC."""
    legs = Legs(("future",), np.array([0.31453836]), np.array([1.0]), np.zeros(1), np.zeros(1))
    moves = np.arange(-4, 3) * 0.04
    expected = [-0.059912069, -0.042891595, -0.027351162, -0.013105765, 0.0, 0.012097629,
                0.023299138]  # fmt: skip
    assert coin_gain(legs, 70_000.0, moves, legs.volatility) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("strike", "mark", "initial", "maintenance"),
    [(90_000.0, 0.015, 0.115, 0.09), (250_000.0, 1.5, 1.65, 1.6125)],
)
def test_deribit_short_put(strike: float, mark: float, initial: float, maintenance: float) -> None:
    """At an index of 100,000, in BTC per BTC."""
    rules = figures("deribit", "options")
    found = short_option_margin("put", 100_000.0, strike, mark, **rules)
    assert found == (pytest.approx(initial), pytest.approx(maintenance))


def test_deribit_short_call() -> None:
    """Far out of the money the floor of 10 % binds."""
    found = short_option_margin("call", 100.0, 120.0, 0.01, **figures("deribit", "options"))
    assert found == (pytest.approx(0.11), pytest.approx(0.085))


def test_protected_shares() -> None:
    """1,000 shares at 100 with 10 puts at 95: 5,000, where Regulation T asks 50,000 and 25,000."""
    legs = Legs(("future", "put"), np.full(2, 1_000.0), np.array([100.0, 95.0]), np.zeros(2),
                np.zeros(2))  # fmt: skip
    rules = figures("us-equities", "portfolio_margin")
    assert us_portfolio_margin(legs, 100.0, **rules) == pytest.approx(5_000.0)
    margin = Venue(preset="us-equities").margin
    assert margin is not None
    assert margin.initial_rate == 50_000 / 100_000
    assert margin.maintenance_rate == 25_000 / 100_000


def test_least_margin_per_contract() -> None:
    """Long calls far out of the money lose nearly nothing; 37.50 a contract is asked."""
    legs = Legs(("call",), np.array([500.0]), np.array([200.0]), np.zeros(1), np.zeros(1))
    rules = figures("us-equities", "portfolio_margin")
    assert us_portfolio_margin(legs, 100.0, **rules) == pytest.approx(5 * 37.5)
