"""What `gemini --output-format json` prints: one object with `response`, `stats` or `error`. Pure.

It tells tokens by model, not money.
"""

from .account import Account, as_count, as_object, as_text, last_object, total, unread


def read_gemini(printed: str) -> Account:
    """Return the account of a run; a turn is one question to a model."""
    found = last_object(printed)
    if found is None or not {"response", "stats", "error"} & found.keys():
        return unread("gemini --output-format json", printed)
    models = [as_object(model) for model in as_object(as_object(found.get("stats")).get("models")).values()]
    tokens = [as_object(model.get("tokens")) for model in models]
    problem = ""
    if found.get("error"):
        problem = as_text(as_object(found["error"]).get("message")) or "it says that it failed, not why"
    elif not isinstance(found.get("response"), str):
        problem = "it gave no answer"
    return Account(
        text=as_text(found.get("response")),
        turns=total(as_count(as_object(model.get("api")).get("totalRequests")) for model in models),
        session=as_text(found.get("session_id")) or None,
        read=total(as_count(one.get("prompt")) for one in tokens),
        written=total(as_count(one.get("candidates")) for one in tokens),
        problem=problem,
    )
