"""Network measures of a spillover matrix and their rank correlations."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sim.cascade import network_measures, rank_correlations
from sim.cascade.measures import MEASURES

NAMES = list("abcd")
MATRIX = arrays.arrays(np.float64, (4, 4), elements=st.integers(0, 9).map(float))


def _frame(rows: list[list[float]]) -> pd.DataFrame:
    names = NAMES[: len(rows)]
    return pd.DataFrame(rows, index=names, columns=names)


def test_a_chain_by_hand() -> None:
    # a does 4 to b, b does 2 to c; a does 5 to itself.
    table = network_measures(_frame([[5.0, 4.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]))
    assert table["out_strength"].tolist() == [4.0, 2.0, 0.0]
    assert table["in_strength"].tolist() == [0.0, 4.0, 2.0]
    assert table["net_strength"].tolist() == [4.0, -2.0, -2.0]
    assert table["own"].tolist() == [5.0, 0.0, 0.0]
    assert table["betweenness"].tolist() == [0.0, 0.5, 0.0]  # the one path a-b-c of two pairs
    # Equity 4 each: b loses all of it when a fails, c half of it when b does; weights 1/3.
    assert table["debtrank"].tolist() == pytest.approx([1.5 / 3.0, 0.5 / 3.0, 0.0])
    # Turned round, c -> b -> a: x_c = 1, x_b = 1 + .85, x_a = 1 + .85 (1.85), scaled.
    rank = np.array([1.0 + 0.85 * 1.85, 1.85, 1.0])
    assert table["pagerank"].tolist() == pytest.approx((rank / rank.sum()).tolist(), abs=1e-9)
    assert table["pagerank_rank"].tolist() == [1, 2, 3]
    assert table["net_strength_rank"].tolist() == [1, 2, 2]


def test_equity_decides_who_is_shaken() -> None:
    spill = _frame([[0.0, 4.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    table = network_measures(spill, {"a": 1.0, "b": 40.0, "c": 1.0})
    assert table.loc["a", "debtrank"] == pytest.approx((0.1 * 40.0 + 1.0) / 42.0)


def test_one_node_and_nothing_at_all() -> None:
    one = network_measures(_frame([[3.0]]))
    assert one[["out_strength", "in_strength", "betweenness", "debtrank"]].to_numpy().sum() == 0.0
    assert one.loc["a", "own"] == 3.0
    assert one.loc["a", "pagerank"] == pytest.approx(1.0)
    quiet = network_measures(_frame([[0.0] * 3] * 3))
    assert quiet["pagerank"].tolist() == pytest.approx([1.0 / 3.0] * 3)
    assert (quiet[[f"{name}_rank" for name in MEASURES]] == 1).all(axis=None)


@settings(max_examples=20)
@given(MATRIX, st.permutations(range(4)), st.sampled_from([1e-6, 1.0, 1e9]))
def test_neither_order_nor_unit_nor_form_matters(matrix, order, unit) -> None:
    frame = _frame((matrix * unit).tolist())
    table = network_measures(frame)
    turned = network_measures(frame.iloc[order, order]).loc[NAMES]
    pd.testing.assert_frame_equal(turned, table, rtol=1e-9, atol=1e-9)
    plain = network_measures(_frame(matrix.tolist()))
    same = ["pagerank", "betweenness", "debtrank", *(f"{name}_rank" for name in MEASURES)]
    pd.testing.assert_frame_equal(plain[same], table[same], rtol=1e-9, atol=1e-9)
    graph = nx.from_pandas_adjacency(frame, create_using=nx.DiGraph)
    pd.testing.assert_frame_equal(network_measures(graph), table, check_names=False)


def test_correlations_by_hand() -> None:
    table = pd.DataFrame({"m": [1.0, 2.0, 3.0, 4.0], "m_rank": [4, 3, 2, 1]}, index=NAMES)
    against = pd.Series([10.0, 30.0, 20.0, 40.0, 99.0], index=[*NAMES, "else"])
    row = rank_correlations(table, against).loc["m"]
    assert row["spearman"] == pytest.approx(1.0 - 6.0 * 2.0 / (4.0 * 15.0))
    assert row["kendall"] == pytest.approx((5.0 - 1.0) / 6.0)
    assert (row["n"], row["note"]) == (4, "")
    assert rank_correlations(table, against).index.tolist() == ["m"]
    assert rank_correlations(table, -table["m"]).loc["m", "spearman"] == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("measure", "against", "note", "n"),
    [
        ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], "m has 1 distinct values, 3", 4),
        ([1.0, 2.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0], "m has 2 distinct values, 3", 4),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 2.0], "compared with has 2 distinct values", 4),
        ([1.0, 2.0, np.nan, np.nan], [1.0, 2.0, 3.0, 4.0], "m has 2 distinct values, 3", 2),
        ([1.0, 1.0 + 1e-13, 2.0, 2.0], [1.0, 2.0, 3.0, 4.0], "m has 2 distinct values, 3", 4),
    ],
)  # fmt: skip
def test_too_few_values_have_no_correlation(measure, against, note: str, n: int) -> None:
    table = pd.DataFrame({"m": measure}, index=NAMES)
    row = rank_correlations(table, pd.Series(against, index=NAMES)).loc["m"]
    assert np.isnan(row["spearman"])
    assert np.isnan(row["kendall"])
    assert note in row["note"]
    assert row["n"] == n


def test_nobody_in_common() -> None:
    row = rank_correlations(pd.DataFrame({"m": [1.0]}, index=["a"]), pd.Series({"z": 1.0})).loc["m"]
    assert row["n"] == 0
    assert "0 distinct values" in row["note"]


def test_bad_input_is_refused() -> None:
    table = pd.DataFrame({"m": [1.0, 2.0]}, index=["a", "b"])
    for run, message in (
        (lambda: network_measures(_frame([[0.0, -1.0], [0.0, 0.0]])), "spillover holds -1"),
        (lambda: network_measures([[0.0, np.nan], [0.0, 0.0]]), "not finite"),
        (lambda: network_measures([[0.0, 1.0], [0.0, 0.0]], [1.0, 0.0]), "no equity"),
        (
            lambda: rank_correlations(table, pd.Series([1.0, 2.0], index=["a", "a"])),
            "against.*twic",
        ),
        (lambda: rank_correlations(table.set_axis(["a", "a"]), table["m"]), "table names.*twice"),
        (lambda: rank_correlations(table[[]], table["m"]), "no column of numbers"),
        (lambda: rank_correlations(table, pd.Series(["x", "y"], index=["a", "b"])), "of type"),
        (lambda: rank_correlations(table, pd.Series([np.inf, 1.0], index=["a", "b"])), "infinite"),
    ):
        with pytest.raises(ValueError, match=message):
            run()
