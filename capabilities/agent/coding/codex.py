"""What `codex exec --json` prints: one event for each line. Pure.

It tells tokens, not money: what a subscription or a model of its own costs, it does not know itself.
"""

from .account import Account, as_count, as_object, as_text, objects, total, unread

_ANSWERS = ("agent_message", "assistant_message")
"""Of an item; the second is what versions before October 2025 write."""


def read_codex(printed: str) -> Account:
    """Return the account of a run; its answer is the last message."""
    text, session, problem, known = "", "", "", False
    turns = 0
    read: list[int | None] = []
    written: list[int | None] = []
    for event in objects(printed):
        kind = as_text(event.get("type"))
        if kind == "thread.started":
            session, known = as_text(event.get("thread_id")), True
        elif kind == "item.completed":
            item = as_object(event.get("item"))
            if (item.get("type") or item.get("item_type")) in _ANSWERS:
                text, known = as_text(item.get("text")), True
        elif kind == "turn.completed":
            usage = as_object(event.get("usage"))
            turns, known, problem = turns + 1, True, ""
            read.append(as_count(usage.get("input_tokens")))
            written.append(as_count(usage.get("output_tokens")))
        elif kind == "turn.failed":
            said = as_text(as_object(event.get("error")).get("message"))
            problem, known = said or problem or "its turn failed", True
        elif kind == "error":
            # It also tells so of what it then mends, such as a connection; a completed turn takes it back.
            problem, known = as_text(event.get("message")) or "it says that it failed, not why", True
    if not known:
        return unread("codex exec --json", printed)
    if not turns and not problem:
        problem = "it ended before its turn did"
    return Account(
        text=text,
        turns=turns,
        session=session or None,
        read=total(iter(read)),
        written=total(iter(written)),
        problem=problem,
    )
