"""Figures of a sweep show its means, and say what they cannot show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import Colormap
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from sim.experiments.aggregate import by_cell
from sim.experiments.statistics import mean_interval
from sim.experiments.sweep import SweepResult
from sim.report.style import save
from tests.experiments.base import plan


@pytest.fixture
def result(tmp_path: Path) -> SweepResult:
    """Return runs of 2 falls, 3 funds and a word, two replications each, with known figures."""
    factors = [
        {"path": "shocks.0.return", "name": "fall", "values": [-0.04, -0.08]},
        {"path": "venues.alpha.waterfall.0.size", "name": "fund", "values": [1e3, 1e5, 1e4]},
        {"path": "description", "name": "who", "values": ["we", "they"]},
    ]
    made = plan(tmp_path, factors=factors, metrics=["shortfall"], replications=2)
    rows = [
        {
            "cell": cell.number, "replication": replication, **cell.values, "status": "ok",
            "shortfall": -cell.values["fall"] * 100 + np.log10(cell.values["fund"]) + replication,
        }
        for cell, replication in made.order()
    ]  # fmt: skip
    found = SweepResult(made, tmp_path)
    found.__dict__["frame"] = pd.DataFrame(rows)
    return found


def test_means_are_drawn_by_value_and_curve(result: SweepResult) -> None:
    ax = result.plot.factor("shortfall", "fund", by="fall").axes[0]
    assert ax.get_xscale() == "log"
    bars = [one for one in ax.containers if isinstance(one, ErrorbarContainer)]
    assert [bar.get_label() for bar in bars] == ["fall = -0.08", "fall = -0.04"]
    for bar, fall in zip(bars, (8, 4), strict=True):
        assert list(bar.lines[0].get_xdata()) == [1e3, 1e4, 1e5]
        assert list(bar.lines[0].get_ydata()) == pytest.approx([fall + k + 0.5 for k in (3, 4, 5)])


def test_intervals_are_of_replications_and_never_of_the_design(result: SweepResult) -> None:
    """Over one cell the interval is Student's; over several there is none."""

    def heights(**values: str) -> list[float]:
        result.__dict__["frame"] = frame.query(values["only"]) if values else frame
        ax = result.plot.factor("shortfall", "fund").axes[0]
        (bars,) = ax.containers
        assert isinstance(bars, ErrorbarContainer)
        segments = [line for line in bars.lines[2][0].get_segments() if len(line)]
        return [float(segment[1][1] - segment[0][1]) for segment in segments]

    frame = result.frame
    assert heights() == []
    one = mean_interval([0, 1])
    assert heights(only="fall == -0.04 and who == 'we'") == pytest.approx([one.high - one.low] * 3)


def test_words_keep_the_order_of_the_design(result: SweepResult) -> None:
    ax = result.plot.factor("shortfall", "who").axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["we", "they"]


def test_a_heat_map_has_the_means_and_crosses_out_what_is_missing(result: SweepResult) -> None:
    frame = result.frame
    failed = (frame["fall"] == -0.08) & (frame["fund"] == 1e4)
    result.__dict__["frame"] = frame.assign(status=np.where(failed, "failed", "ok"))
    ax = result.plot.heatmap("shortfall", "fund", "fall").axes[0]
    (mesh,) = ax.collections
    wanted = np.array([[11.5, np.nan, 13.5], [7.5, 8.5, 9.5]])
    values = np.ma.filled(mesh.get_array().astype(float), np.nan)
    np.testing.assert_allclose(values.reshape(2, 3), wanted)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["-0.08", "-0.04"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines] == [([1], [0])]
    assert isinstance(mesh.get_cmap(), Colormap)


