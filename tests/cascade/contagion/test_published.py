"""Clearing, DebtRank, default cascades and fire sales against published and worked examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sim.cascade import (
    contagion_bound,
    debtrank,
    debtrank_of_each,
    eisenberg_noe,
    fire_sale_vulnerability,
    impact_paths,
    rogers_veraart,
    threshold_cascade,
)

EXACT = {"abs": 1e-9, "rel": 0.0}
PRINTED = {"abs": 1.5e-6, "rel": 0.0}


def _close(found, want, **tolerance) -> bool:
    return found == pytest.approx(np.asarray(want, dtype=float), **tolerance)


class TestClearing:
    """Eisenberg and Noe 2001; Rogers and Veraart 2013."""

    mutual = np.array([[0.0, 1.0], [1.0, 0.0]])
    ring = np.array([
        [0.0, 6.0, 2.0, 4.0],
        [0.0, 0.0, 5.0, 5.0],
        [3.0, 0.0, 0.0, 5.0],
        [0.0, 0.0, 0.0, 0.0],
    ])  # fmt: skip

    def test_two_that_owe_each_other_clear_at_any_level(self) -> None:
        result = eisenberg_noe(self.mutual, [0.0, 0.0])
        assert _close(result.payments, [1.0, 1.0], **EXACT)
        assert _close(result.least, [0.0, 0.0], **EXACT)
        assert not result.unique
        assert not result.defaulted.any()
        assert result.least_defaulted.all()

    def test_a_little_money_makes_the_vector_unique(self) -> None:
        result = eisenberg_noe(self.mutual, [0.01, 0.0])
        assert _close(result.payments, [1.0, 1.0], **EXACT)
        assert _close(result.least, [1.0, 1.0], **EXACT)
        assert result.unique

    def test_costs_of_default_leave_two_vectors(self) -> None:
        result = rogers_veraart(2.2 * self.mutual, [1.0, 1.0], 0.5, 0.5)
        assert _close(result.payments, [2.2, 2.2], **EXACT)
        assert _close(result.least, [1.0, 1.0], **EXACT)
        assert rogers_veraart(2.2 * self.mutual, [1.0, 1.0], 1.0, 1.0).unique

    @pytest.mark.parametrize(
        ("share", "payments"),
        [
            (1.0, (4.444444, 4.222222, 3.851852)),
            (0.9, (3.719647, 3.473841, 3.021175)),
            (0.5, (1.686747, 1.421687, 0.995984)),
        ],
    )
    def test_three_defaulters_and_a_sink(self, share: float, payments: tuple[float, ...]) -> None:
        result = rogers_veraart(self.ring, [3.0, 2.0, 1.0, 0.0], share, share)
        assert _close(result.payments, [*payments, 0.0], abs=1e-6, rel=0.0)
        assert result.defaulted.tolist() == [True, True, True, False]
        assert result.rounds <= 4
        assert result.total_equity + result.total_costs == pytest.approx(6.0)
        if share == 1.0:
            assert result.equity[3] == pytest.approx(6.0)
            assert _close(result.payments[:3], np.array([40.0, 38.0, 104.0 / 3.0]) / 9.0, **EXACT)

    @pytest.mark.parametrize(
        ("shock", "worth"),
        [
            ((1.2, 0.0, 0.0), (-0.2, 1.0, 1.0 - 0.5 * 0.2 / 9.5)),
            ((2.0, 0.5, 0.0), (-1.0, 0.5, 1.0 - 0.5 * 1.0 / 9.5)),
        ],
    )
    def test_creditors_outside_share_the_loss(self, shock, worth) -> None:
        owed = np.array([[0.0, 0.0, 0.5], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
        assets = np.array([10.0, 5.0, 3.0]) - shock
        result = eisenberg_noe(owed, assets, [9.0, 4.0, 2.0])
        assert _close(result.net_worth, worth, **EXACT)
        left = result.equity.sum() + result.paid_outside.sum()
        assert left == pytest.approx(assets.sum())


class TestDebtRank:
    """Battiston et al. 2012, Bardoscia et al. 2015."""

    ring = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.5], [0.5, 0.0, 0.0]])

    @pytest.mark.parametrize(
        ("shock", "left"),
        [
            ((0.1, 0.1, 0.1), (0.8, 0.8, 0.8)),
            ((0.5, 0.0, 0.0), (3.0 / 7.0, 6.0 / 7.0, 5.0 / 7.0)),
            ((1.0, 0.0, 0.0), (0.0, 0.75, 0.5)),
            ((0.3, 0.2, 0.1), (18.0 / 35.0, 22.0 / 35.0, 23.0 / 35.0)),
        ],
    )
    def test_three_banks_in_a_ring(self, shock, left) -> None:
        result = debtrank(self.ring, 1.0, shock)
        assert _close(1.0 - result.stress, left, **EXACT)

    @pytest.mark.parametrize("shock", [0.0, 0.05, 0.3, 0.5])
    def test_a_uniform_shock_doubles(self, shock: float) -> None:
        assert _close(debtrank(self.ring, 1.0, shock).stress, [2.0 * shock] * 3, **EXACT)

    impact: tuple[tuple[int, int, float], ...] = (
        (4, 1, 0.379358766), (6, 1, 0.303571219), (4, 3, 0.789706497), (5, 5, 0.152620889),
        (8, 5, 0.192005124), (2, 6, 0.689611632), (7, 7, 1.0), (5, 8, 1.0), (6, 8, 1.0),
    )  # fmt: skip
    sizes: tuple[tuple[int, float], ...] = (
        (2, 0.477860674), (4, 0.231495669), (5, 0.085090186), (6, 0.107979825),
        (7, 0.051167938), (8, 0.046405709),
    )  # fmt: skip

    def _ten(self) -> tuple[pd.DataFrame, pd.Series]:
        nodes = range(1, 11)
        exposures = pd.DataFrame(0.0, index=nodes, columns=nodes)
        for source, victim, loss in self.impact:
            exposures.loc[victim, source] = loss
        return exposures, pd.Series(dict(self.sizes)).reindex(nodes, fill_value=0.0)

    def test_ten_banks_hit_one_by_one(self) -> None:
        exposures, sizes = self._ten()
        found = debtrank_of_each(exposures, 1.0, "single_hit", sizes)
        want = {2: 0.125596829284, 5: 0.046405709, 6: 0.065236942, 4: 0.0, 8: 0.018831233}
        for node, value in want.items():
            assert found[node] == pytest.approx(value, **EXACT)
            alone = debtrank(exposures, 1.0, {node: 1.0}, "single_hit", sizes)
            assert alone.additional_stress == found[node]
        assert debtrank_of_each(exposures, 1.0, weights=sizes)[2] == pytest.approx(
            0.133032929, abs=2e-9
        )

    def test_ten_banks_final_stress(self) -> None:
        exposures, sizes = self._ten()
        result = debtrank(exposures, 1.0, {2: 1.0}, "single_hit", sizes)
        want = {1: 0.209346243, 2: 1.0, 5: 0.152617341, 6: 0.689611632, 8: 0.822020598}
        assert _close(result.stress, [want.get(n, 0.0) for n in range(1, 11)], **EXACT)

    @pytest.mark.parametrize(
        ("kind", "added"), [("single_hit", 0.100681040), ("linear", 0.112961996)]
    )
    def test_ten_banks_hit_at_once(self, kind, added: float) -> None:
        exposures, sizes = self._ten()
        result = debtrank(exposures, 1.0, 0.5, kind, sizes)
        assert result.additional_stress == pytest.approx(added, abs=2e-9)

    def test_stress_that_grows_slowly_reaches_its_limit(self) -> None:
        pair = np.array([[0.0, 1.0], [1.0 - 1e-6, 0.0]])
        h = 1e-9 / 1e-6  # x = s + y, y = (1 - 1e-6) x
        result = debtrank(pair, 1.0, [1e-9, 0.0])
        assert _close(result.stress, [h, h * (1.0 - 1e-6)], abs=1e-12, rel=0.0)
        assert _close(debtrank(pair, 1.0, [1e-5, 0.0]).stress, [1.0, 1.0 - 1e-6], **EXACT)


def test_paths_of_default_among_three_banks() -> None:
    exposures = [[0.0, 1.0, 0.0], [10.0, 0.0, 3.0], [3.0, 2.0, 0.0]]
    result = impact_paths(exposures, [2.0, 5.0, 2.0])
    assert _close(result.susceptibility, [0.0, 1.0, 1.25], **EXACT)
    assert result.fluidity == pytest.approx(0.75, **EXACT)
    assert _close(result.start, [1.25, 1.0, 0.0], **EXACT)
    assert _close(result.intermediate, [0.0, 0.5, 0.0], **EXACT)


def test_defaults_run_along_a_chain_as_far_as_equity_gives_way() -> None:
    # 1 loses 10 on 0, 2 loses 9 on 1, 3 loses 8 on 2; equities 5, 10, 9, 10.
    exposures = np.zeros((4, 4))
    exposures[1, 0], exposures[2, 1], exposures[3, 2] = 10.0, 9.0, 8.0
    result = threshold_cascade(exposures, [5.0, 10.0, 9.0, 10.0], {0: 1.0})
    assert result.defaulted.tolist() == [True, True, True, False]
    assert _close(result.stress, [1.0, 1.0, 1.0, 0.8], **EXACT)
    assert result.rounds == 2
    half = threshold_cascade(exposures, [5.0, 10.0, 9.0, 10.0], {0: 1.0}, lgd=0.5)
    assert _close(half.stress, [1.0, 0.5, 0.0, 0.0], **EXACT)
    assert half.additional_stress == pytest.approx(0.5 * 10.0 / 34.0)
    assert half.total_loss == pytest.approx(10.0)


class TestFireSales:
    """Greenwood, Landier and Thesmar 2015."""

    def _three(self, scale: float = 1.0):
        return fire_sale_vulnerability(
            assets=[100.0, 80.0, 50.0],
            equity=[5.0, 5.0, 2.5],
            holdings=[[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]],
            impact=scale * np.array([1e-4, 2e-4, 5e-4]),
            asset_returns=[-0.02, 0.0, 0.0],
        )

    def test_first_round(self) -> None:
        result = self._three()
        assert _close(result.sales, [-14.64, -9.24, -3.72], **EXACT)
        assert _close(result.price_moves, [-0.001464, -0.001848, -0.00186], **EXACT)
        assert result.direct_loss == pytest.approx(0.1216, **EXACT)
        assert result.aggregate_vulnerability == pytest.approx(0.03172992, **EXACT)
        assert _close(result.linkage, [0.01316, 0.02012, 0.0264], **EXACT)
        assert _close(result.systemicness, [0.024004, 0.007726, 0.0], abs=5e-7, rel=0.0)
        assert result.systemicness.sum() == pytest.approx(0.03172992, **EXACT)
        want = [0.032376, 0.028397, 0.037104]
        assert _close(result.indirect_vulnerability, want, abs=5e-7, rel=0.0)

    def test_infinite_rounds(self) -> None:
        result = self._three()
        assert result.spectral_radius == pytest.approx(0.354815, abs=5e-7)
        want = [-0.014215, -0.006726, -0.003140]
        assert _close(result.limit_returns, want, abs=5e-7, rel=0.0)
        assert _close(result.returns_after(0), result.direct_returns, **EXACT)
        assert _close(result.returns_after(60), result.limit_returns, **EXACT)

    def test_sales_that_never_settle(self) -> None:
        result = self._three(scale=1.001 / 0.354815)
        assert result.spectral_radius > 1.0
        assert np.isnan(result.limit_returns).all()
        assert abs(result.returns_after(40)).sum() > 10.0 * abs(result.direct_returns).sum()


class TestBound:
    """Glasserman and Young 2015."""

    def test_worked_figure(self) -> None:
        owed = np.array([[0.0, 23.75], [0.0, 0.0]])
        result = contagion_bound(owed, [100.0, 1.0], [71.25, 0.0])
        assert result.net_worth[0] == pytest.approx(5.0)
        assert result.leverage[0] == pytest.approx(20.0)
        assert result.connectivity[0] == pytest.approx(0.25)
        assert result.bound[0] == pytest.approx(23.75, **EXACT)
        assert result.excludes(0, [1])
        assert not contagion_bound(owed, [100.0, 0.0], [71.25, 0.0]).excludes(0, [1])

    def test_no_random_network_breaks_it(self) -> None:
        rng = np.random.default_rng(20150101)
        contagious = 0
        for _ in range(384):
            owed = rng.exponential(size=(12, 12)) * (rng.random((12, 12)) < 0.3)
            np.fill_diagonal(owed, 0.0)
            outside = rng.exponential(3.0, size=12)
            worth = rng.exponential(0.3, size=12)
            assets = owed.sum(axis=1) + outside - owed.sum(axis=0) + worth
            outside = outside + np.maximum(-assets, 0.0)
            assets = np.maximum(assets, 0.0)
            bound = contagion_bound(owed, assets, outside)
            hit = int(rng.integers(12))
            assets[hit] *= rng.random()
            default = np.flatnonzero(eisenberg_noe(owed, assets, outside).defaulted)
            others = [int(node) for node in default if node != hit]
            if others:
                contagious += 1
                assert not bound.excludes(hit, others)
                assert bound.net_worth[others].sum() <= bound.bound[hit] + 1e-9
        assert contagious > 50
