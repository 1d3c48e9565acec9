"""Rows and positions of everybody, in ledger order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray, sums
from sim.engine.board import MarketBoard
from sim.engine.coupling import coupled_markets
from sim.engine.draft import AccountsDraft, starts
from sim.engine.endowment import has_ccps, has_contract_funds
from sim.engine.roster import Roster
from sim.ledger import Ledger, RowPlan
from sim.schema import Scenario


class Layout:
    """Rows and positions of everybody, in ledger order.

    Parameters
    ----------
    scenario : Scenario
    drafts : list of AccountsDraft
        Emptied. What the drafts hold is let go of piece by piece as it is copied, so that a
        population is never twice in memory.
    columns : (K,) int64
        Asset of each balance column.
    board : MarketBoard

    Attributes
    ----------
    plan : RowPlan
    backstopped : (B,) int64
        Venues with a backstop or that absorb, whose row has a position in every market.
    offset : (D + 1,) int64
        First account of each draft.
    clearer, cohort : (A,) int16
        Venue that margins the account; number of its draft.
    trader : (A,) int32
        Owner, numbered over all drafts.
    trader_rows : (N + 1,) int32
        First account of each trader.
    wallet_row : (N,) int32
        Ledger row of each trader's outside wallet, or -1.
    """

    def __init__(
        self,
        scenario: Scenario,
        drafts: list[AccountsDraft],
        columns: IntArray,
        board: MarketBoard,
    ) -> None:
        self.columns, self.board = columns, board
        coupled = [coupled_markets(scenario, c) for c in scenario.coupling if c.kind == "arbitrage"]
        self.arbitrage_markets = [m for group in coupled for m in group]
        self.offset = starts(np.array([d.accounts for d in drafts], dtype=np.int64))
        layers = [[layer.kind for layer in v.waterfall] for v in scenario.venues.values()]
        absorbs = [v.liquidation.kind == "absorb" for v in scenario.venues.values()]
        backed = ["backstop" in kinds for kinds in layers]
        self.backstopped = np.flatnonzero(np.logical_or(backed, absorbs))
        self._first_trader = starts(np.array([d.traders for d in drafts], dtype=np.int64)).tolist()
        wallets = [_wallets(d.wallet) for d in drafts]
        self.plan = RowPlan(
            accounts=int(self.offset[-1]),
            wallets=sum(who.size for who, _ in wallets),
            arbitrage=len(self.arbitrage_markets),
            markets=len(scenario.markets),
            venues=len(scenario.venues),
            contract_funds=len(scenario.markets) * has_contract_funds(scenario),
            ccps=len(scenario.venues) * has_ccps(scenario),
        )
        self.wallet_row = self._wallet_rows([who for who, _ in wallets])
        self._wallets = [amounts for _, amounts in wallets]
        self._assets = [d.balance_assets for d in drafts]
        self._balance = [d.balance for d in drafts]
        self._start = [d.position_start for d in drafts]
        self._market = [d.position_market for d in drafts]
        self._quantity = [d.quantity for d in drafts]
        self._entry = [d.entry_price for d in drafts]
        sizes = np.diff(self.offset)
        self.cohort = np.repeat(np.arange(len(drafts), dtype=np.int16), sizes)
        self.clearer = _poured([d.clearer for d in drafts], np.empty_like(self.cohort))
        self.trader = np.empty(self.plan.accounts, dtype=np.int32)
        _poured([d.trader for d in drafts], self.trader)
        for k, first in enumerate(self._first_trader[:-1]):
            self.trader[self.offset[k] : self.offset[k + 1]] += first
        bounds = np.arange(self._first_trader[-1] + 1, dtype=np.int32)
        self.trader_rows = np.searchsorted(self.trader, bounds).astype(np.int32)
        isolated = np.empty(self.plan.accounts, dtype=np.bool_)
        _poured([d.isolated for d in drafts], isolated)
        self._rosters = [self._roster(k, draft, isolated) for k, draft in enumerate(drafts)]
        drafts.clear()

    def _roster(self, k: int, draft: AccountsDraft, isolated: BoolArray) -> Roster:
        """Return the roster of a draft on the layout's arrays, its positions still missing."""
        mine = slice(self.offset[k], self.offset[k + 1])
        return replace(
            draft.roster(),
            trader=self.trader[mine],
            clearer=self.clearer[mine],
            isolated=isolated[mine],
            position_start=self.offset[:0],
            position_market=self.cohort[:0],
            first_trader=self._first_trader[k],
        )

    def rosters(self, ledger: Ledger) -> list[Roster]:
        """Return who the accounts of each draft are."""
        return [
            replace(
                roster,
                position_start=ledger.position_start[self.offset[k] : self.offset[k + 1] + 1],
                position_market=ledger.market,
            )
            for k, roster in enumerate(self._rosters)
        ]

    def _wallet_rows(self, owners: list[IntArray]) -> Int32Array:
        """Return the ledger row of each trader's wallet, or -1."""
        traders = self._first_trader[-1]
        if not self.plan.wallets:
            return np.broadcast_to(np.int32(-1), (traders,))  # one number in memory
        rows = np.full(traders, -1, dtype=np.int32)
        first = self.plan.first_wallet
        for k, who in enumerate(owners):
            rows[self._first_trader[k] + who] = np.arange(first, first + who.size)
            first += who.size
        return rows

    def ledger(self) -> Ledger:
        """Return the ledger with all positions and no money yet; to be called once."""
        plan, markets = self.plan, self.plan.markets
        counts = np.zeros(plan.total, dtype=np.int32)
        _poured([np.diff(start) for start in self._start], counts)
        self._start.clear()
        counts[plan.first_arbitrage : plan.first_clearing] = 1
        counts[plan.first_outside : plan.first_fund] = 1
        counts[plan.first_backstop + self.backstopped] = markets
        start = starts(counts)
        row = np.repeat(np.arange(plan.total, dtype=np.int32), counts)
        del counts
        held, outside = int(start[plan.accounts]), start[plan.first_outside : plan.first_fund]
        market = _poured(self._market, np.empty(row.size, dtype=np.int16))
        market[held : held + plan.arbitrage] = self.arbitrage_markets
        market[outside] = np.arange(markets)
        for row_of in (plan.first_backstop + self.backstopped).tolist():
            market[start[row_of] : start[row_of + 1]] = np.arange(markets)
        quantity = _poured(self._quantity, np.zeros(row.size))
        entry = _poured(self._entry, np.zeros(row.size))
        entry[quantity == 0.0] = 0.0
        if held:
            quantity[outside] = -sums(market[:held], quantity[:held], markets)
        entry[outside] = np.where(quantity[outside] != 0.0, self.board.initial, 0.0)
        return Ledger(
            plan=plan,
            balance=np.zeros((plan.total, len(self.columns))),
            position_start=start,
            position_row=row,
            market=market,
            quantity=quantity,
            entry_price=entry,
            multiplier=self.board.multiplier,
            quote_column=np.array(
                [int(np.flatnonzero(self.columns == q)[0]) for q in self.board.quote]
            ),
            outside_position=outside.copy(),
        )

    def opening(self, column: int) -> FloatArray:
        """Return what accounts and wallets hold of a column's asset at the start (R,)."""
        amount, asset = np.zeros(self.plan.total), int(self.columns[column])
        first = self.plan.first_wallet
        for k, assets in enumerate(self._assets):
            last = first + len(self._wallets[k])
            if asset in assets:
                j = assets.index(asset)
                amount[self.offset[k] : self.offset[k + 1]] = self._balance[k][:, j]
                amount[first:last] = self._wallets[k][:, j]
            first = last
        return amount


def _wallets(wallet: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return which traders have something outside all accounts, and what."""
    who = np.flatnonzero((wallet > 0.0).any(axis=1))
    return who, wallet[who]


def _poured(parts: list[NDArray[Any]], whole: NDArray[Any]) -> NDArray[Any]:
    """Copy arrays one after the other into a larger one, and let go of each; return that one."""
    first = 0
    while parts:
        part = parts.pop(0)
        whole[first : first + part.size] = part
        first += part.size
    return whole
