"""Spillover matrices: margins that add up, and a small one worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sim.cascade.spillover import BY, TOTAL, loss_matrix, net_spillover
from tests.cascade.synthetic_losses import even, fall, linear, shuffled, told, two_venues
from tests.cascade.test_graph_balance import with_money_and_collateral


def by_hand() -> object:
    """Three accounts, in prices: a at alpha breaks by the shock of 2, b at beta by a's order."""
    levels = {"alpha": np.array([1.0, 3.5]), "beta": np.array([2.5])}
    return told(fall(levels, 2.0, own=1.0, other=0.75), {"alpha/X": "X", "beta/X": "X"})


def test_a_small_matrix_by_hand() -> None:
    # alpha 1 breaks by the shock (2). Its order costs beta's account 0.75 (broken at 2.75). That
    # order takes alpha from 3.0 to 3.75, which breaks the last: it lost 0.75 since it was healthy.
    matrix = by_hand().spillover(unit="loss", margins=True)  # type: ignore[attr-defined]
    assert matrix.loc["alpha", "beta"] == 0.75
    assert matrix.loc["beta", "alpha"] == 0.75
    assert matrix.loc["exogenous"].tolist() == [2.0, 0.0, 2.0]
    assert matrix.loc["alpha", "alpha"] == 0.0
    assert matrix[TOTAL].tolist() == [0.75, 0.75, 2.0, 3.5]
    net = by_hand().net_spillover()  # type: ignore[attr-defined]
    assert net.loc["alpha"].to_dict() == {
        "own": 0.0, "inflow": 0.75, "outflow": 0.75, "net": 0.0, "causes": 2.0, "lost": 2.75,
    }  # fmt: skip


@pytest.mark.parametrize("by", BY)
def test_margins_add_to_the_losses(by: str) -> None:
    for cascade in (two_venues(), with_money_and_collateral()):
        matrix = cascade.spillover(by, unit="loss", margins=True)  # type: ignore[arg-type]
        losses = cascade.losses()
        assert matrix.loc[TOTAL, TOTAL] == pytest.approx(losses["loss"].sum(), rel=1e-12)
        inner = matrix.drop(index=TOTAL, columns=TOTAL)
        assert matrix[TOTAL].drop(TOTAL).to_numpy() == pytest.approx(inner.sum(axis=1).to_numpy())
        assert matrix.loc[TOTAL].drop(TOTAL).to_numpy() == pytest.approx(inner.sum().to_numpy())
        causes = losses[~losses["cause"].str.startswith("liquidation:")]
        for cause, part in causes.groupby("cause")["loss"].sum().items():
            assert matrix.loc[str(cause), TOTAL] == pytest.approx(part)
        net = cascade.net_spillover(by)  # type: ignore[arg-type]
        assert net["net"].sum() == pytest.approx(0.0, abs=1e-9 * net["lost"].abs().sum())
        assert net["lost"].to_numpy() == pytest.approx(inner[net.index].sum().to_numpy())


def test_targets_are_who_lost() -> None:
    cascade = with_money_and_collateral()
    losses = cascade.losses()
    for by, column in (("venue", "clearer"), ("cohort", "cohort"), ("market", "through")):
        matrix = cascade.spillover(by, unit="loss")  # type: ignore[arg-type]
        for group, loss in losses.groupby(column)["loss"].sum().items():
            assert matrix[str(group) or "money"].sum() == pytest.approx(loss)


def test_one_venue_has_one_entry_beside_the_causes() -> None:
    cascade = linear(100)
    matrix = cascade.spillover(unit="loss")
    assert matrix.index.tolist() == ["alpha", "exogenous"]
    assert matrix.columns.tolist() == ["alpha"]
    net = cascade.net_spillover()
    assert net.loc["alpha", ["inflow", "outflow", "net"]].tolist() == [0.0, 0.0, 0.0]
    # The shock costs each of the first generation 0.02, and g of what was sold costs the next.
    sizes = cascade.generations()["accounts"].to_numpy()
    assert matrix.loc["exogenous", "alpha"] == pytest.approx(0.02 * sizes[0])
    forced = 0.8 * 0.5 / 100 * (sizes[:-1] * sizes[1:]).sum()
    assert matrix.loc["alpha", "alpha"] == pytest.approx(forced)


