"""The state of a world before a crash: who is exposed, how near, and what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.cascade import depth, exposure, ladder, surface, tipping
from sim.cascade.amplification import Amplification, amplification, slopes
from sim.cascade.direction import Direction, everything
from sim.cascade.state_tables import checked_tables, read_state
from sim.cascade.static_cascade import StaticCascade
from sim.core.arrays import FloatArray
from sim.schema import Scenario, load_mapping

if TYPE_CHECKING:
    import networkx as nx
    from scipy import sparse

DEFAULT_WINDOW = 0.01
"""Log move within which accounts count as near their margin [1]."""


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """A state, read from tables alone.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        By the names and with the columns of `sim.cascade.state_tables`, of one tick.
    rules : Scenario or mapping
        The scenario: margin, liquidation, impact, marks and couplings. A mapping is that of a
        manifest.

    Raises
    ------
    ValueError
        A table or column is missing, a number not finite, an account there twice or unknown.
    ScenarioError
        The mapping is no scenario.
    """

    tables: Mapping[str, pd.DataFrame]
    rules: Scenario | Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", checked_tables(self.tables))
        if not isinstance(self.rules, Scenario):
            object.__setattr__(self, "rules", load_mapping(dict(self.rules)))

    @classmethod
    def load(cls, folder: str | Path, at: float | None = None) -> State:
        """Read a checkpoint of a run folder.

        Parameters
        ----------
        folder : path
            What `Result.save` returned.
        at : float, optional
            Time of the checkpoint [s]; may be left out where there is only one.

        Raises
        ------
        ValueError
            The folder has no checkpoint, none at that time, or several and no time is given.
        """
        return cls(*read_state(Path(folder), at))

    def __repr__(self) -> str:
        time = self.markets["time"].iloc[0]
        return f"State(at {time:g} s, {len(self.accounts)} accounts, {len(self.markets)} markets)"

    @property
    def accounts(self) -> pd.DataFrame:
        """The table of accounts."""
        return self.tables["accounts"]

    @property
    def positions(self) -> pd.DataFrame:
        """The table of positions."""
        return self.tables["positions"]

    @property
    def markets(self) -> pd.DataFrame:
        """The table of markets."""
        return self.tables["markets"]

    @cached_property
    def cascade(self) -> StaticCascade:
        """The batch-round map of the state."""
        assert isinstance(self.rules, Scenario)
        return StaticCascade(self.tables, self.rules)

    def with_depth(self, factor: float | Mapping[str, float]) -> State:
        """Return the same state with thinner or deeper books.

        Parameters
        ----------
        factor : float or mapping of float
            Of the depth of all markets, or of some by name [1], > 0.

        Raises
        ------
        ValueError
            A market is unknown, or a factor not a positive finite number.
        """
        markets = depth.with_depth(self.cascade, self.markets, factor)
        return State({**self.tables, "markets": markets}, self.rules)

    def bipartite(self) -> nx.Graph[str]:
        """Return the graph of accounts and markets; see `exposure.bipartite`."""
        return exposure.bipartite(self.tables)

    def overlap(self, by: exposure.Holder = "trader") -> tuple[sparse.csr_array, list[str]]:
        """Return the overlap of portfolios, and the holders; see `exposure.overlap`."""
        return exposure.overlap(self.tables, by)

    def venue_coupling(self) -> pd.DataFrame:
        """Return how venues share traders and assets; see `exposure.venue_coupling`."""
        return exposure.venue_coupling(self.tables)

    def concentration(self, by: exposure.Holder = "account", top: int = 10) -> pd.DataFrame:
        """Return how concentrated markets are; see `exposure.concentration`."""
        return exposure.concentration(self.tables, by, top)

    def venues(self) -> pd.DataFrame:
        """Return the accounts by clearer; see `exposure.venues_table`."""
        return exposure.venues_table(self.tables)

    def sensitivities(self) -> pd.DataFrame:
        """Return how the excess of each account answers each market.

        Returns
        -------
        pandas.DataFrame
            `account_id, market, slope` [numeraire]: the derivative of the excess with respect to
            the log of the last price of the market, through marks, indices elsewhere, values of
            collateral and of quote assets. Zeros are left out.
        """
        rows = np.arange(len(self.accounts))
        found = slopes(self.cascade, self.cascade.at_rest(), rows)
        names = self.accounts["account_id"].to_numpy(dtype=object)
        row, market = np.nonzero(np.abs(found) > 1e-9 * np.abs(found).max(initial=0.0))
        labels = np.array(self.cascade.prices.markets, dtype=object)
        return pd.DataFrame(
            {"account_id": names[row], "market": labels[market], "slope": found[row, market]}
        )

    def liquidation_ladder(
        self,
        market: str | None = None,
        *,
        asset: str | None = None,
        moves: Sequence[float] | FloatArray | None = None,
    ) -> pd.DataFrame:
        """Return what must be sold once a market, or an asset everywhere, has moved.

        Parameters
        ----------
        market : str, optional
            ``venue/symbol``.
        asset : str, optional
            Moves all its markets; one of the two must be given.
        moves : sequence of float, optional
            Simple returns [1], > -1; by default from -50 to +50 % by 1 %.

        Returns
        -------
        pandas.DataFrame
            A row per move, market and clearer with positions, and side: `move` [1]; `market,
            clearer`; `side`, ``sell`` closes longs and ``buy`` shorts; `accounts`; `quantity`
            [contracts, signed]; `notional` [numeraire, at the marks of the state].

        Raises
        ------
        ValueError
            Not one of the two is given, a name is unknown, or a move is not above -1.
        """
        return ladder.liquidation_ladder(self.cascade, market, asset, moves)

    def amplification(
        self,
        direction: Mapping[str, float] | None = None,
        *,
        shock: float = 0.0,
        window: float = DEFAULT_WINDOW,
    ) -> Amplification:
        """Return the amplification matrix.

        Parameters
        ----------
        direction : mapping of float, optional
            Return of markets or assets for each unit of size; all markets down alike by default.
        shock : float
            Size [1] of a shock along the direction; the matrix is that after its cascade.
        window : float
            Log move within which an account counts as near its margin [1], > 0.

        Raises
        ------
        ValueError
            An argument is out of its range.
        """
        along = self._direction(direction)
        base = self.cascade.run(along.move(shock)) if shock else self.cascade.at_rest()
        return amplification(self.cascade, self.accounts, along, window, base)

    def critical_shock(
        self,
        direction: Mapping[str, float] | None = None,
        *,
        window: float = DEFAULT_WINDOW,
        criterion: tipping.Criterion | None = None,
    ) -> tipping.CriticalShock:
        """Return the smallest shock along a direction at which the cascade tips.

        Parameters
        ----------
        direction : mapping of float, optional
            Return of markets or assets for each unit of size; all markets down alike by default.
        window : float
            For the predictions from the amplification matrix [1], > 0.
        criterion : Criterion, optional
            When it has tipped.

        Raises
        ------
        ValueError
            An argument is out of its range.
        """
        along, rule = self._direction(direction), criterion or tipping.Criterion()
        return tipping.predicted(self.cascade, self.accounts, along, rule, window)

    def response(
        self,
        sizes: Sequence[float],
        direction: Mapping[str, float] | None = None,
        *,
        window: float = DEFAULT_WINDOW,
    ) -> pd.DataFrame:
        """Return what shocks of several sizes do, and the radius after each.

        Parameters
        ----------
        sizes : sequence of float
            Sizes [1], >= 0.
        direction : mapping of float, optional
            Return of markets or assets for each unit of size; all markets down alike by default.
        window : float
            Of the amplification matrix [1], > 0.

        Returns
        -------
        pandas.DataFrame
            `size, share, first_share, accounts, rounds, radius`; see `surface.response`.

        Raises
        ------
        ValueError
            An argument is out of its range.
        """
        along = self._direction(direction)
        return surface.response(self.cascade, self.accounts, along, sizes, window)

    def critical_surface(
        self,
        asset_a: str,
        asset_b: str,
        points: int = 9,
        criterion: tipping.Criterion | None = None,
    ) -> pd.DataFrame:
        """Return the critical falls of two assets together; see `surface.critical_surface`."""
        rule = criterion or tipping.Criterion()
        return surface.critical_surface(self.cascade, asset_a, asset_b, points, rule)

    def _direction(self, weights: Mapping[str, float] | None) -> Direction:
        if weights is None:
            return everything(self.cascade.prices)
        return Direction(weights, self.cascade.prices)
