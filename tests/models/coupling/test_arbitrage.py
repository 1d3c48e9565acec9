"""Arbitrage closes gaps along the venues' own curves: volumes balance, prices meet."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq

from sim.models.coupling import Quote, arbitrage_flows
from sim.models.coupling.arbitrage import PRICE_SPACING
from sim.models.impact import (
    ExponentialImpact,
    ImpactModel,
    LinearImpact,
    NoImpact,
    PowerImpact,
    SquareRootImpact,
)

IMPACTS: tuple[ImpactModel, ...] = (
    LinearImpact(coefficient=0.02),
    LinearImpact(coefficient=3.0),
    SquareRootImpact(y=0.7, sigma=0.03, volume=2e4),
    SquareRootImpact(y=1.5, sigma=0.1, volume=50.0),
    PowerImpact(sigma=0.02, volume=1e4, outstanding=5e4),
    ExponentialImpact(base_price=40.0, depth=500.0),
    ExponentialImpact(base_price=0.0, depth=2e5, contract_size=0.1),
)


def shares(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


quotes = st.builds(
    lambda impact, gap, price, shift, liquidity, worth, size: Quote(
        gap, impact, price, price * shift, liquidity, worth, size
    ),
    st.sampled_from(IMPACTS),
    shares(-20.0, 20.0),
    shares(60.0, 140.0),
    st.one_of(st.just(1.0), shares(0.9, 1.1)),
    shares(0.02, 1.0),
    st.one_of(st.just(1.0), shares(0.5, 2.0)),
    st.sampled_from((1.0, 0.001, 100.0)),
)
venues = st.lists(quotes, min_size=2, max_size=5)
kappas = st.one_of(st.just(1.0), shares(0.001, 1.0))


def balance(venues: list[Quote], kappa: float, level: float) -> float:
    """What closing the share kappa towards a level buys in all [base]."""
    return math.fsum(q.contract_size * q.reach(kappa * (level - q.gap))[0] for q in venues)


def rounding(venues: list[Quote], kappa: float) -> float:
    """Levels that are closer lead to the same target prices but for rounding."""
    return PRICE_SPACING * max(q.price * q.worth for q in venues) / kappa


@given(venues, kappas)
def test_level_is_the_root_of_the_volume_balance(venues: list[Quote], kappa: float) -> None:
    trades = arbitrage_flows(venues, kappa)
    assume(trades is not None)
    low, high = min(q.gap for q in venues), max(q.gap for q in venues)
    assert low <= trades.level <= high
    if balance(venues, kappa, low) < 0.0 < balance(venues, kappa, high):
        root = brentq(lambda u: balance(venues, kappa, u), low, high, xtol=1e-300, maxiter=1000)
        assert abs(trades.level - root) <= 4.0 * rounding(venues, kappa)


@given(venues, kappas)
def test_volumes_cancel_and_prices_meet(venues: list[Quote], kappa: float) -> None:
    trades = arbitrage_flows(venues, kappa)
    assume(trades is not None)
    sizes = [q.contract_size * v for q, v in zip(venues, trades.contracts, strict=True)]
    assert abs(math.fsum(sizes)) <= 1e-15 * math.fsum(map(abs, sizes))
    for quote, contracts in zip(venues, trades.contracts, strict=True):
        state = quote.price, quote.anchor, contracts, quote.liquidity
        moved = quote.impact.execute(*state).price_after - quote.price
        wanted = max(kappa * (trades.level - quote.gap) / quote.worth, -quote.price)
        # Near rest a square-root book turns rounding e into a move of about its root.
        slack = 1e-8 if isinstance(quote.impact, SquareRootImpact) else 1e-14
        assert moved == pytest.approx(wanted, rel=0.0, abs=slack * quote.price)


@given(venues, kappas)
def test_weights_make_the_level_and_the_order_does_not_matter(
    venues: list[Quote], kappa: float
) -> None:
    trades, turned = arbitrage_flows(venues, kappa), arbitrage_flows(venues[::-1], kappa)
    assume(trades is not None)
    near = 4.0 * rounding(venues, kappa)
    assert turned is not None
    assert abs(turned.level - trades.level) <= near
    assert math.fsum(trades.weight) == pytest.approx(1.0, rel=1e-14)
    mean = math.fsum(w * q.gap for w, q in zip(trades.weight, venues, strict=True))
    assert mean == pytest.approx(trades.level, rel=1e-6, abs=1e-6)


def test_linear_venues_meet_at_the_mean_weighted_by_depth() -> None:
    """u* = sum(u / lambda) / sum(1 / lambda), with lambda per unit of base in numeraire."""
    given_ = [(3.0, 0.02, 1.0, 1.0), (-1.0, 0.1, 2.0, 1.5), (0.5, 0.4, 0.5, 0.8)]
    venues = [
        Quote(gap, LinearImpact(coefficient=slope), 100.0, 100.0, 1.0, worth, size)
        for gap, slope, size, worth in given_
    ]
    depth = [size / (slope * worth) for _, slope, size, worth in given_]
    level = sum(d * gap for d, (gap, *_) in zip(depth, given_, strict=True)) / sum(depth)
    trades = arbitrage_flows(venues, 0.3)
    assert trades is not None
    assert trades.level == pytest.approx(level, rel=1e-15)
    bought = [0.3 * d * (level - gap) for d, (gap, *_) in zip(depth, given_, strict=True)]
    found = [v * size for v, (_, _, size, _) in zip(trades.contracts, given_, strict=True)]
    assert found == pytest.approx(bought, rel=1e-12)


def test_two_books_at_rest_meet_where_their_square_roots_do() -> None:
    """Equal volume from rest: moves in the ratio c_A : c_B of the scales of displacement."""
    deep, thin = (SquareRootImpact(y=1.0, sigma=0.1, volume=v) for v in (400.0, 100.0))
    venues = [
        Quote(gap, book, 100.0, 100.0, 1.0, 1.0, 1.0) for gap, book in ((-3.0, deep), (0.0, thin))
    ]
    trades = arbitrage_flows(venues, 1.0)
    assert trades is not None
    # c is 1 / sqrt(volume): the thin book moves twice as far, 2 against 1.
    assert trades.level == pytest.approx(-2.0, rel=1e-13)
    assert trades.contracts[0] == -trades.contracts[1] == pytest.approx(4.0, rel=1e-12)


def test_unlimited_depth_pins_the_level() -> None:
    pinned = [Quote(gap, NoImpact(), 100.0, 100.0, 1.0, 1.0, 1.0) for gap in (1.0, 2.0)]
    other = Quote(5.0, LinearImpact(coefficient=0.5), 100.0, 100.0, 1.0, 1.0, 1.0)
    trades = arbitrage_flows([*pinned, other], 1.0)
    assert trades is not None
    assert trades.level == 1.5
    assert trades.contracts == [3.5, 3.5, -7.0]
    assert trades.weight == [0.5, 0.5, 0.0]


def test_no_gap_no_trade() -> None:
    venues = [Quote(1.0, impact, 100.0, 100.0, 1.0, 1.0, 1.0) for impact in IMPACTS]
    assert arbitrage_flows(venues, 1.0) is None
    assert arbitrage_flows([venues[0]._replace(gap=2.0)], 1.0) is None
    assert arbitrage_flows([venues[0]._replace(gap=2.0), venues[1]], 0.0) is None


@given(quotes, shares(-0.3, 0.3))
def test_reach_is_the_quantity_and_its_derivative(quote: Quote, move: float) -> None:
    impact, price, target = quote.impact, quote.price, quote.price * (1.0 + move)
    state = price, quote.anchor, target, quote.liquidity
    quantity, density = impact.reach(*state)
    assert quantity == impact.quantity_to_reach(*state)
    step = 1e-5 * price
    assume(abs(target - quote.anchor) > 10.0 * step)  # a square-root book has a corner there
    ends = [
        impact.reach(price, quote.anchor, target + s, quote.liquidity)[0] for s in (-step, step)
    ]
    assert (ends[1] - ends[0]) / (2.0 * step) == pytest.approx(density, rel=1e-5)
