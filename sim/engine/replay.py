"""Run a manifest again and compare every output byte for byte."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from sim.core.errors import Problem, ReplayMismatch, RunError, ScenarioError
from sim.engine.run import Progress, run
from sim.schema import file_digests, load_mapping


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run folder.

    Raises
    ------
    ScenarioError
        There is none, or it is not one.
    """
    path = folder / "manifest.json"

    def refuse(found: str) -> ScenarioError:
        allowed = "a run folder with the manifest.json that a run wrote"
        return ScenarioError(Problem(str(path), None, None, "manifest", found, allowed))

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise refuse("no such file") from error
    except (OSError, ValueError) as error:
        raise refuse("a file that is not JSON text") from error
    needed = {"scenario", "seed", "outputs", "source", "run_id", "code_version"}
    if not isinstance(data, dict) or not needed <= set(data):
        raise refuse("JSON that is not a manifest")
    return data


def compare_outputs(folder: Path, again: Path, expected: dict[str, str]) -> list[str]:
    """Return the outputs that differ between two folders, or from the digests on record."""
    from sim.engine.result import output_digest

    different = []
    for name, digest in expected.items():
        first, second = folder / name, again / name
        same = (
            first.is_file()
            and second.is_file()
            and output_digest(first) == digest == output_digest(second)
        )
        if not same:
            different.append(name)
    return different


def replay(run_dir: str | Path, progress: Progress | None = None) -> list[str]:
    """Run the manifest of a run folder again and compare all outputs.

    Returns
    -------
    list of str
        Names of the outputs that were compared, all equal.

    Raises
    ------
    ScenarioError
        The folder has no manifest, or the scenario's files have changed.
    ReplayMismatch
        An output differs; the message names it, and the code versions if those differ.
    RunError
        The run had hand-written traders, which a manifest cannot hold.
    """
    folder = Path(run_dir)
    manifest = read_manifest(folder)
    if manifest.get("handwritten_traders"):
        raise RunError("this run had hand-written traders; run their script again instead")
    scenario = load_mapping(manifest["scenario"], Path(manifest["source"]["base_dir"]))
    _require_same_files(manifest, file_digests(scenario), folder)
    result = run(
        scenario, seed=int(manifest["seed"]), check=bool(manifest.get("check")), progress=progress
    )
    outputs: dict[str, str] = manifest["outputs"]
    with tempfile.TemporaryDirectory(prefix="liqsim-replay-") as scratch:
        drawn = any(name.startswith("figures/") for name in outputs)
        again = result.save(scratch, figures=drawn)
        different = compare_outputs(folder, again, outputs)
    if different:
        reason = ""
        if manifest["code_version"] != result.manifest["code_version"]:
            reason = (
                f"; the run was made by code {manifest['code_version']}, "
                f"this is {result.manifest['code_version']}"
            )
        message = f"{len(different)} outputs differ: {', '.join(different)}{reason}"
        raise ReplayMismatch(message, different)
    return list(outputs)


def _require_same_files(
    manifest: dict[str, Any], now: dict[str, dict[str, str]], folder: Path
) -> None:
    then = manifest["source"].get("files", {})
    changed = [path for path in then if now.get(path, {}).get("sha256") != then[path]["sha256"]]
    if changed:
        found = f"{then[changed[0]]['file']}, whose bytes have changed"
        raise ScenarioError(
            Problem(
                str(folder / "manifest.json"), None, None, changed[0], found, "the file of the run"
            )
        )
