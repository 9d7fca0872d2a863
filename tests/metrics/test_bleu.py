"""BLEU and chrF are sacreBLEU's own, and say so."""

from __future__ import annotations

import pytest
import sacrebleu

from lstmdrop.errors import MissingPartError
from lstmdrop.metrics.bleu import bleu_metric, translation_scores
from lstmdrop.metrics.bleu_tokenizer import TOKENIZERS, TokenizerName, tokenizer_for, tokenizer_in
from lstmdrop.metrics.segments import bleu_segments, chrf_segments

REFERENCES = ["Deux jeunes hommes sont dehors.", "Un chien court dans l'herbe verte.", ""]
HYPOTHESES = ["Deux hommes sont dehors.", "Un chien court dans l'herbe.", ""]


def test_values_and_signatures_are_sacrebleus() -> None:
    bleu, chrf = translation_scores(HYPOTHESES, REFERENCES, {"beam": "5"})
    assert bleu.value == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score, abs=1e-9)
    assert chrf.value == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score, abs=1e-9)
    assert bleu.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert bleu.signature.endswith("|beam:5")
    assert (bleu.name, chrf.name) == ("bleu", "chrf")


def test_a_perfect_translation_is_100() -> None:
    assert [score.value for score in translation_scores(REFERENCES, REFERENCES)] == [pytest.approx(100)] * 2


@pytest.mark.parametrize("hypotheses", [[], ["a", "b"]])
def test_what_cannot_be_scored_is_refused(hypotheses: list[str]) -> None:
    with pytest.raises(ValueError, match="cannot be scored"):
        translation_scores(hypotheses, hypotheses and ["a"])


CHINESE = ["我弟弟星期一没来开会，因为忘了。", "他今天早上没来开会，因为头疼。"]
JAPANESE = ["私は昨日学校に行きませんでした。"]
KOREAN = ["나는 어제 학교에 가지 않았습니다."]
THAI = ["เมื่อวานฉันไม่ได้ไปโรงเรียน"]
KHMER = ["ម្សិលមិញខ្ញុំមិនបានទៅសាលារៀនទេ។"]
BURMESE = ["မနေ့က ကျွန်တော် ကျောင်းမသွားဘူး။"]
TIBETAN = ["ཁ་སང་ང་སློབ་གྲྭར་མ་ཕྱིན།"]
LAO = ["ມື້ວານນີ້ຂ້ອຍບໍ່ໄດ້ໄປໂຮງຮຽນ"]


@pytest.mark.parametrize(
    ("language", "lines", "expected"),
    [
        ("zh", CHINESE, "zh"), ("zh_CN", [], "zh"), ("zh-Hant-TW", CHINESE, "zh"), ("zho_Hans", CHINESE, "zh"),
        ("yue", CHINESE, "zh"), ("cn", CHINESE, "zh"), ("tgt", CHINESE, "zh"), ("fr", CHINESE, "zh"),
        ("zh-Latn", ["Wǒ zuótiān méi qù xuéxiào."], "13a"),
        ("ja", JAPANESE, "ja-mecab"), ("jpn_Jpan", [], "ja-mecab"), ("tgt", JAPANESE, "ja-mecab"),
        ("ko", KOREAN, "ko-mecab"), ("kr", KOREAN, "ko-mecab"),
        ("th", THAI, "char"), ("xx", THAI, "char"), ("xx", KHMER, "char"), ("xx", BURMESE, "char"),
        ("xx", TIBETAN, "char"), ("xx", LAO, "char"),
        ("fr", REFERENCES, "13a"), ("pt-BR", REFERENCES, "13a"), ("tgt", ["The 中 of China."], "13a"),
        ("tgt", [], "13a"), ("tgt", ["使用 Python 和 TensorFlow 训练模型。"], "zh"),
        ("ru", ["Вчера я не ходил в школу."], "13a"), ("hi", ["मैं कल स्कूल नहीं गया।"], "13a"),
        ("ar", ["لم أذهب إلى المدرسة أمس."], "13a"),
    ],
)  # fmt: skip
def test_the_tokeniser_follows_the_language_or_else_the_text(language: str, lines: list[str], expected: str) -> None:
    assert tokenizer_for(language, ["", *lines]) == expected


@pytest.mark.parametrize("tokenize", ["13a", "intl", "none", "char", "zh"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_a_signature_says_how_its_number_is_made_again(tokenize: TokenizerName, lowercase: bool) -> None:
    hypotheses, references = [*HYPOTHESES, *CHINESE[:1], "A CAT"], [*REFERENCES, *CHINESE[1:], "a cat"]
    bleu, chrf = translation_scores(hypotheses, references, tokenize=tokenize, lowercase=lowercase)
    assert f"|case:{'lc' if lowercase else 'mixed'}|" in bleu.signature
    assert tokenizer_in(bleu.signature) == tokenize
    single = [[line] for line in references]
    assert bleu_segments(hypotheses, single, bleu.signature).value == pytest.approx(bleu.value, abs=1e-9)
    assert chrf_segments(hypotheses, single, chrf.signature).value == pytest.approx(chrf.value, abs=1e-9)


def test_chinese_is_not_one_word_a_line() -> None:
    almost = [line.replace("弟弟", "哥哥").replace("今天", "昨天") for line in CHINESE]
    at_blanks, by_sign = (translation_scores(almost, CHINESE, tokenize=name)[0].value for name in ("13a", "zh"))
    assert at_blanks == 0 < 50 < by_sign < 100


def test_tokenisers_are_told_from_what_sacrebleu_calls_them() -> None:
    assert tokenizer_in("case:mixed|tok:ja-mecab-0.996-IPA|x:y") == "ja-mecab"
    assert tokenizer_in("tok:ko-mecab-0.996/ko-0.9.2-KO") == "ko-mecab"
    assert tokenizer_in("unit:word") == "13a"
    assert "spm" in TOKENIZERS


@pytest.mark.parametrize(("name", "extra"), [("ja-mecab", "ja"), ("ko-mecab", "ko")])
def test_a_tokeniser_that_is_not_here_is_refused_with_both_ways_out(
    name: TokenizerName, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{name.replace('-', '_')}.MeCab", None)
    with pytest.raises(MissingPartError, match=rf"pip install 'lstmdrop\[{extra}\]'\n.*scoring\.tokenize=char"):
        bleu_metric(name)


def test_empty_lines_are_scored_as_such() -> None:
    (bleu, _) = translation_scores(["a b c d", ""], ["a b c d", "e f g h"])
    assert bleu.value == pytest.approx(100 * 2.718281828 ** (1 - 8 / 4), rel=1e-6)
    assert translation_scores(["a", "b"], ["", ""])[0].value == 0
