"""Which images and captions a name or a path means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lstmdrop.config import Split
from lstmdrop.data.registry import contents, expanded, locate
from lstmdrop.errors import DataError, did_you_mean
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, Selection
from lstmdrop_tasks.caption.corpora.coco import ANNOTATIONS, OF_2017, coco, coco_file, is_coco
from lstmdrop_tasks.caption.corpora.datasets import COCO, DATASETS, DEMO, FLICKR8K, FLICKR30K
from lstmdrop_tasks.caption.corpora.flickr import CAPTION_FILES, flickr, is_flickr, like_flickr, table
from lstmdrop_tasks.caption.corpora.own import FILE, own

PUBLISHED: Mapping[str, Callable[[Path, str, Selection], CaptionCorpus]] = {
    FLICKR8K.name: flickr,
    FLICKR30K.name: flickr,
    COCO.name: coco,
}


def find_corpus(
    data: str, data_dir: Path | None = None, scored: Sequence[Split] = (), split_seed: int = 0
) -> CaptionCorpus:
    """The corpus of a known name, or of a path; of one's own data that is only to be ``scored``, these splits.

    Images that nobody has split are dealt out by their names and ``split_seed``.

    Raises:
        DataError: nothing has this name, or the data is missing or damaged.
    """
    if data == DEMO.name:
        from lstmdrop_tasks.caption.corpora.demo.corpus import demo

        return demo()
    if data in PUBLISHED:
        return PUBLISHED[data](locate(data, data_dir), data, Selection(seed=split_seed))
    path, selection = expanded(data), Selection(scored, split_seed)
    if path.is_file():
        return _in_file(path, selection)
    if not path.is_dir():
        names = [dataset.name for dataset in DATASETS]
        raise DataError(
            f"{data!r} is neither a dataset nor a file or folder here{did_you_mean(data, names)}\n"
            f"datasets: {', '.join(names)}; or give a JSONL, COCO JSON or CSV file, or a folder in a known layout"
        )
    return _in_folder(path, selection)


def _in_file(path: Path, selection: Selection) -> CaptionCorpus:
    if path.suffix.lower() == ".json":
        return coco_file(path, selection)
    if path.suffix.lower() in (".csv", ".token") or path.name in CAPTION_FILES:
        return table(path, selection)
    return own(path, selection)


def _in_folder(folder: Path, selection: Selection) -> CaptionCorpus:
    if (folder / FILE).is_file():
        return own(folder / FILE, selection)
    if is_coco(folder):
        return coco(folder, folder.name, selection)
    if is_flickr(folder):
        return like_flickr(folder, folder.name, selection)
    files = [path for path in (folder / name for name in CAPTION_FILES) if path.is_file()]
    files += sorted(folder.glob("*.json"))
    if len(files) == 1:
        return _in_file(files[0], selection)
    raise DataError(
        f"{folder}: no known layout is in this folder\n"
        f"it needs {FILE}; {ANNOTATIONS['train2014']} or {OF_2017['train2017']} (COCO); one JSON file as COCO's; "
        f"or a folder Images beside captions.txt (Flickr); {contents(folder)}"
    )
