"""What `import sim` offers, and how little it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import sim

MAXIMUM_EXPORTS = 25
HEAVY = ("duckdb", "matplotlib", "mesa", "networkx", "numba", "pandas", "scipy")


def loaded_after(statement: str) -> set[str]:
    """Names of the top-level modules a new interpreter holds after a statement."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_exports_are_few_unique_and_resolve() -> None:
    assert 0 < len(sim.__all__) <= MAXIMUM_EXPORTS
    assert len(set(sim.__all__)) == len(sim.__all__)
    assert [name for name in sim.__all__ if getattr(sim, name, None) is None] == []


def test_dir_lists_what_is_exported() -> None:
    assert set(sim.__all__) <= set(dir(sim))


def test_import_sim_is_light() -> None:
    assert loaded_after("import sim").isdisjoint(HEAVY)


def test_import_of_the_command_is_light() -> None:
    assert loaded_after("import sim.cli.main").isdisjoint(HEAVY)


def test_the_light_import_is_measured_at_all() -> None:
    assert "networkx" in loaded_after("import networkx")
