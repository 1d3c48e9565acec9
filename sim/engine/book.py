"""Draft the accounts of a user's own book."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray
from sim.engine.draft import AccountsDraft

if TYPE_CHECKING:
    from sim.schema import Book, Scenario


def draft_book(book: Book, scenario: Scenario) -> AccountsDraft:
    """Turn a checked book into a draft.

    Parameters
    ----------
    book : Book
    scenario : Scenario

    Returns
    -------
    AccountsDraft
        Accounts ordered by trader id, then account id, and positions by market, so the order
        of the book's rows does not matter. Rows of the clearer ``wallet`` are no accounts:
        their balances are the `wallet` of their trader. A trader with nothing else is kept.
    """
    accounts = len(book.account_ids)
    assets, amount = _balances(book)
    wallet = np.zeros((len(book.trader_ids), len(assets)))
    np.add.at(wallet, book.trader[accounts:], amount[accounts:])
    return AccountsDraft(
        name=book.name,
        trader=book.trader[:accounts],
        clearer=book.clearer,
        isolated=book.isolated,
        balance_assets=assets,
        balance=amount[:accounts],
        position_start=book.position_start,
        position_market=book.position_market,
        quantity=book.quantity,
        entry_price=book.entry_price,
        wallet=wallet,
        venues=tuple(scenario.venues),
        symbols=tuple(listed.symbol for listed in scenario.markets),
        account_ids=book.account_ids,
        trader_ids=book.trader_ids,
    )


def _balances(book: Book) -> tuple[tuple[int, ...], FloatArray]:
    """Return the assets held and the amounts (accounts and wallets, K) [asset units]."""
    assets = np.unique(book.balance_asset)
    amount = np.zeros((book.trader.size, assets.size))
    amount[book.balance_account, np.searchsorted(assets, book.balance_asset)] = book.amount
    return tuple(int(a) for a in assets), amount
