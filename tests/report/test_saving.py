"""What is done to save figures quickly leaves them as Matplotlib would draw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from PIL import Image

from sim.report.png import write_png
from sim.report.shocks import text_width
from sim.report.style import house_style, panels, save


def drawn() -> Figure:
    with house_style():
        figure, (upper, lower) = panels(None, 2, height=3.0)
        upper.plot([0.0, 1.0, 3.0], [2.0, 5.0, 1.0], color="#332288")
        upper.set_title("a title", loc="left")
        lower.fill_between([0.0, 1.0, 3.0], [1e6, 2e7, 3e7], hatch="//", facecolor="#dd6a1f")
        lower.set_ylabel("ordinate")
    return figure


def test_the_png_has_the_pixels_that_matplotlib_draws(tmp_path: Path) -> None:
    _, path = save(drawn(), tmp_path, "own")
    with house_style():
        drawn().savefig(tmp_path / "theirs.png")
    with Image.open(path) as own, Image.open(tmp_path / "theirs.png") as theirs:
        assert own.info["dpi"] == theirs.info["dpi"]
        assert np.asarray(theirs)[:, :, 3].min() == 255
        np.testing.assert_array_equal(np.asarray(own), np.asarray(theirs)[:, :, :3])


def test_any_pixels_survive(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 13, 4), dtype=np.uint8)
    write_png(tmp_path / "noise.png", pixels, 200)
    with Image.open(tmp_path / "noise.png") as image:
        assert (image.mode, image.size) == ("RGB", (13, 7))
        np.testing.assert_array_equal(np.asarray(image), pixels[:, :, :3])


@pytest.mark.parametrize("text", ["alpha/BTC-PERP", "OCo08%", "a \N{MULTIPLICATION SIGN} W@&", "i"])
def test_text_width_is_the_extent_of_the_outlines(text: str) -> None:
    for size in (6.2, 8.5):
        font = FontProperties(family="DejaVu Sans", size=size)
        extent = TextPath((0, 0), text, prop=font).get_extents().width
        assert text_width(text, size) == pytest.approx(extent, rel=1e-12)
    assert text_width("  ", 8.0) == 0.0
