"""Matrices of losses: nothing is lost by folding, and pictures hold what the matrix holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.patches import PathPatch

from sim.report import RunContext, sankey, spillover
from sim.report.matrix import MAX_CAUSES, colours, loss_matrix
from sim.report.sankey import apart, fitted
from sim.report.shocks import text_width
from sim.report.style import looks
from tests.report import synthetic_cascade
from tests.report.overlap import assert_no_overlap
from tests.report.test_figures import texts_of

NUMBERS = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))


@settings(max_examples=40, deadline=None)
@given(npst.arrays(np.float64, (20, 15), elements=NUMBERS), st.integers(2, 15))
def test_folding_keeps_the_sum(values: np.ndarray, most: int) -> None:
    names = [f"v{number}" for number in range(15)]
    causes = ["exogenous", *(f"cause{number}" for number in range(4))]
    frame = pd.DataFrame(values, index=[*names, *causes], columns=names)
    found = loss_matrix(frame, RunContext(), most)
    scale = max(float(np.abs(values).sum()), 1.0)
    assert found.value.sum() == pytest.approx(values.sum(), abs=1e-9 * scale)
    assert found.value.shape == (len(found.sources), len(found.victims))
    assert len(found.victims) <= most
    assert len(found.sellers) <= most


def test_rows_and_columns_do_not_depend_on_their_order_in_the_frame() -> None:
    frame = synthetic_cascade.matrix(5)
    context = synthetic_cascade.context(5)
    mixed = frame.sample(frac=1.0, random_state=1).sample(frac=1.0, axis=1, random_state=2)
    one, two = loss_matrix(frame, context), loss_matrix(mixed, context)
    assert (one.sellers, one.causes, one.victims) == (two.sellers, two.causes, two.victims)
    np.testing.assert_allclose(one.value, two.value, rtol=1e-12)


def test_sellers_come_first_then_news_then_the_largest_causes() -> None:
    found = loss_matrix(synthetic_cascade.matrix(3), synthetic_cascade.context(3))
    assert found.sellers == found.victims == ("binance", "bybit", "okx")
    assert found.causes[0] == "exogenous"
    assert found.causes[-1] == "other causes"
    size = np.abs(found.value[4:-1]).sum(axis=1)
    assert (np.diff(size) <= 0.0).all()
    assert len(found.causes) == MAX_CAUSES + 2


def test_margins_and_full_names_of_causes_are_understood() -> None:
    frame = synthetic_cascade.matrix(3)
    full = frame.rename(index={name: f"liquidation:{name}" for name in frame.columns})
    full["total"] = full.sum(axis=1)
    full.loc["total"] = full.sum()
    context = synthetic_cascade.context(3)
    one, two = loss_matrix(frame, context), loss_matrix(full, context)
    assert one.sources == two.sources
    np.testing.assert_array_equal(one.value, two.value)


def test_what_nobody_lost_is_left_out() -> None:
    frame = synthetic_cascade.matrix(3)
    frame.loc["okx"] = 0.0
    frame["bybit"] = 0.0
    frame.loc["fees"] = 0.0
    found = loss_matrix(frame, synthetic_cascade.context(3))
    assert found.sellers == ("binance", "bybit")
    assert found.victims == ("binance", "okx")
    assert "fees" not in found.sources


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused_with_its_place(value: float) -> None:
    frame = synthetic_cascade.matrix(2)
    frame.loc["exogenous", "bybit"] = value
    with pytest.raises(ValueError, match="from exogenous to bybit"):
        spillover.figure(frame)
    twice = pd.concat([synthetic_cascade.matrix(2)] * 2)
    with pytest.raises(ValueError, match="'binance' of the matrix stands twice"):
        sankey.figure(twice)


def test_cells_and_sums_are_written() -> None:
    frame = pd.DataFrame(
        [[1e6, 2e6], [0.0, 4e6], [-3e6, 1.5e3]], index=["a", "b", "reversion"], columns=["a", "b"]
    )
    texts = texts_of(spillover.figure(frame))
    minus = "\N{MINUS SIGN}"
    for text in ("1m", "2m", "4m", f"{minus}3m", "1.5k", "3m", f"{minus}2m", "6m"):
        assert text in texts
    assert texts.count("\N{MIDDLE DOT}") == 1
    assert "Loss of broken accounts by venue: 4m" in texts


def test_one_venue_has_one_cell() -> None:
    frame = pd.DataFrame([[5e3]], index=["a"], columns=["a"])
    assert loss_matrix(frame, RunContext()).value.tolist() == [[5e3]]
    for figure in (spillover.figure, sankey.figure):
        assert figure(frame, RunContext(venues=("a",))).axes


@pytest.mark.parametrize("figure", [spillover.figure, sankey.figure])
def test_no_loss_is_a_sentence(figure: object) -> None:
    assert callable(figure)
    for frame in (pd.DataFrame(), synthetic_cascade.matrix(2) * 0.0):
        assert texts_of(figure(frame)) == [spillover.NOTHING]


def test_ribbons_are_as_thick_as_losses() -> None:
    frame = pd.DataFrame([[3.0, 1.0], [0.0, 4.0]], index=["a", "b"], columns=["a", "b"])
    (ax,) = sankey.figure(frame, RunContext(venues=("a", "b"))).axes
    ribbons = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    begin = sorted(float(np.ptp(r.get_path().vertices[[0, 7], 1])) for r in ribbons)
    end = sorted(float(np.ptp(r.get_path().vertices[[3, 4], 1])) for r in ribbons)
    np.testing.assert_allclose(np.array(begin) / begin[0], [1.0, 3.0, 4.0])
    np.testing.assert_allclose(begin, end)
    texts = [text.get_text() for text in ax.texts]
    assert sum("4 (50 %)" in text for text in texts) == 2
    assert any("b  5 (62 %)" in text for text in texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), max_size=30), st.floats(0.01, 0.2))
def test_labels_stand_apart_in_order_and_near(places: list[float], line: float) -> None:
    middle = np.sort(np.array(places))
    found = apart(middle, line)
    assert len(found) == len(middle)
    if len(middle) * line < 1.0:
        assert (np.diff(found) >= line - 1e-9).all()
    if len(middle):
        assert found.min() >= 0.0
        assert found.max() <= 1.0
    far = len(middle) < 2 or float(np.diff(middle).min()) >= line
    inside = len(middle) and middle[0] >= line / 2 and middle[-1] <= 1.0 - line / 2
    if far and inside:
        np.testing.assert_allclose(found, middle, atol=1e-9)


def test_long_names_stay_on_paper() -> None:
    """Labels are written smaller, then cut; sums are never cut."""
    frame = synthetic_cascade.matrix(12)
    names = {name: f"{name}/AVAX_USDC-PERPETUAL-{40 * 'x'}" for name in frame.columns}
    frame = frame.rename(index=names, columns=names)
    figure = sankey.figure(frame, synthetic_cascade.context(12), by="market")
    assert_no_overlap(figure, "flows")
    texts = texts_of(figure)
    assert sum("\N{HORIZONTAL ELLIPSIS}  " in text for text in texts) >= 20
    short = frame.rename(index=lambda n: n.split("-xxx")[0], columns=lambda n: n.split("-xxx")[0])
    figure = spillover.figure(short, synthetic_cascade.context(12), by="market")
    assert_no_overlap(figure, "spillover")
    assert "aevo/AVAX_USDC-PERPETUAL" in texts_of(figure)


@given(st.lists(st.text("abW_ -", max_size=60), max_size=8), st.floats(60.0, 200.0))
@settings(max_examples=30, deadline=None)
def test_fitted_labels_fit(names: list[str], room: float) -> None:
    texts, size = fitted([(name, "$1m (2 %)") for name in names], room)
    assert len(texts) == len(names)
    for name, text in zip(names, texts, strict=True):
        assert text.endswith("  $1m (2 %)")
        assert (
            text_width(text, size) <= room or len(name) <= 1 or text[1] == "\N{HORIZONTAL ELLIPSIS}"
        )


def test_venues_keep_their_colours_and_causes_are_grey() -> None:
    context = synthetic_cascade.context(5)
    found = colours(loss_matrix(synthetic_cascade.matrix(5), context), context)
    look = looks(context.venues)
    assert [found[venue] for venue in context.venues] == [look[v].colour for v in context.venues]
    assert found["exogenous"] == "#5a5a5a"
