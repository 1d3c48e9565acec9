"""Funds, auto-deleveraging and socialised losses against ledgers of a few accounts, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sim
from tests.books import write_book

PRICE = 100.0
Account = tuple[float, float, float]
"""Collateral [USD], contracts, entry price."""


def run(
    folder: Path,
    accounts: dict[str, Account],
    waterfall: str,
    move: float = -0.1,
    impact: str = "{kind: none}",
) -> sim.Result:
    """Run accounts on one venue at 100, each in a book of its own so that it has its own row."""
    books = []
    for name, (collateral, quantity, entry) in accounts.items():
        held = [("one/X", quantity, entry)] if quantity else []
        files = write_book(folder, [(name, name, "one", {"USD": collateral}, held)], name)
        books.append(f"  - {{name: {name}, book: {json.dumps(files)}}}")
    listed = "\n".join(books)
    (folder / "scenario.yaml").write_text(
        f"""
schema_version: 1
name: waterfall
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, X: {{price: {PRICE}}}}}
venues:
  one:
    margin: {{kind: cross, maintenance_rate: 0}}
    waterfall: {waterfall}
markets:
  - {{venue: one, symbol: X, kind: perpetual, base: X, quote: USD, impact: {impact}}}
traders:
{listed}
shocks: [{{kind: jump, at: 0s, asset: X, return: {move}}}]
""",
        encoding="utf-8",
    )
    return sim.run(sim.load(folder / "scenario.yaml"), check=True)


def equity(result: sim.Result) -> dict[str, float]:
    return result.cohorts.set_index("cohort")["equity"].to_dict()


def money(amounts: dict[str, float]) -> object:
    return pytest.approx(amounts, abs=1e-9)


# A long of 10 at 100 with 50 has lost 100 at a price of 90: 50 are missing.
BANKRUPT: Account = (50.0, 10.0, 100.0)


@pytest.mark.parametrize(
    ("fund", "used", "uncovered"), [(50.0, 50.0, 0.0), (80.0, 50.0, 0.0), (30.0, 30.0, 20.0)]
)
def test_insurance_fund(tmp_path: Path, fund: float, used: float, uncovered: float) -> None:
    waterfall = f"[{{kind: insurance_fund, size: {fund}}}, {{kind: clearer}}]"
    result = run(tmp_path, {"loser": BANKRUPT}, waterfall)
    facts = result.summary
    assert facts["shortfall"] == pytest.approx(50.0, rel=1e-12)
    assert facts["insurance_fund_used"] == pytest.approx(used, rel=1e-12)
    assert facts["uncovered_shortfall"] == pytest.approx(uncovered, abs=1e-9)
    assert facts["venues"]["one"]["insurance_fund"] == pytest.approx(fund - used, abs=1e-9)
    assert equity(result) == money({"loser": 0.0})
    event = result.liquidations.iloc[0]
    assert event["bankruptcy_price"] == pytest.approx(95.0, rel=1e-12)
    assert event["close_out_price"] == pytest.approx(90.0, rel=1e-12)
    assert event["shortfall"] == pytest.approx(50.0, rel=1e-12)


def test_fund_of_less_than_all_losses_is_used_up(tmp_path: Path) -> None:
    """Losses of 50 and 20 on a fund of 60."""
    accounts: dict[str, Account] = {"small": (30.0, 5.0, 100.0), "large": BANKRUPT}
    result = run(tmp_path, accounts, "[{kind: insurance_fund, size: 60}, {kind: clearer}]")
    assert result.summary["insurance_fund_used"] == pytest.approx(60.0, rel=1e-12)
    assert result.summary["uncovered_shortfall"] == pytest.approx(10.0, rel=1e-12)
    assert result.summary["shortfall"] == pytest.approx(70.0, rel=1e-12)


def test_slippage_of_the_close_out_is_part_of_the_loss(tmp_path: Path) -> None:
    """Linear impact of 0.2 per contract: 10 contracts fill at 89, so that 60 are missing."""
    impact = "{kind: linear, coefficient: 0.2}"
    waterfall = "[{kind: insurance_fund, size: 100}, {kind: clearer}]"
    result = run(tmp_path, {"loser": BANKRUPT}, waterfall, impact=impact)
    assert result.liquidations["close_out_price"].iloc[0] == pytest.approx(89.0, rel=1e-12)
    assert result.summary["markets"]["one/X"]["final_price"] == pytest.approx(88.0, rel=1e-12)
    assert result.summary["shortfall"] == pytest.approx(60.0, rel=1e-12)


# ------------------------------------------------------------------------------- socialised loss


@pytest.mark.parametrize(
    ("basis", "paid"),
    [
        # Equity at 90: 100 and 300 + 40 = 340 and 200 + 60 = 260; the profit of 40 and 60; the
        # notional of 0, 4 * 90 and 6 * 90.
        ("equity", {"idle": 50 * 100 / 700, "bear": 50 * 340 / 700, "wolf": 50 * 260 / 700}),
        ("profit", {"idle": 0.0, "bear": 50 * 0.4, "wolf": 50 * 0.6}),
        ("notional", {"idle": 0.0, "bear": 50 * 0.4, "wolf": 50 * 0.6}),
    ],
)
def test_socialised_loss_is_pro_rata(tmp_path: Path, basis: str, paid: dict[str, float]) -> None:
    accounts: dict[str, Account] = {
        "loser": BANKRUPT,
        "idle": (100.0, 0.0, 100.0),
        "bear": (300.0, -4.0, 100.0),
        "wolf": (200.0, -6.0, 100.0),
    }
    result = run(tmp_path, accounts, f"[{{kind: socialise, basis: {basis}}}]")
    before = {"idle": 100.0, "bear": 340.0, "wolf": 260.0}
    expected = {name: before[name] - paid[name] for name in before}
    assert equity(result) == money({"loser": 0.0, **expected})
    assert result.summary["socialised_loss"] == pytest.approx(50.0, rel=1e-12)
    assert result.summary["uncovered_shortfall"] == pytest.approx(0.0, abs=1e-9)
    kinds = result.liquidations["kind"]
    assert list(kinds) == ["market", "socialise"]
    assert result.liquidations["shortfall"].iloc[1] == pytest.approx(50.0, rel=1e-12)


def test_nobody_pays_more_than_its_equity(tmp_path: Path) -> None:
    """Notional 5 and 5 of a loss of 50, but one survivor has 10 left: it pays 10, the other 40."""
    accounts: dict[str, Account] = {
        "loser": BANKRUPT,
        "thin": (60.0, 5.0, 100.0),  # 60 - 50 = 10 left at 90
        "thick": (500.0, -5.0, 100.0),  # 550 at 90
    }
    result = run(tmp_path, accounts, "[{kind: socialise, basis: notional}]")
    found = equity(result)
    assert found["thin"] == pytest.approx(0.0, abs=1e-9)
    assert found["thick"] == pytest.approx(510.0, rel=1e-12)
    assert result.summary["accounts_liquidated"] == 1


def test_fund_first_and_the_rest_is_shared(tmp_path: Path) -> None:
    accounts: dict[str, Account] = {
        "loser": BANKRUPT,
        "first": (100.0, 0.0, 100.0),
        "second": (300.0, 0.0, 100.0),
    }
    waterfall = "[{kind: insurance_fund, size: 10}, {kind: socialise}]"
    result = run(tmp_path, accounts, waterfall)
    assert equity(result) == money({"loser": 0.0, "first": 90.0, "second": 270.0})
    assert result.summary["insurance_fund_used"] == pytest.approx(10.0, rel=1e-12)
    assert result.summary["socialised_loss"] == pytest.approx(40.0, rel=1e-12)


# ---------------------------------------------------------------------------- auto-deleveraging

# At 90: profit over entry notional, times notional over equity.
WINNERS: dict[str, Account] = {
    "second": (600.0, -6.0, 120.0),  # 0.25 * 540 / 780 = 0.173
    "first": (30.0, -6.0, 100.0),  # 0.10 * 540 / 90 = 0.6
    "third": (300.0, -6.0, 100.0),  # 0.10 * 540 / 360 = 0.15
}


def test_winners_are_closed_by_profit_times_leverage(tmp_path: Path) -> None:
    """10 contracts at the bankruptcy price of 95: 6 of the first winner and 4 of the second.

    The first realises 6 * 5 and keeps 30 + 30 = 60; the second gives up 4 * 5 against the mark
    and keeps 780 - 20; the third and the market are not touched.
    """
    result = run(tmp_path, {"loser": BANKRUPT, **WINNERS}, "[{kind: adl}]")
    rows = result.liquidations.set_index("account_id")
    assert set(rows["kind"]) == {"adl"}
    assert rows["quantity"].to_dict() == money({"loser": -10.0, "first": 6.0, "second": 4.0})
    assert rows["close_out_price"].to_numpy() == pytest.approx([95.0] * 3, rel=1e-12)
    assert equity(result) == money({"loser": 0.0, "first": 60.0, "second": 760.0, "third": 360.0})
    facts = result.summary
    assert facts["adl_notional"] == pytest.approx(10.0 * 90.0, rel=1e-12)
    assert facts["liquidated_notional"] == 0.0
    assert facts["shortfall"] == 0.0
    assert facts["markets"]["one/X"]["final_price"] == pytest.approx(90.0, rel=1e-12)
    # 8 of the 18 short contracts are left, against longs of the outside.
    assert result.venues["open_interest_notional"].iloc[-1] == pytest.approx(8.0 * 90.0)


@pytest.mark.parametrize(("fund", "kind"), [(50.0, "market"), (49.99, "adl")])
def test_deleveraging_begins_where_the_fund_cannot_cover(
    tmp_path: Path, fund: float, kind: str
) -> None:
    waterfall = f"[{{kind: insurance_fund, size: {fund}}}, {{kind: adl}}]"
    result = run(tmp_path, {"loser": BANKRUPT, **WINNERS}, waterfall)
    assert set(result.liquidations["kind"]) == {kind}
    left = {"market": 0.0, "adl": fund}[kind]
    assert result.summary["venues"]["one"]["insurance_fund"] == pytest.approx(left, abs=1e-9)


def test_fund_stands_behind_the_largest_loss_first(tmp_path: Path) -> None:
    """Losses of 50 and 20 on a fund of 60: the 50 are covered, the other account meets a winner."""
    accounts = {"small": (30.0, 5.0, 100.0), "large": BANKRUPT, **WINNERS}
    waterfall = "[{kind: insurance_fund, size: 60}, {kind: adl}]"
    result = run(tmp_path, accounts, waterfall)
    rows = result.liquidations.set_index("account_id")
    assert rows["kind"].to_dict() == {"large": "market", "small": "adl", "first": "adl"}
    assert rows.loc["small", "close_out_price"] == pytest.approx(94.0, rel=1e-12)
    assert result.summary["venues"]["one"]["insurance_fund"] == pytest.approx(10.0, rel=1e-12)


def test_what_winners_cannot_take_goes_to_the_market(tmp_path: Path) -> None:
    """Only 6 contracts are matched at 95; the other 4 are sold at 90 and leave 20 missing."""
    accounts = {"loser": BANKRUPT, "first": WINNERS["first"]}
    result = run(tmp_path, accounts, "[{kind: adl}]")
    rows = result.liquidations
    assert rows.groupby("kind")["quantity"].apply(sorted).to_dict() == {
        "adl": pytest.approx([-6.0, 6.0]),
        "market": pytest.approx([-4.0]),
    }
    assert result.summary["shortfall"] == pytest.approx(20.0, rel=1e-12)
    assert equity(result) == money({"loser": 0.0, "first": 60.0})


def test_the_largest_debtor_meets_the_best_winner(tmp_path: Path) -> None:
    """Two bankrupt longs, bankruptcy prices 95 and 97: the first winner takes the first whole.

    `loser` owes 50 and comes before `other`, which owes 50 - 15 = 35: 6 + 4 contracts at
    95, then 2 of the second winner and 3 of the third at 97.
    """
    accounts = {"loser": BANKRUPT, "other": (15.0, 5.0, 100.0), **WINNERS}
    result = run(tmp_path, accounts, "[{kind: adl}]")
    rows = result.liquidations.set_index("account_id")
    assert rows.loc["other", "close_out_price"] == pytest.approx(97.0, rel=1e-12)
    assert rows.loc["loser", "close_out_price"] == pytest.approx(95.0, rel=1e-12)
    assert rows["quantity"].to_dict() == money(
        {"loser": -10.0, "other": -5.0, "first": 6.0, "second": 6.0, "third": 3.0}
    )
    assert rows.loc["second", "close_out_price"] == pytest.approx((4 * 95 + 2 * 97) / 6)
    expected = {
        "loser": 0.0,
        "other": 0.0,
        "first": 60.0,
        "second": 600.0 + 4 * 25 + 2 * 23,
        "third": 300.0 + 3 * 3 + 3 * 10,
    }
    assert equity(result) == money(expected)


def test_shorts_are_deleveraged_against_longs_in_a_rise(tmp_path: Path) -> None:
    accounts: dict[str, Account] = {
        "loser": (50.0, -10.0, 100.0),
        "tame": (900.0, 10.0, 100.0),
        "bold": (50.0, 10.0, 100.0),
    }
    result = run(tmp_path, accounts, "[{kind: adl}]", move=0.1)
    rows = result.liquidations.set_index("account_id")
    assert rows["quantity"].to_dict() == money({"loser": 10.0, "bold": -10.0})
    assert rows["close_out_price"].to_numpy() == pytest.approx([105.0, 105.0], rel=1e-12)
    assert equity(result) == money({"loser": 0.0, "tame": 1000.0, "bold": 100.0})
