"""Run clippy over each workspace of a repository, unless that would run code of the repository.

`python -I check_rust.py CALLS.json`. Build scripts and procedural macros are programs that the compiler
runs, those of a dependency too; so cargo is first asked, which runs nothing, what a check would build.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

_EACH = runpy.run_path(str(Path(__file__).with_name("run_each.py")), run_name="run_each")
run_one, version_of = _EACH["run_one"], _EACH["version_of"]

RUNS_CODE = {"custom-build": "the build script", "proc-macro": "the procedural macro"}


def why_not(metadata: dict[str, Any], root: str) -> str:
    """Return why a workspace must not be checked, in words; empty when a check runs no code of it."""
    for package in metadata["packages"]:
        ours = package["source"] is None
        places = [package["manifest_path"]]
        for target in package["targets"]:
            places.append(target["src_path"])
            for kind in target["kind"]:
                if kind in RUNS_CODE:
                    return f"it would run {RUNS_CODE[kind]} of {package['name']}"
        if ours and not all(os.path.normpath(place).startswith(f"{root}/") for place in places):
            return f"{package['name']} names a place outside the repository"
    return ""


def check(manifest: str, order: dict[str, Any], done: set[str]) -> dict[str, Any] | None:
    """Ask for the metadata of a workspace, then check it; None when another manifest covered it."""
    here = str(Path(manifest).parent)
    arguments = ["metadata", "--offline", "--format-version", "1", "--manifest-path", manifest]
    asked: dict[str, Any] = run_one([order["cargo"], *arguments], here, here)
    if asked["returncode"] or asked["flood"]:
        return {**asked, "stdout": ""}
    metadata = json.loads(asked["stdout"])
    root = metadata["workspace_root"]
    if root in done:
        return None
    done.add(root)
    if reason := why_not(metadata, order["root"]):
        return {**asked, "about": root, "stdout": "", "skipped": reason}
    argv = [order["cargo"], *order["clippy"], "--manifest-path", manifest, *order["lints"]]
    checked: dict[str, Any] = run_one(argv, root, root)
    return checked


def main() -> None:
    """Carry out the order."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    done: set[str] = set()
    ends = [check(manifest, order, done) for manifest in order["manifests"]]
    here = str(Path(sys.argv[1]).parent)
    answer = {"version": version_of(order["version"], here), "runs": [end for end in ends if end]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
