"""Cascades with known losses, made without an engine.

Every account is long one contract of its venue's market and breaks once its own mark has fallen by
its threshold. A venue's forced orders move its own market by `own` each and, through the marks,
those of every other venue by `other` each. All generations follow in one tick, or one each second
if `unrolled`. The prices are so high that log moves and simple ones are the same to 1e-6.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.cascade import Cascade
from sim.cascade.losses import coded
from tests.report.synthetic import CAUSE, LIQUIDATION, PRICE, VENUE, frame

PRICE_LEVEL = 1e6
LOSS = [
    "break_id", "tick", "time", "generation", "clearer", "account_id", "trader_id", "cohort",
    "through", "cause", "source", "source_generation", "source_tick", "loss",
]  # fmt: skip
BREAK = [
    "break_id", "tick", "time", "generation", "clearer", "account_id", "trader_id", "cohort",
    "equity", "maintenance_margin", "loss", "in_transit",
]  # fmt: skip


class Told(Cascade):
    """A cascade whose losses are given."""

    def losses(self) -> pd.DataFrame:
        told: pd.DataFrame = self.__dict__["told"]
        return told


def told(tables: dict[str, pd.DataFrame], bases: dict[str, str] | None = None) -> Told:
    """Return a cascade from `liquidations, price_causes, prices, venues, breaks, losses`."""
    given = {name: table for name, table in tables.items() if name != "losses"}
    cascade = Told(**given, bases=bases or {})  # type: ignore[arg-type]
    cascade.__dict__["told"] = tables["losses"]
    cascade.__dict__["_coded_losses"] = coded(tables["losses"])
    return cascade


def fall(
    thresholds: dict[str, np.ndarray], shock: float, own: float, other: float = 0.0,
    unrolled: bool = False,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Return the tables of one cascade.

    Parameters
    ----------
    thresholds : dict
        By venue the falls [price] at which its accounts break.
    shock : float
        Outside fall of every market [price].
    own, other : float
        Fall of the venue's market, and of the marks of others, per order [price].
    unrolled : bool
        Whether a generation takes a second.
    """
    venues = list(thresholds)
    down = dict.fromkeys(venues, shock)
    before = {venue: {"exogenous": (shock, "", -1, -1)} for venue in venues}
    standing = {venue: np.ones(len(level), dtype=bool) for venue, level in thresholds.items()}
    forced: list[pd.DataFrame] = []
    losses: list[pd.DataFrame] = []
    causes = [(1, 0, venue, "X", "exogenous", -shock / PRICE_LEVEL) for venue in venues]
    generation = 0
    while True:
        tick = 1 + generation if unrolled else 1
        sold = {}
        for venue in venues:
            hit = standing[venue] & (thresholds[venue] <= down[venue])
            standing[venue] &= ~hit
            sold[venue] = np.flatnonzero(hit)
            if len(sold[venue]):
                forced.append(_orders(venue, sold[venue], tick, generation))
                losses += _losses(venue, sold[venue], tick, generation, before[venue])
        if not any(len(rows) for rows in sold.values()):
            break
        before = {venue: {} for venue in venues}
        for seller, rows in sold.items():
            if not len(rows):
                continue
            causes.append(
                (tick, generation, seller, "X", f"liquidation:{seller}",
                 -own * len(rows) / PRICE_LEVEL)
            )  # fmt: skip
            for venue in venues:
                move = len(rows) * (own if venue == seller else other)
                down[venue] += move
                if move:
                    before[venue][f"liquidation:{seller}"] = (move, seller, generation, tick)
        generation += 1
    return _tables(venues, forced, losses, causes)


def _identity(venue: str, rows: np.ndarray) -> dict[str, object]:
    names = [f"{row}@{venue}" for row in rows.tolist()]
    return {
        "account_id": names, "trader_id": names,
        "cohort": np.where(rows % 3 == 0, "whales", "retail").astype(object),
    }  # fmt: skip


