"""Which images and captions a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import contents, expanded, locate
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus
from lstmdrop_tasks.caption.corpora.coco import ANNOTATIONS, OF_2017, coco, coco_file, is_coco
from lstmdrop_tasks.caption.corpora.datasets import COCO, DATASETS, DEMO, FLICKR8K, FLICKR30K
from lstmdrop_tasks.caption.corpora.flickr import CAPTION_FILES, flickr, is_flickr, like_flickr, table
from lstmdrop_tasks.caption.corpora.own import FILE, own

PUBLISHED: Mapping[str, Callable[[Path, str, Sequence[Split]], CaptionCorpus]] = {
    FLICKR8K.name: flickr,
    FLICKR30K.name: flickr,
    COCO.name: coco,
}


def find_corpus(data: str, data_dir: Path | None = None, scored: Sequence[Split] = ()) -> CaptionCorpus:
    """The corpus of a known name, or of a path; of one's own data that is only to be ``scored``, these splits.

    Raises:
        DataError: nothing has this name, or the data is missing or damaged.
    """
    if data == DEMO.name:
        from lstmdrop_tasks.caption.corpora.demo.corpus import demo

        return demo()
    if data in PUBLISHED:
        return PUBLISHED[data](locate(data, data_dir), data, ())
    path = expanded(data)
    if path.is_file():
        return _in_file(path, scored)
    if not path.is_dir():
        names = [dataset.name for dataset in DATASETS]
        raise DataError(
            f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
            f"datasets: {', '.join(names)}; or give a JSONL, COCO JSON or CSV file, or a folder in a known layout"
        )
    return _in_folder(path, scored)


def _in_file(path: Path, scored: Sequence[Split]) -> CaptionCorpus:
    if path.suffix.lower() == ".json":
        return coco_file(path, scored)
    if path.suffix.lower() in (".csv", ".token") or path.name in CAPTION_FILES:
        return table(path, scored)
    return own(path, scored)


def _in_folder(folder: Path, scored: Sequence[Split]) -> CaptionCorpus:
    if (folder / FILE).is_file():
        return own(folder / FILE, scored)
    if is_coco(folder):
        return coco(folder, folder.name, scored)
    if is_flickr(folder):
        return like_flickr(folder, folder.name, scored)
    files = [path for path in (folder / name for name in CAPTION_FILES) if path.is_file()]
    files += sorted(folder.glob("*.json"))
    if len(files) == 1:
        return _in_file(files[0], scored)
    raise DataError(
        f"{folder}: no known layout is in this folder\n"
        f"it needs {FILE}; {ANNOTATIONS['train2014']} or {OF_2017['train2017']} (COCO); one JSON file as COCO's; "
        f"or a folder Images beside captions.txt (Flickr); {contents(folder)}"
    )
