"""``lstmdrop serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstmdrop.cli import options


def command(
    runs: Annotated[
        list[Path], typer.Option("--run", help="A run to serve, or hf:NAME; may be repeated.", metavar="DIR")
    ],
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than loopback's need --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(help="What a request must bring; safer in the environment.", envvar="LSTMDROP_TOKEN"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name by which the server may be called; may be repeated.", metavar="NAME"),
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.", metavar="BYTES")] = 10_000_000,
    max_length: Annotated[int, typer.Option(min=1, help="Characters of a text.", metavar="N")] = 10_000,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Requests answered together; 1 is no batching.", metavar="N")
    ] = 32,
    queue: Annotated[int, typer.Option(min=1, help="Requests that may wait.", metavar="N")] = 256,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that a request may take.", metavar="S")] = 60.0,
    device: options.Device = "auto",
) -> None:
    """Trained models behind an HTTP address, with a page to try them; needs lstmdrop[serve]."""
    from lstmdrop.commands.serve import Serving, serve

    how = Serving(
        host=host, port=port, token=token, allowed_hosts=allow_host or (), most_bytes=max_body, characters=max_length,
        batch_size=batch_size, queue=queue, seconds=timeout,
    )  # fmt: skip
    typer.echo(f"http://{host}:{port}/ is where to try them; Ctrl-C ends it", err=True)
    serve(runs, how, device=device)
