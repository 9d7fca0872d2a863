"""The published parallel texts, and the demo."""

from __future__ import annotations

from lstmdrop.data.registry import Dataset, DatasetFile

MULTI30K_URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
MULTI30K_SHA256 = {
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
}
STATMT_URL = "https://www.statmt.org/"
IWSLT14_URL = "http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz"
IWSLT14_TESTS = ("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")


def _statmt(path: str, size: int | None = None, sha256: str | None = None) -> DatasetFile:
    return DatasetFile(path.rpartition("/")[2], STATMT_URL + path, sha256=sha256, size=size)


MULTI30K = Dataset(
    name="multi30k",
    hub="bentrevett/multi30k",
    summary="29,000 image descriptions in English, French and German; tested on test_2016_flickr",
    task="mt",
    licence="none stated; made from Flickr30k",
    files=tuple(DatasetFile(name, MULTI30K_URL + name, sha256=sha256) for name, sha256 in MULTI30K_SHA256.items()),
    homepage="https://github.com/multi30k/dataset",
)

TATOEBA = Dataset(
    name="tatoeba",
    summary="167,000 or more short English sentences and French translations by volunteers",
    task="mt",
    licence="CC BY 2.0 FR",
    # It grows from release to release, so no checksum stays right.
    files=(DatasetFile("fra-eng.zip", "http://www.manythings.org/anki/fra-eng.zip"),),
    homepage="http://www.manythings.org/anki/",
)

# Sizes and SHA-256 as tensorflow_datasets recorded them from the publisher; nobody recorded the last two.
WMT14 = Dataset(
    name="wmt14",
    hub="wmt/wmt14:fr-en",
    summary="WMT 2014, English with French (40 M pairs) or German (4.5 M): 6.7 GB of archives, read as they are",
    task="mt",
    licence="as each corpus states, for research",
    files=(
        _statmt(
            "wmt13/training-parallel-europarl-v7.tgz",
            657_632_379,
            "0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
        ),
        _statmt(
            "wmt13/training-parallel-commoncrawl.tgz",
            918_311_367,
            "c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
        ),
        _statmt(
            "wmt13/training-parallel-un.tgz",
            2_365_634_246,
            "29141b5c1eba149a94f7a59d3b1a834b2e47fe0f8758d68dcd77a3d3f497ee47",
        ),
        _statmt(
            "wmt14/training-parallel-nc-v9.tgz",
            80_418_416,
            "cb8953f292298e6877ae433c98912b927cb0766b303f4540512ddd286c748485",
        ),
        _statmt(
            "wmt10/training-giga-fren.tar",
            2_595_102_720,
            "3ff8319f6919393520559bfbc7ad6a747ec81b3abc7be9993b338d4b017b4d9a",
        ),
        _statmt("wmt14/dev.tgz"),
        _statmt("wmt14/test-full.tgz"),
    ),
    homepage="https://www.statmt.org/wmt14/translation-task.html",
)

IWSLT14 = Dataset(
    name="iwslt14",
    summary="IWSLT 2014, German and English: 170,000 pairs of TED talks, split as fairseq does",
    task="mt",
    licence="CC BY-NC-ND 4.0, TED",
    files=tuple(
        DatasetFile(name)
        for language in ("de", "en")
        for name in (
            f"train.tags.de-en.{language}",
            *(f"IWSLT14.{test}.de-en.{language}.xml" for test in IWSLT14_TESTS),
        )
    ),
    archives=(DatasetFile("de-en.tgz", IWSLT14_URL),),
    archive_root="de-en",
    homepage="https://wit3.fbk.eu/2014-01",
)

DEMO = Dataset(
    name="demo",
    summary="6,600 English and French sentences from a small grammar, made without network",
    task="mt",
    licence="MIT",
    files=(),
)

DATASETS = (MULTI30K, TATOEBA, WMT14, IWSLT14, DEMO)
