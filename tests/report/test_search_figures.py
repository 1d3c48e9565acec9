"""Figures of searches: what is drawn is what was found."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sim.report.fits import Drawn
from sim.report.fits import figure as fits
from sim.report.style import save
from sim.report.thresholds import Drawing, figure
from sim.report.trade_off import Cloud
from sim.report.trade_off import figure as trade_off

FALLING = Drawing(
    title="shortfall > 0",
    axis="fall",
    probability=0.5,
    shares=[(-0.6, 1.0, 0.7, 1.0), (-0.3, 0.5, 0.2, 0.8), (0.0, 0.0, 0.0, 0.3)],
    lower=[-0.2, -0.3, math.inf, 0.0],
    upper=[-0.3, -0.6, 0.0, -0.3],
    runs=[(-0.6, True), (-0.3, True), (-0.3, False), (0.0, False)],
    answer=-0.3,
    interval=(-0.4, -0.2),
    falling=True,
)
CLOUD = Cloud(
    titles=["loss", "gain"],
    signs=[1.0, -1.0],
    tried=[[1.0, 2.0], [2.0, 3.0], [900.0, 1.0]],
    before=[[1.0, 2.0], [2.0, 3.0]],
    fresh=[[(1.1, 1.0, 1.2), (2.1, 2.0, 2.2)], [(1.9, math.nan, math.nan), (2.0, 1.9, 2.1)]],
    stays=[True, False],
)


def words(drawn: Figure) -> str:
    """Return the legend of a figure."""
    return " | ".join(text.get_text() for text in drawn.legends[0].get_texts())


def test_a_threshold_is_drawn_with_its_runs_and_interval() -> None:
    drawn = figure([FALLING, FALLING])
    assert len(drawn.axes) == 2
    label = "answer (fall), with its interval"
    (answer,) = [line for line in drawn.axes[0].lines if line.get_label() == label]
    assert np.asarray(answer.get_xdata()).tolist() == [-0.3, -0.3]
    assert "runs in which it holds" in words(drawn)
    assert drawn.axes[1].get_xlabel() == "fall"


@pytest.mark.parametrize(
    "changed",
    [{"answer": math.nan}, {"interval": (math.nan, math.nan)}, {"interval": (-math.inf, -0.2)}],
)
def test_what_was_not_found_is_not_drawn(tmp_path: Path, changed: dict[str, object]) -> None:
    drawn = figure([replace(FALLING, **changed)])  # type: ignore[arg-type]
    assert save(drawn, tmp_path, "reverse")[1].stat().st_size > 1000
    assert ("answer" in words(drawn)) == ("answer" not in changed)


def test_the_legend_names_what_only_a_later_panel_shows() -> None:
    nowhere = replace(FALLING, answer=math.nan, interval=(math.nan, math.nan))
    assert "answer (fall)" in words(figure([nowhere, FALLING]))


def test_nothing_rises_at_the_end_of_a_way_on_which_it_nowhere_holds() -> None:
    nowhere = replace(
        FALLING,
        shares=[(-0.6, 0.0, 0.0, 0.3), (0.0, 0.0, 0.0, 0.3)],
        lower=[-0.6] * 4,
        upper=[-math.inf] * 4,
        answer=math.nan,
    )
    lines = figure([nowhere]).axes[0].lines
    edges = [line.get_ydata() for line in lines if line.get_drawstyle() == "steps-post"]
    assert [float(np.max(edge)) for edge in edges] == [0.0, 0.0]
    assert "thresholds leave open" not in words(figure([replace(nowhere, lower=[], upper=[])]))


def test_words_of_a_parameter_are_named_on_its_axes() -> None:
    ones = np.ones(4)
    number = Drawn("n", False, ones, ones, 1.0, np.linspace(0, 1, 9), ones / 2, ones / 4, "pinned")
    word = Drawn("kind", False, ones, ones, 1.0, np.array([0.0, 1.0]), ones, ones / 4, "pinned",
                 ("linear", "a" * 30))  # fmt: skip
    targets = pd.DataFrame({"metric": ["m"], "tolerance": 1.0, "miss": 0.1, "error": 0.1,
                            "fresh_miss": 0.2})  # fmt: skip
    drawn = fits(targets, [number, word], [(0, 1)])
    short = "a" * 13 + "..."
    for axis in (drawn.axes[3].xaxis, drawn.axes[4].xaxis, drawn.axes[5].yaxis):
        assert [tick.get_text() for tick in axis.get_ticklabels()] == ["linear", short]
    assert drawn.axes[4].get_xlim() == (-0.5, 1.5)


def test_the_trade_off_shows_the_front_and_says_what_lies_outside() -> None:
    drawn = trade_off(CLOUD)
    (axis,) = drawn.axes
    assert axis.get_xlabel() == "loss (low is good)"
    assert axis.get_ylabel() == "gain (high is good)"
    assert axis.get_xlim()[1] < 900
    assert "(1 more outside)" in words(drawn)
    assert "dominated, with intervals" in words(drawn)


def test_three_objectives_are_drawn_in_pairs_and_one_as_a_course() -> None:
    three = replace(
        CLOUD,
        titles=["a", "b", "c"],
        signs=[1.0] * 3,
        tried=[[1.0, 2.0, 3.0]],
        before=[[1.0, 2.0, 3.0]],
        fresh=[[(1.0, 0.9, 1.1)] * 3],
        stays=[True],
    )
    drawn = trade_off(three)
    assert len(drawn.axes) == 3
    assert drawn.axes[0].get_xlim()[1] < 2 < drawn.axes[2].get_xlim()[1] < 3.1  # a, a, b
    four = replace(
        three,
        titles=[*three.titles, "d"],
        signs=[1.0] * 4,
        tried=[[1.0, 2.0, 3.0, 4.0]],
        before=[[1.0, 2.0, 3.0, 4.0]],
        fresh=[[(1.0, 0.9, 1.1)] * 4],
    )
    pairs = {(a.get_xlabel()[0], a.get_ylabel()[0]) for a in trade_off(four).axes}
    assert pairs == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")}
    one = replace(
        three, titles=["a"], signs=[-1.0], tried=[[1.0], [3.0], [2.0]], before=[[3.0]],
        fresh=[[(2.5, 2.0, 3.0)]],
    )  # fmt: skip
    (axis,) = trade_off(one).axes
    (best,) = [line for line in axis.lines if line.get_label() == "the best so far"]
    assert np.asarray(best.get_ydata()).tolist() == [1.0, 3.0, 3.0]


def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    for name, make in (("a", lambda: figure([FALLING])), ("b", lambda: trade_off(CLOUD))):
        first = [path.read_bytes() for path in save(make(), tmp_path, name)]
        assert [path.read_bytes() for path in save(make(), tmp_path, name)] == first
