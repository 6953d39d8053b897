"""What `claude -p --output-format json` prints: one object of the type `result`. Pure."""

from .account import Account, as_count, as_object, as_text, as_usd, last_object, total, unread


def read_claude(printed: str) -> Account:
    """Return the account of a run."""
    found = last_object(printed)
    if found is None or found.get("type") != "result":
        return unread("claude -p --output-format json", printed)
    usage = as_object(found.get("usage"))
    inputs = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    text, subtype = as_text(found.get("result")), as_text(found.get("subtype"))
    failed = found.get("is_error") is True or subtype.startswith("error")
    listed, denied = found.get("errors"), found.get("permission_denials")
    errors = "; ".join(filter(None, map(as_text, listed))) if isinstance(listed, list) else ""
    spent = subtype == "error_max_budget_usd"
    return Account(
        text=text,
        usd=as_usd(found.get("total_cost_usd")),
        turns=as_count(found.get("num_turns")),
        session=as_text(found.get("session_id")) or None,
        read=total(as_count(usage.get(name)) for name in inputs),
        written=as_count(usage.get("output_tokens")),
        problem=(text or errors or subtype or "it says that it failed, not why")
        if failed and not spent
        else "",
        denied=len(denied) if isinstance(denied, list) else 0,
        stopped=(errors or "its limit in USD is reached") if spent else "",
    )
