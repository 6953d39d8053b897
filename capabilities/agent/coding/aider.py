"""What `aider --message-file` prints: words for people, among them what each answer cost. Pure."""

import re

from .account import Account, unread

_TOKENS = re.compile(r"^Tokens: (?P<sent>[\d.,]+[kM]?) sent,.*?(?P<received>[\d.,]+[kM]?) received\.")
_COST = re.compile(r"Cost: \$[\d.,]+ message, \$(?P<usd>\d[\d,]*(\.\d+)?) session")
_BANNER = re.compile(
    r"^(Aider v|Main model:|Model:|Editor model:|Weak model:|Git repo:|Repo-map:|Added .* to the chat|Warning:"
    r"|Tokens: |Cost: |Applied edit to |Use /help )"
)
_TIMES = {"k": 1_000, "M": 1_000_000}


def read_aider(printed: str) -> Account:
    """Return the account of a run; a turn is one answer of its model. It has no sessions to go on with."""
    lines = [line.rstrip() for line in printed.splitlines()]
    told = [found for line in lines if (found := _TOKENS.match(line))]
    costs = [found for line in lines if (found := _COST.search(line))]
    said = "\n".join(line for line in lines if not _BANNER.match(line)).strip().strip("─").strip()
    text = re.sub(r"\n{3,}", "\n\n", said)
    if not told:
        # It ends with 0 when its model refuses too; only an answer has a line of tokens.
        if not printed.lstrip().startswith("Aider v"):
            return unread("aider --message-file", printed)
        return Account(problem=" ".join(text.split())[-600:] or "its model gave no answer")
    return Account(
        text=text,
        usd=float(costs[-1]["usd"].replace(",", "")) if costs else None,
        turns=len(told),
        read=sum(_number(found["sent"]) for found in told),
        written=sum(_number(found["received"]) for found in told),
    )


def _number(text: str) -> int:
    times = _TIMES.get(text[-1], 1)
    try:
        return round(float(text.rstrip("kM").replace(",", "")) * times)
    except ValueError:
        return 0
