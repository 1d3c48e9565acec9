"""No file may speak of the machine or the place it was written on."""

from __future__ import annotations

import re

import pytest

from tests.house.files import ROOT, repository_texts

# A folder of somebody's machine at the start of a path; `https://host/home/page` is none.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|Users|work|workspace|mnt|private)/[\w.]|\b[A-Z]:\\Users\\"
)
INTERNAL_HOST = re.compile(
    r"\b(?:localhost|127\.0\.0\.1|192\.168\.\d+\.\d+|10\.\d+\.\d+\.\d+)\b|\bfile:/{2}"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see " + "/work" + "/shared/x", True),
        ("'" + "/home" + "/ann/books'", True),
        ("C:" + "\\Users\\ann", True),
        ("https://example.org" + "/home" + "/page", False),
        ("docs" + "/work" + "/plan", False),
    ],
)
def test_the_pattern_finds_machine_paths(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is found


def test_the_repository_is_read() -> None:
    texts = repository_texts()
    assert {"pyproject.toml", "Makefile", "sim/core/errors.py"} <= set(texts)
    assert not [name for name in texts if name.startswith(".venv/")]


def test_no_text_names_a_path_of_a_machine() -> None:
    named = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in repository_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert named == []


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run", ".pre-commit-config.yaml"]
)
def test_the_build_names_no_host_and_no_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|index-url|find-links|trusted-host", text)
    assert not INTERNAL_HOST.search(text)


def test_pre_commit_hooks_are_all_local() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- repo: (\S+)", text)) == {"local"}
    assert set(re.findall(r"language: (\S+)", text)) == {"system"}


def test_lines_end_as_gitattributes_says() -> None:
    assert [name for name, text in repository_texts().items() if "\r\n" in text] == []
