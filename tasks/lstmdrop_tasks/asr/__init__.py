"""Speech recognition: frames to phones scored by frame accuracy, or speech to text scored by word error rate."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.plugin import TaskOption, TaskPlugin, deferred
from lstmdrop_tasks.asr.config import ASRConfig, ASRPrediction
from lstmdrop_tasks.asr.corpora.datasets import DATASETS

with deferred():
    from lstmdrop_tasks.asr.bench import bench
    from lstmdrop_tasks.asr.export import graphs
    from lstmdrop_tasks.asr.inspection import contents, fitting_size
    from lstmdrop_tasks.asr.predict import predict
    from lstmdrop_tasks.asr.references import references
    from lstmdrop_tasks.asr.scoring import segments
    from lstmdrop_tasks.asr.serve import services
    from lstmdrop_tasks.asr.task import begin, build, evaluate
    from lstmdrop_tasks.asr.tuning import tune

PLUGIN = TaskPlugin(
    name="asr",
    summary="speech recognition: phone frames, transcribed audio, WER and CER",
    config=ASRConfig,
    presets=Path(__file__).parent / "presets",
    datasets=DATASETS,
    services=services,
    pipeline="automatic-speech-recognition",
    build=build,
    evaluate=evaluate,
    prediction=ASRPrediction,
    predict=predict,
    output_of="audio",
    bench=bench,
    bench_settings=("objective", "features.num_filters", "features.deltas", "training.batch_frames"),
    references=references,
    segments=segments,
    tune=tune,
    graphs=graphs,
    inherited=("objective", "features", "model", "data.tokens", "data.vocabulary_size", "data.normalisation"),
    reading=("data.speakers", "data.split_seed", "data.parts", "data.allow_commands"),
    begin=begin,
    contents=contents,
    fitting_size=fitting_size,
    assets_for_training=("transcripts.txt", "left_out.txt"),
    options=(
        TaskOption("--objective", "objective", "frames or ctc.", "NAME"),
        TaskOption(
            "--allow-commands", "data.allow_commands", "Run what a Kaldi folder's wav.scp has in place of sound files."
        ),
    ),
    scoring_settings=("decoding", "scoring", "data.allow_commands", "data.parts"),
    of_own_data=("data.allow_commands", "data.parts"),
)
