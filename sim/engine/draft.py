"""Drafts: the accounts of one cohort or one book before they enter the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from sim.core.texts import Texts
from sim.engine.roster import Roster


@dataclass(frozen=True)
class AccountsDraft:
    """Accounts (A) of traders (T) with positions (P) and balances in K assets.

    Attributes
    ----------
    name : str
        Name of the cohort or book.
    trader : (A,) int32
        Local number 0 .. T-1 of the owner; ascending, so a trader's accounts are adjacent.
    clearer : (A,) int16
        Index of the venue that margins the account.
    isolated : (A,) bool
        True for an account that backs exactly one position.
    balance_assets : tuple of int, length K
        Asset indices of the columns of `balance` and `wallet`.
    balance : (A, K) float64 [asset units]
    position_start : (A + 1,) int64
        Positions of account i are ``position_start[i] : position_start[i + 1]``, ordered by
        market.
    position_market : (P,) int16
        Market index.
    quantity : (P,) float64 [contracts], long > 0
        Zero marks a slot in which the account may trade later.
    entry_price : (P,) float64 [quote/base]
    wallet : (T, K) float64 [asset units]
        What a trader holds outside every account.
    venues, symbols : tuple of str, length V and M
        Names of the scenario's venues and symbols of its markets, for ids.
    account_ids, trader_ids : Texts of length A and T, or None
        Ids of a book; a cohort makes its ids on demand.
    capped : int
        Accounts whose leverage was lowered to meet initial margin at the start.
    topped_up : int
        Accounts whose collateral was raised to meet initial margin after scaling to a target
        open interest.
    """

    name: str
    trader: Int32Array
    clearer: Int16Array
    isolated: BoolArray
    balance_assets: tuple[int, ...]
    balance: FloatArray
    position_start: IntArray
    position_market: Int16Array
    quantity: FloatArray
    entry_price: FloatArray
    wallet: FloatArray
    venues: tuple[str, ...]
    symbols: tuple[str, ...]
    account_ids: Texts | None = None
    trader_ids: Texts | None = None
    capped: int = 0
    topped_up: int = 0

    @property
    def accounts(self) -> int:
        """Number of accounts A."""
        return int(self.trader.size)

    @property
    def traders(self) -> int:
        """Number of traders T, those without an account included."""
        return int(self.wallet.shape[0])

    @property
    def is_book(self) -> bool:
        """True for a user's own book, whose quantities and balances are never rescaled."""
        return self.account_ids is not None

    def position_account(self) -> IntArray:
        """Return the account index (P,) of each position."""
        return np.repeat(np.arange(self.accounts), np.diff(self.position_start))

    def roster(self) -> Roster:
        """Return who the accounts are."""
        return Roster(
            name=self.name,
            traders=self.traders,
            trader=self.trader,
            clearer=self.clearer,
            isolated=self.isolated,
            position_start=self.position_start,
            position_market=self.position_market,
            venues=self.venues,
            symbols=self.symbols,
            account_ids=self.account_ids,
            trader_ids=self.trader_ids,
            capped=self.capped,
            topped_up=self.topped_up,
        )

    def trader_id(self, trader: int) -> str:
        """Return a trader's id; see `Roster.trader_id`."""
        return self.roster().trader_id(trader)

    def account_id(self, account: int) -> str:
        """Return an account's id; see `Roster.account_id`."""
        return self.roster().account_id(account)


def starts(counts: NDArray[Any]) -> IntArray:
    """Return CSR offsets (N + 1,) of N runs with the given lengths."""
    offsets = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
