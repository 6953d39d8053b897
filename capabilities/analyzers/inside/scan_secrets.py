"""detect-secrets over named files, by its library: `scan_secrets.py FILES.json FOLDER`, JSON on stdout.

Its command walks folders relative to its working directory, which must not be the repository, and it
spends most of its time on lines in which nothing could be. So each file is copied into FOLDER with only
the lines worth looking at, and their numbers are put back. Only what kind of secret stands where is
printed, never the secret. Nothing is verified over the network.
"""

import json
import re
import sys
from pathlib import Path

from detect_secrets.core import scan
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import transient_settings

NOISY = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
"""Detectors that mostly find digests, test vectors and version numbers."""

CANDIDATE = re.compile(
    # A word of the keyword detector; credentials in a URL; a long run with a digit in it.
    r"key|pass|pwd|secret|token|contrase|://[^\s/@]{1,200}@|(?=[\w+/=-]{0,60}\d)[\w+/=-]{11}",
    re.IGNORECASE,
)
KEY_BODY = re.compile(r"PRIVATE KEY( BLOCK)?-----.{0,400}?[A-Za-z0-9+/=]{40}", re.DOTALL)
"""What makes a private key of its first line; programs that handle keys spell that line alone."""

PARDON = "pragma: allowlist"
"""The tool's own mark for a line, or for the next one, that a person looked at."""

LONGEST = 5_000
"""Characters; a longer line is generated, and takes the detectors minutes."""

STRUCTURED = {".yaml", ".yml", ".ini", ".cfg", ".conf", ".properties", ".toml", ".json"}
"""The detectors read these as a whole, so no line may be missing."""


def worthwhile(text: str, whole: bool) -> tuple[list[str], list[int]]:
    """Return the lines to look at, and the number that each has in its file."""
    lines: list[str] = []
    numbers: list[int] = []
    pardoned = False
    found = False
    for number, line in enumerate(text.splitlines(), start=1):
        candidate = len(line) <= LONGEST and CANDIDATE.search(line) is not None
        found = found or candidate
        pardon = PARDON in line and len(line) <= LONGEST
        if whole or candidate or pardon or pardoned:
            lines.append(line if len(line) <= LONGEST else "")
            numbers.append(number)
        pardoned = pardon
    return (lines, numbers) if found else ([], [])


def has_body(text: str, number: int) -> bool:
    """Return whether a key's body follows its header on this line."""
    if "PRIVATE KEY" not in text.splitlines()[number - 1]:
        # PuTTY's form has another header, which no program spells by chance.
        return True
    after = "\n".join(text.splitlines()[number - 1 : number + 8])
    return KEY_BODY.search(after[:2_000]) is not None


def main() -> None:
    """Scan the files named in the first argument's file."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(sys.argv[2])
    kinds: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = {kind.__name__ for kind in kinds}
    found = []
    with transient_settings({"plugins_used": [{"name": name} for name in sorted(names - NOISY)]}):
        for file in files:
            path = Path(file)
            text = path.read_text(encoding="utf-8", errors="replace")
            lines, numbers = worthwhile(text, path.suffix.lower() in STRUCTURED)
            if not lines:
                continue
            # Its own name: some filters and detectors go by it.
            copy = folder / path.name
            copy.write_text("\n".join(lines), encoding="utf-8")
            for secret in scan.scan_file(str(copy)):
                number = numbers[min(secret.line_number, len(numbers)) - 1]
                if secret.type == "Private Key" and not has_body(text, number):
                    continue
                found.append({"file": file, "line": number, "type": secret.type})
            copy.unlink()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
