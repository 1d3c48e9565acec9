"""Funding in runs: who pays, how much, when, and what it does to accounts."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    equity_at,
    events,
    longs,
    perp,
    play,
    sold,
    venue,
)

HOURLY = {
    "interval": "1h", "period": "8h", "interest": 0.0001, "clamp": 0.0005, "cap": 0.04,
    "reference": "index",
}  # fmt: skip


def world(terms, premium=0.01, price=10_000, mark="index", **fields):
    """Return a perpetual at a premium over the spot market that is its index."""
    return {
        "assets": {"USDT": {"price": 1}, "BTC": {"price": price}},
        "venues": {
            "one": venue(0.01, mark={"kind": mark}, index={"weights": {"two": 1}}, funding=terms),
            "two": venue(),
        },
        "markets": [perp(price=price * (1 + premium)), perp("two", kind="future")],
        "tick": 60,
        "horizon": 70 * 60,
        **fields,
    }


def series(result, name, market="BTC-PERP", place="one"):
    """Return the recorded values of a series by tick."""
    table = result.mechanisms
    chosen = (table["series"] == name) & (table["symbol"] == market) & (table["venue"] == place)
    return table[chosen].set_index("tick")["value"]


def test_hyperliquid_hour_of_ten_coins(tmp_path):
    result = play(tmp_path, longs((10, 50_000), entry=10_000), **world(HOURLY))
    paid = series(result, "funding_paid")
    assert paid[59] == 0.0
    assert paid[60] == pytest.approx(118.75)
    assert paid.iloc[-1] == paid[60]
    assert series(result, "funding_rate")[60] == pytest.approx(0.0095 / 8)
    assert series(result, "premium")[30] == pytest.approx(0.01)
    assert equity_at(result, "book", 59) - equity_at(result, "book", 60) == pytest.approx(118.75)


def test_shorts_receive_what_longs_pay(tmp_path):
    book = [
        ("long", "l", "one", {"USDT": 50_000}, [("one/BTC-PERP", 10, 10_000)]),
        ("short", "s", "one", {"USDT": 50_000}, [("one/BTC-PERP", -10, 10_000)]),
    ]
    for premium in (0.01, -0.01):
        result = play(tmp_path, book, **world(HOURLY, premium))
        assert series(result, "funding_paid")[60] > 100.0
        assert equity_at(result, "book", 60) == pytest.approx(100_000)


def test_a_discount_makes_shorts_pay(tmp_path):
    result = play(tmp_path, longs((10, 50_000), entry=10_000), **world(HOURLY, -0.01))
    assert series(result, "funding_rate")[60] == pytest.approx(-0.0095 / 8)
    assert equity_at(result, "book", 60) - equity_at(result, "book", 59) == pytest.approx(118.75)


def test_the_mark_may_be_the_reference_and_a_cap_binds(tmp_path):
    terms = {**HOURLY, "reference": "mark", "cap": 0.001}
    result = play(tmp_path, longs((10, 50_000), entry=10_000), **world(terms, mark="last"))
    assert series(result, "funding_paid")[60] == pytest.approx(10 * 10_100 * 0.001)


def test_the_first_payment_may_come_early_and_others_follow_by_the_interval(tmp_path):
    terms = {**HOURLY, "interval": "10min", "first": "3min"}
    result = play(tmp_path, longs((1, 50_000), entry=10_000), **world(terms, horizon=30 * 60))
    paid = series(result, "funding_paid")
    assert paid.index[paid.diff() > 0].tolist() == [3, 13, 23]


def test_rising_weights_count_the_end_of_an_interval_more(tmp_path):
    # No premium in samples 1..30, 1 % in 31..60.
    shocks = [{"kind": "jump", "at": 31 * 60, "asset": "BTC", "venue": "one", "return": 0.01}]
    for sampling, share in (("mean", 0.5), ("rising", sum(range(31, 61)) / sum(range(61)))):
        terms = {**HOURLY, "sampling": sampling}
        fields = world(terms, premium=0, shocks=shocks)
        result = play(tmp_path, longs((1, 50_000), entry=10_000), **fields)
        assert series(result, "premium")[60] == pytest.approx(0.01 * share)


def test_only_perpetuals_pay(tmp_path):
    fields = world(HOURLY)
    fields["markets"].append(perp(symbol="BTC-DEC", kind="future"))
    book = [("a", "t", "one", {"USDT": 50_000}, [("one/BTC-DEC", 10, 10_000)])]
    result = play(tmp_path, book, **fields)
    assert equity_at(result, "book", 69) == pytest.approx(50_000)
    assert set(result.mechanisms["symbol"]) == {"BTC-PERP"}


def test_a_payment_that_falls_into_an_outage_is_made_on_return_once(tmp_path):
    shocks = [{"kind": "outage", "venue": "one", "at": 15 * 60, "duration": 20 * 60}]
    terms = {**HOURLY, "interval": "10min"}
    result = play(tmp_path, longs((1, 50_000), entry=10_000), **world(terms, shocks=shocks))
    paid = series(result, "funding_paid")
    # Not at 20 and 30 but once at 35; then by the clock again.
    assert paid.index[paid.diff() > 0].tolist() == [10, 35, 40, 50, 60]
    assert paid.iloc[-1] == pytest.approx(5 * paid[10])  # whatever was missed


def test_whoever_cannot_pay_is_liquidated_at_once_and_not_by_others(tmp_path):
    # 1 % of 100,000 has to stay; 118.75 leaves less.
    result = play(tmp_path, longs((10, 1_100), (10, 5_000), entry=10_000), **world(HOURLY))
    assert sold(result, "account_id", "tick", "generation") == [("a0", 60, 0)]


def test_debt_from_funding_is_a_shortfall(tmp_path):
    # A premium of 200 % without a cap: a quarter of the notional in one payment.
    terms = {key: value for key, value in HOURLY.items() if key != "cap"}
    fields = world(terms, premium=2.0)
    result = play(tmp_path, longs((10, 5_000), entry=10_000), **fields)
    rate = (2.0 - 0.0005) / 8
    assert series(result, "funding_rate")[60] == pytest.approx(rate)
    assert len(events(result, "market", "tick")) >= 1


def test_the_funded_index_is_carried_to_the_payment(tmp_path):
    fields = world(HOURLY, premium=0)
    fields["venues"]["one"]["mark"] = {"kind": "funded_index"}
    result = play(tmp_path, longs((1, 50_000), entry=10_000), **fields)
    mark = result.prices.query("venue == 'one'").set_index("tick")["mark_price"]
    rate = 0.0001 / 8  # what no premium gives, before and after the first payment
    for tick, left in ((1, 59), (30, 30), (59, 1), (60, 0), (61, 59)):
        assert mark[tick] == pytest.approx(10_000 * (1 + rate * left / 60), rel=1e-12)


def test_money_is_moved_by_the_reason_funding(tmp_path):
    from sim.engine.build import build_world
    from sim.engine.model import LiquidationModel

    fields = world(HOURLY)
    model = LiquidationModel(build_world(build(tmp_path, longs((10, 50_000)), **fields), 1))
    for tick in range(61):
        model.tick(tick)
    model.release()
    moved = {reason: amount for (reason, _), amount in model.world.ledger.reasons.items()}
    assert moved["funding"] == pytest.approx(2 * 118.75)  # into the clearing row and out of it


REFUSED = {
    "no perpetual": (
        lambda fields: fields["markets"].__setitem__(0, perp(kind="future")),
        "funding on a venue without a perpetual",
    ),
    "off the ticks": (
        lambda fields: fields["venues"]["one"]["funding"].update(interval="90s"),
        "a multiple of the tick, 60 s",
    ),
    "first off the ticks": (
        lambda fields: fields["venues"]["one"]["funding"].update(first="90s"),
        "a multiple of the tick, 60 s",
    ),
    "first after the interval": (
        lambda fields: fields["venues"]["one"]["funding"].update(first="2h"),
        "at most the interval, 3600 s",
    ),
    "period below the interval": (
        lambda fields: fields["venues"]["one"]["funding"].update(period="30min"),
        "at least the interval, 3600 s",
    ),
    "cap of nothing": (
        lambda fields: fields["venues"]["one"]["funding"].update(cap=0),
        "venues.one.funding.cap",
    ),
    "negative cap": (
        lambda fields: fields["venues"]["one"]["funding"].update(cap=-0.1),
        "venues.one.funding.cap",
    ),
    "negative clamp": (
        lambda fields: fields["venues"]["one"]["funding"].update(clamp=-0.1),
        "venues.one.funding.clamp",
    ),
    "interval of nothing": (
        lambda fields: fields["venues"]["one"]["funding"].update(interval=0),
        "venues.one.funding.interval",
    ),
    "unknown sampling": (
        lambda fields: fields["venues"]["one"]["funding"].update(sampling="falling"),
        "mean, rising",
    ),
    "funded index without funding": (
        lambda fields: fields["venues"]["two"].update(mark={"kind": "funded_index"}),
        "a funded_index on a venue without funding",
    ),
    "funded index in a median without funding": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "median_of", "of": [{"kind": "funded_index"}, {"kind": "last"}]}
        ),
        "a funded_index on a venue without funding",
    ),
    "index of an unknown venue": (
        lambda fields: fields["venues"]["one"].update(index={"weights": {"three": 1}}),
        "unknown venue 'three'",
    ),
    "index of a venue without the asset": (
        lambda fields: fields["venues"].update(
            three=venue(), one=venue(index={"weights": {"three": 1}}, mark={"kind": "last"})
        ),
        "venue 'three', which lists no market of 'one'",
    ),
    "two indices": (
        lambda fields: fields["venues"]["one"].update(mark={"kind": "index", "method": "median"}),
        "one index per venue",
    ),
    "two indices in a median": (
        lambda fields: fields["venues"]["two"].update(
            mark={
                "kind": "median_of",
                "of": [{"kind": "index"}, {"kind": "index", "method": "median"}],
            }
        ),
        "one index per venue",
    ),
    "weighted median without weights": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "index", "method": "weighted_median"}
        ),
        "a weight for each venue that counts",
    ),
    "outlier of nothing": (
        lambda fields: fields["venues"]["two"].update(mark={"kind": "index", "outlier": 0}),
        "venues.two.mark.outlier",
    ),
    "heartbeat of nothing": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "oracle", "heartbeat": 0, "deviation": 0.01}
        ),
        "venues.two.mark.heartbeat",
    ),
    "deviation of nothing": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "oracle", "heartbeat": "1h", "deviation": 0}
        ),
        "venues.two.mark.deviation",
    ),
    "negative lag": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "oracle", "heartbeat": "1h", "deviation": 0.01, "lag": -1}
        ),
        "venues.two.mark.lag",
    ),
    "an oracle of the basis": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "oracle", "heartbeat": "1h", "deviation": 0.01, "of": "basis"}
        ),
        "last, index",
    ),
    "geometric mean of the basis": (
        lambda fields: fields["venues"]["two"].update(
            mark={"kind": "twap", "window": 60, "of": "basis", "mean": "geometric"}
        ),
        "a geometric mean of the basis",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(case, tmp_path):
    change, said = REFUSED[case]
    fields = world(dict(HOURLY))
    change(fields)
    with pytest.raises(sim.ScenarioError, match=said):
        build(tmp_path, **fields)
