"""The published images and captions, and the demo."""

from __future__ import annotations

from lstmdrop.data.registry import Dataset, DatasetFile

COCO_URL = "http://images.cocodataset.org/"
FLICKR8K_HOME = "http://hockenmaier.cs.illinois.edu/Framing_Image_Description/KCCA.html"
FLICKR30K_HOME = "http://shannon.cs.illinois.edu/DenotationGraph/"
KARPATHY = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"

FLICKR8K = Dataset(
    name="flickr8k",
    summary="8,000 photographs of people and animals, five captions each; 6,000 / 1,000 / 1,000",
    task="caption",
    licence="for research; the photographs belong to their owners",
    files=(
        DatasetFile("Images"),
        DatasetFile("captions.txt"),
        *(DatasetFile(f"Flickr_8k.{part}Images.txt") for part in ("train", "dev", "test")),
    ),
    homepage=FLICKR8K_HOME,
    note=f"ask for it at {FLICKR8K_HOME} or take a copy that you may use\nthe layouts that are read: docs/caption.md",
)

FLICKR30K = Dataset(
    name="flickr30k",
    summary="31,014 photographs of people in everyday scenes, five captions each; 29,000 / 1,014 / 1,000",
    task="caption",
    licence="for research; the photographs belong to their owners",
    files=(
        DatasetFile("flickr30k-images"),
        DatasetFile("results_20130124.token"),
        DatasetFile("dataset_flickr30k.json"),
    ),
    homepage=FLICKR30K_HOME,
    note=f"ask for images and captions at {FLICKR30K_HOME}\n"
    f"the splits, dataset_flickr30k.json, are in {KARPATHY}\nthe layouts that are read: docs/caption.md",
)

COCO = Dataset(
    name="coco",
    summary="COCO 2014, 123,287 photographs, five captions each (20 GB), in Karpathy's splits; the paper's",
    task="caption",
    licence="captions CC BY 4.0; the photographs belong to their owners",
    files=tuple(
        DatasetFile(name)
        for name in (
            "train2014",
            "val2014",
            "annotations/captions_train2014.json",
            "annotations/captions_val2014.json",
            "dataset_coco.json",
        )
    ),
    archives=(
        DatasetFile(
            "annotations_trainval2014.zip", f"{COCO_URL}annotations/annotations_trainval2014.zip", size=252_872_794
        ),
        DatasetFile(
            "train2014.zip",
            f"{COCO_URL}zips/train2014.zip",
            md5="0da8c0bd3d6becc4dcb32757491aca88",
            size=13_510_573_713,
        ),
        DatasetFile(
            "val2014.zip",
            f"{COCO_URL}zips/val2014.zip",
            md5="a3d79f5ed8d289b7a7554ce06a5782b3",
            size=6_645_013_297,
        ),
        DatasetFile("caption_datasets.zip", KARPATHY),
    ),
    homepage="https://cocodataset.org/",
)

DEMO = Dataset(
    name="demo",
    summary="small drawn scenes with captions, made without network",
    task="caption",
    licence="MIT",
    files=(),
)

DATASETS = (FLICKR8K, FLICKR30K, COCO, DEMO)
