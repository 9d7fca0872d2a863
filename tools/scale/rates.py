"""What the arithmetic of docs/scaling.md begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scale.arithmetic import Link, fitted_line, fitted_link

Found = Mapping[str, Any]
"""By the name of its file what was measured, simulated and cited."""


class Rates:
    """What the arithmetic needs, from `measured.json` and `constants.json`."""

    def __init__(self, found: Found) -> None:
        self.measured: Mapping[str, Any] = found["measured"]
        self.constants: Mapping[str, Any] = found["constants"]
        rows = [(row["processes"], row["bytes"], row["seconds"]) for row in self.measured["sums"]]
        self.gloo = fitted_link("gloo, this machine", rows)
        self.pause, per_byte = fitted_line(
            [(row["bytes"], row["write_seconds"]) for row in self.measured["checkpoints"]]
        )
        self.disk = 1 / per_byte
        self.nvlink = Link("NVLink", self.of("nvlink_bytes"), self.of("nvlink_seconds"))
        self.infiniband = Link("InfiniBand 400 Gb/s", self.of("infiniband_bytes"), self.of("infiniband_seconds"))
        self.ethernet = Link("Ethernet 25 Gb/s", self.of("ethernet_bytes"), self.of("ethernet_seconds"))

    def of(self, name: str) -> float:
        """A constant."""
        return float(self.constants[name]["value"])

    def network(self, task: str, size: str) -> Mapping[str, Any]:
        """Its parameters and arithmetic."""
        return next(row for row in self.measured["networks"] if (row["task"], row["size"]) == (task, size))

    def training(self, task: str, size: str) -> Mapping[str, Any] | None:
        """Its measured speed here, None where it was not measured."""
        rows = (row for row in self.measured["training"] if (row["task"], row["size"]) == (task, size))
        return next(rows, None)

    def share(self, task: str) -> float:
        """Of the matrix rate that training reaches here: of the largest network of the task that was measured."""
        return float([row for row in self.measured["training"] if row["task"] == task][-1]["share_of_matrix_rate"])

    def gpu_tokens_per_second(self, network: Mapping[str, Any]) -> float:
        """If a GPU came as near to its limit as a core here comes to its own."""
        return self.of("gpu_flops") * self.share(network["task"]) / float(network["flops_per_token"])

    def state_bytes(self, network: Mapping[str, Any]) -> float:
        """Of a checkpoint: the weights, and two numbers more for each where the optimiser is AdamW."""
        return 4.0 * float(network["parameters"]) * (3 if network["optimizer"] == "adamw" else 1)

    def write_seconds(self, network: Mapping[str, Any]) -> float:
        """Of a checkpoint, by this machine's disk."""
        return self.pause + self.state_bytes(network) / self.disk

    def read_seconds(self, network: Mapping[str, Any]) -> float:
        """Of a checkpoint."""
        base, slope = fitted_line([(row["bytes"], row["read_seconds"]) for row in self.measured["checkpoints"]])
        return base + slope * self.state_bytes(network)

    def link_of(self, gpus: int) -> Link:
        """Within one machine NVLink, else what joins the machines."""
        return self.nvlink if gpus <= self.of("gpus_per_machine") else self.infiniband

    def prepared(self, kind: str) -> Mapping[str, Any]:
        """How fast one core makes tokens of a text."""
        return next(row for row in self.measured["preparation"] if row["tokens_are"] == kind)
