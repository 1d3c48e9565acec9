"""The command: ``python -m benchmarks [NAME ...] [--quick] [--output FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.catalogue import BENCHMARKS, FULL, QUICK
from benchmarks.figures import Figure, show, write
from benchmarks.machine import machine
from benchmarks.measure import JobError
from benchmarks.places import LATEST


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    told = "\n".join(f"  {name:6}{(run.__doc__ or '').strip()}" for name, run in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure liqsim against its targets.\n\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help="benchmarks to run; all without any")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument(
        "--output", type=Path, default=LATEST, metavar="FILE", help="where the JSON is written"
    )
    options = parser.parse_args(given)
    unknown = [name for name in options.name if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark '{unknown[0]}'; there are {', '.join(BENCHMARKS)}")
    return options


def main(given: list[str] | None = None) -> int:
    """Run the benchmarks; return 1 if one of them could not be measured, else 0."""
    options = arguments(given)
    chosen = [name for name in BENCHMARKS if not options.name or name in options.name]
    sizes = QUICK if options.quick else FULL
    about = machine()
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    failed = False
    for name in chosen:
        print(f"{name}: {(BENCHMARKS[name].__doc__ or '').strip()}", file=sys.stderr, flush=True)
        try:
            found, details[name] = BENCHMARKS[name](sizes)
            figures += found
        except JobError as error:
            failed = True
            details[name] = {"failed": str(error)}
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    show(figures, about, options.quick)
    write(options.output, figures, details, about, options.quick)
    print(f"written: {options.output}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
