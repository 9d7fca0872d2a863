"""Two machines in one: network namespaces with addresses of their own, and a link between them that takes its time.

    python tests/scaling/link.py NAME_A ADDRESS_A NAME_B ADDRESS_B MILLISECONDS

Each has a tunnel device; what goes into one comes out of the other so much later. No kernel's traffic control is
needed. It ends with its standard input.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MOST_BYTES = 1 << 16


def tunnel(namespace: str, address: str) -> int:
    """Make a namespace with one device beside its loopback, named as itself; what is sent to it can be read here."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", namespace.encode(), IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip netns add {namespace}", f"ip link set {namespace} netns {namespace}",
        f"ip -n {namespace} addr add {address}/24 dev {namespace}", f"ip -n {namespace} link set lo up",
        f"ip -n {namespace} link set {namespace} up",
    ):  # fmt: skip
        subprocess.run(command.split(), check=True)
    return device


def relay(first: int, second: int, delay: float) -> None:
    """Hand packets over, each so many seconds after it came."""
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([first, second, sys.stdin], [], [], timeout)
        if sys.stdin in readable:
            return
        for device in readable:
            other = second if device == first else first
            waiting.append((time.monotonic() + delay, other, os.read(device, MOST_BYTES)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, device, packet = waiting.popleft()
            with suppress(OSError):  # the device is not up yet, or not any more
                os.write(device, packet)


def main(first: str, first_address: str, second: str, second_address: str, milliseconds: str) -> None:
    try:
        devices = tunnel(first, first_address), tunnel(second, second_address)
        print("ready", flush=True)
        relay(*devices, float(milliseconds) / 1000)
    finally:
        for namespace in (first, second):
            subprocess.run(["ip", "netns", "del", namespace], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
