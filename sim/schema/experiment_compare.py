"""What a comparison asks: which variants of a scenario, and how their differences are judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Count, FilePath, Fraction, Slug

if TYPE_CHECKING:
    from sim.schema.experiment import Factor

VARIANT = "variant"
"""Column of the table of runs that says which variant a run is of."""


class Compare(Model):
    """Variants that are run on the same draws; the first is the one that others are compared to."""

    variants: dict[Slug, dict[str, Any]] | None = attribute(
        "Value by path for each variant of the scenario; ``{}`` is the scenario as it is.",
        "-",
        None,
        min_length=2,
    )
    scenarios: dict[Slug, FilePath] | None = attribute(
        "A scenario file for each variant, relative to this file, instead of `variants`.",
        "-",
        None,
        min_length=2,
    )
    better: dict[str, Literal["lower", "higher"]] = attribute(
        "Metrics of which more is better, by column; of the others less is.",
        "-",
        factory=dict,
    )
    confidence: Fraction = attribute("Confidence of the intervals.", "1", 0.95, gt=0, lt=1)
    correction: Literal["holm", "none"] = attribute(
        "How the verdicts allow for there being several comparisons.", "-", "holm"
    )
    power: Fraction = attribute(
        "Chance of telling a difference that `replications needed` is worked out for.",
        "1",
        0.8,
        gt=0,
        lt=1,
    )
    seed: Count = attribute("Seed of the bootstrap and of the permutations.", "-", 0, ge=0)

    @property
    def names(self) -> list[str]:
        """The variants, in order."""
        return list(self.variants or self.scenarios or ())

    def changes(self) -> list[dict[str, Any]]:
        """Return value by path of each variant, in order."""
        if self.variants is not None:
            return [dict(change) for change in self.variants.values()]
        return [{} for _ in self.names]

    @model_validator(mode="after")
    def _one_source(self) -> Compare:
        given = [key for key in ("variants", "scenarios") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            refuse("compare", [Finding((), found, "one of variants, scenarios")])
        return self


def compare_findings(
    compare: Compare, factors: list[Factor], metrics: list[str], *, common: bool
) -> Iterator[Finding]:
    """Yield where a comparison and the rest of its experiment do not fit together."""
    if not common:
        found = "false beside compare"
        yield Finding(("common_random_numbers",), found, "true: differences are of the same draws")
    for number, factor in enumerate(factors):
        if factor.column == VARIANT:
            yield Finding(("factors", number), f"'{VARIANT}'", "another name beside compare")
    for number, name in enumerate(metrics):
        if name == VARIANT:
            yield Finding(("metrics", number), f"'{VARIANT}'", "another name beside compare")
    for name in compare.better:
        if name not in metrics:
            allowed = f"a metric of this experiment: {', '.join(metrics)}"
            yield Finding(("compare", "better", name), f"'{name}'", allowed)
    taken = {path for factor in factors for path in factor.path}
    for name, change in (compare.variants or {}).items():
        for path in change:
            if path in taken:
                found = f"'{path}', which a factor sets too"
                yield Finding(("compare", "variants", name, path), found, "a path of its own")
