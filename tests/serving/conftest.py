from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from lstmdrop.commands.serve import Serving, application


@pytest.fixture
def client(trained: Callable[[str], Path]) -> Iterator[Callable[..., TestClient]]:
    """A client of a server of the toy run of a task; settings are those of `Serving`."""
    with ExitStack() as stack:

        def make(*tasks: str, headers: dict[str, str] | None = None, **settings: Any) -> TestClient:
            app = application([trained(task) for task in tasks], replace(Serving(), **settings), device="cpu")
            found = TestClient(app, base_url="http://127.0.0.1:8000", headers=headers)
            return stack.enter_context(found)

        yield make
