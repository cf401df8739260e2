"""Which sockets a process and its descendants listen on."""

from __future__ import annotations

import contextlib
import ipaddress

import psutil


def listening(pid: int) -> dict[int, str]:
    """Address by port of every TCP socket on which the process or a descendant accepts connections."""
    root = psutil.Process(pid)
    found = {}
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found[connection.laddr.port] = connection.laddr.ip
    return found


def reachable_from_elsewhere(pid: int) -> dict[int, str]:
    """Those of `listening` that are not on the loopback interface."""
    return {port: ip for port, ip in listening(pid).items() if not _is_loopback(ip)}


def _is_loopback(ip: str) -> bool:
    address = ipaddress.ip_address(ip)  # Java shows 127.0.0.1 as ::ffff:127.0.0.1
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
