"""WMT 2014 from small archives in the layout in which it is published."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from lstmdrop.commands import data as data_commands
from lstmdrop.commands.data import prepare_dataset, verify_dataset
from lstmdrop.data.download import file_status
from lstmdrop.errors import DataError
from lstmdrop.plugin import TaskPlugin, load_plugin
from lstmdrop_tasks.mt.corpora.datasets import STATMT_URL, WMT14
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelText
from lstmdrop_tasks.mt.corpora.published import DEV, EUROPARL, GIGA, TEST, UNITED_NATIONS

Pairs = list[tuple[str, str]]
PairsOf = Callable[[ParallelText], Pairs]

RATIO, MOST_WORDS = 3, 80


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(wmt14_archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served in the place of statmt.org, the archives at their published addresses.

    The dataset is the published one but for host, sizes and checksums.
    """
    root = tmp_path / "site"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        host = f"http://127.0.0.1:{server.server_port}/"
        files = []
        for file in WMT14.files:
            assert file.url is not None
            path = root / file.url.removeprefix(STATMT_URL)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(wmt14_archives / file.name, path)
            size = path.stat().st_size
            files.append(replace(file, url=file.url.replace(STATMT_URL, host), size=size, sha256=None))

        def load(task: str) -> TaskPlugin:
            return replace(load_plugin(task), datasets=(replace(WMT14, files=tuple(files)),))

        monkeypatch.setattr(data_commands, "load_plugin", load)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield root
        server.shutdown()
        thread.join()


def published_pairs(archives: Path, templates: dict[str, tuple[str, float]], languages: tuple[str, str]) -> list[
    tuple[bytes, bytes]
]:  # fmt: skip
    """Every training pair in the order of the archives, read the plain way."""
    pairs = []
    for archive, (template, _) in templates.items():
        with tarfile.open(archives / archive) as contents:
            sides = []
            for language in languages:
                member = contents.extractfile(template.format(language))
                assert member is not None
                content = member.read()
                sides.append((gzip.decompress(content) if template.endswith(".gz") else content).split(b"\n")[:-1])
        pairs += list(zip(*sides, strict=True))
    return pairs


def cleaned_plainly(pairs: list[tuple[bytes, bytes]]) -> tuple[Pairs, Counter[str]]:
    """One pair after the other, all of them in memory."""
    kept: dict[tuple[str, str], None] = {}
    dropped: Counter[str] = Counter()
    for pair in pairs:
        try:
            source, target = (side.decode() for side in pair)
        except UnicodeDecodeError:
            dropped["not_utf8"] += 1
            continue
        shorter, longer = sorted(len(side.split()) for side in pair)
        if not shorter:
            dropped["empty"] += 1
        elif longer > MOST_WORDS:
            dropped["too_long"] += 1
        elif longer > 10 and longer > RATIO * shorter:
            dropped["ratio"] += 1
        elif (source, target) in kept:
            dropped["duplicate"] += 1
        else:
            kept[source, target] = None
    return list(kept), dropped


@pytest.mark.parametrize("pair", ["en-fr", "fr-en", "en-de", "de-en"])
def test_the_corpus_is_what_a_plain_reading_of_the_archives_gives(
    wmt14_archives: Path, generate_wmt14: ModuleType, pairs_of: PairsOf, pair: str
) -> None:
    source, target = languages = pair.split("-")
    other = next(language for language in languages if language != "en")
    corpus = find_corpus("wmt14", pair, wmt14_archives.parent)
    published = published_pairs(wmt14_archives, generate_wmt14.TRAINING[other], (source, target))
    kept, dropped = cleaned_plainly(published)
    assert min(dropped[reason] for reason in ("not_utf8", "empty", "too_long", "ratio", "duplicate")) > 0
    assert pairs_of(corpus.train) == kept
    assert corpus.report["train"] == {"read": len(published), "kept": len(kept), **dropped}
    news = {
        name: list(zip(*(generate_wmt14.news_lines(name, language, 30) for language in languages), strict=True))
        for name in ("dev/newstest2012", "dev/newstest2013", f"test-full/newstest2014-{other}en")
    }
    assert pairs_of(corpus.valid) == news["dev/newstest2012"] + news["dev/newstest2013"]
    assert pairs_of(corpus.test) == news[f"test-full/newstest2014-{other}en"]


def test_english_and_french_are_the_default(wmt14_archives: Path) -> None:
    corpus = find_corpus("wmt14", None, wmt14_archives.parent)
    assert (corpus.source_language, corpus.target_language) == ("en", "fr")


