"""What a reverse stress test asks: the smallest shock at which a condition holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Count, Fraction, Number


class NamedCondition(Model):
    """A condition on one run."""

    name: str = attribute("Name of its column in the table of runs.", "-")
    condition: str = attribute(
        "A condition on the summary of a run, such as ``venues.beta.insurance_fund <= 0``.", "-"
    )


def _condition(value: Any) -> Any:
    """Return a condition that is written alone as a block."""
    return {"name": value, "condition": value} if isinstance(value, str) else value


class Reverse(Model):
    """The smallest shock, or the least implausible mix of factors, that makes a condition hold."""

    condition: str | None = attribute("The condition, if there is one.", "-", None)
    conditions: list[Annotated[NamedCondition, BeforeValidator(_condition)]] | None = attribute(
        "Several of them, each searched by itself over the same runs.", "-", None, min_length=1
    )
    probability: Fraction = attribute(
        "Share of replications in which the condition is to hold.", "1", 0.5, gt=0, lt=1
    )
    tolerance: Fraction = attribute(
        "Width at which bisection ends, as a share of the way searched: of the factor's range (of "
        "its logarithm on a log scale, of probability for a distribution), or of the way from "
        "the base to the best mix.",
        "1",
        0.01,
        ge=1e-9,
        le=0.5,
    )
    scan: Count = attribute(
        "Parts that the way is cut into first; every replication is run at each of their ends, "
        "which shows where an answer is not monotone.",
        "parts",
        4,
        ge=1,
        le=1000,
    )
    start: Literal["auto", "low", "high"] = attribute(
        "The harmless end of the range of a single factor; ``auto`` takes the one at which the "
        "condition holds less often.",
        "-",
        "auto",
    )
    trials: Count = attribute("Mixes of several factors that are tried.", "cells", 100, ge=8)
    base: dict[str, Number] = attribute(
        "What several factors are measured from, by column. Left out: the scenario's own value, "
        "the median of a distribution.",
        "of the key",
        factory=dict,
    )
    unit: dict[str, Number] = attribute(
        "What counts as one unit of distance, by column: a difference, or a ratio above 1 on a "
        "log scale. Left out: the width of the range. Distributions have their own.",
        "of the key",
        factory=dict,
    )
    seed: Count = attribute("Seed of the search over mixes.", "-", 0, ge=0)
    confidence: Fraction = attribute("Confidence of the intervals.", "1", 0.95, gt=0, lt=1)

    @property
    def asked(self) -> list[NamedCondition]:
        """The conditions."""
        if self.conditions is not None:
            return list(self.conditions)
        text = self.condition or ""
        return [NamedCondition(name=text, condition=text)]

    @model_validator(mode="after")
    def _one_source(self) -> Reverse:
        refuse("reverse", self._findings())
        return self

    def _findings(self) -> Iterator[Finding]:
        if (self.condition is None) == (self.conditions is None):
            found = "none of them" if self.condition is None else "both"
            yield Finding((), found, "one of condition, conditions")
        seen: set[str] = set()
        for number, item in enumerate(self.conditions or ()):
            if item.name in seen:
                yield Finding(("conditions", number), f"'{item.name}' twice", "a name of its own")
            seen.add(item.name)
