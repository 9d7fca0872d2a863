"""The HTTP application: an address for each service of each model, and a page to try them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import Field, create_model
from starlette.types import ASGIApp

from lstmdrop.config import Section, Text
from lstmdrop.errors import LstmdropError
from lstmdrop.parsing import to_json
from lstmdrop.service import Service
from lstmdrop.serving.batching import Batcher, Batching, BusyError, in_turn
from lstmdrop.serving.guard import Guard, Guarded
from lstmdrop.serving.live import Slots, listen

CONTENT_POLICY = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src blob:"


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model and what it can do."""

    name: str
    """The first part of its address."""
    task: str
    about: str
    """Its data, size and rule."""
    services: Sequence[Service]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    characters: int = 10_000
    """Of a text."""
    seconds: float = 60.0
    """That a request may take, waiting included, and that one who speaks may be silent."""
    streams: int = 16
    """Answers that may come bit by bit at a time, and people who may speak."""


def application(
    models: Sequence[Model], guard: Guard, *, batching: Batching | None = None, limits: Limits | None = None
) -> ASGIApp:
    """What a server runs: all models work in one thread, for one uses the whole processor."""
    limits = limits or Limits()
    executor = ThreadPoolExecutor(1, "model")
    served = [
        _Served(model, service, Batcher(service.answer, executor, batching or Batching()), limits)
        for model in models
        for service in model.services
    ]

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(one.batcher.run()) for one in served]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            executor.shutdown(wait=True, cancel_futures=True)

    app = FastAPI(title="lstmdrop", lifespan=at_work, docs_url=None, redoc_url=None)  # their pages come from a CDN
    _add_page(app, models)
    slots = Slots(limits.streams)
    for one in served:
        one.add_to(app, slots)
    return Guarded(app, guard)


def _add_page(app: FastAPI, models: Sequence[Model]) -> None:
    page = files("lstmdrop.serving") / "page"
    kinds = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
    for path, (name, kind) in {**kinds, "/microphone.js": ("microphone.js", "text/javascript")}.items():
        content = (page / name).read_text(encoding="utf-8")
        headers = {"Content-Security-Policy": CONTENT_POLICY, "X-Content-Type-Options": "nosniff"}
        app.add_api_route(path, _constant(Response(content, media_type=kind, headers=headers)), include_in_schema=False)
    described = [_described(model) for model in models]
    app.add_api_route("/models", _constant(_json(described)))


def _constant(response: Response) -> Callable[[], Any]:
    async def endpoint() -> Response:
        return response

    endpoint.__annotations__ = {"return": Response}
    return endpoint


def _described(model: Model) -> dict[str, Any]:
    """What the page, and other programs, need to know of a model."""
    return {
        "name": model.name,
        "task": model.task,
        "about": model.about,
        "services": [
            {
                "name": service.name,
                "summary": service.summary,
                "takes": service.takes,
                "options": service.options.model_json_schema()["properties"] if service.options.model_fields else {},
                "stream": service.stream is not None,
                "live": None if service.live is None else {"rate": service.live.rate},
            }
            for service in model.services
        ],
    }


@dataclass(frozen=True, slots=True)
class _Served:
    """One service of one model, at its address."""

    model: Model
    service: Service
    batcher: Batcher
    limits: Limits

    def add_to(self, app: FastAPI, slots: Slots) -> None:
        path = f"/{self.model.name}/{self.service.name}"
        about: dict[str, Any] = {"methods": ["POST"], "summary": self.service.summary, "response_model": None}
        app.add_api_route(path, self._endpoint(self.answer), **about)
        if self.service.stream is not None:

            async def stream(given: Any, options: Section) -> Response:
                return await self.stream(given, options, slots)

            app.add_api_route(f"{path}/stream", self._endpoint(stream), **about)
        if (live := self.service.live) is not None:

            async def hear(socket: WebSocket) -> None:
                await listen(socket, live, self.service.options, self.batcher.executor, slots, self.limits.seconds)

            hear.__annotations__ = {"socket": WebSocket}
            app.add_api_websocket_route(f"{path}/live", hear)

    def _endpoint(self, handle: Callable[[Any, Any], Any]) -> Callable[..., Any]:
        """A text comes in a JSON object with the options; a file is the body, with the options in the query."""
        options_type = self.service.options
        if self.service.takes == "text":
            text: Any = (Text, Field(max_length=self.limits.characters, description="what to work on"))
            request_type = create_model(f"{self.service.name.title()}Request", __base__=options_type, text=text)

            async def of_text(given: Any) -> Response:
                options = options_type.model_validate(given.model_dump(exclude={"text"}))
                found: Response = await handle(given.text, options)
                return found

            of_text.__annotations__ = {"given": request_type}
            return of_text

        async def of_file(request: Request, options: Any) -> Response:
            content = await request.body()
            if not content:
                raise HTTPException(422, f"the body is empty: it is the {self.service.takes} file")
            found: Response = await handle(content, options)
            return found

        of_file.__annotations__ = {"request": Request, "options": Annotated[options_type, Query()]}
        return of_file

    async def answer(self, given: Any, options: Section) -> Response:
        with _as_status():
            return _json(await asyncio.wait_for(self.batcher.ask(given, options), self.limits.seconds))

    async def stream(self, given: Any, options: Section, slots: Slots) -> Response:
        assert self.service.stream is not None
        make = self.service.stream
        taken = slots.take()
        if taken is None:
            raise _busy()
        bits = in_turn(self.batcher.executor, lambda: make(given, options))
        try:
            with _as_status():  # what cannot be begun is refused by a status
                first = await asyncio.wait_for(anext(bits), self.limits.seconds)
        except BaseException:
            taken.give_back()
            raise
        deadline = asyncio.get_running_loop().time() + self.limits.seconds

        async def events() -> AsyncIterator[str]:
            try:
                yield _event("", first)
                async for bit in bits:
                    yield _event("", bit)
                    if asyncio.get_running_loop().time() > deadline:
                        yield _event("error", {"detail": _too_long()})
                        return
                yield _event("done", {})
            except LstmdropError as error:
                yield _event("error", {"detail": str(error)})
            finally:
                taken.give_back()
                with suppress(RuntimeError):
                    await bits.aclose()

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _event(kind: str, data: Mapping[str, Any]) -> str:
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {to_json(data, ensure_ascii=False)}\n\n"


def _json(found: object) -> Response:
    """As ``predict --json`` writes it."""
    return Response(to_json(found, ensure_ascii=False), media_type="application/json")


def _busy() -> HTTPException:
    return HTTPException(503, "too many requests wait already: come again", headers={"Retry-After": "1"})


def _too_long() -> str:
    return "it took longer than this server lets a request take"


@contextmanager
def _as_status() -> Iterator[None]:
    """What can go wrong with a request, as HTTP says it."""
    try:
        yield
    except BusyError:
        raise _busy() from None
    except asyncio.TimeoutError:
        raise HTTPException(504, _too_long()) from None
    except LstmdropError as error:
        raise HTTPException(422, str(error)) from None
