"""Distributions that a cohort's equity and leverage are drawn from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Number


def _ordered(low: float | None, high: float | None) -> list[Finding]:
    if low is not None and high is not None and low > high:
        return [Finding(("max",), f"{high:g}", f"at least the min, {low:g}")]
    return []


class Constant(Model):
    """One value for everybody."""

    dist: Literal["constant"] = attribute("Distribution.", "-", "constant")
    value: Number = attribute("The value.", "of the drawn quantity")

    def lowest(self) -> float:
        """Return the lowest value that can be drawn."""
        return self.value


class Uniform(Model):
    """All values between two bounds alike."""

    dist: Literal["uniform"] = attribute("Distribution.", "-", "uniform")
    min: Number = attribute("Lower bound.", "of the drawn quantity")
    max: Number = attribute("Upper bound.", "of the drawn quantity")

    @model_validator(mode="after")
    def _bounds(self) -> Uniform:
        refuse("uniform", _ordered(self.min, self.max))
        return self

    def lowest(self) -> float:
        """Return the lowest value that can be drawn."""
        return self.min


class Lognormal(Model):
    """The logarithm is normal; bounds condition it, nothing is clipped."""

    dist: Literal["lognormal"] = attribute("Distribution.", "-", "lognormal")
    median: Number = attribute("Median.", "of the drawn quantity", gt=0)
    sigma: Number = attribute("Standard deviation of the logarithm.", "1", ge=0)
    min: Number | None = attribute("Lower bound.", "of the drawn quantity", None)
    max: Number | None = attribute("Upper bound.", "of the drawn quantity", None, gt=0)

    @model_validator(mode="after")
    def _bounds(self) -> Lognormal:
        refuse("lognormal", _ordered(self.min, self.max))
        return self

    def lowest(self) -> float:
        """Return a value that no draw is below; a draw without `min` is above 0."""
        return 5e-324 if self.min is None else self.min


class Pareto(Model):
    """Power law: the share above `x` is ``(min / x) ** alpha``."""

    dist: Literal["pareto"] = attribute("Distribution.", "-", "pareto")
    alpha: Number = attribute("Tail exponent.", "1", gt=0)
    min: Number = attribute("Lowest value.", "of the drawn quantity", gt=0)
    max: Number | None = attribute("Upper bound.", "of the drawn quantity", None, gt=0)

    @model_validator(mode="after")
    def _bounds(self) -> Pareto:
        refuse("pareto", _ordered(self.min, self.max))
        return self

    def lowest(self) -> float:
        """Return the lowest value that can be drawn."""
        return self.min


class Empirical(Model):
    """Quantiles from data, straight lines between them."""

    dist: Literal["empirical"] = attribute("Distribution.", "-", "empirical")
    quantiles: dict[Number, Number] = attribute(
        "Value at each probability; at least two.", "of the drawn quantity", min_length=2
    )

    @model_validator(mode="after")
    def _increasing(self) -> Empirical:
        findings: list[Finding] = []
        last = None
        for probability, value in sorted(self.quantiles.items()):
            place = ("quantiles", f"{probability:g}")
            if not 0 <= probability <= 1:
                findings.append(
                    Finding(place, f"probability {probability:g}", "a probability from 0 to 1")
                )
            if last is not None and value < last:
                findings.append(
                    Finding(place, f"{value:g}", f"at least the value before it, {last:g}")
                )
            last = value
        refuse("empirical", findings)
        return self

    def lowest(self) -> float:
        """Return the lowest value that can be drawn."""
        return min(self.quantiles.values())


Distribution = Annotated[
    Constant | Uniform | Lognormal | Pareto | Empirical, Field(discriminator="dist")
]
"""Any distribution."""
