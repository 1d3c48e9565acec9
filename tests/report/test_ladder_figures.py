"""Figures of a state before a crash: the liquidation ladder and the critical surface."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from sim.report import critical_surface, ladder
from tests.report import synthetic_cascade
from tests.report.test_figures import texts_of


@pytest.mark.parametrize("venues", [1, 2, 12])
def test_the_ladder_sums_over_markets_and_sides(venues: int) -> None:
    frame = synthetic_cascade.ladder(venues)
    found = ladder.ladder(frame, synthetic_cascade.context(venues))
    want = frame.groupby("move")["notional"].sum()
    np.testing.assert_allclose(found.move, want.index)
    np.testing.assert_allclose(found.notional.sum(axis=0), want, rtol=1e-12)
    middle = len(found.move) // 2
    np.testing.assert_allclose(found.steps[:, :middle].sum(axis=1), found.notional[:, 0])
    np.testing.assert_allclose(found.steps[:, middle:].sum(axis=1), found.notional[:, -1])


def test_the_smallest_of_many_venues_are_summed() -> None:
    frame = pd.concat([
        synthetic_cascade.ladder(1).assign(clearer=f"v{number:02}") for number in range(15)
    ])  # fmt: skip
    found = ladder.ladder(frame, synthetic_cascade.context(1))
    assert len(found.clearers) == 12
    assert found.clearers[-1] == "other"
    assert found.notional[:, 0].sum() == pytest.approx(15 * found.notional[0, 0])


def test_the_present_price_stands_in_both_panels() -> None:
    frame = synthetic_cascade.ladder(2)
    figure = ladder.figure(frame, synthetic_cascade.context(2), what="BTC")
    for ax in figure.axes:
        here = [line for line in ax.lines if list(np.asarray(line.get_xdata())) == [0, 0]]
        assert len(here) == 1
    texts = texts_of(figure)
    assert {"longs sold", "shorts bought back"} <= set(texts)
    assert "move of BTC from the present price (dashed) [%]" in texts
    low, high = (ladder.amount(frame.loc[frame["move"] == m, "notional"].sum(), "$")
                 for m in (frame["move"].min(), frame["move"].max()))  # fmt: skip
    minus = "\N{MINUS SIGN}"
    assert f"Closed by force at BTC {minus}40 %: {low}, at +40 %: {high}" in texts


def test_a_ladder_of_falls_only_speaks_of_sales() -> None:
    frame = synthetic_cascade.ladder(2)
    texts = texts_of(ladder.figure(frame[frame["move"] <= 0.0]))
    assert "longs sold" in texts
    assert not any("bought" in text for text in texts)


def test_what_the_other_side_closes_is_said() -> None:
    """Accounts that lose on a fall may close shorts as well."""
    frame = synthetic_cascade.ladder(1)
    frame.loc[(frame["move"] == -0.4) & (frame["side"] == "buy"), "notional"] = 3e9
    figure = ladder.figure(frame, synthetic_cascade.context(1))
    assert any("bought at \N{MINUS SIGN}40 %: " + r"\$3bn" in text for text in texts_of(figure))


def test_an_empty_ladder_is_a_sentence_and_a_wrong_one_refused() -> None:
    frame = synthetic_cascade.ladder(2)
    for nothing in (pd.DataFrame(), frame.assign(notional=0.0), frame[frame["move"] == 0.0]):
        assert texts_of(ladder.figure(nothing)) == [ladder.NOTHING]
    with pytest.raises(ValueError, match="lacks the columns clearer"):
        ladder.figure(frame.drop(columns="clearer"))
    for column, value in (("notional", -1.0), ("notional", np.nan), ("move", np.inf)):
        with pytest.raises(ValueError, match="finite moves and notionals >= 0"):
            ladder.figure(frame.assign(**{column: value}))


def _points(frame: pd.DataFrame) -> list[Line2D]:
    (ax,) = critical_surface.figure(frame).axes
    return [line for line in ax.lines if line.get_linestyle() == "None"]


def test_the_frontier_has_every_direction_that_tips() -> None:
    frame = synthetic_cascade.surface()
    jump, share = _points(frame)
    x = np.concatenate([np.asarray(jump.get_xdata()), np.asarray(share.get_xdata())])
    y = np.concatenate([np.asarray(jump.get_ydata()), np.asarray(share.get_ydata())])
    np.testing.assert_allclose(x, -frame["return_a"])
    np.testing.assert_allclose(y, -frame["return_b"])
    mixed = frame.sample(frac=1.0, random_state=3)
    np.testing.assert_allclose(np.asarray(_points(mixed)[0].get_xdata()), jump.get_xdata())


def test_directions_in_which_nothing_tips_are_counted() -> None:
    frame = synthetic_cascade.surface(without=(0, 4))
    texts = texts_of(critical_surface.figure(frame))
    assert "in 2 of 9 directions nothing tips" in texts
    assert sum(text.endswith(" %") for text in texts) >= 7
    none = synthetic_cascade.surface(without=tuple(range(9)))
    for nothing in (none, pd.DataFrame()):
        assert texts_of(critical_surface.figure(nothing)) == [
            "No fall of the two assets tips this state"
        ]


def test_a_surface_of_other_columns_or_assets_is_refused() -> None:
    frame = synthetic_cascade.surface()
    with pytest.raises(ValueError, match="lacks lower"):
        critical_surface.figure(frame.drop(columns="lower"))
    both = pd.concat([frame, frame.assign(asset_b="SOL")])
    with pytest.raises(ValueError, match="2 pairs of assets"):
        critical_surface.figure(both)
