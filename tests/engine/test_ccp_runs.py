"""Waterfalls of central counterparties, counterparties and tear-ups in runs with a book."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import equity_at, events, jump, play, sold, venue, write_book

CLEARER = {"kind": "clearer"}


def ccp(fund, skin, *more, multiple=None):
    """Return the usual layers of a central counterparty."""
    assessed = [] if multiple is None else [{"kind": "assessments", "multiple": multiple}]
    return [
        {"kind": "own_contribution"},
        {"kind": "skin_in_the_game", "size": skin},
        {"kind": "default_fund", "size": fund},
        *assessed,
        *more,
    ]


def trade(folder, accounts, layers, shock, **fields):
    """Run accounts of (collateral, contracts at 100), each a book of its own."""
    groups = [
        {
            "name": name,
            "book": write_book(
                folder,
                [(name, name, "one", {"USDT": money}, [("one/BTC-PERP", size, 100)])],
                name,
            ),
        }
        for name, (money, size) in accounts.items()
    ]
    margin = {"initial_rate": 0.05, **fields}
    venues = {"one": venue(0.01, waterfall=layers, **margin)}
    return play(folder, traders=groups, venues=venues, shocks=[jump(shock)])


def layers_of(result):
    return result.summary["venues"]["one"]["layers"]


# The defaulter has a fifth of all initial margin, so that 20 of the fund of 100 are its own.
FIVE = {"loser": (100, 10), "s1": (9000, -25), "s2": (9000, -15)}


@pytest.mark.parametrize(
    ("loss", "own", "skin", "fund", "assessed", "uncovered"),
    [
        (110, 10, 0, 0, 0, 0),
        (180, 20, 10, 50, 0, 0),
        (240, 20, 10, 80, 30, 0),
        (340, 20, 10, 80, 80, 50),
    ],
)
def test_layers_pay_in_the_order_written(tmp_path, loss, own, skin, fund, assessed, uncovered):
    # Ten contracts lose `loss`, the first 100 of which is the defaulter's margin.
    result = trade(tmp_path, FIVE, ccp(100, 10, CLEARER, multiple=1), -loss / 1000)
    paid = layers_of(result)
    assert paid == pytest.approx(
        {
            "own_contribution": own,
            "skin_in_the_game": skin,
            "default_fund": fund,
            "assessments": assessed,
            "clearer": uncovered,
        }
    )
    assert result.summary["shortfall"] == pytest.approx(loss - 100)
    assert result.summary["uncovered_shortfall"] == pytest.approx(uncovered)
    # Survivors keep their gains: assessments come from outside.
    assert equity_at(result, "s1", 4) == pytest.approx(9000 + 2.5 * loss)
    series = result.mechanisms[result.mechanisms["tick"] == 4].set_index("series")["value"]
    assert series["default_fund"] == pytest.approx(100 - own - fund)
    assert series["skin_in_the_game"] == pytest.approx(10 - skin)
    assert series["assessments_paid"] == pytest.approx(assessed)


@pytest.mark.parametrize(("loss", "assessed", "haircut"), [(1200, 100, 0), (2600, 1265, 235)])
def test_gains_are_cut_when_assessments_are_used_up(tmp_path, loss, assessed, haircut):
    # 40 contracts lose `loss`; 8 % of the margin, so 40 of the fund of 500. Gains are 2,000.
    fall = loss / 4000
    shorts = 2000 / (100 * fall)
    book = {
        "loser": (500, 40),
        "w1": (1e4, -0.75 * shorts),
        "w2": (1e4, -0.25 * shorts),
        "rest": (1e6, 460 - shorts),
    }
    layers = ccp(500, 100, {"kind": "gains_haircut"}, CLEARER, multiple=2.75)
    result = trade(tmp_path, book, layers, -fall)
    paid = layers_of(result)
    assert paid["own_contribution"] == pytest.approx(40)
    assert paid["default_fund"] == pytest.approx(460)
    assert paid["assessments"] == pytest.approx(assessed)
    assert paid["gains_haircut"] == pytest.approx(haircut, abs=1e-9)
    assert paid["clearer"] == pytest.approx(0, abs=1e-9)
    kept = 1.0 - haircut / 2000
    assert haircut in (0, 0.1175 * 2000)
    assert equity_at(result, "w1", 4) == pytest.approx(1e4 + 1500 * kept)
    assert equity_at(result, "w2", 4) == pytest.approx(1e4 + 500 * kept)


def test_gains_are_given_up_once(tmp_path):
    # Losses beyond the margin of 50 and 40; the winner has gains of 60 at most to give up.
    accounts = {"l1": (100, 10), "l2": (160, 10), "w": (500, -3)}
    layers = [{"kind": "gains_haircut"}, CLEARER]
    groups = [
        {"name": n, "book": write_book(
            tmp_path, [(n, n, "one", {"USDT": m}, [("one/BTC-PERP", q, 100)])], n)}
        for n, (m, q) in accounts.items()
    ]  # fmt: skip
    shocks = [jump(-0.15), jump(80 / 85 - 1, at=3)]
    result = play(tmp_path, traders=groups, venues={"one": venue(0.01, waterfall=layers)},
                  shocks=shocks)  # fmt: skip
    # Gains are 45 at 85, of which 45 go; 60 at 80, of which 15 are left.
    assert layers_of(result) == pytest.approx({"gains_haircut": 60, "clearer": 30})
    assert equity_at(result, "w", 4) == pytest.approx(500)


def test_a_defaulter_is_not_assessed_for_the_next(tmp_path):
    # Equal thirds of 30. l1 owes 50 beyond its own 10 and 20 of the others; the rooms are 10
    # each. Later l2 has no contribution left, and only w can be asked.
    accounts = {"l1": (100, 10), "l2": (160, 10), "w": (5000, -10)}
    layers = [*ccp(30, 0, CLEARER, multiple=1)]
    groups = [
        {"name": n, "book": write_book(
            tmp_path, [(n, n, "one", {"USDT": m}, [("one/BTC-PERP", q, 100)])], n)}
        for n, (m, q) in accounts.items()
    ]  # fmt: skip
    shocks = [jump(-0.135), jump(80 / 86.5 - 1, at=3)]
    venues = {"one": venue(0.01, initial_rate=0.05, waterfall=layers)}
    result = play(tmp_path, traders=groups, venues=venues, shocks=shocks)
    # 35 at 86.5: 10, 20, assessments 5 of 20. 40 at 80: w has 7.5 of its 10 left.
    assert layers_of(result) == pytest.approx(
        {
            "own_contribution": 10,
            "skin_in_the_game": 0,
            "default_fund": 20,
            "assessments": 5 + 7.5,
            "clearer": 40 - 7.5,
        }
    )


# ------------------------------------------------------------------------------- counterparties


@pytest.mark.parametrize(
    ("collateral", "holders"),
    [(5000, {"h0": 100, "h1": 1}), (2500, {"h0": 25, "h1": 75, "h2": 1})],
)
def test_losses_fall_on_the_counterparties_by_size(tmp_path, collateral, holders):
    # Short 100 at 100, mark at 180: 8,000 lost. 3,000 x 100/101 = 2,970; 5,500 x 25/101, 75/101.
    accounts = {"loser": (collateral, -100), **{k: (1e5, q) for k, q in holders.items()}}
    accounts["aside"] = (1e5, -5)
    layers = [{"kind": "socialise", "basis": "counterparties"}]
    result = trade(tmp_path, accounts, layers, 0.8)
    shortfall, total = 8000 - collateral, sum(holders.values())
    assert result.summary["socialised_loss"] == pytest.approx(shortfall)
    for name, size in holders.items():
        expected = 1e5 + 80 * size - shortfall * size / total
        assert equity_at(result, name, 4) == pytest.approx(expected)
    assert equity_at(result, "aside", 4) == pytest.approx(1e5 - 400)
    if collateral == 5000:
        assert shortfall * 100 / total == pytest.approx(2970.297, abs=5e-4)


def test_only_the_other_side_of_the_market_of_the_loss_pays(tmp_path):
    # a owes in BTC, b in ETH; long BTC and short ETH are on the other sides.
    book = {
        "a": (100, [("one/BTC-PERP", -10, 100)]),
        "b": (10, [("one/ETH-PERP", 10, 10)]),
        "x": (1000, [("one/BTC-PERP", 2, 100)]),
        "y": (1000, [("one/BTC-PERP", -2, 100), ("one/ETH-PERP", -1, 10)]),
        "z": (1000, [("one/ETH-PERP", 4, 10)]),
    }
    groups = [
        {"name": n, "book": write_book(tmp_path, [(n, n, "one", {"USDT": m}, p)], n)}
        for n, (m, p) in book.items()
    ]
    markets = [
        {"venue": "one", "symbol": f"{base}-PERP", "kind": "perpetual", "base": base,
         "quote": "USDT", "impact": {"kind": "none"}} for base in ("BTC", "ETH")
    ]  # fmt: skip
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
    layers = [{"kind": "socialise", "basis": "counterparties"}]
    result = play(
        tmp_path, traders=groups, markets=markets, assets=assets,
        venues={"one": venue(0.01, waterfall=layers)},
        shocks=[jump(0.2), jump(-0.2, asset="ETH")],
    )  # fmt: skip
    assert equity_at(result, "x", 4) == pytest.approx(1000 + 40 - 100)
    assert equity_at(result, "y", 4) == pytest.approx(1000 - 40 + 2 - 10)
    assert equity_at(result, "z", 4) == pytest.approx(1000 - 8)


# ------------------------------------------------------------------------------------- tear-up


def test_contracts_are_torn_up_at_the_mark_and_the_rest_is_shared(tmp_path):
    # A loss of 50 with 5 of capital: all three shorts lose a share of their size, pay 45 alike.
    accounts = {"loser": (50, 10), "a": (200, -9), "b": (200, -4.5), "c": (200, -4.5)}
    layers = [{"kind": "skin_in_the_game", "size": 5}, {"kind": "tear_up"}]
    result = trade(tmp_path, accounts, layers, -0.1)
    rows = events(result, "adl", "account_id", "quantity", "close_out_price")
    assert sorted(rows) == [
        ("a", pytest.approx(5), pytest.approx(90)),
        ("b", pytest.approx(2.5), pytest.approx(90)),
        ("c", pytest.approx(2.5), pytest.approx(90)),
        ("loser", pytest.approx(-10), pytest.approx(90)),
    ]
    assert sold(result, "quantity") == []
    assert layers_of(result) == pytest.approx({"skin_in_the_game": 5, "tear_up": 45, "clearer": 0})
    assert equity_at(result, "a", 4) == pytest.approx(200 + 90 - 22.5)
    assert equity_at(result, "b", 4) == pytest.approx(200 + 45 - 11.25)


def test_nothing_is_torn_up_while_the_layers_before_can_pay(tmp_path):
    accounts = {"loser": (50, 10), "a": (200, -9)}
    layers = [{"kind": "skin_in_the_game", "size": 50}, {"kind": "tear_up"}]
    result = trade(tmp_path, accounts, layers, -0.1)
    assert events(result, "adl", "quantity") == []
    assert layers_of(result) == pytest.approx({"skin_in_the_game": 50, "tear_up": 0, "clearer": 0})


def test_without_winners_to_tear_up_the_clearer_bears_the_loss(tmp_path):
    accounts = {"loser": (50, 10), "a": (500, 9)}
    result = trade(tmp_path, accounts, [{"kind": "tear_up"}], -0.1)
    assert sold(result, "account_id", "quantity") == [("loser", -10.0)]
    assert layers_of(result) == pytest.approx({"tear_up": 0, "clearer": 50})
