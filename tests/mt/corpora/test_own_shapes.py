"""Parallel texts of one's own in every shape: packed, in named columns, JSON lines, TMX, WMT's test sets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow.parquet
import pytest

from lstmdrop.config import SPLITS
from lstmdrop.errors import ConfigError, DataError
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.parallel import ParallelText
from lstmdrop_tasks.mt.corpora.table import TableLayout

PairsOf = Callable[[ParallelText], list[tuple[str, str]]]
PAIRS = [(f"Satz {number} & <{number}>", f"sentence {number} & <{number}>") for number in range(60)]


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def tmx(pairs: list[tuple[str, str]], languages: tuple[str, str] = ("de", "en")) -> str:
    units = "".join(
        "<tu>" + "".join(f'<tuv xml:lang="{language}"><seg>{escaped(text)}</seg></tuv>'
                         for language, text in reversed(list(zip(languages, pair, strict=True)))) + "</tu>\n"
        for pair in pairs
    )  # fmt: skip
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
        f'<tmx version="1.4"><header srclang="{languages[0]}"/><body>\n{units}</body></tmx>\n'
    )


def wmt(pairs: list[tuple[str, ...]]) -> str:
    sources, *translations = zip(*pairs, strict=True)
    sides = [("src", "de", "", sources), *(("ref", "en", f' translator="{n}"', t) for n, t in enumerate(translations))]
    text = "".join(
        f'<{tag} lang="{language}"{by}><p>'
        + "".join(f'<seg id="{number}">{escaped(line)}</seg>\n' for number, line in enumerate(lines, 1))
        + f"</p></{tag}>\n"
        for tag, language, by, lines in sides
    )
    return f'<?xml version="1.0" encoding="utf-8"?>\n<dataset id="a"><doc id="b">{text}</doc></dataset>\n'


SHAPES: dict[str, Callable[[list[tuple[str, str]]], str]] = {
    "a.tsv": lambda pairs: "".join(f"{source}\t{target}\n" for source, target in pairs),
    "a.csv": lambda pairs: "n,en,de\n" + "".join(f'1,"{target}","{source}"\n' for source, target in pairs),
    "nested.jsonl": lambda pairs: "".join(
        json.dumps({"id": 1, "translation": {"de": source, "en": target}}) + "\n" for source, target in pairs
    ),
    "codes.jsonl": lambda pairs: "".join(
        json.dumps({"id": 1, "de": source, "en": target}) + "\n" for source, target in pairs
    ),
    "sides.json": lambda pairs: json.dumps([{"tgt": target, "src": source} for source, target in pairs]),
    "a.tmx": tmx,
    "a.xml": lambda pairs: wmt([*pairs]),
}


def write(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def of_all(pairs_of: PairsOf, name: str, pair: str | None, **options: object) -> list[tuple[str, str]]:
    corpus = find_corpus(name, pair, **options)  # type: ignore[arg-type]
    assert (corpus.source_language, corpus.target_language) == ("de", "en")
    return [pair for split in SPLITS for pair in pairs_of(corpus.text(split))]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_the_same_pairs_come_out_of_every_shape(tmp_path: Path, pairs_of: PairsOf, name: str, is_packed: bool) -> None:
    path = write(tmp_path / (f"{name}.gz" if is_packed else name), SHAPES[name](PAIRS))
    assert sorted(of_all(pairs_of, str(path), "de-en")) == sorted(PAIRS)
    assert pairs_of(find_corpus(str(path), "de-en", scored=["test"]).test) == PAIRS


ROWS: dict[str, Callable[[str, str], dict[str, object]]] = {
    "nested": lambda source, target: {"id": 1, "translation": {"de": source, "en": target}},
    "codes": lambda source, target: {"id": 1, "en": target, "de": source},
    "sides": lambda source, target: {"src": source, "other": 1.5, "tgt": target},
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_pairs_come_out_of_parquet_and_from_addresses(
    tmp_path: Path, pairs_of: PairsOf, rows: Callable[[str, str], dict[str, object]]
) -> None:
    system = fsspec.filesystem("memory")
    for number in range(2):
        table = pyarrow.Table.from_pylist([rows(*pair) for pair in PAIRS[number::2]])
        pyarrow.parquet.write_table(table, tmp_path / f"{number}.parquet", row_group_size=7)
        system.pipe(f"/pairs/{number}.parquet", (tmp_path / f"{number}.parquet").read_bytes())
    for name in (f"{tmp_path}/*.parquet", "memory://pairs/*.parquet"):
        assert sorted(of_all(pairs_of, name, "de-en")) == sorted(PAIRS)


@pytest.mark.parametrize("name", ["nested.jsonl", "codes.jsonl", "a.tmx", "a.xml"])
def test_what_names_its_languages_needs_no_pair(tmp_path: Path, pairs_of: PairsOf, name: str) -> None:
    path = write(tmp_path / name, SHAPES[name](PAIRS))
    assert sorted(of_all(pairs_of, str(path), None)) == sorted(PAIRS)
    turned = find_corpus(str(path), "en-de")
    assert {pair[::-1] for split in SPLITS for pair in pairs_of(turned.text(split))} == set(PAIRS)
    with pytest.raises(ConfigError, match=r"de.*en"):
        find_corpus(str(path), "fr-en")


@pytest.mark.parametrize("name", SHAPES)
def test_a_folder_has_a_file_a_split(tmp_path: Path, pairs_of: PairsOf, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, split in enumerate(("train", "dev", "test")):
        write(folder / f"{split}{Path(name).suffix}.gz", SHAPES[name](PAIRS[number * 20 : number * 20 + 20]))
    assert of_all(pairs_of, str(folder), "de-en") == PAIRS


def test_shapes_may_differ_from_split_to_split(tmp_path: Path, pairs_of: PairsOf) -> None:
    write(tmp_path / "train-00000-of-00002.jsonl.gz", SHAPES["nested.jsonl"](PAIRS[:20]))
    write(tmp_path / "train-00001-of-00002.jsonl.gz", SHAPES["nested.jsonl"](PAIRS[20:40]))
    write(tmp_path / "val.tmx", tmx(PAIRS[40:50]))
    for place, language in enumerate(("de", "en")):
        write(tmp_path / f"test.{language}.gz", "".join(f"{pair[place]}\n" for pair in PAIRS[50:]))
    assert of_all(pairs_of, str(tmp_path), None) == PAIRS


def test_files_that_a_pattern_matches_are_read_as_one(tmp_path: Path, pairs_of: PairsOf) -> None:
    for number in range(3):
        write(tmp_path / f"part{number}.tmx.gz", tmx(PAIRS[number * 20 : number * 20 + 20]))
    assert sorted(of_all(pairs_of, str(tmp_path / "*.tmx.gz"), None)) == sorted(PAIRS)


def test_rows_may_say_their_split_and_what_is_scored_is_that(tmp_path: Path, pairs_of: PairsOf) -> None:
    names = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    rows = [{"de": source, "en": target, "split": name} for (source, target), name in zip(PAIRS, names, strict=True)]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert of_all(pairs_of, str(path), None) == PAIRS
    assert pairs_of(find_corpus(str(path), None, scored=["valid", "test"]).valid) == PAIRS[40:50]


def test_columns_have_names_and_those_that_are_not_there_are_said(tmp_path: Path, pairs_of: PairsOf) -> None:
    rows = [{"a": 1, "deep": {"x": source}, "y": target} for source, target in PAIRS]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = find_corpus(str(path), "de-en", layout=TableLayout(("deep.x", "y")), scored=["test"])
    assert pairs_of(found.test) == PAIRS
    with pytest.raises(ConfigError, match=r"which fields are the pair\? there are: a, y, deep\.x\n.*--columns de,en"):
        find_corpus(str(path), "de-en")
    with pytest.raises(DataError, match=r"a\.jsonl:1: there is no 'deep\.z'; did you mean 'deep\.x'\?; there are"):
        find_corpus(str(path), "de-en", layout=TableLayout(("deep.z", "y")))


def test_what_is_null_is_an_empty_side(tmp_path: Path, pairs_of: PairsOf) -> None:
    rows = [{"translation": {"de": "eins", "en": None}}, {"translation": {"de": "zwei", "en": "two"}}]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert pairs_of(find_corpus(str(path), None, scored=["test"]).test) == [("eins", ""), ("zwei", "two")]


def several(tmp_path: Path) -> Iterator[tuple[Path, str | None]]:
    """Two sentences, the first with two references, in each shape that has several."""
    yield write(tmp_path / "a.jsonl", '{"de": "eins", "en": ["one", "a one"]}\n{"de": "zwei", "en": "two"}\n'), "de-en"
    for dot in ("", "."):
        folder = tmp_path / f"numbered{dot}"
        folder.mkdir()
        for name, text in (("de", "eins\nzwei\n"), (f"en{dot}0", "one\ntwo\n"), (f"en{dot}1", "a one\n\n")):
            write(folder / f"test.{name}", text)
        yield folder, None
    unequal = '<doc id="2"><src lang="de"><seg>zwei</seg></src><ref lang="en"><seg>two</seg></ref></doc></dataset>'
    yield write(tmp_path / "a.xml", wmt([("eins", "one", "a one")]).replace("</dataset>", unequal)), None
    marked = tmp_path / "marked"
    marked.mkdir()
    write(marked / "test-src.de.sgm", '<srcset><DOC docid="a"><seg id="1">eins</seg><seg>zwei</seg></DOC></srcset>')
    refs = "".join(
        f'<doc docid="a" sysid="{by}"><seg>{one}</seg><seg>{two}</seg></doc>'
        for by, one, two in (("A", "one", "two"), ("B", "a one", ""))
    )
    write(marked / "test-ref.en.sgm", f"<refset>{refs}</refset>")
    yield marked, None


def test_several_references_come_out_of_every_shape_that_has_them(tmp_path: Path, pairs_of: PairsOf) -> None:
    for path, pair in several(tmp_path):
        test = find_corpus(str(path), pair, scored=["test"]).test
        assert pairs_of(test) == [("eins", "one"), ("zwei", "two")], path
        assert test.references() == [["one", "a one"], ["two"]], path
    train = find_corpus(str(tmp_path / "a.jsonl"), "de-en", scored=["train"]).train
    assert sorted(pairs_of(train)) == [("eins", "a one"), ("eins", "one"), ("zwei", "two")]


def test_markup_of_other_programs_is_no_text(tmp_path: Path, pairs_of: PairsOf) -> None:
    source = 'Ein <bpt i="1">&lt;b&gt;</bpt>rotes<ept i="1">&lt;/b&gt;</ept> <hi>Haus</hi><ph/>.'
    text = tmx([("A", "a")]).replace(">A<", f">{source}<")
    path = write(tmp_path / "a.tmx", text)
    assert pairs_of(find_corpus(str(path), None, scored=["test"]).test) == [("Ein rotes Haus.", "a")]


def test_entities_of_a_file_are_not_put_in(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE tmx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/hostname">]>'
    for name in ("b", "c"):
        text = tmx([("A", "a")]).replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">', bomb).replace(">A<", f">&{name};<")
        path = write(tmp_path / f"{name}.tmx", text)
        with pytest.raises(DataError, match=rf"{name}\.tmx:\d+: the entity &{name}; is not read"):
            find_corpus(str(path), None)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.tmx", tmx(PAIRS)[:-40], "this is no whole XML"),
        ("a.xml", "<html><p>nothing</p></html>", "neither a <tu> of TMX nor a <doc>"),
        ("a.xml", wmt(PAIRS[:3]).replace('<seg id="2">', '<seg id="2"><seg>', 1).replace("</seg>", "</seg></seg>", 2),
         r"no whole XML"),
        ("a.xml", wmt([("a", "b")]).replace("</ref>", "<seg>one too many</seg></ref>"),
         r"a\.xml:2: <doc> b has 1 sentences in de and 2 in en"),
        ("a.jsonl", '{"de": "a", "en": "b"}\n{"de": "a", "en": {"c": 1}}\n', r"a\.jsonl:2: en is .*where a text is"),
        ("a.jsonl", '{"de": "a", "en": "b"}\n{"de": "a"}\n', r"a\.jsonl:2: there is no 'en'; .*there are: de"),
        ("a.csv", "de,en\na,b\na\n", r"a\.csv:3: this row has 1 columns, and the first has 2: de, en"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=complaint):
        find_corpus(str(path), "de-en", scored=["test"])


def test_a_code_with_a_region_is_found_however_it_is_written(tmp_path: Path, pairs_of: PairsOf) -> None:
    for split in SPLITS:
        for place, language in enumerate(("pt-BR", "zh_Hans")):
            write(tmp_path / f"{split}.{language}", "".join(f"{pair[place]}\n" for pair in PAIRS[:5]))
    for pair in ("pt-BR-zh_Hans", "pt-br-zh-hans", "pt_br,zh-Hans", None):
        corpus = find_corpus(str(tmp_path), pair)
        assert (corpus.source_language, corpus.target_language) == ("pt-BR", "zh_Hans")
        assert pairs_of(corpus.test) == PAIRS[:5]
