"""What an optimisation looks for: the trade-off between statistics over many runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Count, Fraction

_STATISTIC = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\((.*)\)\s*", re.DOTALL)


class Objective(Model):
    """A statistic over the replications of a cell that is to be small or large."""

    minimise: str | None = attribute(
        "What is to be small: ``mean``, ``median``, ``share``, ``p95`` or ``es99`` of a formula "
        "over metrics and factors, such as ``es95(shortfall)``.",
        "-",
        None,
    )
    maximise: str | None = attribute("What is to be large, instead.", "-", None)
    name: str | None = attribute("Its name. Left out: the statistic as it is written.", "-", None)

    @property
    def text(self) -> str:
        """The statistic as it is written."""
        return (self.minimise if self.minimise is not None else self.maximise) or ""

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or self.text

    @property
    def sign(self) -> float:
        """1 for what is to be small, -1 for what is to be large."""
        return 1.0 if self.minimise is not None else -1.0

    @property
    def parts(self) -> tuple[str, str]:
        """Name of the statistic and the formula within its parentheses, empty if it has none."""
        match = _STATISTIC.fullmatch(self.text)
        return (match[1], match[2]) if match else ("", "")

    @model_validator(mode="after")
    def _one_direction(self) -> Objective:
        if (self.minimise is None) == (self.maximise is None):
            found = "neither" if self.minimise is None else "both"
            refuse("objective", [Finding((), found, "one of minimise, maximise")])
        return self


class Optimise(Model):
    """The best settings of the factors for one or several objectives."""

    objectives: list[Objective] = attribute(
        "What is to be small or large; with several, the trade-off between them is found.",
        "-",
        min_length=1,
    )
    method: Literal["nsga2", "tpe"] = attribute(
        "How settings are proposed: by crossing and mutating the best ones, or from densities of "
        "good and bad ones.",
        "-",
        "nsga2",
    )
    trials: Count = attribute("Settings that are tried.", "cells", 100, ge=2, le=100_000)
    population: Count = attribute(
        "Settings of one generation; they are run at the same time.", "cells", 20, ge=2
    )
    fresh: Count | None = attribute(
        "Replications, on seeds that the search did not use, with which the best settings are "
        "judged. Left out: as many as `replications`.",
        "runs",
        None,
        ge=1,
    )
    finalists: Count = attribute(
        "Fewest settings that are judged again; the whole front always is.", "cells", 5, ge=1
    )
    seed: Count = attribute("Seed of the search.", "-", 0, ge=0)
    confidence: Fraction = attribute("Confidence of the intervals.", "1", 0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _names(self) -> Optimise:
        refuse("optimise", self._findings())
        return self

    def _findings(self) -> Iterator[Finding]:
        seen: set[str] = set()
        for number, item in enumerate(self.objectives):
            if item.title in seen:
                yield Finding(("objectives", number), f"'{item.title}' twice", "a name of its own")
            seen.add(item.title)
        if self.population > self.trials:
            found = f"{self.population} with {self.trials} trials"
            yield Finding(("population",), found, f"at most {self.trials}")
