"""Every error that PicoClaw raises on purpose, as one tree.

    PicoclawError                     exit 1
    ├── UsageError                    exit 2: the input is wrong and nothing was changed
    │   ├── ConfigError               a flag, environment variable or YAML key
    │   ├── NameRefused               a name that no part of the swarm can carry
    │   ├── RepositoryError           a repository path or URL that cannot be reviewed
    │   ├── PlanError                 a plan with a cycle, an unknown capability, too many tasks
    │   ├── IdempotencyClash          one idempotency key, two different requests
    │   ├── NotFound                  an id that matches nothing
    │   └── Ambiguous                 an id prefix that matches several
    ├── ConnectError                  exit 3: no usable connection to NATS
    │   ├── NoServer                  nobody answers at the address
    │   │   └── NotReady              a server answers, its JetStream does not
    │   ├── AuthorizationFailed       the server refused the credentials
    │   ├── PermissionDenied          connected, but this subject is forbidden
    │   ├── JetStreamDisabled         connected, but there is no JetStream
    │   ├── TlsFailed                 the TLS handshake failed
    │   └── ServerTooOld              the server lacks what the swarm needs
    ├── EmbeddedServerError           exit 3: the shared local server cannot be had
    ├── SwarmError                    exit 1: the swarm refused or could not answer
    │   ├── QueueFull                 the log is at its admission limit
    │   ├── RequestLost               the store that held the request is gone
    │   ├── NodeNameTaken             a live node holds the name (exit 2)
    │   ├── StoreTooNew               the store was written by a newer version
    │   ├── RecordRefused             a message that is not one of our records
    │   ├── AppendRefused             a compare-and-set lost: somebody else wrote first
    │   └── SwarmTimeout              no answer in time
    └── ExecutionError                why a task's job ended without a result
        ├── FinalError                trying again cannot help: the task fails
        │   ├── ModelRefused          a model that says no to every such question
        │   │   ├── ModelKeyRefused   the provider's key is missing or wrong
        │   │   └── ContextTooLong    the conversation is longer than the model reads
        │   └── BudgetSpent           no money, tokens, turns or time are left for it
        ├── RetryableError            trying again may help: another attempt
        │   └── ModelUnavailable      a model that does not answer now
        └── JobCancelled              the job was told to stop

Each message says what happened, to what, and what to do next.
"""

from datetime import timedelta


class PicoclawError(Exception):
    """Root of the tree; `exit_code` is what the command returns for it."""

    exit_code = 1


class UsageError(PicoclawError):
    """Raised when the input is wrong; nothing was changed."""

    exit_code = 2


class ConfigError(UsageError):
    """Raised when a setting is unknown, malformed or contradicts another; names key and source."""


class NameRefused(UsageError):
    """Raised when a name is empty, over-long or holds characters that cannot be carried."""


class RepositoryError(UsageError):
    """Raised when a repository cannot be read, is empty or is too large to send."""


class PlanError(UsageError):
    """Raised when a plan fails validation; nothing of it was released."""


class IdempotencyClash(UsageError):
    """Raised when an idempotency key was used before for a different request."""


class NotFound(UsageError):
    """Raised when an id or prefix matches nothing."""


class Ambiguous(UsageError):
    """Raised when an id prefix matches more than one thing."""


class ConnectError(PicoclawError):
    """Raised when there is no usable connection to NATS."""

    exit_code = 3


class NoServer(ConnectError):
    """Raised when no NATS server answers at any of the addresses."""


class NotReady(NoServer):
    """Raised when a NATS server answers and its JetStream does not: most of a cluster is away."""


class AuthorizationFailed(ConnectError):
    """Raised when the server refuses the credentials, or wants some and none were given."""


class PermissionDenied(ConnectError):
    """Raised when the connection works but a subject is forbidden to this user."""


class JetStreamDisabled(ConnectError):
    """Raised when the server, or this account on it, has no JetStream."""


class TlsFailed(ConnectError):
    """Raised when the TLS handshake fails or the server demands TLS and the address does not."""


class ServerTooOld(ConnectError):
    """Raised when the server's version lacks a feature that the swarm depends on."""


class EmbeddedServerError(PicoclawError):
    """Raised when the machine's shared nats-server cannot be started, reached or locked."""

    exit_code = 3


class SwarmError(PicoclawError):
    """Raised when the swarm refuses an operation or cannot carry it out."""


class QueueFull(SwarmError):
    """Raised when a submission is refused because the log is at its admission limit."""


class RequestLost(SwarmError):
    """Raised when the store that held a request is gone: nothing is known of it any more."""


class BodyGone(SwarmError):
    """Raised when a body that a record refers to is no longer stored, or is damaged."""


class NodeNameTaken(SwarmError):
    """Raised when a live node already holds the wanted name."""

    exit_code = 2


class StoreTooNew(SwarmError):
    """Raised when the store was written by a version that this one does not understand."""


class RecordRefused(SwarmError):
    """Raised when a message is not a record of ours, is truncated or has an unknown major version."""


class AppendRefused(SwarmError):
    """Raised when a compare-and-set append lost; `last_seq` is what stands there now, if known.

    With `written` the entry does stand there, and somebody has written over it since: it had been in doubt.
    """

    def __init__(self, message: str, *, last_seq: int | None = None, written: bool = False) -> None:
        super().__init__(message)
        self.last_seq = last_seq
        self.written = written


class SwarmTimeout(SwarmError):
    """Raised when the swarm or its server does not answer in time."""


class ExecutionError(PicoclawError):
    """Why a task's job ended without a result."""


class FinalError(ExecutionError):
    """Raised by an executor when trying again cannot help: the task ends `failed`."""


class RetryableError(ExecutionError):
    """Raised by an executor when another attempt may help; `delay` overrides the back-off."""

    def __init__(self, message: str, *, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class JobCancelled(ExecutionError):
    """Raised inside a job that was told to stop: cancelled, fenced or past its deadline."""


class ModelRefused(FinalError):
    """Raised when a model refuses a question, and would again: unknown model, invalid request.

    `maybe_billed` counts earlier questions without an answer that may have been paid for.
    """

    def __init__(self, message: str, *, maybe_billed: int = 0) -> None:
        super().__init__(message)
        self.maybe_billed = maybe_billed


class ModelKeyRefused(ModelRefused):
    """Raised when a provider's key is missing, wrong or has no rights; never holds the key."""


class QuestionRefused(ModelRefused):
    """Raised when a provider finds the question itself wrong; no other model is asked it instead."""


class ContextTooLong(ModelRefused):
    """Raised when a conversation is longer than what the model reads."""


class BudgetSpent(FinalError):
    """Raised when no money, tokens, turns or time are left; says which, and of whom."""


class ModelUnavailable(RetryableError):
    """Raised when a model does not answer now; `maybe_billed` counts the turns that may have been paid for."""

    def __init__(self, message: str, *, delay: timedelta | None = None, maybe_billed: int = 0) -> None:
        super().__init__(message, delay=delay)
        self.maybe_billed = maybe_billed
