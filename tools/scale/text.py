"""The tables of docs/scaling.md: each computed from what was measured and what is cited, and put between its marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lstmdrop.report.table import Column, Note, Table, to_markdown
from scale.arithmetic import Link, best_interval, lost_share, needed_sync, ring_seconds
from scale.rates import Found, Rates

DAY, HOUR, GIGA = 86400.0, 3600.0, 1e9
NETWORK_SHARE = 0.1
"""Of the computing, that the network is to take at most."""

_MARKED = re.compile(r"(<!-- scaling: (\w+) -->\n).*?\n?(<!-- end of scaling -->)", re.DOTALL)


def written(text: str, tables: Mapping[str, Table]) -> str:
    """The text with each table between its marks.

    Raises:
        KeyError: a mark names no table, or a table has no mark.
    """
    if missing := tables.keys() ^ {match[2] for match in _MARKED.finditer(text)}:
        raise KeyError(f"not both marked and computed: {', '.join(sorted(missing))}")
    return _MARKED.sub(lambda match: f"{match[1]}\n{_body(tables[match[2]])}\n{match[3]}", text)


def _body(table: Table) -> str:
    """Without the heading, which the text has."""
    return to_markdown([table]).split("\n", 2)[2]


def tables(found: Found) -> dict[str, Table]:
    """By the name of their mark."""
    rates = Rates(found)
    return {
        "measured": _measured(rates),
        "sums": _sums(rates),
        "preparation": _preparation(rates),
        "translation": _translation(rates),
        "language": _language(rates),
        "failures": _failures(rates),
        "dealing": _dealing(found["dealing"]),
        "constants": _constants(rates),
    }


def _measured(rates: Rates) -> Table:
    rows = []
    for network in rates.measured["networks"]:
        speed = rates.training(network["task"], network["size"]) or {}
        rows.append(
            (
                f"{network['task']} {network['size']}",
                network["parameters"] / 1e6,
                network["flops_per_token"] / 1e6,
                speed.get("tokens_per_second"),
                speed.get("share_of_matrix_rate"),
                rates.state_bytes(network) / 1e6,
                1000 * rates.write_seconds(network),
                speed.get("load"),
            )
        )
    about = rates.measured["machine"]
    columns = (
        Column("network", is_text=True),
        Column("parameters, M", decimals=1),
        Column("operations a token, M", decimals=0),
        Column("tokens a second", decimals=0),
        Column("share of the matrix rate"),
        Column("checkpoint, MB", decimals=0),
        Column("written in, ms", decimals=0),
        Column("load", decimals=1),
    )
    notes = (
        Note(
            f"{about['processor']} ({about['capability']}), torch {about['torch']}, {about['when']}; "
            f"{about['cores']} cores, which others used too (load): tokens are counted for each "
            "second of one core that the training had"
        ),
        Note(f"a checkpoint takes {1000 * rates.pause:.0f} ms and a second for each {rates.disk / 1e6:.0f} MB"),
        Note(f"a process has imported all in {rates.measured['start_seconds']:.1f} s of one core"),
    )
    return Table("Measured here", columns, tuple(rows), notes)


def _sums(rates: Rates) -> Table:
    rows = []
    for size in sorted({row["bytes"] for row in rates.measured["sums"]}):
        found = {row["processes"]: row["seconds"] for row in rates.measured["sums"] if row["bytes"] == size}
        rows.append(
            (
                size // 1024,
                *(1000 * found[n] for n in (2, 4)),
                *(1000 * ring_seconds(size, n, rates.gloo) for n in (2, 4)),
            )
        )
    columns = (
        Column("KiB"),
        Column("2 processes, ms"),
        Column("4 processes, ms"),
        Column("ring of 2, ms"),
        Column("ring of 4, ms"),
    )
    load = max(row["load"] for row in rates.measured["sums"])
    notes = (
        Note(
            f"the ring is {1e6 * rates.gloo.latency:.0f} µs a message and "
            f"{rates.gloo.bytes_per_second / 1e6:.0f} MB/s, fitted; each time is the shortest of several, at a load "
            f"of up to {load:.1f}: processes that wait for a core wait for each other as well"
        ),
    )
    return Table("A sum over processes by gloo", columns, tuple(rows), notes)


def _preparation(rates: Rates) -> Table:
    rows = [_prepared_corpus(rates, *corpus) for corpus in _corpora(rates)]
    columns = (
        Column("text", is_text=True),
        Column("tokens", is_text=True),
        Column("GB of text", decimals=0),
        Column("GB of tokens", decimals=0),
        Column("hours, 1 core", decimals=1),
        Column("64 cores"),
        Column("1,000 cores", decimals=3),
    )
    notes = [
        Note(
            f"{row['tokens_are']}: {row['bytes'] / 1e6 / row['seconds']:.2f} MB for each second of a core, "
            f"{row['tokens'] / row['words']:.2f} tokens a word, "
            f"{row['bytes_per_token_on_disk']} bytes a token (load {row['load']:.1f})"
        )
        for row in rates.measured["preparation"]
    ]
    notes.append(Note("several cores are taken to share the work evenly, as a text in many parts lets them"))
    return Table("Preparation and disk", columns, tuple(rows), tuple(notes))


def _corpora(rates: Rates) -> list[tuple[str, str, float]]:
    """Name, what its tokens are, and how many words or tokens it has."""
    words = rates.of("pairs") * (rates.of("source_words_per_pair") + rates.of("target_words_per_pair"))
    return [
        ("WMT'14, both languages", "word", words),
        ("WMT'14, both languages", "bpe", words),
        ("100 billion tokens", "bpe", rates.of("tokens")),
    ]


def _prepared_corpus(rates: Rates, name: str, kind: str, count: float) -> tuple[Any, ...]:
    measured = rates.prepared(kind)
    per_word = measured["tokens"] / measured["words"]
    tokens = count if name.startswith("100") else count * per_word
    size = tokens / measured["tokens"] * measured["bytes"]
    hours = size / (measured["bytes"] / measured["seconds"]) / HOUR
    return (
        name,
        kind,
        size / GIGA,
        tokens * measured["bytes_per_token_on_disk"] / GIGA,
        hours,
        hours / 64,
        hours / 1000,
    )


_STEP_COLUMNS = (
    Column("network", is_text=True),
    Column("workers"),
    Column("link", is_text=True),
    Column("tokens a step, each"),
    Column("computing, ms"),
    Column("sum, ms"),
    Column("time lost to sums, %", decimals=1),
    Column("sync_every for 10%"),
    Column("days an epoch", decimals=None, significant=3),
)


def _step(
    rates: Rates, network: Mapping[str, Any], workers: int, link: Link, rate: float, tokens: float
) -> tuple[Any, ...]:
    compute = network["tokens_per_step"] / rate
    network_seconds = ring_seconds(4.0 * network["parameters"], workers, link) if workers > 1 else 0.0
    share = network_seconds / (compute + network_seconds)
    days = tokens / (workers * network["tokens_per_step"]) * (compute + network_seconds) / DAY
    return (
        f"{network['task']} {network['size']}",
        workers,
        link.name if workers > 1 else "",
        network["tokens_per_step"],
        1000 * compute,
        1000 * network_seconds,
        100 * share,
        needed_sync(network_seconds, compute, NETWORK_SHARE),
        days,
    )


def _translation(rates: Rates) -> Table:
    rows = []
    for size, kind in (("medium", "bpe"), ("paper", "word")):
        network = rates.network("mt", size)
        measured = rates.prepared(kind)
        tokens = rates.of("pairs") * rates.of("target_words_per_pair") * measured["tokens"] / measured["words"]
        rate = rates.gpu_tokens_per_second(network)
        rows += [_step(rates, network, gpus, rates.link_of(gpus), rate, tokens) for gpus in (1, 8, 64)]
        rows.append(_step(rates, network, 64, rates.ethernet, rate, tokens))
    notes = (
        Note(
            f"a GPU is taken to reach {rates.share('mt'):.2f} of {rates.of('gpu_flops') / 1e12:.0f} Tflop/s, the share "
            "that was measured here on a core; a small network on a GPU reaches less, and then the sums weigh less"
        ),
        Note("a word is as many tokens as in the text that was prepared here"),
        Note(
            "each worker has as many tokens a step as the preset; training.batch_tokens is that of all workers "
            "together, N times as much"
        ),
    )
    return Table("WMT'14 English-French", _STEP_COLUMNS, tuple(rows), notes)


def _language(rates: Rates) -> Table:
    tokens = rates.of("tokens")
    rows = []
    for size in ("medium", "large"):
        network = rates.network("lm", size)
        gpu = rates.gpu_tokens_per_second(network)
        core = rates.training("lm", size)
        assert core is not None
        rows.append(_step(rates, network, 1000, rates.infiniband, gpu, tokens))
        rows.append(_step(rates, network, 1000, rates.ethernet, gpu, tokens))
        rows.append(
            _step(rates, network, 1000, Link("Ethernet, cores", *rates.ethernet[1:]), core["tokens_per_second"], tokens)
        )
        rows.append(_step(rates, network, 1000, rates.gloo, core["tokens_per_second"], tokens))
    notes = (
        Note(
            "the last two of each size have a core of this machine for a worker, the last one the link that was "
            "measured too"
        ),
        Note(
            "the gradients of each step are summed whole, after the backward pass: nothing is sent while something "
            "is computed"
        ),
    )
    return Table("100 billion tokens on 1,000 workers", _STEP_COLUMNS, tuple(rows), notes)


def _failures(rates: Rates) -> Table:
    rows = []
    between = rates.of("accelerator_days_between_failures") * DAY
    for (task, size), workers in ((("mt", "paper"), 8), (("mt", "paper"), 64), (("lm", "large"), 1000)):
        network = rates.network(task, size)
        pause = rates.write_seconds(network)
        restart = rates.of("notice_seconds") + rates.measured["start_seconds"] + rates.read_seconds(network)
        failure = between / workers
        best, ours = best_interval(pause, failure), 60.0 * network["save_minutes"]
        lost = [100 * lost_share(interval, pause, failure, restart) for interval in (ours, best)]
        rows.append((f"{task} {size}", workers, failure / HOUR, pause, restart, ours / 60, lost[0], best / 60, lost[1]))
    columns = (
        Column("network", is_text=True),
        Column("workers"),
        Column("hours between failures", decimals=1),
        Column("a checkpoint, s"),
        Column("coming back, s", decimals=0),
        Column("save_minutes", decimals=0),
        Column("lost, %", decimals=3),
        Column("best save_minutes", decimals=1),
        Column("lost then, %", decimals=3),
    )
    notes = (
        Note("lost: the pauses for checkpoints, the work done again, and coming back, as a share of all time"),
        Note(
            "coming back is the longest: a machine that goes without a word is missed after STEP_TIMEOUT, a process "
            "that ends at once"
        ),
    )
    return Table("Failures", columns, tuple(rows), notes)


def _dealing(epochs: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            row["epoch"],
            row["items"],
            row["workers"],
            row["fewest_workers"],
            row["failures"],
            row["steps"],
            row["undone_steps"],
            f"{row['fewest_times']} to {row['most_times']}",
            row["widest_difference_in_items"],
            row["largest_part_in_the_middle"],
            row["largest_part_in_tokens"],
        )
        for row in epochs
    ]
    columns = (
        Column("epoch"),
        Column("items"),
        Column("workers"),
        Column("fewest"),
        Column("failures"),
        Column("steps"),
        Column("done again"),
        Column("an item counts", is_text=True),
        Column("difference, items"),
        Column("largest part"),
        Column("in the worst step"),
    )
    notes = (
        Note("difference: between the workers of one step, the largest of all steps"),
        Note(
            "largest part: the most padded tokens that one worker had in a step, over the mean of that step; of all "
            "steps the middle"
        ),
        Note("the worst step has long sentences, of which some workers have two and others one"),
    )
    return Table("Items dealt to workers that fail", columns, tuple(rows), notes)


def _constants(rates: Rates) -> Table:
    rows = [(name, float(one["value"]), one["unit"], one["source"]) for name, one in rates.constants.items()]
    columns = (
        Column("constant", is_text=True),
        Column("value", decimals=None),
        Column("unit", is_text=True),
        Column("source", is_text=True),
    )
    return Table("Constants", columns, tuple(rows))