@pytest.mark.parametrize(
    ("metric", "factor", "by", "words"),
    [
        ("shortfal", "fund", None, "no metric 'shortfal'; did you mean 'shortfall'"),
        ("shortfall", "fnud", None, "no factor 'fnud'; did you mean 'fund'"),
        ("shortfall", "fund", "xyz", "there are: fall, fund, who"),
    ],
)
def test_columns_that_are_not_there_are_refused(
    result: SweepResult, metric: str, factor: str, by: str | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        result.plot.factor(metric, factor, by)


def test_too_many_curves_or_fields_are_refused(result: SweepResult) -> None:
    frame = pd.concat([result.frame] * 20).reset_index(drop=True)
    result.__dict__["frame"] = frame.assign(fund=np.arange(len(frame), dtype=float))
    with pytest.raises(ValueError, match="fund has 480 values; at most 8"):
        result.plot.factor("shortfall", "fall", by="fund")
    with pytest.raises(ValueError, match="fund has 480 values; a heat map takes at most 200"):
        result.plot.heatmap("shortfall", "fund", "fall")
    assert result.plot.factor("shortfall", "fund").axes[0].lines


def test_without_a_value_the_figure_says_so(result: SweepResult) -> None:
    result.__dict__["frame"] = result.frame.assign(shortfall=np.nan)
    for figure in (
        result.plot.factor("shortfall", "fund"),
        result.plot.heatmap("shortfall", "fund", "fall"),
    ):
        assert [text.get_text() for text in figure.axes[0].texts] == ["No run has a value."]


def test_equal_runs_make_equal_files(result: SweepResult, tmp_path: Path) -> None:
    frame = result.frame
    written = []
    for rows in (frame, frame.sample(frac=1, random_state=3)):
        result.__dict__["frame"] = rows.sort_values(["cell", "replication"])
        figure = result.plot.heatmap("shortfall", "fund", "fall")
        written.append([path.read_bytes() for path in save(figure, tmp_path, "heat")])
    assert written[0] == written[1]


def test_figures_are_saved_of_every_metric_and_factor(
    result: SweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three factors: one figure along each. Two: each has the other's curves, and a heat map."""
    drawn: dict[Path, Figure] = {}

    def save(figure: Figure, folder: Path, name: str) -> list[Path]:
        drawn[folder / name] = figure
        return [folder / name]

    monkeypatch.setattr("sim.report.style.save", save)
    result.folder.mkdir(exist_ok=True)
    figures = tmp_path / "figures"
    assert result.plot.save() == [
        figures / f"sweep-shortfall-{name}" for name in ("fall", "fund", "who")
    ]
    fewer = SweepResult(plan(tmp_path, metrics=["shortfall"], replications=2), tmp_path)
    fewer.__dict__["frame"] = result.frame.query("who == 'we'").drop(columns="who")
    assert fewer.plot.save() == [
        figures / f"sweep-shortfall-{name}" for name in ("fall", "fund", "map")
    ]
    bars = drawn[figures / "sweep-shortfall-fund"].axes[0].containers
    assert [bar.get_label() for bar in bars] == ["fall = -0.08", "fall = -0.04"]


def test_a_condition_has_the_interval_of_a_share(tmp_path: Path) -> None:
    """None of 20 runs: 0 to 16.8 % (Clopper and Pearson), and not 0 with certainty."""
    metrics = [{"name": "broke", "value": "shortfall > 0"}]
    factors = [{"path": "shocks.0.return", "name": "fall", "values": [-0.04]}]
    made = plan(tmp_path, metrics=metrics, factors=factors, replications=20)
    found = SweepResult(made, tmp_path)
    rows = [{"cell": 0, "replication": k, "fall": -0.04, "status": "ok"} for k in range(20)]
    found.__dict__["frame"] = pd.DataFrame(rows).assign(broke=0.0)
    (cell,) = by_cell(found).to_dict("records")
    assert (cell["broke"], cell["broke ±"]) == (0.0, pytest.approx(0.168433, abs=1e-6))
    (bars,) = found.plot.factor("broke", "fall").axes[0].containers
    assert isinstance(bars, ErrorbarContainer)
    (segment,) = bars.lines[2][0].get_segments()
    assert segment[:, 1] == pytest.approx([0.0, 0.168433], abs=1e-6)
