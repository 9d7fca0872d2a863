"""The published recordings, and the demo."""

from __future__ import annotations

from lstmdrop.data.registry import Dataset, DatasetFile

OPENSLR = "https://www.openslr.org/resources/"
LIBRISPEECH_MD5 = {
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
}

LJSPEECH = Dataset(
    name="ljspeech",
    summary="one speaker reading, up to 24 h; phone alignments as TextGrid beside it for frames",
    task="asr",
    licence="public domain",
    files=(DatasetFile("metadata.csv"),),
    archives=(
        DatasetFile(
            "LJSpeech-1.1.tar.bz2",
            "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
            sha256="be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
            size=2_748_572_632,
        ),
    ),
    archive_root="LJSpeech-1.1",
    homepage="https://keithito.com/LJ-Speech-Dataset/",
)

AN4 = Dataset(
    name="an4",
    summary="spelled letters, digits, dates and names, 0.8 h, 13 MFCC a frame; tested on 130 utterances",
    task="asr",
    licence="CMU; none stated",
    files=(DatasetFile("train.jsonl"), DatasetFile("test.jsonl")),
    homepage="http://www.speech.cs.cmu.edu/databases/an4/",
    note="as manifests train.jsonl and test.jsonl over .npy features; see docs/asr.md",
)

SPEECHOCEAN762 = Dataset(
    name="speechocean762",
    hub="mispeech/speechocean762",
    summary="sentences read by 250 learners of English, adults and children, 5.6 h",
    task="asr",
    licence="free for any use",
    files=tuple(DatasetFile(f"{part}/{name}") for part in ("train", "test") for name in ("wav.scp", "text", "utt2spk")),
    archives=(DatasetFile("speechocean762.tar.gz", f"{OPENSLR}101/speechocean762.tar.gz"),),
    archive_root="speechocean762",
    homepage="https://www.openslr.org/101/",
)

LIBRISPEECH = Dataset(
    name="librispeech",
    hub="openslr/librispeech_asr",
    summary="audio books, 960 h (60 GB); trains on what is there, tested on test-clean",
    task="asr",
    licence="CC BY 4.0",
    files=tuple(DatasetFile(part) for part in LIBRISPEECH_MD5),
    archives=tuple(
        DatasetFile(f"{part}.tar.gz", f"{OPENSLR}12/{part}.tar.gz", md5=md5) for part, md5 in LIBRISPEECH_MD5.items()
    ),
    archive_root="LibriSpeech",
    homepage="https://www.openslr.org/12/",
)

DEMO = Dataset(
    name="demo",
    summary="digits spoken by a small formant synthesiser in 24 voices, made without network",
    task="asr",
    licence="MIT",
    files=(),
)

DATASETS = (LJSPEECH, AN4, SPEECHOCEAN762, LIBRISPEECH, DEMO)
