"""In random worlds of every mechanism the graph balances and the margins add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

import sim
from sim.cascade import Cascade
from sim.cascade.spillover import BY, TOTAL
from tests.cascade.test_graph_balance import assert_balanced, sums
from tests.engine.random_worlds import load
from tests.engine.test_break_worlds import ANY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


def played(world: dict[str, Any], folder: Path) -> Cascade:
    try:
        return sim.run(load(world, folder)).cascade
    except (sim.ScenarioError, sim.RunError) as error:
        assume(isinstance(error, sim.RunError) and "ran away" not in str(error))
        raise


def check(cascade: Cascade) -> None:
    assume(cascade.has_losses)
    losses = cascade.losses()
    gross = losses["loss"].abs().sum()
    near = {"abs": 1e-9 * gross + 1e-12}
    for owner in ("account", "cohort"):
        graph = cascade.graph(f"{owner}s")  # type: ignore[arg-type]
        assert_balanced(cascade, graph, owner)
        assert all(kind for _, kind in graph.nodes(data="kind"))
        moves: dict[str, float] = {}
        for _, target, edge in graph.edges(data=True):
            if "price_move" in edge:
                moves[target] = moves.get(target, 0.0) + edge["price_move"]
        for market, move in cascade.price_moves_by_cause().sum().items():
            assert moves.get(f"market:{market}", 0.0) == pytest.approx(move, abs=1e-9)
    for by in BY:
        matrix = cascade.spillover(by, "loss", margins=True)  # type: ignore[arg-type]
        assert matrix.loc[TOTAL, TOTAL] == pytest.approx(losses["loss"].sum(), **near)
        for per in ("generation", "minute"):
            long = cascade.spillover_by(by, per)  # type: ignore[arg-type]
            assert long["loss"].sum() == pytest.approx(losses["loss"].sum(), **near)
    for view in ("venues", "assets"):
        into, _ = sums(cascade.graph(view))  # type: ignore[arg-type]
        assert sum(into.values()) == pytest.approx(losses["loss"].sum(), **near)
    found = cascade.clusters()
    assert found["breaks"].sum() == len(cascade.breaks)
    assert (found["breadth"] <= found["breaks"]).all()
    assert cascade.sellers()["loss_caused"].sum() <= gross * (1.0 + 1e-9)
    pairs = cascade.seller_losses().groupby("seller_account")["loss"].sum()
    known = cascade.sellers().set_index("account")["loss_caused"]
    for name, loss in pairs.drop("", errors="ignore").items():
        assert known[name] == pytest.approx(loss, **near)
    assert np.isfinite(found["loss"]).all()
    pd.testing.assert_frame_equal(
        cascade.losses_by("cause"), losses.groupby("cause", as_index=False)[["loss"]].sum(),
        check_dtype=False, atol=1e-9 * gross + 1e-12,
    )  # fmt: skip


@settings(
    max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
)
@given(world=ANY)
def test_graph_and_margins_hold(world: dict[str, Any], folder: Path) -> None:
    check(played(world, folder))


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
)
@given(world=ANY)
def test_graph_and_margins_hold_in_many_worlds(world: dict[str, Any], folder: Path) -> None:
    check(played(world, folder))
