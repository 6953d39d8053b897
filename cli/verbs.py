"""The verbs of `picoclaw`: one table, so that `--help` and completion load none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the module of this package and its attribute, and what help says."""

    module: str
    attribute: str
    help: str


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "run": Verb("run_command", "run", "Do a request here and now, bringing up a swarm if there is none."),
        "dispatch": Verb("dispatch_command", "dispatch", "Send a request or task to the swarm."),
        "cron": Verb("cron.command", "cron", "Set and list requests that come again and again."),
        "workflows": Verb("workflows.command", "workflows", "List, show, check and run workflows in YAML."),
        "capabilities": Verb("capabilities_command", "capabilities", "List what this machine can offer."),
        "skills": Verb("skills.command", "skills", "List, show, install and write skills of agents."),
        "mcp": Verb("mcp.command", "mcp", "List MCP servers of agents, and check that one answers."),
        "get": Verb("get.command", "get", "List nodes, tasks, requests, lanes, capabilities or agents."),
        "describe": Verb("describe.command", "describe", "Show one request, task, node or agent."),
        "create": Verb("agents.create", "create", "Create an agent."),
        "delete": Verb("agents.delete", "delete", "Delete an agent."),
        "watch": Verb("watch_command", "watch", "Follow a request or task to its end."),
        "result": Verb("result.command", "result", "Print what a request or task brought."),
        "approvals": Verb("approvals.command", "approvals", "List what agents ask people."),
        "approve": Verb("approvals.answers", "approve", "Allow what an agent asks."),
        "deny": Verb("approvals.answers", "deny", "Deny what an agent asks."),
        "message": Verb("message_command", "message", "Tell a running agent something."),
        "cancel": Verb("cancel_command", "cancel", "Cancel a request or task."),
        "pause": Verb("pause_command", "pause", "Hold a request's agents between two steps."),
        "resume": Verb("pause_command", "resume", "Let a paused request go on."),
        "retry": Verb("retry_command", "retry", "Run again what did not finish of a request."),
        "dlq": Verb("dlq_command", "dlq", "Show dead letters, tasks given up, and send them again."),
        "limits": Verb("limits.command", "limits", "Show and set what the whole swarm is held to."),
        "prune": Verb("prune_command", "prune", "Remove ended requests now, to have room."),
        "logs": Verb("logs.command", "logs", "Print the logs of this machine's nodes."),
        "demo": Verb("demo.command", "demo", "Show that nothing is lost, on a swarm of its own."),
        "doctor": Verb(
            "doctor.command", "doctor", "Check this machine and the way to the swarm, with the fixes."
        ),
        "health": Verb("health_command", "health", "Tell whether this machine's nodes are well."),
        "down": Verb("down_command", "down", "Drain this machine's nodes and stop its shared server."),
        "fake-llm": Verb("fake_llm.command", "fake_llm", "Rehearse with a model server that plays a script."),
        "config": Verb("config_command", "config", "Show, write and check the settings."),
        "nats": Verb("nats_command", "nats", "Facts about the NATS server in use."),
        "completion": Verb(
            "completion.command", "completion", "Print the script that a shell completes with."
        ),
        "help": Verb("help_command", "help_verb", "Print this help, or that of one verb."),
    }
)
