"""Mark prices: which price margin is computed on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Fraction, Name, Number

Source = Literal["last", "index"]
"""Price that an oracle posts."""

Averaged = Literal["last", "index", "basis"]
"""What an average is taken of; the basis is last price minus index."""


class IndexRule(Model):
    """Which prices of which venues make the index of a venue, and how."""

    method: Literal["mean", "median", "weighted_median"] = attribute(
        "How prices are combined; a weighted_median needs weights.", "-", "mean"
    )
    weights: dict[Name, Number] = attribute(
        "Weight of each venue. Left out: equal over the venues that list the asset.",
        "1",
        factory=dict,
    )
    outlier: Fraction | None = attribute(
        "Distance from the median, as a share of it, beyond which a price has no weight.",
        "1",
        None,
        gt=0,
    )

    @model_validator(mode="after")
    def _weights(self) -> IndexRule:
        findings = [
            Finding(("weights", venue), f"{weight:g}", "a weight of 0 or more")
            for venue, weight in self.weights.items()
            if weight < 0
        ]
        if self.weights and not findings and sum(self.weights.values()) <= 0:
            findings.append(Finding(("weights",), "weights that sum to 0", "a positive sum"))
        if self.method == "weighted_median" and not self.weights:
            allowed = "a weight for each venue that counts, or the method 'median'"
            findings.append(Finding(("weights",), "nothing for a weighted_median", allowed))
        refuse("index", findings)
        return self


class LastMark(Model):
    """The venue's own last price."""

    kind: Literal["last"] = attribute("Mark.", "-", "last")


class IndexMark(IndexRule):
    """Mean or median of the last prices of several venues."""

    kind: Literal["index"] = attribute("Mark.", "-", "index")


class FundedIndexMark(Model):
    """The venue's index, plus the funding that is still to come in this interval."""

    kind: Literal["funded_index"] = attribute("Mark.", "-", "funded_index")


class EmaMark(Model):
    """Exponential moving average."""

    kind: Literal["ema"] = attribute("Mark.", "-", "ema")
    half_life: Duration = attribute("Time after which an old price weighs half.", "s", gt=0)
    of: Averaged = attribute(
        "What is averaged; with the basis, the mark is the index plus the average.", "-", "last"
    )


class TwapMark(Model):
    """Plain or geometric mean over a window of time."""

    kind: Literal["twap"] = attribute("Mark.", "-", "twap")
    window: Duration = attribute("Length of the window.", "s", gt=0)
    of: Averaged = attribute(
        "What is averaged; with the basis, the mark is the index plus the average.", "-", "last"
    )
    mean: Literal["arithmetic", "geometric"] = attribute("Mean that is taken.", "-", "arithmetic")

    @model_validator(mode="after")
    def _has_a_mean(self) -> TwapMark:
        if self.mean == "geometric" and self.of == "basis":
            found = "a geometric mean of the basis, which may be negative"
            refuse("twap", [Finding(("mean",), found, "'arithmetic', or a mean of last or index")])
        return self


class OracleMark(Model):
    """What an oracle posted last: it posts on a deviation or a heartbeat, one price per tick."""

    kind: Literal["oracle"] = attribute("Mark.", "-", "oracle")
    heartbeat: Duration = attribute("Longest time between two posts.", "s", gt=0)
    deviation: Fraction = attribute("Move since its last post at which it posts again.", "1", gt=0)
    lag: Duration = attribute("Age of the price that it sees.", "s", 0.0, ge=0)
    of: Source = attribute("Price that it posts.", "-", "index")


SimpleMark = Annotated[
    LastMark | IndexMark | EmaMark | TwapMark | OracleMark | FundedIndexMark,
    Field(discriminator="kind"),
]
"""A mark that a median may be taken of."""


class MedianMark(Model):
    """Median of other marks."""

    kind: Literal["median_of"] = attribute("Mark.", "-", "median_of")
    of: list[SimpleMark] = attribute("Marks the median is taken of.", "-", min_length=2)


Mark = Annotated[
    LastMark | IndexMark | EmaMark | TwapMark | OracleMark | FundedIndexMark | MedianMark,
    Field(discriminator="kind"),
]
"""Any mark."""


def parts_of(mark: Mark) -> list[SimpleMark]:
    """Return the marks that a median is taken of, or the mark itself."""
    return list(mark.of) if isinstance(mark, MedianMark) else [mark]


def stated_indices(mark: Mark) -> list[tuple[tuple[str | int, ...], IndexMark]]:
    """Return place and mark of each part that states an index."""
    if not isinstance(mark, MedianMark):
        return [((), mark)] if isinstance(mark, IndexMark) else []
    return [(("of", k), part) for k, part in enumerate(mark.of) if isinstance(part, IndexMark)]


def index_rule(mark: Mark, index: IndexRule | None) -> IndexRule:
    """Return the rule of a venue's index: its own, else that of its mark, else a plain mean."""
    if index is not None:
        return index
    return next((part for _, part in stated_indices(mark)), IndexRule())
