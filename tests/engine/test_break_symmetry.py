"""Losses do not depend on the order of accounts, and without impact they are the shock's alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.books import write_book
from tests.engine.small_worlds import FLAT, jump, linear, longs, perp, play, venue

MEDIAN = {"kind": "median_of", "of": [
    {"kind": "index"}, {"kind": "ema", "half_life": "3s", "of": "basis"}, {"kind": "last"},
]}  # fmt: skip
VENUES = {"one": venue(mark={"kind": "last"}), "two": venue(mark=MEDIAN)}

holding = st.tuples(
    st.sampled_from(["one", "two"]), st.sampled_from(["calm", "wild"]),
    st.floats(-3.0, 3.0).filter(lambda size: abs(size) > 0.1), st.floats(12.0, 80.0),
)  # fmt: skip


def losses_in_order(folder, holdings, order):
    """Return losses by cause, generation, cohort and more of a book with rows in this order."""
    books = []
    for name in ("calm", "wild"):
        accounts = [
            (f"a{k}", f"t{k}", holdings[k][0], {"USDT": holdings[k][3]},
             [(f"{holdings[k][0]}/BTC-PERP", holdings[k][2], 100)])
            for k in order if holdings[k][1] == name
        ]  # fmt: skip
        if accounts:
            books.append({"book": write_book(folder, accounts, name), "name": name})
    result = play(
        folder, venues=VENUES, traders=books, shocks=[jump(-0.1), jump(0.08, at=3)],
        markets=[perp(name, impact=linear(0.5, resilience_half_life=20)) for name in VENUES],
    )  # fmt: skip
    losses = result.cascade.losses()
    keys = ["account_id", "tick", "generation", "cohort", "clearer", "through", "cause", "source",
            "source_generation", "source_tick"]  # fmt: skip
    return losses.groupby(keys)["loss"].sum().sort_index()


books = st.lists(holding, min_size=2, max_size=12).flatmap(
    lambda holdings: st.tuples(st.just(holdings), st.permutations(range(len(holdings))))
)


def check_order(folder, holdings, order):
    one = losses_in_order(folder, holdings, range(len(holdings)))
    other = losses_in_order(folder, holdings, order)
    # What only rounding makes may be there or not.
    one, other = one[one.abs() > 1e-9], other[other.abs() > 1e-9]
    assert one.index.tolist() == other.index.tolist()
    assert other.to_numpy() == pytest.approx(one.to_numpy(), rel=1e-9, abs=1e-9)


@settings(max_examples=6, deadline=None, suppress_health_check=[*HealthCheck])
@given(book=books)
def test_the_order_of_accounts_changes_no_loss(tmp_path_factory, book):
    check_order(tmp_path_factory.mktemp("order"), *book)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[*HealthCheck])
@given(book=books)
def test_the_order_of_accounts_changes_no_loss_in_many_books(tmp_path_factory, book):
    check_order(tmp_path_factory.mktemp("order"), *book)


@pytest.mark.parametrize("mark", [{"kind": "last"}, {"kind": "index"}, MEDIAN],
                         ids=["last", "index", "median"])  # fmt: skip
@pytest.mark.parametrize("impact", [FLAT, linear(1e-30)], ids=["none", "deep"])
def test_without_impact_the_shock_alone_costs(tmp_path, impact, mark):
    rng = np.random.default_rng(5)
    accounts = longs(*zip(rng.uniform(1, 3, 30).tolist(), rng.uniform(32, 60, 30).tolist(),
                          strict=True))  # fmt: skip
    result = play(
        tmp_path, accounts, venues={"one": venue(mark=mark)}, markets=[perp(impact=impact)],
        shocks=[jump(-0.1), jump(-0.05, at=3)],
    )  # fmt: skip
    losses = result.cascade.losses()
    assert len(result.breaks) > 5
    assert set(losses["cause"]) == {"exogenous"}
    assert set(losses["generation"]) == {0}
    assert set(losses["source_generation"]) == {-1}
    assert result.cascade.seller_losses().empty
    assert losses.groupby("break_id")["loss"].sum().to_numpy() == pytest.approx(
        result.breaks["loss"].to_numpy(), rel=1e-9
    )


def test_the_world_of_these_tests_has_two_cohorts(tmp_path):
    holdings = [("one", "calm", 1.0, 18.0), ("two", "wild", 1.0, 18.0)]
    found = losses_in_order(tmp_path, holdings, range(2))
    assert set(found.index.get_level_values("cohort")) == {"calm", "wild"}
