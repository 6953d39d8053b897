"""eslint: bugs in JavaScript and TypeScript, by its own rules and ours; never by the repository's settings.

A repository's `eslint.config.js` is a program, and so is every plugin and formatter that it names. So
eslint is shown links to the source files alone, in a folder without settings or modules.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .programs import (
    Call,
    chunks,
    lacks_program,
    link_files,
    order_calls,
    program,
    read_calls,
    read_said,
    refused,
)
from .severity_programs import ESLINT, eslint_rank
from .survey import SourceFile

SHOWN = "src"
"""The folder of the links, below eslint's own."""
MODULE_SYNTAX = re.compile(r"^[ \t]*(?:import\b[^(]|export\b)", re.MULTILINE)
NOT_FOR_TYPES = frozenset({"no-dupe-class-members", "no-redeclare", "no-unused-vars", "no-undef"})
"""Rules that take overloads and type names for mistakes."""
PARSER = "@typescript-eslint/parser"
SUFFIXES = ("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx")


@dataclass(frozen=True, slots=True)
class Eslint:
    """eslint's own rules over the files of one language."""

    language: str = "javascript"
    name: str = "eslint"
    area: Area = "code"
    module: str = ""
    distribution: str = ""

    @property
    def understands(self) -> frozenset[str]:
        """Its language."""
        return frozenset({self.language})

    def lacks(self) -> str:
        """Return what this machine lacks: eslint, and for TypeScript a parser installed beside it."""
        if missing := lacks_program("eslint"):
            return missing
        if self.language == "typescript" and parser_home() is None:
            return f"{PARSER} is not installed beside eslint"
        return ""

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the files of its language; what a tool has made small is nobody's to read."""
        named = target.survey.of(self.language)
        return tuple(file for file in named if ".min." not in file.path)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Call it once for modules and once for scripts: a script may say what a module must not."""
        link_files(target.survey, files, folder / SHOWN)
        tool = program("eslint")
        kinds: dict[str, list[str]] = {}
        for file in files:
            kinds.setdefault(self._source_type(target, file), []).append(f"{SHOWN}/{file.path}")
        calls = []
        for kind, names in kinds.items():
            config = folder / f"{kind}.mjs"
            config.write_text(self._config(kind), encoding="utf-8")
            argv = (tool, "--no-config-lookup", "--config", str(config), "--format", "json",
                    "--no-warn-ignored", "--no-error-on-unmatched-pattern", "--")  # fmt: skip
            calls += [Call((*argv, *some), folder) for some in chunks(names)]
        return order_calls((tool, "--version"), calls, folder, {"ESLINT_USE_FLAT_CONFIG": "true"})

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its messages by file; 1 means that there are some."""
        version, ran = read_calls(output)
        shown = target.workspace / self.name.replace(" ", "-") / SHOWN
        findings = []
        for run in ran:
            if run.returncode not in (0, 1):
                raise refused(run)
            answer: Any = read_said(run)
            for entry in answer:
                path = os.path.relpath(entry["filePath"], shown).replace(os.sep, "/")
                findings += [
                    self._finding(path, message)
                    for message in entry["messages"]
                    # Without a rule: that it does not parse, or a remark on a comment for other settings.
                    if message.get("fatal") or message["ruleId"] in ESLINT
                ]
        return Reading(tuple(findings), version=version)

    def _finding(self, path: str, message: dict[str, Any]) -> Finding:
        rule = message["ruleId"] or "parse-error"
        severity, kind = eslint_rank(rule)
        return Finding(
            path=path,
            line=max(message.get("line") or 0, 0),
            rule=rule,
            severity=severity,
            kind=kind,
            message=" ".join(message["message"].split()),
            tool=self.name,
        )

    def _source_type(self, target: Target, file: SourceFile) -> str:
        if self.language == "typescript" or file.path.endswith((".mjs", ".jsx")):
            return "module"
        if file.path.endswith(".cjs"):
            return "commonjs"
        text = (target.survey.root / file.path).read_text(encoding="utf-8")
        return "module" if MODULE_SYNTAX.search(text) else "commonjs"

    def _config(self, kind: str) -> str:
        """Return a configuration that names no plugin and loads nothing but the parser beside eslint."""
        typed = self.language == "typescript"
        rules = {rule: "error" for rule in ESLINT if not (typed and rule in NOT_FOR_TYPES)}
        lines = []
        parser = ""
        if typed:
            home = parser_home()
            lines += [
                'import { createRequire } from "node:module";',
                f"const parser = createRequire({json.dumps(str(home))})({json.dumps(PARSER)});",
            ]
            parser = "parser, "
        lines += [
            "export default [{",
            f"  files: {json.dumps([f'**/*.{suffix}' for suffix in SUFFIXES])},",
            '  linterOptions: { reportUnusedDisableDirectives: "off" },',
            f'  languageOptions: {{ {parser}sourceType: "{kind}", ecmaVersion: "latest",',
            "    parserOptions: { ecmaFeatures: { jsx: true } } },",
            f"  rules: {json.dumps(rules)},",
            "}];",
        ]
        return "\n".join(lines) + "\n"


def parser_home() -> Path | None:
    """Return a place from which eslint's own installation finds the TypeScript parser, or None."""
    tool = program("eslint")
    if not tool:
        return None
    real = Path(os.path.realpath(tool))
    modules = next((parent for parent in real.parents if parent.name == "node_modules"), None)
    if modules is None:
        return None
    for place in (modules, modules / "typescript-eslint" / "node_modules"):
        if (place / PARSER / "package.json").is_file():
            return place / "from-here.js"
    return None
