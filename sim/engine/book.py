"""Draft the accounts of a user's own book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.draft import AccountsDraft, StringArray, starts
from sim.schema.books import WALLET

if TYPE_CHECKING:
    from sim.schema import Book, Scenario
    from sim.schema.traders import BookSource


def draft_book(book: Book, source: BookSource, scenario: Scenario) -> AccountsDraft:
    """Turn a checked book into a draft.

    Parameters
    ----------
    book : Book
        Tables with integer codes (`account` rows and `market` indices).
    source : BookSource
        Gives the name.
    scenario : Scenario

    Returns
    -------
    AccountsDraft
        Accounts ordered by trader id, then account id, and positions by market, so the order
        of the book's rows does not matter. Rows of the clearer ``wallet`` are no accounts:
        their balances are the `wallet` of their trader. A trader with nothing else is kept.
    """
    rows = book.accounts
    trader_names, trader = np.unique(_strings(rows["trader_id"]), return_inverse=True)
    ids = _strings(rows["account_id"])
    clearer = _codes(rows["clearer"], [*scenario.venues, WALLET])
    outside = clearer == len(scenario.venues)
    order = np.lexsort((ids, trader))
    order = order[~outside[order]]
    new_row = np.full(len(rows), -1, dtype=np.int64)
    new_row[order] = np.arange(order.size)

    assets, amount = _balances(book, scenario)
    wallet = np.zeros((trader_names.size, len(assets)))
    np.add.at(wallet, trader[outside], amount[outside])

    held = new_row[book.positions["account"].to_numpy(np.int64)]
    market = book.positions["market"].to_numpy(np.int64)
    place = np.argsort(held * len(scenario.markets) + market, kind="stable")
    return AccountsDraft(
        name=source.name,
        trader=trader[order].astype(np.int64),
        clearer=clearer[order].astype(np.int16),
        isolated=(rows["margin_mode"] == "isolated").to_numpy(np.bool_)[order],
        balance_assets=assets,
        balance=amount[order],
        position_start=starts(np.bincount(held, minlength=order.size)),
        position_market=market[place].astype(np.int16),
        quantity=_floats(book.positions["quantity"])[place],
        entry_price=_floats(book.positions["entry_price"])[place],
        wallet=wallet,
        venues=tuple(scenario.venues),
        symbols=tuple(listed.symbol for listed in scenario.markets),
        account_ids=ids[order],
        trader_ids=trader_names,
    )


def _codes(names: pd.Series[Any], known: list[str]) -> IntArray:
    """Return the index of each name in a list of known names."""
    code, found = pd.factorize(names)
    return np.array([known.index(str(name)) for name in found], dtype=np.int64)[code]


def _strings(column: pd.Series[Any]) -> StringArray:
    return np.asarray(column.to_numpy().astype(np.str_))


def _floats(column: pd.Series[Any]) -> FloatArray:
    return np.asarray(column.to_numpy(np.float64), dtype=np.float64)


def _balances(book: Book, scenario: Scenario) -> tuple[tuple[int, ...], FloatArray]:
    """Return the assets held and the amounts (rows of the book, K) [asset units]."""
    asset = _codes(book.balances["asset"], list(scenario.assets))
    assets = np.unique(asset)
    cell = book.balances["account"].to_numpy(np.int64) * assets.size
    cell = cell + np.searchsorted(assets, asset)
    size = len(book.accounts) * assets.size
    amount = sums(cell, _floats(book.balances["amount"]), size)
    return tuple(int(a) for a in assets), amount.reshape(len(book.accounts), assets.size)
