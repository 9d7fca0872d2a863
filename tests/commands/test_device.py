"""A device that is not here is refused with those that are."""

from __future__ import annotations

import pytest
import torch

from lstmdrop.errors import UsageError
from lstmdrop.training.device import choose_device


@pytest.mark.parametrize(
    "name", ["meta", "foo", "cuda:99", "cpu:1", "cpu:x", "cpu:-1", "vulkan", "mkldnn", "hpu", "", ":", "privateuseone"]
)
def test_a_device_that_cannot_train_here_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match=f"--device {name}: this machine has cpu") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_what_is_here_is_taken() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cpu:0").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
