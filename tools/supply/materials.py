"""The bill of materials, as CycloneDX: what requirements/main.txt locks, and files of others in the tree: `make sbom`.

Names, hashes, licences and what needs what are as cyclonedx-py reads them: from the lock, and from what is installed.
The base image is not in it.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.supply.licences import licence_of
from tools.supply.vendored import ROOT, Vendored, vendored

LOCK: Final = ROOT / "requirements" / "main.txt"
FILE: Final = ROOT / "dist" / "handover.cdx.json"
_SPEC: Final = SchemaVersion.V1_6

Component = dict[str, Any]


class NotAsLocked(Exception):
    """What is installed is not what the lock says."""


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Give the version of each package that a lock has for this platform."""
    lines = [line.removesuffix("\\") for line in lock.read_text().splitlines() if line[:1].isalnum()]
    wanted = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in wanted}


def bill() -> dict[str, Any]:
    """Give the bill of materials, the same one for the same tree."""
    found = _read_by("environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"))
    dists: dict[str, Component] = {
        canonicalize_name(one["name"]): one for one in _read_by("requirements", str(LOCK))["components"]
    }
    installed: dict[str, Component] = {canonicalize_name(one["name"]): one for one in found["components"]}
    wanted = locked()
    if wrong := [name for name, version in wanted.items() if installed.get(name, {}).get("version") != version]:
        raise NotAsLocked(f"Not installed as {LOCK.name} locks them: {', '.join(wrong)}.")
    ours = [_package(installed[name], dists[name]) for name in sorted(wanted)]
    files = [_file(one) for one in vendored()]
    root = found["metadata"]["component"]["bom-ref"]
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    needs[root] += [one["bom-ref"] for one in files if one["scope"] == "required"]
    refs = {one["bom-ref"] for one in (*ours, *files)}
    return found | {
        "components": [*ours, *files],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(refs & set(needs.get(ref, [])))} for ref in (root, *sorted(refs))
        ],
    }


def _read_by(*args: str) -> dict[str, Any]:
    """Give what cyclonedx-py reads, whatever the environment says of indexes; what is made of it is validated below."""
    form = ["--spec-version", _SPEC.to_version(), "--output-reproducible", "--no-validate"]
    command = [sys.executable, "-m", "cyclonedx_py", *args, *form]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    return cast(dict[str, Any], json.loads(told.stdout))


def _package(installed: Component, dist: Component) -> Component:
    """Give a package with the hashes of its distributions, and one licence."""
    licences = [{"expression": licence_of(installed), "acknowledgement": "concluded"}]
    return installed | {"licenses": licences, "externalReferences": dist["externalReferences"]}


def _file(one: Vendored) -> Component:
    """Give a file of others; a package of npm, whose namespace is a part of its purl."""
    return {
        "bom-ref": str(one.file),
        "type": "library",
        "name": one.package,
        "version": one.version,
        "scope": "required" if one.shipped else "excluded",
        "hashes": [{"alg": "SHA-256", "content": one.digest}],
        "licenses": [{"expression": one.licence, "acknowledgement": "concluded"}],
        "purl": f"pkg:npm/{quote(one.package)}@{one.version}",
        "evidence": {"occurrences": [{"location": str(one.file)}]},
    }


def written(bom: Mapping[str, Any]) -> str:
    """Write it down; raises ValueError for what CycloneDX's schema does not have."""
    text = json.dumps(bom, indent=1, sort_keys=True) + "\n"
    if wrong := JsonStrictValidator(_SPEC).validate_str(text):
        raise ValueError(str(wrong))
    return text


def main() -> int:
    """Write the file; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make sbom", description="Writes the bill of materials, as CycloneDX.")
    parser.add_argument("--file", type=Path, default=FILE)
    file: Path = parser.parse_args().file
    bom = bill()
    file.parent.mkdir(exist_ok=True)
    file.write_text(written(bom))
    print(f"{len(bom['components'])} components: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
