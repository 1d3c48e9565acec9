"""The result of a run, in memory and on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cascade import Cascade
from sim.cascade.loading import bases_of
from sim.cascade.state_tables import file_name, state_at
from sim.core.errors import RunError
from sim.core.parquet import write_parquet

if TYPE_CHECKING:
    import pandas as pd

    from sim.cascade import State

TABLES = (
    "prices", "venues", "liquidations", "price_causes", "cohorts", "mechanisms",
    "breaks", "break_exposures", "break_flows", "value_moves",
)  # fmt: skip
"""Tables of a run folder."""


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@dataclass(frozen=True)
class Result:
    """Tables, summary and manifest of one run.

    Attributes
    ----------
    summary, manifest : dict
        JSON-able.
    prices, venues, liquidations, price_causes, cohorts, mechanisms : pandas.DataFrame
    breaks, break_exposures, break_flows, value_moves : pandas.DataFrame
        Columns as the documentation of tables names them.
    states : dict of pandas.DataFrame
        Tables of the checkpoints, by name; empty without `record.checkpoints`.
    """

    summary: dict[str, Any]
    manifest: dict[str, Any]
    prices: pd.DataFrame
    venues: pd.DataFrame
    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    cohorts: pd.DataFrame
    mechanisms: pd.DataFrame
    breaks: pd.DataFrame = field(default_factory=_no_rows)
    break_exposures: pd.DataFrame = field(default_factory=_no_rows)
    break_flows: pd.DataFrame = field(default_factory=_no_rows)
    value_moves: pd.DataFrame = field(default_factory=_no_rows)
    states: dict[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def cascade(self) -> Cascade:
        """The cascade as a network and its figures."""
        return Cascade(
            liquidations=self.liquidations,
            price_causes=self.price_causes,
            prices=self.prices,
            venues=self.venues,
            breaks=self.breaks,
            break_exposures=self.break_exposures,
            break_flows=self.break_flows,
            value_moves=self.value_moves,
            bases=bases_of(self.manifest),
        )

    def state(self, at: float | None = None) -> State:
        """Return the state at a checkpoint.

        Parameters
        ----------
        at : float, optional
            Time of the checkpoint [s]; may be left out where there is only one.

        Raises
        ------
        ValueError
            There is no such checkpoint, or several and no time is given.
        """
        from sim.cascade import State

        return State(state_at(self.states, at), self.manifest["scenario"])

    def save(self, root: str | Path = "results", figures: bool = True) -> Path:
        """Write the run folder ``<root>/<scenario name>/<run id>``.

        Everything is written to a temporary folder beside it and then renamed, so a crash
        leaves no half-written run; a run that is there already is replaced.

        Parameters
        ----------
        root : path
            Folder of results; made if missing.
        figures : bool
            Draw the figures as SVG and PNG.

        Returns
        -------
        Path
            The run folder.

        Raises
        ------
        RunError
            The folder cannot be written.
        """
        parent = Path(root) / str(self.summary["scenario"])
        target = parent / str(self.summary["run_id"])
        try:
            parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=parent))
            try:
                self._write(scratch, figures)
                _replace(scratch, target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        except OSError as error:
            raise RunError(f"cannot write results to {target}: {error.strerror}") from error
        return target

    def _write(self, folder: Path, figures: bool) -> None:
        write_parquet({folder / f"{name}.parquet": getattr(self, name) for name in TABLES})
        write_parquet({folder / file_name(name): frame for name, frame in self.states.items()})
        _write_json(self.summary, folder / "summary.json")
        if figures:
            from sim.report import save_all

            save_all(self, folder / "figures")
        outputs = {
            path.relative_to(folder).as_posix(): _digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        _write_json({**self.manifest, "outputs": outputs}, folder / "manifest.json")


def output_digest(path: Path) -> str:
    """Return the digest by which an output is compared; timings in a summary do not count."""
    return _digest(path)


def _digest(path: Path) -> str:
    if path.name == "summary.json":
        summary = json.loads(path.read_text(encoding="utf-8"))
        summary.pop("wall_seconds", None)
        return hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_json(data: dict[str, Any], path: Path) -> None:
    text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _replace(scratch: Path, target: Path) -> None:
    """Put a finished folder in its place; what stood there is moved aside first."""
    scratch.chmod(0o755)
    if not target.exists():
        scratch.rename(target)
        return
    old = scratch.with_name(scratch.name + ".old")
    target.rename(old)
    scratch.rename(target)
    shutil.rmtree(old, ignore_errors=True)
