"""One version everywhere, and a pin for everything that is installed."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from tests.house.files import ROOT

VERSION = "0.1.0"


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, Requirement]:
    """Each line of the constraints file by the canonical name of its distribution."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    named = {canonicalize_name(requirement.name): requirement for requirement in wanted}
    assert len(named) == len(wanted), "a distribution is pinned twice"
    return named


def declared() -> list[Requirement]:
    project = pyproject()["project"]
    extras = project["optional-dependencies"].values()
    texts = [*project["dependencies"], *(text for extra in extras for text in extra)]
    requirements = [Requirement(text) for text in texts]
    return [requirement for requirement in requirements if requirement.name != "liqsim"]


def pinned_version(requirement: Requirement) -> Version:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", requirement
    assert "*" not in specifier.version, requirement
    return Version(specifier.version)


def test_project_has_the_version() -> None:
    assert pyproject()["project"]["version"] == VERSION


def test_citation_has_the_version() -> None:
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == VERSION
    assert citation["license"] == pyproject()["project"]["license"]


def test_changelog_starts_unreleased_and_names_the_version_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    _, _, body = text.partition("## [Unreleased]")
    named = re.search(r"\b\d+\.\d+\.\d+\b", body)
    assert named is not None
    assert named.group() == VERSION


def test_the_installed_distribution_has_the_version() -> None:
    try:
        installed = importlib.metadata.version("liqsim")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("liqsim is read from its folder here, not installed")
    assert installed == VERSION


def test_every_pin_is_exact_and_stands_in_order() -> None:
    named = pins()
    assert all(pinned_version(requirement) for requirement in named.values())
    texts = [str(requirement) for requirement in named.values()]
    assert texts == sorted(texts, key=str.lower)


def test_no_pin_comes_from_a_place() -> None:
    assert [str(requirement) for requirement in pins().values() if requirement.url] == []


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_declared_dependency_has_a_pin_within_its_bounds(requirement: Requirement) -> None:
    pin = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned_version(pin))
    assert requirement.specifier, "a dependency needs a lower bound"


def test_what_the_pinned_distributions_need_is_pinned_as_well() -> None:
    named = pins()
    missing = set()
    for name in named:
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # another system's, or an extra that is not installed here
        for text in needs:
            need = Requirement(text)
            here = need.marker is None or need.marker.evaluate({"extra": ""})
            if here and canonicalize_name(need.name) not in named:
                missing.add(f"{name} needs {need.name}")
    assert missing == set()
