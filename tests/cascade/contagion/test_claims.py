"""Claims on venues out of recorded tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sim.cascade import debtrank, eisenberg_noe, venue_claims

ROWS = [
    (0, "whales", "alpha", 900.0), (0, "whales", "beta", 900.0),
    (7, "whales", "alpha", 300.0), (7, "whales", "beta", 100.0), (7, "retail", "beta", 60.0),
]  # fmt: skip


def _cohorts(rows=ROWS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["tick", "cohort", "venue", "equity"])


def test_a_cohort_loses_what_it_has_on_the_venue() -> None:
    claims = venue_claims(_cohorts())
    assert list(claims.labels) == ["venue:alpha", "venue:beta", "cohort:retail", "cohort:whales"]
    exposures = claims.exposures.frame()
    assert exposures.loc["cohort:whales"].tolist() == [300.0, 100.0, 0.0, 0.0]
    assert exposures.loc["cohort:retail"].tolist() == [0.0, 60.0, 0.0, 0.0]
    assert claims.liabilities.frame().equals(exposures.T)
    assert claims.equity.tolist() == [0.0, 0.0, 60.0, 400.0]
    assert venue_claims(_cohorts(), tick=0).equity.tolist() == [0.0, 0.0, 1800.0]


def test_debtrank_and_clearing_agree_where_the_venue_has_nothing_of_its_own() -> None:
    claims = venue_claims(_cohorts(), outside={"retail": 40.0})
    stress = debtrank(claims.exposures, claims.equity, claims.shock({"beta": 0.25}))
    assert stress.frame().loc["cohort:retail", "loss"] == pytest.approx(15.0)
    assert stress.frame().loc["cohort:retail", "stress"] == pytest.approx(0.15)
    paid = eisenberg_noe(claims.liabilities, claims.external_assets({"beta": 0.25})).frame()
    whole = eisenberg_noe(claims.liabilities, claims.external_assets()).frame()
    assert not whole["defaulted"].any()
    traders = ["cohort:retail", "cohort:whales"]
    lost = (whole["equity"] - paid["equity"])[traders]
    assert lost.tolist() == pytest.approx(stress.frame()["loss"][traders].tolist())
    assert paid["defaulted"].tolist() == [False, True, False, False]


def test_capital_of_the_venue_pays_first() -> None:
    claims = venue_claims(_cohorts(), capital=pd.Series({"alpha": 0.0, "beta": 40.0}))
    result = eisenberg_noe(claims.liabilities, claims.external_assets({"beta": 0.25}))
    frame = result.frame()  # beta holds 160 + 40, loses 50: 10 are missing
    assert frame.loc["venue:beta", "shortfall"] == pytest.approx(10.0)
    assert frame.loc["cohort:retail", "equity"] == pytest.approx(60.0 * 150.0 / 160.0)


def test_traders_below_zero_owe_the_venue() -> None:
    rows = [(1, "a", "x", -30.0), (1, "b", "x", 100.0), (1, "a", "y", 50.0)]
    claims = venue_claims(_cohorts(rows))
    assert claims.liabilities.frame().loc["cohort:a", "venue:x"] == 30.0
    result = eisenberg_noe(claims.liabilities, claims.external_assets())
    assert result.frame()["equity"].to_dict() == pytest.approx(
        {"venue:x": 0.0, "venue:y": 0.0, "cohort:a": 20.0, "cohort:b": 100.0}
    )
    frozen = eisenberg_noe(claims.liabilities, claims.external_assets({"y": 1.0})).frame()
    assert frozen.loc["cohort:b", "equity"] == pytest.approx(70.0)  # a cannot pay x


def test_order_of_rows_does_not_matter_and_rows_add_up() -> None:
    split = _cohorts([*ROWS[:-1], (7, "retail", "beta", 20.0), (7, "retail", "beta", 40.0)])
    one, two = venue_claims(_cohorts()), venue_claims(split.iloc[::-1])
    pd.testing.assert_frame_equal(one.exposures.frame(), two.exposures.frame())
    assert np.array_equal(one.equity, two.equity)


def test_single_traders_are_owners_too() -> None:
    rows = _cohorts().rename(columns={"cohort": "trader_id"})
    claims = venue_claims(rows, by="trader_id", outside={"retail": 1.0})
    assert claims.labels[-1] == "trader_id:whales"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda t: venue_claims(t.drop(columns="equity")), "lacks the columns equity"),
        (lambda t: venue_claims(t, by="trader_id"), "lacks the columns trader_id"),
        (lambda t: venue_claims(t, by="venue"), "by is 'venue'"),
        (lambda t: venue_claims(t.iloc[:0]), "no rows"),
        (lambda t: venue_claims(t, tick=3), "no tick 3; it has 2 from 0 to 7"),
        (lambda t: venue_claims(t.assign(equity=np.nan)), "not finite at tick 7"),
        (lambda t: venue_claims(t, capital={"gamma": 1.0}), "capital.*gamma; known: alpha, beta"),
        (lambda t: venue_claims(t, capital={"beta": -1.0}), "capital of 'beta' is -1"),
        (lambda t: venue_claims(t, outside={"x": 1.0}), "outside names unknown nodes: x"),
        (lambda t: venue_claims(t).shock({"beta": 1.5}), "lost of 'beta' is 1.5"),
        (lambda t: venue_claims(t).external_assets({"gamma": 1.0}), "lost.*gamma"),
    ],
)
def test_bad_tables_are_refused(run, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(_cohorts())
