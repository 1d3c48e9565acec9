"""Funding: what longs and shorts of a venue's perpetuals pay each other by the clock."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Fraction


class Funding(Model):
    """Payments between the holders of a venue's perpetuals, from the premium over the index."""

    interval: Duration = attribute("Time between two payments.", "s", 28_800.0, gt=0)
    first: Duration | None = attribute(
        "Time of the first payment, at most one interval. Left out: after one interval.",
        "s",
        None,
        gt=0,
    )
    period: Duration = attribute(
        "Time that interest and clamp are stated for; at least the interval.", "s", 28_800.0, gt=0
    )
    interest: Fraction = attribute(
        "Rate per period that longs pay where the premium is near it.", "1", 0.0001, gt=-1, lt=1
    )
    clamp: Fraction = attribute(
        "Largest distance between rate and premium.", "1", 0.0005, ge=0, lt=1
    )
    cap: Fraction | None = attribute(
        "Largest rate of an interval, in size. Left out: none.", "1", None, gt=0
    )
    reference: Literal["mark", "index"] = attribute(
        "Price at which positions are valued for a payment.", "-", "mark"
    )
    sampling: Literal["mean", "rising"] = attribute(
        "Weights of the samples of an interval: all alike, or 1, 2, 3 ...", "-", "mean"
    )

    @property
    def first_payment(self) -> float:
        """Time of the first payment [s]."""
        return self.interval if self.first is None else self.first

    @model_validator(mode="after")
    def _coherent(self) -> Funding:
        findings = []
        if self.first_payment > self.interval:
            allowed = f"at most the interval, {self.interval:g} s"
            findings.append(Finding(("first",), f"{self.first:g} s", allowed))
        if self.period < self.interval:
            allowed = f"at least the interval, {self.interval:g} s"
            findings.append(Finding(("period",), f"{self.period:g} s", allowed))
        refuse("funding", findings)
        return self
