"""Ports of 127.0.0.1 for servers that scripts start."""
import random
import socket
from pathlib import Path


def is_free(port):
    """Whether no process listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
            return True
        except OSError:
            return False


def free_port(avoid=()):
    """A free port below the kernel's ephemeral range: there no outgoing connection can take it while its server is
    down, and a client that keeps trying it can't end up connected to itself. OSError if a thousand are all taken."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = range(10_000, low) if low >= 12_000 else range(20_000, 60_000)
    for port in random.sample(candidates, 1000):
        if port not in avoid and is_free(port):
            return port
    raise OSError("no free port found")
