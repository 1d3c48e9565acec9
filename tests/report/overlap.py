"""Whether the texts of a figure lie on paper and clear of each other."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from sim.report.style import house_style


def assert_no_overlap(figure: Figure, name: str, least: int = 10) -> None:
    """Assert that level and upright texts do not overlap, and that all are on paper.

    Texts at a slant are parallel labels, whose boxes may overlap while they do not.
    """
    with house_style():
        figure.draw_without_rendering()  # places everything, leaves out the pixels
        renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        boxes = [
            (text.get_text(), text.get_window_extent(renderer), text.get_rotation() % 90.0 != 0.0)
            for text in drawn_texts(figure)
            if text.get_text().strip() and text.get_visible()
        ]
    assert len(boxes) > least
    for place, (one, box, slanted) in enumerate(boxes):
        assert box.x0 >= -1.0, (name, one)
        assert box.x1 <= figure.bbox.x1 + 1.0, (name, one)
        assert box.y0 >= -1.0, (name, one)
        assert box.y1 <= figure.bbox.y1 + 1.0, (name, one)
        if slanted:
            continue
        for other, second, also in boxes[place + 1 :]:
            clash = (
                min(box.x1, second.x1) - max(box.x0, second.x0) > 1.0
                and min(box.y1, second.y1) - max(box.y0, second.y0) > 1.0
            )
            assert also or not clash, (name, one, other)


def drawn_texts(figure: Figure) -> list[mpl.text.Text]:
    """Return the texts on paper: of tick labels only those within the limits of their axis."""
    texts = set(figure.findobj(mpl.text.Text))
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            ticks = axis.get_major_ticks()
            inside = [tick for tick in ticks if low - slack <= tick.get_loc() <= high + slack]
            texts -= {text for tick in axis.findobj(mpl.axis.Tick)
                      for text in (tick.label1, tick.label2)}  # fmt: skip
            texts |= {tick.label1 for tick in inside if ax.axison}
        if not ax.axison:
            texts -= {ax.xaxis.label, ax.yaxis.label}
    return list(texts)
