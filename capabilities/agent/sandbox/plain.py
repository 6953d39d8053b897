"""No sandbox: the command runs as the node's user, and whoever has to know is told. Pure."""

from dataclasses import dataclass, replace

from .sandbox import SKILLS, Command, Job


@dataclass(frozen=True, slots=True)
class Plain:
    """Runs commands as they are, with a home and a temporary folder of the job's own."""

    why: str
    """Why there is none, in words."""
    name: str = "none"
    sealed: bool = False

    @property
    def said(self) -> str:
        return f"no sandbox ({self.why}), where they reach all that the node's user can"

    def wrap(self, command: Command, job: Job) -> Command:
        env = {**command.env, "HOME": str(job.home), "TMPDIR": str(job.tmp)}
        if job.skills:
            env[SKILLS] = str(job.root.parent / "skills")
        return replace(command, cwd=job.root, env=env)