def test_a_corpus_is_made_once(wmt14_archives: Path) -> None:
    first = find_corpus("wmt14", "en-de", wmt14_archives.parent)
    made = first.train.source.stat().st_mtime_ns
    assert find_corpus("wmt14", "en-de", wmt14_archives.parent) == first
    assert first.train.source.stat().st_mtime_ns == made


def test_prepare_fetches_the_archives_and_verify_finds_them_right(site: Path, tmp_path: Path) -> None:
    folder = prepare_dataset("wmt14", data_dir=tmp_path / "data")
    assert folder == tmp_path / "data" / "wmt14"
    assert sorted(path.name for path in folder.iterdir()) == sorted(file.name for file in WMT14.files)
    assert {status for _, status in verify_dataset("wmt14", tmp_path / "data")} == {"ok"}
    assert find_corpus("wmt14", "en-fr", tmp_path / "data").report["train"]["kept"]
    published = {file.url.removeprefix(STATMT_URL) for file in WMT14.files if file.url}
    assert {str(path.relative_to(site)) for path in site.rglob("*.t*")} == published


def test_an_archive_that_the_host_has_only_half_of_is_refused(site: Path, tmp_path: Path) -> None:
    cut(site / "wmt13" / EUROPARL)
    with pytest.raises(DataError, match=rf"{EUROPARL}: the download failed .*and the published file"):
        prepare_dataset("wmt14", data_dir=tmp_path / "data")
    assert not (tmp_path / "data" / "wmt14").exists()
    assert EUROPARL not in [path.name for path in (tmp_path / "data").rglob("*")]


def cut(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("name", [EUROPARL, GIGA, DEV, TEST])
def test_a_truncated_archive_is_named_and_leaves_no_corpus(wmt14_archives: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data" / "wmt14"
    shutil.copytree(wmt14_archives, folder)
    cut(folder / name)
    with pytest.raises(DataError, match=rf"{folder / name}.*get it again"):
        find_corpus("wmt14", "en-fr", folder.parent)
    assert list((tmp_path / "cache" / "corpora").iterdir()) == []


def test_another_archive_under_the_name_is_refused(wmt14_archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "wmt14"
    shutil.copytree(wmt14_archives, folder)
    shutil.copy(folder / DEV, folder / TEST)
    with pytest.raises(DataError, match=rf"{TEST}: there is no 'test-full/newstest2014-fren-src\.en\.sgm' in it"):
        find_corpus("wmt14", "en-fr", folder.parent)


def test_sides_of_different_length_are_named_with_archive_member_and_line(
    wmt14_archives: Path, generate_wmt14: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "wmt14"
    shutil.copytree(wmt14_archives, folder)
    names = ("training/europarl-v7.fr-en.en", "training/europarl-v7.fr-en.fr")
    generate_wmt14.write_archive(folder / EUROPARL, [(names, [(b"one", b"un"), (b"two", b"deux\ntrois")])])
    with pytest.raises(DataError, match=rf"{EUROPARL}:{names[0]}:2: this is the last line, and .*{names[1]} has 3"):
        find_corpus("wmt14", "en-fr", folder.parent)


def test_a_pair_needs_its_own_archives_alone(wmt14_archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "wmt14"
    shutil.copytree(wmt14_archives, folder)
    for name in (UNITED_NATIONS, GIGA):
        (folder / name).unlink()
    assert find_corpus("wmt14", "en-de", folder.parent).report["train"]["kept"]
    with pytest.raises(DataError) as caught:
        find_corpus("wmt14", "en-fr", folder.parent)
    assert str(caught.value) == (
        f"wmt14 en-fr needs archives that are not in {folder}: "
        f"{UNITED_NATIONS} (2.4 GB), {GIGA} (2.6 GB), 5.0 GB in all\n"
        "put them there, or get the whole dataset with: lstmdrop data prepare wmt14"
    )


def test_of_an_archive_of_unknown_size_none_is_stated(wmt14_archives: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "wmt14"
    shutil.copytree(wmt14_archives, folder)
    (folder / DEV).unlink()
    with pytest.raises(DataError, match=rf"not in {folder}: {DEV}\nput them there"):
        find_corpus("wmt14", "en-fr", folder.parent)


def test_sizes_and_checksums_are_those_of_the_published_archives(wmt14_archives: Path) -> None:
    known = [file for file in WMT14.files if file.sha256]
    assert len(known) == 5
    assert {file_status(file, wmt14_archives / file.name) for file in known} == {"differs"}
