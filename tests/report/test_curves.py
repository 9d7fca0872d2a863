from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop.report.curves import Curves, read_curves

LOG = """\
{"event": "logged", "step": 1, "epoch": 1, "loss": 6.0, "rate": 1.0, "gradient_norm": 2.0, "seconds": 1.0}
{"event": "evaluated", "step": 2, "epoch": 1, "split": "valid", "training_loss": 5.0,
 "scores": [{"name": "perplexity", "value": 140.5, "higher_is_better": false, "signature": ""}]}
{"event": "evaluated", "step": 4, "epoch": 2, "split": "valid", "training_loss": 4.0,
 "scores": [{"name": "bleu", "value": 1.0, "higher_is_better": true, "signature": ""},
            {"name": "perplexity", "value": 120.25, "higher_is_better": false, "signature": ""}]}
{"event": "evaluated", "step": 4, "epoch": 2, "split": "train", "training_loss": 9.0,
 "scores": [{"name": "perplexity", "value": 70.5, "higher_is_better": false, "signature": ""}]}
""".replace(",\n ", ", ").replace("           {", "{")


def write_log(directory: Path, text: str) -> Path:
    directory.mkdir()
    (directory / "log.jsonl").write_text(text)
    return directory


def test_curves_are_perplexities_by_epoch(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG))
    assert found == Curves("a", (1, 2), (math.exp(5.0), math.exp(4.0)), (140.5, 120.25))


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG + '{"event": "eval'))
    assert found.epochs == (1, 2)


def test_a_diverged_epoch_is_infinite(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG.replace('"training_loss": 4.0', '"training_loss": 1000.0')))
    assert found.training == (math.exp(5.0), math.inf)


def test_a_loss_below_zero_is_no_perplexity(tmp_path: Path) -> None:
    """The self-critical loss is a reward, negative."""
    found = read_curves(write_log(tmp_path / "a", LOG.replace('"training_loss": 4.0', '"training_loss": -0.8')))
    assert found.training[0] == math.exp(5.0)
    assert math.isnan(found.training[1])
    assert found.validation == (140.5, 120.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOG + "nonsense\n", "log.jsonl, line 5: not an event"),
        (LOG + '{"step": 3}\n', "log.jsonl, line 5: not an event"),
        (LOG.replace('"training_loss": 5.0', '"training_loss": null'), "log.jsonl, line 2: not an event"),
        (LOG.replace('"valid"', '"test"'), "no epoch with a validation score yet"),
    ],
)
def test_a_damaged_or_empty_log_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_curves(write_log(tmp_path / "a", text))


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log\.jsonl cannot be read"):
        read_curves(tmp_path)


def event(epoch: int, split: str, best: bool = False, **scores: float) -> str:
    rows = [{"name": name, "value": value} for name, value in scores.items()]
    fields = {"event": "evaluated", "epoch": epoch, "split": split, "training_loss": 2.0, "scores": rows}
    return json.dumps(fields | {"is_best": best}) + "\n"


def test_a_score_that_the_log_gives_for_both_splits_is_preferred(tmp_path: Path) -> None:
    log = event(1, "valid", frame_accuracy=60.0, loss=1.5) + event(1, "train", frame_accuracy=70.0)
    found = read_curves(write_log(tmp_path / "a", log))
    assert (found.metric, found.training, found.validation) == ("frame_accuracy", (70.0,), (60.0,))
    assert not found.with_dropout


def test_a_loss_stands_beside_the_training_loss_where_no_score_has_a_partner(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", event(1, "valid", wer=60.0, loss=1.5)))
    assert (found.metric, found.training, found.validation) == ("loss", (2.0,), (1.5,))


def test_a_score_without_a_partner_has_a_validation_curve_alone(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", event(1, "valid", wer=60.0)))
    assert (found.metric, found.validation) == ("wer", (60.0,))
    assert math.isnan(found.training[0])


def test_the_epoch_that_was_kept_is_the_last_best_one(tmp_path: Path) -> None:
    log = "".join(event(epoch, "valid", epoch in (1, 3), perplexity=9.0) for epoch in (1, 2, 3, 4))
    assert read_curves(write_log(tmp_path / "a", log)).best_epoch == 3