def test_cohorts_are_split_by_their_share_of_a_batch() -> None:
    cascade = linear(90)
    matrix = cascade.spillover("cohort", unit="loss")
    assert matrix.index.tolist() == ["retail", "whales", "exogenous"]
    orders = cascade.liquidations.groupby(["generation", "cohort"]).size().unstack(fill_value=0)
    losses = cascade.losses().query("source_generation >= 0")
    want = 0.0
    for generation, part in losses.groupby("source_generation")["loss"]:
        want += part.sum() * orders.loc[generation, "whales"] / orders.loc[generation].sum()
    assert matrix.loc["whales"].sum() == pytest.approx(want)


@pytest.mark.parametrize("per", ["generation", "minute"])
def test_long_frames_sum_to_the_matrix(per: str) -> None:
    cascade = two_venues()
    for by in BY:
        long = cascade.spillover_by(by, per=per)  # type: ignore[arg-type]
        summed = long.groupby(["source", "target"])["loss"].sum()
        matrix = cascade.spillover(by, unit="loss")  # type: ignore[arg-type]
        stacked = matrix.stack()
        assert summed.to_numpy() == pytest.approx(stacked.loc[summed.index].to_numpy())
        assert stacked.abs().sum() == pytest.approx(summed.abs().sum())
        assert long[per].dtype == np.int64
    generations = cascade.spillover_by("venue", per="generation")
    first = generations.query("generation == 0")
    assert set(first["source"]) == {"exogenous"}


def test_a_cause_named_like_a_venue_is_told_apart() -> None:
    tables = fall({"alpha": even(20, 0.5)}, 0.1, 0.01)
    losses = tables["losses"].replace({"cause": {"exogenous": "alpha"}})
    matrix = told(tables | {"losses": losses}).spillover(unit="loss")
    assert matrix.index.tolist() == ["alpha", "cause:alpha"]


def test_groups_may_be_named_like_a_margin() -> None:
    """A cohort `money` keeps what it caused and lost; one named `total` has no margins."""
    pairs = [("money", "retail", 3.0), ("retail", "money", 2.0), ("money", "money", 1.0)]
    long = pd.DataFrame(pairs, columns=["source", "target", "loss"]).assign(source_kind="forced")
    for groups in ([], ["money", "retail"]):
        matrix = loss_matrix(long, groups, margins=True)
        assert matrix.loc[TOTAL, TOTAL] == 6.0
        assert matrix.loc["money"].to_dict() == {"money": 1.0, "retail": 3.0, TOTAL: 4.0}
        net = net_spillover(loss_matrix(long, groups, margins=False), [])
        assert net["net"].to_dict() == {"money": 1.0, "retail": -1.0}
    with pytest.raises(ValueError, match="a group is called 'total'"):
        loss_matrix(long.replace("retail", TOTAL), [], margins=True)


def test_windows_split_the_spillover() -> None:
    cascade = two_venues()
    whole = cascade.spillover(unit="loss")
    early = cascade.spillover(unit="loss", window=(0.0, 3.0)).reindex_like(whole).fillna(0.0)
    late = cascade.spillover(unit="loss", window=(3.0, 1e9)).reindex_like(whole).fillna(0.0)
    pd.testing.assert_frame_equal(early + late, whole)


def test_the_order_of_rows_does_not_matter() -> None:
    tables = fall({"alpha": even(60, 0.5), "beta": even(40, 0.6)}, 0.05, 0.004, 0.001, True)
    for by in BY:
        one = told(tables).spillover(by, unit="loss")  # type: ignore[arg-type]
        other = told(shuffled(tables, 5)).spillover(by, unit="loss")  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(one, other.loc[one.index, one.columns])


def test_wrong_arguments_are_refused() -> None:
    cascade = linear(20)
    with pytest.raises(ValueError, match="by is 'trader'; allowed: venue, market, asset, cohort"):
        cascade.spillover("trader", unit="loss")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unit is 'usd'"):
        cascade.spillover(unit="usd")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unit 'move'"):
        cascade.spillover("cohort")
    with pytest.raises(ValueError, match="only"):
        cascade.spillover(margins=True)
    with pytest.raises(ValueError, match="per is 'hour'"):
        cascade.spillover_by(per="hour")  # type: ignore[arg-type]


def test_without_losses_the_matrix_is_zero() -> None:
    tables = fall({"alpha": even(10, 0.5)}, 0.0, 0.01)
    cascade = told(tables)
    assert not cascade.has_losses
    for by in BY:
        matrix = cascade.spillover(by, unit="loss", margins=True)  # type: ignore[arg-type]
        assert matrix.loc[TOTAL, TOTAL] == 0.0
    assert cascade.clusters().empty
