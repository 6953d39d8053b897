"""What is wrong with a question, raised where it is found."""

from .script import Kind, Refusal


class Refused(ValueError):
    """Raised for a question that the provider would refuse; the protocol makes its error body of it."""

    def __init__(self, message: str = "", *, kind: Kind = "invalid", param: str | None = None) -> None:
        super().__init__(message)
        self.refusal = Refusal(kind=kind, message=message, param=param)

    @classmethod
    def of(cls, refusal: Refusal) -> "Refused":
        """Return it for a refusal that is whole already."""
        error = cls(refusal.message)
        error.refusal = refusal
        return error
