"""Someone speaks, over a WebSocket, and is heard while they do.

The first message is a JSON object of options; then come samples, 16-bit little-endian at the rate that ``/models``
says; the word ``end`` ends it. Each message with samples is answered by what is understood so
far, the end by the whole.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from lstmdrop.config import Section
from lstmdrop.errors import LstmdropError, UsageError
from lstmdrop.parsing import parse_json, to_json
from lstmdrop.service import Live

PROTOCOL = "lstmdrop"
LONGEST = 600
"""Seconds that one may speak."""
BAD_MESSAGE, COME_AGAIN, POLICY = 1003, 1013, 1008
"""Why a WebSocket is closed (RFC 6455, section 7.4)."""


class Slots:
    """How many may be served bit by bit at a time."""

    def __init__(self, number: int) -> None:
        self._free = number

    def take(self) -> Slots.Taken | None:
        """A place, if there is one."""
        if self._free == 0:
            return None
        self._free -= 1
        return Slots.Taken(self)

    class Taken:
        """A place that is given back once."""

        def __init__(self, slots: Slots) -> None:
            self._slots: Slots | None = slots

        def give_back(self) -> None:
            """The next one may come."""
            if self._slots is not None:
                self._slots._free += 1
            self._slots = None


async def listen(
    socket: WebSocket, live: Live, options_type: type[Section], executor: Executor, slots: Slots, seconds: float
) -> None:
    """One session, from the first message to the last; silence of more than ``seconds`` ends it."""
    offered = socket.headers.get("sec-websocket-protocol", "")
    await socket.accept(PROTOCOL if PROTOCOL in offered.replace(" ", "").split(",") else None)
    taken = slots.take()
    if taken is None:
        await socket.close(COME_AGAIN, "too many speak already: come again")
        return
    try:
        await _session(socket, live, options_type, executor, seconds)
    except WebSocketDisconnect:
        pass
    except asyncio.TimeoutError:
        await socket.close(POLICY, "nothing came for too long")
    except (LstmdropError, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        await socket.send_text(to_json({"detail": reason}, ensure_ascii=False))
        await socket.close(BAD_MESSAGE)
    finally:
        taken.give_back()


async def _session(
    socket: WebSocket, live: Live, options_type: type[Section], executor: Executor, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    options = options_type.model_validate(parse_json(await asyncio.wait_for(socket.receive_text(), seconds)))
    listening = await loop.run_in_executor(executor, live, options)
    num_samples = 0
    while True:
        message = await asyncio.wait_for(socket.receive(), seconds)
        if message["type"] == "websocket.disconnect":
            return
        samples = message.get("bytes")
        if samples is None:
            break
        num_samples += len(samples) // 2
        if len(samples) % 2 or num_samples > LONGEST * live.rate:
            raise UsageError(f"samples have 16 bits, and one may speak for {LONGEST} seconds")
        heard = np.frombuffer(samples, "<i2").astype(np.float32) / 32768
        await _say(socket, await loop.run_in_executor(executor, listening.accept, heard), is_final=False)
    await _say(socket, await loop.run_in_executor(executor, listening.finish), is_final=True)
    await socket.close()


async def _say(socket: WebSocket, understood: Any, *, is_final: bool) -> None:
    await socket.send_text(to_json({**understood, "final": is_final}, ensure_ascii=False))
