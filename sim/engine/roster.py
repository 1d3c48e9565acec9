"""Rosters: who the accounts of a cohort, a book or a hand-written trader are."""

from __future__ import annotations

from dataclasses import dataclass

from sim.core.arrays import BoolArray, Int16Array, Int32Array, IntArray
from sim.core.texts import Texts


@dataclass(frozen=True)
class Roster:
    """Names and ids of the accounts (A) of traders (T) of one group, and how they were drawn.

    The arrays of a world's roster are views of the world's own, so it takes no memory but for the
    ids of a book.

    Attributes
    ----------
    name : str
        Name of the cohort, book or hand-written trader.
    traders : int
        Number of traders T, those without an account included.
    trader : (A,) int32
        Number of the owner, counted from `first_trader` on.
    clearer : (A,) int16
        Index of the venue that margins the account.
    isolated : (A,) bool
        True for an account that backs exactly one position.
    position_start : (A + 1,) int64
        First position of each account in `position_market`.
    position_market : int16
        Market index of each position.
    venues, symbols : tuple of str, length V and M
        Names of the scenario's venues and symbols of its markets.
    account_ids, trader_ids : Texts of length A and T, or None
        Ids of a book; those of a cohort are made on demand.
    capped, topped_up : int
        Accounts whose leverage was lowered, and whose collateral was raised, to meet initial
        margin at the start.
    first_trader : int
        Number in `trader` of the group's first trader.
    """

    name: str
    traders: int
    trader: Int32Array
    clearer: Int16Array
    isolated: BoolArray
    position_start: IntArray
    position_market: Int16Array
    venues: tuple[str, ...]
    symbols: tuple[str, ...]
    account_ids: Texts | None = None
    trader_ids: Texts | None = None
    capped: int = 0
    topped_up: int = 0
    first_trader: int = 0

    @property
    def accounts(self) -> int:
        """Number of accounts A."""
        return int(self.clearer.size)

    def trader_id(self, trader: int) -> str:
        """Return the id of trader 0 .. T-1: the book's, or ``<cohort>-<zero-padded number>``."""
        if self.trader_ids is not None:
            return self.trader_ids[trader]
        return f"{self.name}-{trader:0{len(str(self.traders - 1))}d}"

    def owner_id(self, account: int) -> str:
        """Return the id of the trader who owns account 0 .. A-1."""
        return self.trader_id(int(self.trader[account]) - self.first_trader)

    def account_id(self, account: int) -> str:
        """Return an account's id: the book's, or ``<trader>@<venue>[/<symbol> if isolated]``."""
        if self.account_ids is not None:
            return self.account_ids[account]
        text = f"{self.owner_id(account)}@{self.venues[self.clearer[account]]}"
        if self.isolated[account]:
            market = self.position_market[self.position_start[account]]
            text += f"/{self.symbols[market]}"
        return text
