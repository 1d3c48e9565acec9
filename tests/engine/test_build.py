"""From drafts to a world: rows, rosters, opening money and the memory that takes."""

from __future__ import annotations

import tracemalloc

import duckdb
import numpy as np
import pytest

import sim
from sim.core.streams import Streams
from sim.engine.build import build_world, draw_population
from sim.models.margin.tables import MarginTables
from sim.schema import load_text
from tests.engine.worlds import cohort, market, rich, world

BOOK = """
schema_version: 1
name: books
clock: {tick: 1, horizon: 10}
assets: {USDT: {price: 1}, BTC: {price: 100000}}
venues: {alpha: {margin: {kind: cross, maintenance_rate: 0.01}}}
markets:
  - {venue: alpha, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT, impact: {kind: none}}
  - {venue: alpha, symbol: BTC-FUT, kind: future, base: BTC, quote: USDT, impact: {kind: none}}
traders:
"""


def book(folder, name, accounts, owner="t", wallet=False, kind="csv"):
    """Write a book of accounts with two positions each; return its entry."""
    rows = f"range({len(accounts)}) r(i)"
    ids = f"{accounts}[i + 1]"
    tables = {
        "accounts": f"SELECT {ids} AS account_id, '{owner}' || i AS trader_id, 'alpha' AS clearer, "
        f"'cross' AS margin_mode FROM {rows}",
        "balances": f"SELECT {ids} AS account_id, 'USDT' AS asset, i + 1.5 AS amount FROM {rows}",
        "positions": f"SELECT {ids} AS account_id, 'alpha' AS venue, s AS symbol, "
        f"(i + 1) / 1000 AS quantity, 100000 AS entry_price FROM {rows}, "
        "(VALUES ('BTC-FUT'), ('BTC-PERP')) v(s)",
    }
    if wallet:
        for table, row in (("accounts", f"'w', '{owner}0', 'wallet', 'cross'"),
                           ("balances", "'w', 'BTC', 2")):  # fmt: skip
            tables[table] += f" UNION ALL SELECT {row}"
    for table, query in tables.items():
        duckdb.sql(f"COPY ({query}) TO '{folder / f'{name}-{table}.{kind}'}'")
    files = ", ".join(f"{table}: {name}-{table}.{kind}" for table in tables)
    return f"  - book: {{{files}}}\n    name: {name}\n"


def test_rows_follow_the_drafts():
    scenario = world(rich(), cohort(cohort="other", count=50, venues_per_trader=2))
    tables = MarginTables.from_scenario(scenario)
    drafts = draw_population(scenario, tables, Streams(3))
    built = build_world(scenario, 3)
    first, trader, slot = 0, 0, 0
    wallet = built.plan.first_wallet
    for number, draft in enumerate(drafts):
        rows = slice(first, first + draft.accounts)
        slots = slice(slot, slot + draft.quantity.size)
        assert np.all(built.cohort[rows] == number)
        np.testing.assert_array_equal(built.clearer[rows], draft.clearer)
        np.testing.assert_array_equal(built.trader[rows], draft.trader + trader)
        columns = np.searchsorted(built.columns, draft.balance_assets)
        np.testing.assert_array_equal(built.ledger.balance[rows][:, columns], draft.balance)
        for name in ("quantity", "entry_price"):
            np.testing.assert_array_equal(getattr(built.ledger, name)[slots], getattr(draft, name))
        np.testing.assert_array_equal(built.ledger.market[slots], draft.position_market)
        ids = [draft.account_id(i) for i in range(draft.accounts)]
        assert [built.account_id(first + i) for i in range(draft.accounts)] == ids
        owners = [draft.trader_id(int(t)) for t in draft.trader]
        assert [built.trader_id(first + i) for i in range(draft.accounts)] == owners
        for t, wealth in enumerate(draft.wallet):
            row = built.wallet_row[trader + t]
            assert row == (wallet if wealth.any() else -1)
            if wealth.any():
                np.testing.assert_array_equal(built.ledger.balance[row, columns], wealth)
                wallet += 1
        bounds = built.trader_rows[trader : trader + draft.traders + 1] - first
        np.testing.assert_array_equal(np.diff(bounds), np.bincount(draft.trader))
        first, trader, slot = first + draft.accounts, trader + draft.traders, slots.stop
    assert wallet == built.plan.first_arbitrage


def test_a_roster_takes_no_memory_of_its_own():
    built = build_world(world(rich(), cohort(cohort="other", count=50)), 3)
    for roster in built.rosters:
        assert np.shares_memory(roster.trader, built.trader)
        assert np.shares_memory(roster.clearer, built.clearer)
        assert np.shares_memory(roster.position_start, built.ledger.position_start)
        assert roster.position_market is built.ledger.market
    assert [roster.accounts for roster in built.rosters] == np.diff(built.roster_offset).tolist()


def test_without_wallets_there_is_one_number_for_all_traders():
    built = build_world(world(cohort(count=1_000)), 3)
    assert built.wallet_row.shape == (1_000,)
    assert built.wallet_row.strides == (0,)
    assert built.wallet_row[7] == -1


def test_two_books_have_accounts_of_their_own(tmp_path):
    first = book(tmp_path, "first", ["a", "b", "z"], wallet=True)
    second = book(tmp_path, "second", ["c", "d"], owner="s")
    built = build_world(load_text(BOOK + first + second, base_dir=tmp_path), 1)
    assert [built.account_id(row) for row in range(5)] == ["a", "b", "z", "c", "d"]
    assert [built.trader_id(row) for row in range(5)] == ["t0", "t1", "t2", "s0", "s1"]
    assert built.wallet_row.tolist() == [5, -1, -1, -1, -1]
    # Asset columns: USDT, BTC.
    assert built.ledger.balance[5].tolist() == [0.0, 2.0]
    assert built.ledger.balance[:5, 0].tolist() == [1.5, 2.5, 3.5, 1.5, 2.5]
    third = book(tmp_path, "third", ["y", "d", "z", "b"], owner="u")
    with pytest.raises(sim.ScenarioError, match="account_id 'b' in two books"):
        build_world(load_text(BOOK + first + second + third, base_dir=tmp_path), 1)


def check_memory(small, scenario, accounts):
    """Hold numpy and Python to 200 bytes per account and 40 per position while they build."""
    build_world(small, 3)  # imports and compiles what is there only once
    tracemalloc.start()
    try:
        built = build_world(scenario, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert built.accounts == accounts
    assert peak < 200 * accounts + 40 * built.ledger.quantity.size


@pytest.mark.parametrize(("mode", "accounts"), [("cross", 120_000), ("isolated", 240_000)])
def test_building_cohorts_takes_little_memory(mode, accounts):
    markets = [
        market(venue, base, open_interest=1e9)
        for venue in ("alpha", "beta", "c")
        for base in ("BTC", "ETH", "SOL")
    ]

    def scenario(count):
        one = cohort(count=count, positions_per_account=2, margin_mode=mode)
        return world(one, {**one, "cohort": "other", "venues": {"c": 1}}, markets=markets)

    check_memory(scenario(1_000), scenario(60_000), accounts)


def test_reading_a_book_takes_little_memory(tmp_path):
    def scenario(count):
        ids = [f"account-{number:06d}" for number in range(count)]
        entry = book(tmp_path, f"desk{count}", ids, kind="parquet")
        return load_text(BOOK + entry, base_dir=tmp_path)

    check_memory(scenario(10), scenario(50_000), 50_000)
