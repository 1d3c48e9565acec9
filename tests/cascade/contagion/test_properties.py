"""What holds for every network: bounds, money, monotony, names, orders and forms of the input."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from sim.cascade import (
    ClearingResult,
    Network,
    contagion_bound,
    debtrank,
    eisenberg_noe,
    fire_sale_vulnerability,
    impact_paths,
    rogers_veraart,
    threshold_cascade,
)

SIZE = 5
MONEY = st.one_of(st.just(0.0), st.floats(0.01, 100.0))
SHARE = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.0, 1.0))
VECTOR = arrays.arrays(np.float64, SIZE, elements=MONEY)
SHARES = arrays.arrays(np.float64, SIZE, elements=SHARE)
CAPITAL = arrays.arrays(np.float64, SIZE, elements=st.floats(0.1, 100.0))
MATRIX = arrays.arrays(np.float64, (SIZE, SIZE), elements=MONEY).map(
    lambda m: m - np.diag(m.diagonal())
)
ORDER = st.permutations(range(SIZE))


def _clears(result: ClearingResult, owed: np.ndarray, paid: np.ndarray, tolerance: float) -> bool:
    """Return whether `paid` is a fixed point of the map of Rogers and Veraart."""
    total = owed.sum(axis=1)
    received = (owed / np.where(total > 0.0, total, 1.0)[:, None]).T @ paid
    assets = result.external_assets
    full = assets + received >= total * (1.0 - 1e-11)
    want = np.where(full, total, result.alpha * assets + result.beta * received)
    return bool(np.abs(paid - want).max() <= tolerance * (1.0 + total.max()))


@given(MATRIX, VECTOR, SHARE, SHARE)
def test_both_vectors_clear_and_are_ordered(owed, assets, alpha, beta) -> None:
    result = rogers_veraart(owed, assets, alpha, beta)
    assert _clears(result, owed, result.payments, 1e-9)
    assert _clears(result, owed, result.least, 1e-9)
    assert (result.least <= result.payments * (1.0 + 1e-12) + 1e-12).all()
    assert (result.payments <= result.obligations).all()
    assert result.rounds <= SIZE
    assert not (result.defaulted & ~result.least_defaulted).any()


@settings(max_examples=40)
@given(MATRIX, VECTOR, SHARE, st.sampled_from([0.0, 0.3, 0.6, 0.9]))
def test_greatest_and_least_among_all_that_clear(owed, assets, alpha, beta) -> None:
    result = rogers_veraart(owed, assets, alpha, beta)
    total = owed.sum(axis=1)
    inflow = (owed / np.where(total > 0.0, total, 1.0)[:, None]).T
    clearing = []
    for solvent in product([True, False], repeat=SIZE):
        default = ~np.array(solvent)
        paid = np.where(default, 0.0, total)
        known = alpha * assets + beta * inflow @ paid
        part = beta * inflow[np.ix_(default, default)]
        paid[default] = np.linalg.solve(np.eye(default.sum()) - part, known[default])
        if ((assets + inflow @ paid < total * (1.0 - 1e-12)) == default).all():
            clearing.append(paid)
    slack = 1e-9 * (1.0 + total.max())
    assert np.abs(np.max(clearing, axis=0) - result.payments).max() <= slack
    assert np.abs(np.min(clearing, axis=0) - result.least).max() <= slack


@given(MATRIX, VECTOR, SHARE, SHARE)
def test_no_iteration_gets_above_the_greatest_or_below_the_least(owed, assets, alpha, beta) -> None:
    result = rogers_veraart(owed, assets, alpha, beta)
    total = owed.sum(axis=1)
    inflow = (owed / np.where(total > 0.0, total, 1.0)[:, None]).T
    low, high = np.zeros(SIZE), total.copy()
    for _ in range(200):
        for paid in (low, high):
            received = inflow @ paid
            full = assets + received >= total * (1.0 - 1e-12)
            paid[:] = np.where(full, total, alpha * assets + beta * received)
    scale = 1e-9 * (1.0 + total.max())
    assert (low <= result.least + scale).all()
    assert (high >= result.payments - scale).all()


@given(MATRIX, VECTOR, VECTOR, SHARE, SHARE)
def test_no_money_is_made_or_lost(owed, assets, outside, alpha, beta) -> None:
    result = rogers_veraart(owed, assets, alpha, beta, outside)
    spent = result.total_equity + result.total_costs + result.paid_outside.sum()
    assert spent == pytest.approx(assets.sum(), rel=1e-9, abs=1e-9 * (1 + owed.sum()))
    free = eisenberg_noe(owed, assets)
    assert free.total_equity == pytest.approx(assets.sum(), rel=1e-9, abs=1e-9 * (1 + owed.sum()))
    assert free.total_costs == 0.0


@given(MATRIX, VECTOR, SHARES, SHARE)
def test_more_assets_and_cheaper_default_never_hurt(owed, assets, lost, share) -> None:
    rich = rogers_veraart(owed, assets, share, share)
    poor = rogers_veraart(owed, assets * (1.0 - lost), share, share)
    slack = 1e-9 * (1.0 + owed.sum())
    assert (poor.payments <= rich.payments + slack).all()
    assert (poor.least <= rich.least + slack).all()
    assert (rich.payments <= eisenberg_noe(owed, assets).payments + slack).all()


@given(MATRIX, CAPITAL, SHARES, SHARES)
def test_stress_is_a_share_and_grows_with_the_shock(exposures, equity, shock, part) -> None:
    for run in (
        lambda s: debtrank(exposures, equity, s),
        lambda s: debtrank(exposures, equity, s, "single_hit"),
        lambda s: threshold_cascade(exposures, equity, s, lgd=0.6),
    ):
        large, small = run(shock), run(shock * part)
        assert (large.stress >= shock).all()
        assert (large.stress <= 1.0).all()
        if large.kind != "single_hit":
            assert (small.stress <= large.stress + 1e-9).all()
        assert 0.0 <= large.additional_stress <= large.total_stress <= 1.0 + 1e-12
        assert large.total_loss == pytest.approx(large.total_stress * equity.sum())


def test_a_single_hit_may_do_less_harm_where_the_shock_is_larger() -> None:
    chain = np.diag([0.9, 0.9], k=-1)
    alone = debtrank(chain, 1.0, [1.0, 0.0, 0.0], "single_hit").stress
    early = debtrank(chain, 1.0, [1.0, 0.01, 0.0], "single_hit").stress
    assert alone[2] == pytest.approx(0.81)
    assert early[2] == pytest.approx(0.009)  # the middle passes on its own small shock, once


@given(MATRIX, CAPITAL, SHARES)
def test_only_the_linear_variant_passes_every_loss_on(exposures, equity, shock) -> None:
    linear = debtrank(exposures, equity, shock)
    assert (linear.stress >= debtrank(exposures, equity, shock, "single_hit").stress - 1e-9).all()
    assert (linear.stress >= threshold_cascade(exposures, equity, shock).stress - 1e-9).all()
    impact = exposures / equity[:, None]
    want = np.minimum(1.0, shock + impact @ linear.stress)
    assert linear.stress == pytest.approx(want, abs=1e-9)


@settings(max_examples=25)
@given(MATRIX, CAPITAL, SHARES, VECTOR, ORDER)
def test_names_and_order_do_not_matter(matrix, equity, shock, assets, order) -> None:
    names = np.array(list("abcde"))
    frame = pd.DataFrame(matrix, index=names, columns=names)
    turned = frame.iloc[order, order]
    capital = pd.Series(equity, index=names)
    hit = dict(zip(names, shock, strict=True))
    for kind in ("linear", "single_hit"):
        one, two = debtrank(frame, equity, shock, kind), debtrank(turned, capital, hit, kind)
        assert two.stress == pytest.approx(one.stress[order], abs=1e-9)
        assert two.additional_stress == pytest.approx(one.additional_stress, abs=1e-9)
    one, two = threshold_cascade(frame, equity, shock), threshold_cascade(turned, capital, hit)
    assert two.stress == pytest.approx(one.stress[order], abs=1e-9)
    one = rogers_veraart(frame, assets, 0.7, 0.8)
    two = rogers_veraart(turned, pd.Series(assets, index=names), 0.7, 0.8)
    pd.testing.assert_frame_equal(two.frame().loc[names], one.frame(), check_names=False, atol=1e-8)


@settings(max_examples=25)
@given(MATRIX, CAPITAL, SHARES, VECTOR)
def test_dense_sparse_and_graph_are_the_same(matrix, equity, shock, assets) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(SIZE))
    for i, j in zip(*np.nonzero(matrix), strict=True):
        graph.add_edge(int(i), int(j), weight=float(matrix[i, j]))
    for other in (sparse.csr_array(matrix), sparse.coo_matrix(matrix), matrix.tolist(), graph):
        pd.testing.assert_frame_equal(
            debtrank(other, equity, shock).frame(), debtrank(matrix, equity, shock).frame(),
            check_index_type=False,
        )  # fmt: skip
        pd.testing.assert_frame_equal(
            rogers_veraart(other, assets, 0.5, 0.5).frame(),
            rogers_veraart(matrix, assets, 0.5, 0.5).frame(), check_index_type=False,
        )  # fmt: skip


def test_a_graph_labels_its_results_and_adds_parallel_edges() -> None:
    graph = nx.MultiDiGraph()
    graph.add_edge("b", "a", weight=3.0)
    graph.add_edge("b", "a", weight=2.0)
    result = debtrank(graph, {"a": 4.0, "b": 10.0}, {"a": 0.5})
    assert result.frame().loc["b", "stress"] == pytest.approx(0.25)
    assert result.frame().loc["b", "loss"] == pytest.approx(2.5)
    assert result.additional_stress == pytest.approx(2.5 / 14.0)


def test_what_is_given_is_not_changed() -> None:
    matrix = sparse.csr_array(np.array([[0.0, 1.0], [0.0, 0.0]]))
    matrix.data[0] = 0.0
    equity, shock = np.array([1.0, 1.0]), np.array([0.5, 0.5])
    debtrank(matrix, equity, shock)
    rogers_veraart(matrix, equity, 0.5, 0.5)
    assert matrix.nnz == 1
    assert equity.tolist() == [1.0, 1.0]
    assert shock.tolist() == [0.5, 0.5]


def test_names_of_any_kind_may_be_mixed() -> None:
    graph = nx.DiGraph([(1, "b", {"weight": 2.0})])
    assert debtrank(graph, {"b": 1.0, 1: 8.0}, {"b": 1.0}).stress.tolist() == [0.25, 1.0]
    with pytest.raises(ValueError, match="equity lacks the nodes b"):
        debtrank(graph, {1: 8.0}, 0.0)
    with pytest.raises(ValueError, match="unknown nodes: x, 3"):
        debtrank(graph, 1.0, {"x": 1.0, 3: 1.0})


def test_a_circle_that_hardly_loses_anything_stays_within_what_is_owed() -> None:
    third = 1.0 / 3.0
    owed = [
        [0.0, 0.1, third, 0.0, 0.0, 0.0], [0.7, 0.0, 0.2, 0.2, 1e-13, 1e9],
        [0.7, 1e-13, 0.0, third, 0.2, 0.0], [third, 1e-9, 0.0, 0.0, 1e9, 0.2],
        [0.3, 0.1, 1e-9, 0.0, 0.0, third], [0.0, 1e9, 0.2, 0.0, third, 0.0],
    ]  # fmt: skip
    result = rogers_veraart(owed, [0.0, 0.0, 1e-12, 1e-9, 0.0, 1e-12], 1.0 - 1e-13, 1.0)
    assert (result.payments >= 0.0).all()
    assert (result.payments <= result.obligations).all()
    assert (result.least >= 0.0).all()


def test_every_result_has_a_frame_by_node() -> None:
    frames = [
        eisenberg_noe(PAIR, 1.0).frame(), debtrank(PAIR, 1.0, 0.5).frame(),
        contagion_bound(PAIR, 2.0).frame(), impact_paths(PAIR, 1.0).frame(),
        fire_sale_vulnerability([2.0, 1.0], [1.0, 1.0], np.eye(2), 0.1, -0.1).frame(),
    ]  # fmt: skip
    for frame in frames:
        assert frame.index.name == "node"
        assert len(frame) == 2
        assert np.isfinite(frame.to_numpy(dtype=float)).all()


def test_rounds_can_be_counted_out() -> None:
    chain = np.diag([0.5, 0.5, 0.5], k=-1)
    after = [debtrank(chain, 1.0, [1, 0, 0, 0], rounds=n).stress.tolist() for n in range(5)]
    assert after[0] == [1.0, 0.0, 0.0, 0.0]
    assert after[1] == [1.0, 0.5, 0.0, 0.0]
    assert after[2] == [1.0, 0.5, 0.25, 0.0]
    assert after[3] == after[4] == [1.0, 0.5, 0.25, 0.125]
    assert debtrank(chain, 1.0, [1, 0, 0, 0]).rounds == 3
    assert debtrank(chain, 1.0, [1, 0, 0, 0], "single_hit").rounds == 3


def test_a_node_without_exposures_may_have_no_equity() -> None:
    exposures = [[0.0, 0.0], [4.0, 0.0]]
    result = debtrank(exposures, [0.0, 10.0], [1.0, 0.0])
    assert result.stress.tolist() == [1.0, 0.4]
    assert threshold_cascade(exposures, [0.0, 10.0], [1.0, 0.0]).stress.tolist() == [1.0, 0.4]


PAIR = [[0.0, 1.0], [0.0, 0.0]]
UGLY = {
    "not square": (lambda: eisenberg_noe([[0.0, 1.0]], [1.0]), r"liabilities.*\(1, 2\).*square"),
    "a vector": (lambda: eisenberg_noe([1.0, 2.0], [1.0, 1.0]), "square"),
    "empty": (lambda: debtrank(np.zeros((0, 0)), [], []), "no nodes"),
    "empty graph": (lambda: debtrank(nx.DiGraph(), 1.0, 0.0), "no nodes"),
    "names": (
        lambda: debtrank(Network(pd.Index(["a"]), sparse.csr_array((2, 2))), 1.0, 0.0),
        "1 names for 2 nodes"),
    "nan": (lambda: debtrank([[0.0, np.nan], [0.0, 0.0]], 1.0, 0.0), "not finite"),
    "negative": (lambda: eisenberg_noe([[0.0, -1.0], [0.0, 0.0]], 1.0), r"-1\.0.*>= 0"),
    "text": (lambda: eisenberg_noe([["a", "b"], ["c", "d"]], 1.0), "no number"),
    "owes itself": (lambda: eisenberg_noe(np.eye(2), 1.0), "towards itself: 0, 1"),
    "infinite assets": (lambda: eisenberg_noe(PAIR, [np.inf, 0.0]), "external_assets of 0 is inf"),
    "negative assets": (lambda: eisenberg_noe(PAIR, [-1.0, 0.0]), "external_assets of 0 is -1"),
    "negative debt": (lambda: eisenberg_noe(PAIR, 1.0, [0.0, -2.0]), "external_liabilities of 1"),
    "alpha": (lambda: rogers_veraart(PAIR, 1.0, 1.5, 0.5), r"alpha is 1\.5.*0 to 1"),
    "beta": (lambda: rogers_veraart(PAIR, 1.0, 0.5, np.nan), "beta is nan"),
    "too many": (lambda: debtrank(PAIR, [1.0, 1.0, 1.0], 0.0), r"equity has shape \(3,\)"),
    "negative equity": (lambda: debtrank(PAIR, [-1.0, 1.0], 0.0), r"equity of 0 is -1"),
    "no equity": (lambda: debtrank(PAIR, [0.0, 1.0], 0.0), "no equity, but exposures: 0"),
    "no equity, threshold": (lambda: threshold_cascade(PAIR, [0.0, 1.0], 0.0), "no equity"),
    "shock": (lambda: debtrank(PAIR, 1.0, [1.2, 0.0]), r"shock of 0 is 1\.2; allowed: 0 to 1"),
    "kind": (lambda: debtrank(PAIR, 1.0, 0.0, "cubic"), "cubic.*linear, single_hit"),
    "rounds": (lambda: debtrank(PAIR, 1.0, 0.0, rounds=-1), "rounds is -1"),
    "weights": (lambda: debtrank(PAIR, 1.0, 0.0, weights=0.0), "weights sum to 0"),
    "lgd": (lambda: threshold_cascade(PAIR, 1.0, 0.0, lgd=2.0), "lgd of 0 is 2"),
    "unknown name": (lambda: debtrank(PAIR, 1.0, {7: 0.5}), "unknown nodes: 7; known: 0, 1"),
    "missing name": (lambda: debtrank(PAIR, {0: 1.0}, 0.0), "equity lacks the nodes 1"),
    "names twice": (lambda: debtrank(PAIR, pd.Series([1.0, 2.0], index=[0, 0]), 0.0), "twice"),
    "undirected": (lambda: debtrank(nx.path_graph(2), 1.0, 0.0), "undirected"),
    "no weight": (lambda: debtrank(nx.DiGraph([(0, 1)]), 1.0, 0.0), "0 -> 1 has no 'weight'"),
    "odd weight": (
        lambda: debtrank(nx.DiGraph([(0, 1, {"weight": "x"})]), 1.0, 0.0), "no numbers"),
    "other columns": (
        lambda: debtrank(pd.DataFrame(PAIR, index=["a", "b"], columns=["a", "c"]), 1.0, 0.0),
        "other names in rows than in columns: b, c"),
    "twice in a frame": (
        lambda: debtrank(pd.DataFrame(PAIR, index=["a", "a"], columns=["a", "a"]), 1.0, 0.0),
        "twice"),
    "frame not square": (lambda: debtrank(pd.DataFrame([[0.0, 1.0]]), 1.0, 0.0), "square"),
    "broke at the start": (lambda: contagion_bound(PAIR, 0.0), "net worth of 0 is -1"),
    "unknown source": (lambda: contagion_bound(PAIR, 1.0).excludes(5, [1]), "no node 5"),
    "own victim": (lambda: contagion_bound(PAIR, 1.0).excludes(1, [1]), "hit itself"),
    "paths": (lambda: impact_paths(PAIR, [0.0, 1.0]), "no equity"),
    "fire: shape": (lambda: fire_sale_vulnerability(1.0, 1.0, [0.5], 0.0, 0.0), "nodes, assets"),
    "fire: over": (lambda: fire_sale_vulnerability(1, 1, [[0.7, 0.7]], 0.0, 0.0), "at most 1"),
    "fire: negative": (lambda: fire_sale_vulnerability(1, 1, [[-0.7]], 0.0, 0.0), "negative"),
    "fire: no equity": (lambda: fire_sale_vulnerability(1, 0, [[1.0]], 0.0, 0.0), "allowed: > 0"),
    "fire: no debt": (lambda: fire_sale_vulnerability(1, 2, [[1.0]], 0.0, 0.0), "at most its"),
    "fire: below nothing": (
        lambda: fire_sale_vulnerability(1, 1, [[1.0]], 0.0, -2.0), "asset_returns of 0 is -2"),
    "fire: rounds": (
        lambda: fire_sale_vulnerability(1, 1, [[1.0]], 0.0, 0.0).returns_after(-1), "rounds"),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
def test_a_bad_argument_is_refused_in_one_sentence(name: str) -> None:
    run, message = UGLY[name]
    with pytest.raises(ValueError, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_a_long_ring_that_barely_damps_reaches_its_closed_form() -> None:
    size, kept, hit = 1_000, 0.9999, 1e-3
    ring = sparse.coo_array((np.full(size, kept), (np.arange(1, size + 1) % size, np.arange(size))))
    result = debtrank(ring, 1.0, {0: hit})
    want = kept ** np.arange(size) * hit / (1.0 - kept**size)
    assert result.stress == pytest.approx(want, rel=1e-9)


def test_a_large_network_clears_exactly() -> None:
    rng = np.random.default_rng(7)
    size = 1_500
    owed = rng.exponential(size=(size, size)) * (rng.random((size, size)) < 0.005)
    np.fill_diagonal(owed, 0.0)
    owed *= 10.0 ** rng.uniform(0.0, 6.0, size)[:, None]
    assets = rng.exponential(0.05, size) * owed.sum(axis=1)
    result = rogers_veraart(owed, assets, 0.9, 0.8)
    assert result.defaulted.sum() > 400
    assert result.rounds < 30
    for paid in (result.payments, result.least):
        received = (owed / np.maximum(owed.sum(axis=1), 1e-300)[:, None]).T @ paid
        full = assets + received >= result.obligations * (1.0 - 1e-11)
        want = np.where(full, result.obligations, 0.9 * assets + 0.8 * received)
        assert paid == pytest.approx(want, rel=1e-9, abs=1e-9)
    assert result.total_equity + result.total_costs == pytest.approx(assets.sum(), rel=1e-12)
