"""How a forced order on one venue moves the price on another, and who is said to have done it."""

from __future__ import annotations

from math import exp, log

import pytest

from tests.engine.small_worlds import (
    causes_at,
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    sold,
    venue,
)

VENUES = {"one": venue(), "two": venue()}
MARKETS = [perp(impact=linear(1.0)), perp("two", impact=linear(1.0))]
ONE, TWO = "one/BTC-PERP", "two/BTC-PERP"
BOOK = longs((2, 30))
"""Breaks at 83.3 or below: a fall of 20 % to 80, then its order of -2 to 78."""


def coupled(folder, *couplings, book=BOOK, markets=MARKETS, **fields):
    world = {"venues": VENUES, "markets": markets, "shocks": [jump(-0.2)], **fields}
    return play(folder, book, coupling=list(couplings), **world)


def test_uncoupled_venues_do_not_feel_each_other(tmp_path):
    for couplings in ((), ({"kind": "none"},)):
        result = coupled(tmp_path, *couplings)
        assert price_at(result, ONE, 4) == pytest.approx(78)
        assert price_at(result, TWO, 4) == pytest.approx(80)


def test_cross_impact_passes_on_a_share_and_names_the_venue(tmp_path):
    result = coupled(tmp_path, {"kind": "cross_impact", "asset": "BTC", "phi": 0.5})
    assert price_at(result, TWO, 1) == pytest.approx(79)
    assert causes_at(result, TWO, 1) == pytest.approx(
        {"exogenous": log(0.8), "liquidation:one": log(79 / 80)}
    )
    assert causes_at(result, ONE, 1) == pytest.approx(
        {"exogenous": log(0.8), "liquidation:one": log(78 / 80)}
    )


def test_cross_impact_is_in_money_not_in_quotes(tmp_path):
    # The second market is quoted in a coin worth 2: a fall of 1 there is a fall of 0.5.
    markets = [MARKETS[0], perp("two", quote="EUR", impact=linear(1.0))]
    result = coupled(
        tmp_path,
        {"kind": "cross_impact", "asset": "BTC", "phi": 0.5},
        markets=markets,
        assets={"USDT": {"price": 1}, "EUR": {"price": 2}, "BTC": {"price": 100}},
    )
    assert price_at(result, TWO, 1) == pytest.approx(40 - 0.5)


def test_an_arbitrageur_closes_a_share_of_the_gap(tmp_path):
    # The order opens a gap of 2 with equal slopes: both end at 79 with kappa 1.
    for kappa, one in ((1.0, 79.0), (0.5, 78.5)):
        result = coupled(tmp_path, {"kind": "arbitrage", "asset": "BTC", "kappa": kappa})
        assert price_at(result, ONE, 1) == pytest.approx(one)
        assert price_at(result, TWO, 1) == pytest.approx(80 - (one - 78))
        assert causes_at(result, TWO, 1) == pytest.approx(
            {"exogenous": log(0.8), "arbitrage:one": log((158 - one) / 80)}
        )
        assert causes_at(result, ONE, 1) == pytest.approx(
            {
                "exogenous": log(0.8),
                "liquidation:one": log(78 / 80),
                "arbitrage:two": log(one / 78),
            }
        )


def test_the_deeper_venue_moves_less(tmp_path):
    # Slopes 1 and 1/3: weights of the common level 1/4 and 3/4, so it is 80 - 2 / 4.
    markets = [perp(impact=linear(1.0)), perp("two", impact=linear(1 / 3))]
    result = coupled(tmp_path, {"kind": "arbitrage", "asset": "BTC", "kappa": 1}, markets=markets)
    assert price_at(result, ONE, 1) == pytest.approx(79.5)
    assert price_at(result, TWO, 1) == pytest.approx(79.5)


