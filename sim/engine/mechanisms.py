"""The mechanisms of a world, in the order in which they act."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.engine.breakers import build_breakers
from sim.engine.mechanism import Mechanism

if TYPE_CHECKING:
    from sim.engine.world import World

BUILDERS: tuple[Callable[[World], list[Mechanism]], ...] = (build_breakers,)
"""Each returns its mechanisms of a world; none where no venue has them."""


def build_mechanisms(world: World) -> list[Mechanism]:
    """Return the mechanisms that the venues of a world have, in the order in which they act."""
    return [mechanism for build in BUILDERS for mechanism in build(world)]
