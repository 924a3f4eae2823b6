"""The bill of materials and the licences in it, against what is locked, installed and in the tree."""

import json
import re
from hashlib import sha256
from typing import Any

import pytest

from tools.supply import materials
from tools.supply.licences import is_allowed, licence_of
from tools.supply.licences_page import PAGE, not_allowed, page
from tools.supply.materials import LOCK, NotAsLocked, bill, written
from tools.supply.vendored import ROOT, vendored


@pytest.fixture(scope="module")
def bom() -> dict[str, Any]:
    return bill()


def test_it_has_each_package_of_the_lock_with_the_hashes_of_the_lock(bom: dict[str, Any]) -> None:
    lock = {}
    for entry in re.split(r"\n(?=\S)", LOCK.read_text()):
        name, version, marker = re.findall(r"^(\S+)==(\S+)( ; sys_platform == 'win32')?", entry)[0]
        if not marker:
            lock[f"pkg:pypi/{name}@{version}"] = set(re.findall(r"--hash=sha256:(\w+)", entry))

    packages = {one["purl"]: one for one in bom["components"] if one["purl"].startswith("pkg:pypi/")}

    assert packages.keys() == lock.keys()
    for purl, one in packages.items():
        assert {digest["content"] for dist in one["externalReferences"] for digest in dist["hashes"]} == lock[purl]


def test_it_has_each_file_of_others_that_is_in_the_tree(bom: dict[str, Any]) -> None:
    marked = re.findall(r"^(\S+) linguist-vendored", (ROOT / ".gitattributes").read_text(), re.MULTILINE)
    files = [file for pattern in marked for file in ROOT.glob(pattern)]
    listed = {one["bom-ref"]: one for one in bom["components"] if one["purl"].startswith("pkg:npm/")}

    assert {str(file.relative_to(ROOT)) for file in files} == listed.keys()
    for file in files:
        one = listed[str(file.relative_to(ROOT))]
        assert one["hashes"] == [{"alg": "SHA-256", "content": sha256(file.read_bytes()).hexdigest()}]
        assert one["version"].encode() in file.read_bytes()
        assert list(file.parent.glob("*LICENSE"))


def test_what_runs_needs_the_files_that_are_shipped_and_nothing_that_is_not_listed(bom: dict[str, Any]) -> None:
    needs = {one["ref"]: set(one["dependsOn"]) for one in bom["dependencies"]}
    shipped = {str(one.file) for one in vendored() if one.shipped}

    ours = needs.pop(bom["metadata"]["component"]["bom-ref"])
    assert ours >= shipped == {name for name in ours if "/" in name}
    assert set().union(ours, *needs.values()) <= needs.keys() == {one["bom-ref"] for one in bom["components"]}


def test_it_is_the_same_one_each_time_and_as_cyclonedx_has_it(bom: dict[str, Any]) -> None:
    assert json.loads(written(bom)) == bill()
    with pytest.raises(ValueError, match="licence"):
        written(bom | {"licence": "none"})


def test_what_is_installed_otherwise_than_locked_is_no_material(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "locked", lambda: {"jinja2": "0.1"})
    with pytest.raises(NotAsLocked, match="jinja2"):
        bill()


def test_every_licence_is_good_for_us_and_on_the_page(bom: dict[str, Any]) -> None:
    assert not_allowed(bom) == []
    assert PAGE.read_text() == page(bom), "make licences"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(GPL-3.0-only OR MIT) AND Apache-2.0", True),
        ("LGPL-2.1-or-later", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LicenseRef-Proprietary", False),
        ("whatever I said", False),
    ],
)
def test_of_several_licences_to_choose_from_one_must_be_good_and_of_several_that_hold_all(
    expression: str, allowed: bool
) -> None:
    assert is_allowed(expression) is allowed


def test_what_is_under_another_licence_is_named(bom: dict[str, Any]) -> None:
    other = {"name": "left-pad", "licenses": [{"expression": "AGPL-3.0-only"}]}
    assert not_allowed(bom | {"components": [*bom["components"], other]}) == ["left-pad"]


def test_a_licence_without_a_name_is_read_before_it_is_taken() -> None:
    unnamed = [{"license": {"name": "License :: OSI Approved :: BSD License"}}]
    assert licence_of({"name": "Jinja2", "licenses": unnamed}) == "BSD-3-Clause"
    with pytest.raises(LookupError, match="left-pad"):
        licence_of({"name": "left_pad", "licenses": unnamed})


def test_licences_that_are_declared_together_all_hold() -> None:
    both = [{"license": {"id": "MIT"}}, {"expression": "Apache-2.0 OR BSD-3-Clause"}]
    assert licence_of({"name": "both", "licenses": both}) == "MIT AND (Apache-2.0 OR BSD-3-Clause)"
