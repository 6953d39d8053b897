"""Network namespaces of a test's own, in which its port 4222 is nobody else's.

A namespace belongs to the thread that enters it and to each process that this thread starts; it is
gone with the last of them.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache

_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of <sched.h>."""
_SET_FLAGS = 0x8914
"""SIOCSIFFLAGS of <linux/sockios.h>."""
_UP = 0x1 | 0x40
"""IFF_UP | IFF_RUNNING of <linux/if.h>."""
NETWORK = "10.77.0."


@cache
def why_no_namespace() -> str:
    """Why this process may not have a network namespace of its own; "" where it may."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    try:
        with own_network():
            return ""
    except OSError as error:
        return f"no network namespace here ({error.strerror})"


@contextmanager
def own_network() -> Iterator[None]:
    """A network in which there is a loopback and nothing else, for a block. Raises OSError."""
    with _here() as before:
        _call("unshare", _NEW_NETWORK)
        try:
            _loopback_up()
            yield
        finally:
            _call("setns", before, _NEW_NETWORK)


class Machines:
    """Machines on one wire: `on(n)` is the block in which this thread stands on machine n, from 1."""

    def __init__(self, namespaces: Sequence[int]) -> None:
        self._namespaces = namespaces

    def address(self, number: int) -> str:
        return f"{NETWORK}{number}"

    @contextmanager
    def on(self, number: int) -> Iterator[None]:
        with _here() as before:
            _call("setns", self._namespaces[number - 1], _NEW_NETWORK)
            try:
                yield
            finally:
                _call("setns", before, _NEW_NETWORK)


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    """Machines with an address and a loopback each. The first holds the switch. Raises OSError."""
    with ExitStack() as stack:
        namespaces = []
        for _ in range(count):
            with own_network():
                namespaces.append(stack.enter_context(_here()))
        made = Machines(namespaces)
        with made.on(1):
            _ip("link add eth0 type bridge")
            for number in range(2, count + 1):
                there = f"/proc/{os.getpid()}/fd/{namespaces[number - 1]}"
                _ip(f"link add port{number} type veth peer name eth0 netns {there}")
                _ip(f"link set port{number} master eth0 up")
        for number in range(1, count + 1):
            with made.on(number):
                _ip(f"addr add {made.address(number)}/24 dev eth0")
                _ip("link set eth0 up")
        yield made


@contextmanager
def _here() -> Iterator[int]:
    """A descriptor of the namespace in which this thread stands."""
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ip(arguments: str) -> None:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.returncode, f"ip {arguments}: {done.stderr.strip()}")


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
