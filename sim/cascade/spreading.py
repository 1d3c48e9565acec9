"""The spillover of a cascade over venues, markets, assets and cohorts."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from sim.cascade.attribution import forced_moves
from sim.cascade.recorded import RecordedCascade
from sim.cascade.spillover import By, Per, loss_matrix, move_matrix, net_spillover, spillover_long


class SpreadCascade(RecordedCascade):
    """Recorded tables and how far, and at what cost, forced selling spread."""

    def spillover(
        self,
        by: By = "venue",
        unit: Literal["move", "loss"] = "move",
        margins: bool = False,
        window: tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        """Return how far, or at what cost, forced selling spread from group to group.

        Parameters
        ----------
        by : {"venue", "market", "asset", "cohort"}
            Groups. With unit ``move`` rows are always venues, and columns venues or markets.
        unit : {"move", "loss"}
            ``move``: the signed log move [1] booked to ``liquidation:<row>``, summed over the run
            and, by venue, over the markets of that venue, each market counting once. ``loss``:
            what it cost broken accounts [numeraire], with a row for every other cause.
        margins : bool
            Whether to add a row and a column `total`; for losses only.
        window : tuple of float or None
            Only accounts that broke in ``[start, end)`` [s]; for losses only.

        Returns
        -------
        pandas.DataFrame
            Index `source`, columns `target`; 0 where there was none. ``sim.cascade.spillover``
            says what source and target are. The columns of losses sum to what their group lost.

        Raises
        ------
        ValueError
            If an argument is unknown or does not go with `unit`.
        """
        if unit not in ("move", "loss"):
            raise ValueError(f"unit is {unit!r}; allowed: move, loss")
        if unit == "loss":
            long = self.spillover_by(by, window=window)
            return loss_matrix(long, self._groups(by), margins)
        if by not in ("venue", "market"):
            raise ValueError(f"by is {by!r}; allowed with unit 'move': venue, market")
        if margins or window is not None:
            raise ValueError("margins and window are there for unit 'loss' only")
        moves = forced_moves(self.price_causes)
        return move_matrix(moves, by, self.venue_names, self.market_names)

    def spillover_by(
        self,
        by: By = "venue",
        per: Per | None = None,
        window: tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        """Return losses by source and target, also by generation or by minute, as rows.

        See ``sim.cascade.spillover.spillover_long`` for arguments and columns.
        """
        flows = self._flows(window)
        return spillover_long(flows, by, self.bases, per)

    def net_spillover(
        self, by: By = "venue", window: tuple[float, float] | None = None
    ) -> pd.DataFrame:
        """Return what each group cost others, and others it, as `own, inflow, outflow, net, ...`.

        See ``sim.cascade.spillover.net_spillover``; units [numeraire].
        """
        long = self.spillover_by(by, window=window)
        causes = sorted(set(long.loc[long["source_kind"] == "cause", "source"]))
        return net_spillover(loss_matrix(long, self._groups(by), margins=False), causes)

    def _groups(self, by: str) -> list[str]:
        """Return the groups that have a row and a column in any case."""
        if by == "venue":
            return self.venue_names
        if by == "market":
            return self.market_names
        if by == "asset":
            return list(dict.fromkeys(self.bases[m] for m in self.market_names if m in self.bases))
        return []
