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
        "get": Verb("get_command", "get", "List nodes, tasks or requests."),
        "describe": Verb("describe_command", "describe", "Show one request, task or node with its history."),
        "result": Verb("result_command", "result", "Print what a request or task brought."),
        "cancel": Verb("cancel_command", "cancel", "Cancel a request or task."),
        "health": Verb("health_command", "health", "Tell whether this machine's nodes are well."),
        "down": Verb("down_command", "down", "Drain this machine's nodes and stop its shared server."),
        "nats": Verb("nats_command", "nats", "Facts about the NATS server in use."),
    }
)
