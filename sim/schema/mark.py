"""Mark prices: which price margin is computed on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Name, Number

Source = Literal["last", "index"]
"""Price that an average is taken of."""


class LastMark(Model):
    """The venue's own last price."""

    kind: Literal["last"] = attribute("Mark.", "-", "last")


class IndexMark(Model):
    """Mean or median of the last prices of several venues."""

    kind: Literal["index"] = attribute("Mark.", "-", "index")
    method: Literal["mean", "median"] = attribute("How prices are combined.", "-", "mean")
    weights: dict[Name, Number] = attribute(
        "Weight of each venue. Left out: equal over the venues that list the asset.",
        "1",
        factory=dict,
    )

    @model_validator(mode="after")
    def _weights(self) -> IndexMark:
        findings = [
            Finding(("weights", venue), f"{weight:g}", "a weight of 0 or more")
            for venue, weight in self.weights.items()
            if weight < 0
        ]
        if self.weights and not findings and sum(self.weights.values()) <= 0:
            findings.append(Finding(("weights",), "weights that sum to 0", "a positive sum"))
        refuse("index", findings)
        return self


class EmaMark(Model):
    """Exponential moving average."""

    kind: Literal["ema"] = attribute("Mark.", "-", "ema")
    half_life: Duration = attribute("Time after which an old price weighs half.", "s", gt=0)
    of: Source = attribute("Price that is averaged.", "-", "last")


class TwapMark(Model):
    """Plain mean over a window of time."""

    kind: Literal["twap"] = attribute("Mark.", "-", "twap")
    window: Duration = attribute("Length of the window.", "s", gt=0)
    of: Source = attribute("Price that is averaged.", "-", "last")


SimpleMark = Annotated[LastMark | IndexMark | EmaMark | TwapMark, Field(discriminator="kind")]
"""A mark that a median may be taken of."""


class MedianMark(Model):
    """Median of other marks."""

    kind: Literal["median_of"] = attribute("Mark.", "-", "median_of")
    of: list[SimpleMark] = attribute("Marks the median is taken of.", "-", min_length=2)


Mark = Annotated[
    LastMark | IndexMark | EmaMark | TwapMark | MedianMark, Field(discriminator="kind")
]
"""Any mark."""
