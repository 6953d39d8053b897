"""detect-secrets over named files, by its library: `scan_secrets.py FILES.json`, JSON on stdout.

Its command walks folders relative to its working directory, which must not be the repository. Only
what kind of secret stands where is printed, never the secret. Nothing is verified over the network.
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
    r"[\w/+=.-]{16,}|://[^\s/]*@|BEGIN |pass|pwd|secret|token|key|auth|cred|private|contra", re.IGNORECASE
)
"""What a line must hold before the slow detectors look at its file."""


def main() -> None:
    """Scan the files named in the first argument's file."""
    files = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    kinds: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = {kind.__name__ for kind in kinds}
    found = []
    with transient_settings({"plugins_used": [{"name": name} for name in sorted(names - NOISY)]}):
        for file in files:
            if not CANDIDATE.search(Path(file).read_text(encoding="utf-8", errors="replace")):
                continue
            found += [
                {"file": file, "line": secret.line_number, "type": secret.type}
                for secret in scan.scan_file(file)
            ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
