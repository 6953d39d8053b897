"""Profiles on the wire: to and from the registry's record. Pure."""

from datetime import timedelta

from ....swarm.agents.record import AgentRecord
from ....swarm.records import Limited, RuleRecord
from ..approvals.policy import Policy, Rule
from ..budget.limits import Budget
from .profile import Profile

REGISTRY = "registry"


def to_record(profile: Profile) -> AgentRecord:
    """Return a profile's record; whoever writes it adds when and by whom."""
    budget = profile.budget
    limited = Limited(usd=budget.usd, tokens=budget.tokens, turns=budget.turns, on_breach=budget.on_breach)
    rules = tuple(
        RuleRecord(tool=rule.tool, what=rule.what, decision=rule.decision) for rule in profile.policy.rules
    )
    return AgentRecord(
        name=profile.name,
        description=profile.description,
        models=profile.models,
        system=profile.system,
        tools=profile.tools,
        skills=profile.skills,
        mcp=profile.mcp,
        capabilities=profile.capabilities,
        budget=limited,
        wall_s=budget.wall.total_seconds() if budget.wall is not None else None,
        rules=rules,
        default=profile.policy.default,
        max_tokens=profile.max_tokens,
    )


def from_record(record: AgentRecord) -> Profile:
    """Return the profile of a record."""
    limited = record.budget or Limited()
    rules = tuple(Rule(tool=rule.tool, what=rule.what, decision=rule.decision) for rule in record.rules)
    usual = Profile(name=record.name)
    return Profile(
        name=record.name,
        description=record.description,
        models=record.models,
        system=record.system,
        tools=record.tools,
        skills=record.skills,
        mcp=record.mcp,
        capabilities=record.capabilities,
        budget=Budget(
            usd=limited.usd,
            tokens=limited.tokens,
            turns=limited.turns,
            wall=timedelta(seconds=record.wall_s) if record.wall_s is not None else None,
            on_breach=limited.on_breach,
        ),
        policy=Policy(rules=rules, default=record.default or usual.policy.default),
        max_tokens=record.max_tokens or usual.max_tokens,
        place=REGISTRY,
    )
