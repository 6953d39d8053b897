"""Two functions as capabilities: one adds up, one checks what an agent wrote from that."""

import csv
import re
from io import StringIO


def figures(sales: str) -> dict:
    """Return the sums by region and by month."""
    rows = list(csv.DictReader(StringIO(sales)))
    if not rows:
        raise ValueError("no sales are given")  # the input is wrong: trying again cannot help
    sums = {}
    for kind in ("region", "month"):
        sums[kind] = {row[kind]: 0 for row in rows}
        for row in rows:
            sums[kind][row[kind]] += int(row["amount"])
    return {**sums, "total": sum(sums["region"].values())}


def check(inputs: dict) -> dict:
    """Return what the agent wrote, each sentence with a number that stands in no sum struck out."""
    sums, written = inputs["figures"]["data"], inputs["words"]["data"]
    known = {str(value) for kind in ("region", "month") for value in sums[kind].values()} | {
        str(sums["total"])
    }
    kept, struck = [], []
    for sentence in written["sentences"]:
        (kept if set(re.findall(r"\d+", sentence)) <= known else struck).append(sentence)
    lines = [
        f"# {written['title']}",
        "",
        *kept,
        "",
        f"{len(struck)} of {len(kept) + len(struck)} sentences struck out:",
    ]
    return {"markdown": "\n".join([*lines, *(f"- ~~{sentence}~~" for sentence in struck)]), "struck": struck}