@pytest.mark.parametrize("order", [("one", "two", "three"), ("three", "two", "one")])
def test_venues_of_unlimited_depth_share_the_volume_in_any_order(order, tmp_path):
    # The linear venue alone falls to 78; its 2 contracts are sold again where depth is unlimited.
    markets = {"one": MARKETS[0], "two": perp("two"), "three": perp("three")}
    result = coupled(
        tmp_path,
        {"kind": "arbitrage", "asset": "BTC", "kappa": 1},
        venues={name: venue() for name in order},
        markets=[markets[name] for name in order],
    )
    assert price_at(result, ONE, 1) == pytest.approx(80)
    interest = result.venues[result.venues["tick"] == 1].set_index("venue")
    contracts = interest["open_interest_notional"] / 80
    # Outside liquidity is short 2 and long 2 on the first; each of the others takes over 1.
    assert contracts[["two", "three"]].tolist() == pytest.approx([1, 1])


def test_gaps_between_levels_close_over_time(tmp_path):
    # A fall on the first venue alone: its gap of 20 shrinks by 1 - 1/e per time constant.
    result = coupled(
        tmp_path,
        {"kind": "arbitrage", "asset": "BTC", "time_constant": 2},
        book=(),
        shocks=[jump(-0.2, venue="one", at=0)],
        horizon=7,
    )
    for tick in range(1, 7):
        gap = 20 * exp(-tick / 2)
        assert price_at(result, ONE, tick) == pytest.approx(90 - gap / 2)
        assert price_at(result, TWO, tick) == pytest.approx(90 + gap / 2)


def test_a_basis_at_the_start_is_fair(tmp_path):
    markets = [MARKETS[0], perp("two", price=101, impact=linear(1.0))]
    couplings = ({"kind": "arbitrage", "asset": "BTC", "kappa": 1, "time_constant": 1},)
    result = coupled(tmp_path, *couplings, book=(), markets=markets, shocks=[])
    assert price_at(result, TWO, 4) == 101.0


def test_a_price_pulled_by_an_arbitrageur_breaks_the_next_account(tmp_path):
    # 79.5 on the second venue: 20.6 - 20.5 < 7.95 there; at 80 it was 8.1 > 8.
    other = ("b", "tb", "two", {"USDT": 28.1}, [(TWO, 1, 100)])
    couplings = ({"kind": "arbitrage", "asset": "BTC", "kappa": 0.5},)
    result = coupled(tmp_path, *couplings, book=[*BOOK, other])
    assert sold(result, "account_id", "venue", "generation") == [("a0", "one", 0), ("b", "two", 1)]
    assert coupled(tmp_path, book=[*BOOK, other]).summary["accounts_liquidated"] == 1


def test_collateral_that_falls_elsewhere_breaks_an_account(tmp_path):
    # b holds BTC and is long ETH: the order on BTC, not on ETH, breaks it as generation 1.
    b = ("b", "tb", "two", {"USDT": -69.7, "BTC": 1}, [("two/ETH-PERP", 10, 10)])
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
    markets = [MARKETS[0], perp("two", base="ETH")]
    result = coupled(tmp_path, book=[*BOOK, b], markets=markets, assets=assets)
    assert sold(result, "account_id", "symbol", "generation") == [
        ("a0", "BTC-PERP", 0),
        ("b", "ETH-PERP", 1),
    ]


def test_the_book_forgets_an_order(tmp_path):
    # Displaced by -2 to 78 at tick 1; half of that is left after each half-life, a quarter of
    # what is forgotten stays.
    markets = [perp(impact=linear(1.0, resilience_half_life=1, permanent_share=0.25))]
    result = play(tmp_path, BOOK, markets=markets, shocks=[jump(-0.2)])
    price = 78.0
    for tick, remembered in ((2, 2.0), (3, 1.0), (4, 0.5)):
        price += 0.75 * remembered / 2
        assert price_at(result, ONE, tick) == pytest.approx(price)
        assert set(causes_at(result, ONE, tick)) == {"reversion"}
