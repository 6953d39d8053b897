"""Bubblewrap: namespaces of its own for each command, in which the machine is read-only or not there. Pure."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .sandbox import SKILLS, Command, Job

WORKSPACE = Path("/workspace")
"""Where a command finds the job's workspace: the same on every node, so that what it writes down holds."""
HOME = Path("/home/agent")
SHOWN_SKILLS = "/skills"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix", "/gnu")
ETC = (
    "alternatives", "bash.bashrc", "ca-certificates", "fonts", "group", "host.conf", "hosts", "java",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic", "mime.types", "nsswitch.conf",
    "passwd", "perl", "php", "pki/ca-trust", "pki/tls/certs", "profile", "protocols", "python3", "resolv.conf",
    "services", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone",
)  # fmt: skip
"""Of /etc no more than programs need: of a node that runs as root they could read the keys there too."""
SHM = "/dev/shm"  # noqa: S108 - of the sandbox
SHARED_MEMORY = 64 * 2**20
"""Bytes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """Runs commands by `bwrap`."""

    program: str
    network: bool
    links: Mapping[str, str]
    """Folders of the system that are links, such as /bin, and where they lead."""
    there: tuple[str, ...]
    """Folders and files of the system that are shown."""
    name: str = "bubblewrap"

    @property
    def sealed(self) -> bool:
        """Whether a command reaches nothing that outlives its job's folders."""
        return not self.network

    @property
    def said(self) -> str:
        net = "with the network" if self.network else "without network"
        return f"a bubblewrap sandbox {net}, where they see the workspace, and the system read-only"

    def wrap(self, command: Command, job: Job) -> Command:
        argv = [
            self.program, "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session",
            "--cap-drop", "ALL",
        ]  # fmt: skip
        if self.network:
            argv.append("--share-net")
        for place, aim in self.links.items():
            argv += ["--symlink", aim, place]
        for place in self.there:
            argv += ["--ro-bind", place, place]
        argv += ["--proc", "/proc", "--dev", "/dev", "--size", str(SHARED_MEMORY), "--tmpfs", SHM]
        for place, folder in (("/tmp", job.tmp), (str(HOME), job.home), (str(WORKSPACE), job.root)):  # noqa: S108
            argv += ["--bind", str(folder), place]
        for name, folder in job.skills:
            argv += ["--ro-bind", str(folder), f"{SHOWN_SKILLS}/{name}"]
        # Of a node that runs as root the command owns the kernel's settings in /proc/sys: with them it would
        # leave any sandbox. What is made in the root or in /dev would lie in memory, where nothing bounds it.
        for place in ("/proc", "/dev", "/"):
            argv += ["--remount-ro", place]
        argv += ["--chdir", str(WORKSPACE), "--"]
        env = {**command.env, "HOME": str(HOME), "TMPDIR": "/tmp"}  # noqa: S108 - its own
        if job.skills:
            env[SKILLS] = SHOWN_SKILLS
        env["PATH"] = self._path(command.env.get("PATH", os.defpath))
        return Command(argv=(*argv, *command.argv), cwd=job.root.parent, env=env)

    def _path(self, path: str) -> str:
        """Return the part of a search path that is shown."""
        shown = [folder for folder in path.split(":") if _below(folder, (*self.there, *self.links))]
        return ":".join(shown) or os.defpath


def _below(folder: str, places: tuple[str, ...]) -> bool:
    return any(folder == place or folder.startswith(place + "/") for place in places)


def describe_system(
    program: str, network: bool, read_link: Callable[[str], str | None], exists: Callable[[str], bool]
) -> Bubblewrap:
    """Return the sandbox of a machine, given how its links and folders can be asked for."""
    links = {place: aim for place in SYSTEM if (aim := read_link(place)) is not None}
    there = [place for place in SYSTEM if place not in links and exists(place)]
    there += [place for name in ETC if exists(place := f"/etc/{name}")]
    return Bubblewrap(program=program, network=network, links=links, there=tuple(there))
