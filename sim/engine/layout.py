"""Rows and positions of everybody, in ledger order."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.board import MarketBoard
from sim.engine.coupling import coupled_markets
from sim.engine.draft import AccountsDraft
from sim.ledger import Ledger, RowPlan
from sim.schema import Scenario


class Layout:
    """Rows and positions of everybody, in ledger order."""

    def __init__(
        self,
        scenario: Scenario,
        drafts: list[AccountsDraft],
        columns: IntArray,
        board: MarketBoard,
    ) -> None:
        self.drafts, self.columns, self.board = drafts, columns, board
        self.quote_assets = board.quote
        coupled = [coupled_markets(scenario, c) for c in scenario.coupling if c.kind == "arbitrage"]
        self.arbitrage_markets = [m for group in coupled for m in group]
        self.offset = np.concatenate([[0], np.cumsum([d.accounts for d in drafts])]).astype(int)
        traders = np.concatenate([[0], np.cumsum([d.traders for d in drafts])]).astype(int)
        self.clearer = _join([d.clearer for d in drafts], np.int16)
        self.cohort = np.repeat(
            np.arange(len(drafts), dtype=np.int16), [d.accounts for d in drafts]
        )
        self.trader = _join([d.trader + t for d, t in zip(drafts, traders, strict=False)], np.int32)
        counts = np.bincount(self.trader, minlength=int(traders[-1]))
        self.trader_rows = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.wallets = self._wallets(int(traders[-1]))
        with_wallet = (self.wallets > 0.0).any(axis=1)
        self.plan = RowPlan(
            accounts=int(self.offset[-1]),
            wallets=int(with_wallet.sum()),
            arbitrage=len(self.arbitrage_markets),
            markets=len(scenario.markets),
            venues=len(scenario.venues),
        )
        number = np.cumsum(with_wallet) - 1 + self.plan.first_wallet
        self.wallet_row = np.where(with_wallet, number, -1).astype(np.int64)
        self.wallets = self.wallets[with_wallet]

    def column_of(self, draft: AccountsDraft) -> list[int]:
        """Return the ledger column of each of a draft's balance assets."""
        return [int(np.flatnonzero(self.columns == a)[0]) for a in draft.balance_assets]

    def _wallets(self, traders: int) -> FloatArray:
        wallets = np.zeros((traders, len(self.columns)))
        first = 0
        for draft in self.drafts:
            wallets[first : first + draft.traders, self.column_of(draft)] = draft.wallet
            first += draft.traders
        return wallets

    def ledger(self) -> Ledger:
        """Return the ledger with all positions and no money yet."""
        plan, markets = self.plan, self.plan.markets
        own = [np.diff(d.position_start) for d in self.drafts]
        counts = np.zeros(plan.total, dtype=np.int64)
        counts[: plan.accounts] = _join(own, np.int64)
        counts[plan.first_arbitrage : plan.first_clearing] = 1
        counts[plan.first_outside : plan.first_fund] = 1
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        market = np.concatenate(
            [
                _join([d.position_market for d in self.drafts], np.int16),
                np.array(self.arbitrage_markets, dtype=np.int16),
                np.arange(markets, dtype=np.int16),
            ]
        )
        held = _join([d.quantity for d in self.drafts], np.float64)
        entry = _join([d.entry_price for d in self.drafts], np.float64)
        others = np.zeros(plan.arbitrage)
        traders_market = market[: len(held)]
        outside = -sums(traders_market, held, markets) if len(held) else np.zeros(markets)
        outside_entry = np.where(outside != 0.0, self.board.initial, 0.0)
        return Ledger(
            plan=plan,
            balance=np.zeros((plan.total, len(self.columns))),
            position_start=start,
            position_row=np.repeat(np.arange(plan.total, dtype=np.int32), counts),
            market=market,
            quantity=np.concatenate([held, others, outside]),
            entry_price=np.concatenate([np.where(held != 0.0, entry, 0.0), others, outside_entry]),
            multiplier=self.board.multiplier,
            quote_column=np.array(
                [int(np.flatnonzero(self.columns == q)[0]) for q in self.quote_assets]
            ),
            outside_position=start[plan.first_outside : plan.first_fund].copy(),
        )


def _join(parts: list[Any], kind: Any) -> Any:
    return np.concatenate([np.empty(0, dtype=kind), *(np.asarray(p, dtype=kind) for p in parts)])
