"""A cheap capability, `job`, whose executions write down for themselves that they began and ended.

`offer(home, node, records)` gives a node's home its definition; `read_jobs` of the checker reads the records.
A task says by its input how long it takes (`seconds`), how many attempts are to fail (`fail`), and whether
to fail for good (`refuse`).
"""

import fcntl
import json
import os
import sys
import time
from pathlib import Path

DEFINITION = """
capabilities:
  {capability}:
    description: Writes down that it ran.
    command: [{python}, -IS, {script}, --, {records}, {node}, {capability}, "${{task}}", "${{attempt}}",
              "${{input.seconds:-0}}", "${{input.fail:-0}}", "${{input.refuse:-0}}"]
    exit_codes: {{7: retry}}
"""
RETRY, REFUSE = 7, 8


def offer(home: Path, node: str, records: Path, capability: str = "job") -> None:
    """Put the definition into a node's home."""
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True, exist_ok=True)
    text = DEFINITION.format(
        capability=capability, python=sys.executable, script=Path(__file__), records=records, node=node
    )
    (folder / f"{capability}.yaml").write_text(text, encoding="utf-8")


def main(path: str, node: str, capability: str, task: str, attempt: str, *rest: str) -> int:
    seconds, fail, refuse = map(float, rest)
    mine = {"task": task, "attempt": int(attempt), "pid": os.getpid()}
    with open(path, "a+", encoding="utf-8") as records:
        fcntl.flock(records, fcntl.LOCK_EX)  # so that no two begin without seeing each other
        records.seek(0)
        living = _living(records.readlines())
        began = {
            "event": "began", **mine, "born": _born(os.getpid()), "node": node, "capability": capability,
            "at": time.time(),
            "beside": sum(other["node"] == node for other in living),
            "everywhere": sum(other["capability"] == capability for other in living),
        }  # fmt: skip
        records.write(json.dumps(began) + "\n")
    time.sleep(seconds)
    with open(path, "a", encoding="utf-8") as records:
        fcntl.flock(records, fcntl.LOCK_EX)
        records.write(json.dumps({"event": "ended", **mine, "at": time.time()}) + "\n")
    print(f"{task} as attempt {attempt}")
    return REFUSE if refuse else RETRY if int(attempt) <= fail else 0


def _living(lines: "list[str]") -> "list[dict[str, object]]":
    begun = {}
    for line in lines:
        said = json.loads(line)
        key = said["task"], said["attempt"], said["pid"]
        if said["event"] == "began":
            begun[key] = said
        else:
            begun.pop(key, None)
    return [said for said in begun.values() if said["born"] and _born(said["pid"]) == said["born"]]


def _born(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it is gone, or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:]))
