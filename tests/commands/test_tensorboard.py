from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lstmdrop.commands.train import train
from lstmdrop.errors import MissingPartError


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_the_log_says_is_what_tensorboard_shows(tmp_path: Path, toy_corpus: Path, toy_settings: list[str]) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from lstmdrop.training.tensorboard import TensorBoardLog

    with TensorBoardLog() as log:
        run = train(
            "lm", size="tiny", data=str(toy_corpus), overrides=toy_settings, out=tmp_path / "a", listener=log.show
        )  # fmt: skip
    shown = EventAccumulator(str(tmp_path / "a/tensorboard"))
    shown.Reload()
    assert set(shown.Tags()["scalars"]) >= {"training/loss", "training/rate", "valid/perplexity", "epoch/training_loss"}
    valid = [event.value for event in shown.Scalars("valid/perplexity")]
    assert len(valid) == 2  # epochs
    best = next(score["value"] for score in run.result()["scores"] if score["split"] == "valid")
    assert min(valid) == pytest.approx(best, rel=1e-4)


def test_without_tensorboard_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lstmdrop.training.tensorboard import TensorBoardLog

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPartError, match=r"pip install 'lstmdrop\[tensorboard\]'"):
        TensorBoardLog()
