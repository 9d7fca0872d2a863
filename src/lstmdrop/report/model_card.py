"""What a published model says of itself: its scores, the commands that made them, and metadata as the Hub reads it.

The metadata follows https://huggingface.co/docs/hub/model-cards, the results https://huggingface.co/docs/hub/eval-results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

PAPER = "https://arxiv.org/abs/1409.2329"
LIBRARY = "lstmdrop"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a model that is published."""

    name: str
    """Without its owner."""
    address: str
    """How others name it: ``hf:OWNER/NAME``, or its folder."""
    summary: str
    """Of its task."""
    pipeline: str | None
    result: Mapping[str, Any]
    """As ``result.json`` has it."""
    licence: str | None = None
    languages: Sequence[str] = ()
    benchmark: str | None = None
    """The Hub's dataset that the test split is of, with its task after a colon."""

    @property
    def commands(self) -> dict[str, str]:
        """What trains such a model and scores it again, by verb."""
        task, data = self.result["task"], self.result["data"]
        return {
            "train": f"lstmdrop train {task} --preset config.json --data {data} --seed {self.result['seed']}",
            "eval": f"lstmdrop eval {task} --run {self.address} --split test",
        }

    def scores(self) -> dict[str, Any]:
        """What ``scores.json`` says: how each number was made, and by what."""
        made_by = ("version", "git", "torch", "device", "train_seconds", "epochs", "num_parameters")
        hashes = ("config_sha256", "data_sha256")
        return {
            **{key: self.result[key] for key in ("task", "data", "size", "regularizer", "seed")},
            "scores": self.result["scores"],
            **{key: self.result[key] for key in (*made_by, *hashes) if key in self.result},
            "commands": self.commands,
        }

    def metadata(self) -> dict[str, Any]:
        """The YAML at the head of the card; a licence stands there only if one was chosen."""
        task = self.pipeline or self.result["task"]
        found: dict[str, Any] = {} if self.licence is None else {"license": self.licence}
        if self.languages:
            found["language"] = list(self.languages)
        found |= {"library_name": LIBRARY, "tags": [LIBRARY, "lstm", "dropout", self.result["task"]]}
        if self.pipeline is not None:
            found["pipeline_tag"] = self.pipeline
        found["metrics"] = list(dict.fromkeys(score["name"] for score in self.result["scores"]))
        results = [
            {
                "task": {"type": task, "name": self.summary},
                "dataset": {"type": self._dataset, "name": self.result["data"], "split": split},
                "metrics": [
                    {
                        "type": row["name"],
                        "name": row["name"],
                        "value": row["value"],
                        "args": {"signature": row["signature"]},
                    }
                    for row in self.result["scores"]
                    if row["split"] == split
                ],
            }
            for split in dict.fromkeys(row["split"] for row in self.result["scores"])
        ]
        return {**found, "model-index": [{"name": self.name, "results": results}]}

    @property
    def _dataset(self) -> str:
        return str(self.result["data"]) if self.benchmark is None else self.benchmark.partition(":")[0]

    def eval_results(self) -> list[dict[str, Any]]:
        """The first test score, for the leaderboard of its dataset; none where no dataset of the Hub is named."""
        test = [row for row in self.result["scores"] if row["split"] == "test"]
        if self.benchmark is None or not test:
            return []
        name, _, task = self.benchmark.partition(":")
        notes = f"{test[0]['name']} {test[0]['signature']}"
        dataset = {"id": name, "task_id": task or "default"}
        return [{"dataset": dataset, "value": test[0]["value"], "notes": notes}]

    def text(self) -> str:
        """The whole ``README.md``."""
        result = self.result
        rows = [
            f"| {row['split']} | {row['name']} | {row['value']:.4f} | `{_in_cell(row['signature'])}` |"
            for row in result["scores"]
        ]
        about_license = (
            "" if self.licence else "\nNo licence was chosen for this model: ask its author before you use it.\n"
        )
        return f"""---
{as_yaml(self.metadata())}---

# {self.name}

An LSTM for {self.summary}. Data: {result["data"]}, size: {result["size"]},
rule: {result["regularizer"]}, seed: {result["seed"]}, parameters: {result["num_parameters"]:,}.
Dropout on the non-recurrent connections is from [Zaremba, Sutskever & Vinyals 2014]({PAPER}).
{about_license}
| split | score | value | signature |
| --- | --- | ---: | --- |
{chr(10).join(rows)}

The folder holds weights (`model.safetensors`), settings (`config.json`), the scores (`scores.json`) and what the
model reads with (`assets/`): tensors, JSON and text, nothing that runs code.

```console
$ pip install 'lstmdrop[hub]'
$ lstmdrop predict {result["task"]} --run {self.address}
$ {self.commands["eval"]}
```

It was trained by this command, from the folder's `config.json`:

```console
$ {self.commands["train"]}
```
"""


def _in_cell(signature: str) -> str:
    """A bar would end the cell of the table, in code too."""
    return signature.replace("|", "\\|")


def as_yaml(values: object) -> str:
    """As people write it: in the order given, letters of all scripts as they are."""
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))
