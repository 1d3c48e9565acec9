"""The pages of the documentation and the blocks in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("experiments/*.md")])


def page(name: str) -> str:
    """Return the text of a page by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def block(name: str, mark: str, language: str) -> str:
    """Return the fenced block that follows the comment ``<!-- mark -->`` on a page."""
    found = re.search(rf"<!-- {mark} -->\n```{language}\n(.*?)```", page(name), flags=re.DOTALL)
    assert found is not None, f"{name} has no block '{mark}'"
    return found.group(1)


def blocks(name: str, language: str) -> list[str]:
    """Return every fenced block of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", page(name), flags=re.DOTALL)
