"""Handed on: whoever an agent hands work to is held to that agent's policy too. Pure.

Else an agent that may not do a thing could have another one do it.
"""

from dataclasses import replace

from ....swarm.records import PolicyRecord, QueuedTask, RuleRecord
from .policy import Policy, Rule


def to_records(policy: Policy) -> tuple[PolicyRecord, ...]:
    """Return a policy and those beside it, each once; what allows everything is left out."""
    found: dict[PolicyRecord, None] = {}
    waiting = [policy]
    while waiting:
        one = waiting.pop(0)
        waiting += one.also
        if one.default != "allow" or any(rule.decision != "allow" for rule in one.rules):
            rules = tuple(
                RuleRecord(tool=rule.tool, what=rule.what, decision=rule.decision) for rule in one.rules
            )
            record = PolicyRecord(rules=rules, default=one.default)
            found[record] = None
    return tuple(found)


def held_to(policy: Policy, task: QueuedTask) -> Policy:
    """Return a policy with those of the agents that handed the task on beside it."""
    if task.parent is None or not task.parent.policies:
        return policy
    above = tuple(
        Policy(
            rules=tuple(
                Rule(tool=rule.tool, what=rule.what, decision=rule.decision) for rule in record.rules
            ),
            default=record.default,
        )
        for record in task.parent.policies
    )
    return replace(policy, also=(*policy.also, *above))
