"""Checkpoints: the state of a world written down at given times of a run.

A checkpoint is taken after the record phase of the first tick at or after its time. It ends a
calm stretch, so that its tick runs as an ordinary one, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.engine.mechanism import NEVER, Mechanism

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World


class Checkpoints(Mechanism):
    """Writes states down.

    Parameters
    ----------
    world : World
    ticks : list of int
        Ticks of the checkpoints, ascending.
    """

    phases: ClassVar[tuple[str, ...]] = ("record",)

    def __init__(self, world: World, ticks: list[int]) -> None:
        super().__init__(world)
        self.ticks = ticks
        self._states: list[dict[str, pd.DataFrame]] = []

    def act(self, phase: str) -> None:
        """Write the state down where the tick has a checkpoint."""
        if self.world.tick in self.ticks:
            from sim.engine.state import state_of

            self._states.append(state_of(self.world))

    def quiet_until(self, tick: int) -> int:
        """Return the tick of the next checkpoint."""
        return next((one for one in self.ticks if one >= tick), NEVER)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables of all states so far, one below the other."""
        import pandas as pd

        return {
            name: pd.concat([state[name] for state in self._states], ignore_index=True)
            for name in (self._states[0] if self._states else ())
        }


def build_checkpoints(world: World) -> list[Mechanism]:
    """Return the checkpoints of a world, if its scenario asks for any."""
    times = world.scenario.record.checkpoints
    ticks = sorted({world.clock.tick_at(time) for time in times})
    return [Checkpoints(world, ticks)] if ticks else []


def checkpoint_tables(world: World) -> dict[str, pd.DataFrame]:
    """Return the tables of the states that a run wrote down; none without checkpoints."""
    found = [one for one in world.mechanisms if isinstance(one, Checkpoints)]
    return found[0].tables() if found else {}
