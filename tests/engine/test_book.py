"""A user's book as a draft."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sim.engine.book import draft_book
from sim.schema import load_book
from sim.schema.traders import BookSource
from tests.engine.worlds import world

ACCOUNTS = pd.DataFrame(
    [
        ("z9", "bob", "alpha", "cross"),
        ("b2", "ann", "beta", "isolated"),
        ("b1", "ann", "c", "cross"),
        ("w1", "bob", "wallet", "cross"),
        ("w2", "bob", "wallet", "cross"),
        ("w3", "cat", "wallet", "cross"),
    ],
    columns=["account_id", "trader_id", "clearer", "margin_mode"],
)
BALANCES = pd.DataFrame(
    [("z9", "BTC", 2.0), ("z9", "USDT", 10.0), ("b2", "USDT", 5.0), ("w1", "USDT", 3.0),
     ("w2", "USDT", 4.0), ("w3", "BTC", 1.0)],
    columns=["account_id", "asset", "amount"],
)  # fmt: skip
POSITIONS = pd.DataFrame(
    [("z9", "alpha", "SOL-PERP", -3.0, 190.0), ("z9", "alpha", "BTC-PERP", 0.5, 110_000.0),
     ("b2", "beta", "ETH-PERP", 7.0, 3_900.0)],
    columns=["account_id", "venue", "symbol", "quantity", "entry_price"],
)  # fmt: skip


def drafted(folder, accounts=ACCOUNTS, balances=BALANCES, positions=POSITIONS):
    """Write the tables to files, read them as a book and draft it."""
    tables = {"accounts": accounts, "balances": balances, "positions": positions}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    files = {name: str(folder / f"{name}.csv") for name in tables}
    source = BookSource.model_validate({"book": files, "name": "desk"})
    return draft_book(load_book(source, world()), world())


def test_accounts_are_ordered_by_trader_and_id(tmp_path):
    draft = drafted(tmp_path)
    assert draft.name == "desk"
    assert draft.is_book
    assert [draft.account_id(i) for i in range(draft.accounts)] == ["b1", "b2", "z9"]
    assert [draft.trader_id(t) for t in range(draft.traders)] == ["ann", "bob", "cat"]
    assert draft.trader.tolist() == [0, 0, 1]
    assert draft.clearer.tolist() == [2, 1, 0]
    assert draft.isolated.tolist() == [False, True, False]
    assert draft.position_start.tolist() == [0, 0, 1, 3]
    assert draft.position_market.tolist() == [4, 0, 2]
    assert draft.quantity.tolist() == [7.0, 0.5, -3.0]
    assert draft.entry_price.tolist() == [3_900.0, 110_000.0, 190.0]


def test_wallet_rows_become_the_wallets_of_their_traders(tmp_path):
    draft = drafted(tmp_path)
    assert draft.balance_assets == (0, 2)
    assert draft.balance.tolist() == [[0, 0], [5, 0], [10, 2]]
    assert draft.wallet.tolist() == [[0, 0], [7, 0], [0, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_matter(seed, tmp_path):
    tables = (ACCOUNTS, BALANCES, POSITIONS)
    mixed = [table.sample(frac=1, random_state=seed) for table in tables]
    first, second = (drafted(tmp_path, *given) for given in (tables, mixed))
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(second, name), value, err_msg=name)


def test_a_book_without_positions_or_balances(tmp_path):
    only_cross = ACCOUNTS[ACCOUNTS["margin_mode"] == "cross"]
    draft = drafted(tmp_path, only_cross, BALANCES[:0], POSITIONS[:0])
    assert draft.position_start.tolist() == [0, 0, 0]
    assert draft.balance.shape == (2, 0)
    assert draft.wallet.shape == (3, 0)