def _orders(venue: str, rows: np.ndarray, tick: int, generation: int) -> pd.DataFrame:
    facts = {
        "event_id": 0, "tick": tick, "time": float(tick), "generation": generation,
        "kind": "market", "clearer": venue, "venue": venue, "symbol": "X", "quantity": -1.0,
        "mark_price": PRICE_LEVEL, "close_out_price": PRICE_LEVEL, "bankruptcy_price": PRICE_LEVEL,
        "notional": PRICE_LEVEL, "fee": 0.0, "shortfall": 0.0,
    }  # fmt: skip
    return pd.DataFrame({**_identity(venue, rows), **facts})[LIQUIDATION]


def _losses(
    venue: str, rows: np.ndarray, tick: int, generation: int,
    moves: dict[str, tuple[float, str, int, int]],
) -> list[pd.DataFrame]:  # fmt: skip
    parts = []
    for cause, (move, seller, of, at) in moves.items():
        facts = {
            "break_id": 0, "tick": tick, "time": float(tick), "generation": generation,
            "clearer": venue, "through": f"{venue}/X", "cause": cause,
            "source": f"{seller or venue}/X", "source_generation": of, "source_tick": at,
            "loss": move,
        }  # fmt: skip
        parts.append(pd.DataFrame({**_identity(venue, rows), **facts})[LOSS])
    return parts


def _tables(
    venues: list[str], forced: list[pd.DataFrame], losses: list[pd.DataFrame],
    causes: list[tuple[object, ...]],
) -> dict[str, pd.DataFrame]:  # fmt: skip
    liquidations = pd.concat(forced, ignore_index=True) if forced else frame(LIQUIDATION)
    lost = pd.concat(losses, ignore_index=True) if losses else pd.DataFrame(columns=LOSS)
    numbers = pd.factorize(lost["account_id"])[0]
    lost["break_id"] = numbers.astype(np.int64)
    firsts = lost.drop_duplicates("break_id").assign(
        loss=lost.groupby("break_id")["loss"].sum().to_numpy() if len(lost) else 0.0
    )
    breaks = firsts.assign(equity=0.0, maintenance_margin=0.0, in_transit=0.0)[BREAK]
    ticks = range(int(liquidations["tick"].max()) + 1 if len(liquidations) else 2)
    return {
        "liquidations": liquidations.assign(event_id=np.arange(len(liquidations))),
        "price_causes": frame(CAUSE, causes),
        "prices": frame(PRICE, [
            (tick, float(tick), venue, "X", PRICE_LEVEL, PRICE_LEVEL, PRICE_LEVEL, 1.0)
            for tick in ticks for venue in venues
        ]),
        "venues": frame(VENUE, [
            (0, 0.0, venue, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False) for venue in venues
        ]),
        "breaks": breaks.reset_index(drop=True),
        "losses": lost,
    }  # fmt: skip


def even(accounts: int, reach: float) -> np.ndarray:
    """Return thresholds ``(k + 1/2) reach / accounts``."""
    return (np.arange(accounts) + 0.5) * reach / accounts


def linear(accounts: int = 1000, g: float = 0.8, shock: float = 0.02, **more: bool) -> Told:
    """Return the linear cascade of one market: thresholds even on 0 .. 0.5, feedback g."""
    level = even(accounts, 0.5)
    return told(fall({"alpha": level}, shock, g * 0.5 / accounts, **more), {"alpha/X": "X"})


def two_venues(accounts: int = 300, other: float = 0.3, unrolled: bool = True) -> Told:
    """Return a cascade over two venues whose marks follow each other."""
    levels = {"alpha": even(accounts, 0.5), "beta": even(accounts // 2, 0.6)}
    own = 0.5 * 0.5 / accounts
    tables = fall(levels, 0.05, own, other * own, unrolled)
    return told(tables, {"alpha/X": "X", "beta/X": "X"})


def shuffled(tables: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """Return the tables with their rows in another order."""
    rng = np.random.default_rng(seed)
    return {
        name: table.iloc[rng.permutation(len(table))].reset_index(drop=True)
        for name, table in tables.items()
    }
