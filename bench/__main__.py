"""`python -m bench`: A, B and ours in one run on one server; exit 1 when something that must hold does not."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from .goals import judge
from .report import as_data, print_table
from .run import FULL, QUICK, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds: under 40 s")
    parser.add_argument(
        "--max-concurrent", type=int, default=64, metavar="N", help="slots of each worker (64)"
    )
    parser.add_argument(
        "--profile", metavar="DIR", help="write where our nodes spend their CPU time into this folder"
    )
    return parser.parse_args()


def main() -> int:
    """Run the bench and print what it found."""
    asked = _arguments()
    profile = Path(asked.profile).resolve() if asked.profile else None
    size = QUICK if asked.quick else FULL
    try:
        outcome = asyncio.run(run(size, slots=asked.max_concurrent, profile=profile))
    except KeyboardInterrupt:
        print("stopped: everything that was started has ended", file=sys.stderr)
        return 130
    verdicts = judge(*outcome.systems)
    if asked.json:
        print(json.dumps(as_data(outcome, verdicts), indent=1))
    else:
        print_table(outcome, verdicts)
    return 0 if all(verdict.held for verdict in verdicts if verdict.must) else 1


if __name__ == "__main__":
    sys.exit(main())
