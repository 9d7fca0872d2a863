"""The page in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.report import page, report

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def page_file(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(report([run_folder])), encoding="utf-8")
    return path


@pytest.fixture
def open_page(browser: Any, page_file: Path) -> Iterator[Open]:
    """Opens the page; whatever it complains of, or asks the network for, fails the test."""
    complaints: list[str] = []
    pages: list[Any] = []

    def open_one(path: Path = page_file, **choices: Any) -> Any:
        opened = browser.new_page(**{"viewport": DESK, **choices})
        opened.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: _allow(request.url, complaints))
        opened.goto(path.as_uri())
        pages.append(opened)
        return opened

    yield open_one
    for opened in pages:
        opened.close()
    assert complaints == []


def _allow(url: str, complaints: list[str]) -> None:
    if not url.startswith(("file:", "data:")):
        complaints.append(f"asked for {url}")


def texts(opened: Any, selector: str) -> list[str]:
    found: list[str] = opened.locator(selector).all_inner_texts()
    return found


def test_the_charts_are_drawn(open_page: Open, screenshots: Path) -> None:
    opened = open_page()
    assert opened.locator(".curves .validation path").count() == 2  # without dropout, and the best rule
    assert opened.locator(".curves .training path").count() == 2
    assert opened.locator(".curves .gap path").count() == 2
    assert opened.locator(".rules .mean line").count() == 2
    assert opened.locator(".rules .interval line").count() == 2
    assert opened.locator(".rules circle").count() == 6  # one a seed
    for path in opened.locator(".curves .validation path").all():
        assert len(re.findall(r"[\d.]+,[\d.]+", path.get_attribute("d"))) == 13  # epochs
        assert "NaN" not in path.get_attribute("d")
    opened.screenshot(path=screenshots / "desk.png", full_page=True)


def test_a_chart_says_in_words_what_it_shows(open_page: Open) -> None:
    svg = open_page().locator(".rules svg").first
    assert svg.get_attribute("aria-label") == "test perplexity by rule"
    assert re.search(r"zaremba 0\.2: 102\S* plus or minus \S+ over 3 seeds", svg.get_attribute("aria-description"))


def test_curves_say_how_their_training_side_was_measured(make_run: Any, tmp_path: Path, open_page: Open) -> None:
    assert "training as the epoch ran, dropout on" in open_page().locator(".curves + figcaption").inner_text()
    run = make_run(tmp_path / "runs/none", "none")
    log = run / "log.jsonl"
    log.write_text(log.read_text().replace('"perplexity"', '"wer"'))  # which no loss tells
    path = tmp_path / "page.html"
    path.write_text(page(report([tmp_path / "runs"])), encoding="utf-8")
    assert "training was not measured" in open_page(path).locator(".curves + figcaption").inner_text()
    result = json.loads((run / "result.json").read_text().replace('"perplexity"', '"wer"'))
    result["scores"].append({**result["scores"][0], "split": "train", "value": 3.0})
    (run / "result.json").write_text(json.dumps(result))
    path.write_text(page(report([tmp_path / "runs"])), encoding="utf-8")
    opened = open_page(path)
    assert "ring and band: training" in opened.locator(".curves + figcaption").inner_text()
    assert opened.locator(".curves .training circle").count() == 1
    assert opened.locator(".curves .gap line").count() == 1


@pytest.mark.parametrize("screen", [DESK, PHONE])
def test_long_names_of_rules_are_read_whole(make_run: Any, tmp_path: Path, open_page: Open, screen: Any) -> None:
    for seed, size in ((1, 200), (2, 400)):
        run = make_run(tmp_path / f"runs/{size}", seed=seed)
        config = json.loads((run / "config.json").read_text())
        config["model"] = {"hidden_size": size, "architecture": f"two-ways-{size}"}
        (run / "config.json").write_text(json.dumps(config))
    path = tmp_path / "page.html"
    path.write_text(page(report([tmp_path / "runs"])), encoding="utf-8")
    opened = open_page(path, viewport=screen)
    chart = opened.locator(".rules svg").first
    names = [label for label in chart.locator("text").all() if "two-ways" in label.text_content()]
    assert len(names) == 2
    boxes = [name.bounding_box() for name in names]
    assert all(box["x"] >= chart.bounding_box()["x"] for box in boxes)
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


def test_a_run_is_drawn_or_not_as_its_box_says(open_page: Open) -> None:
    opened = open_page()
    boxes = opened.get_by_role("group", name="Runs to draw").get_by_role("checkbox")
    assert boxes.count() == 6
    boxes.nth(1).check()
    assert opened.locator(".curves .validation path").count() == 3
    for number in range(6):
        boxes.nth(number).uncheck()
    assert "Choose a run" in opened.locator(".curves").inner_text()


def test_a_click_sorts_and_another_turns_around(open_page: Open) -> None:
    opened = open_page()
    table = opened.locator("#runs table")
    column = [head.strip() for head in texts(opened, "#runs th")].index("test") + 1
    values = lambda: [float(text) for text in texts(opened, f"#runs tbody td:nth-child({column})")]  # noqa: E731
    head = table.get_by_role("button", name="test")
    head.click()
    assert values() == sorted(values())
    assert table.locator(f"th:nth-child({column})").get_attribute("aria-sort") == "ascending"
    head.focus()
    opened.keyboard.press("Enter")
    assert values() == sorted(values(), reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1


def test_numbers_are_sorted_as_numbers_and_gaps_come_last(open_page: Open) -> None:
    opened = open_page()
    opened.locator("#tables").get_by_role("button", name="test ours").first.click()
    ours = texts(opened, "#tables section:has(th:nth-child(6):has-text('test ours')) tbody td:nth-child(6)")
    assert ours[0] != "not run"
    assert set(ours[1:]) == {"not run"}


def test_two_runs_show_what_differs_alone(open_page: Open) -> None:
    opened = open_page()
    opened.locator("#first").select_option(index=0)
    opened.locator("#second").select_option(index=3)
    rows = dict(text.split("\t", 1) for text in texts(opened, "#differences tbody tr"))
    assert rows["regularizer.rule"] == "none\tzaremba"
    assert "training.epochs" not in rows
    opened.locator("#second").select_option(index=0)
    assert "alike in all" in opened.locator("#differences").inner_text()


def test_attention_is_drawn_when_it_is_opened_and_errors_are_marked(open_page: Open, screenshots: Path) -> None:
    opened = open_page()
    opened.locator("#examples summary").first.click()
    assert texts(opened, ".examples mark") + texts(opened, ".examples del") in (
        ["voit", "maintenant"], ["voit", "dort"]
    )  # fmt: skip  # either way two edits
    opened.get_by_text("attention", exact=True).click()
    opened.locator(".attention rect").first.wait_for()  # an opened element tells its listeners later
    assert opened.locator(".attention rect").count() == 20  # 4 written tokens, 5 source tokens
    opened.locator("#examples").screenshot(path=screenshots / "examples.png")


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(open_page: Open, screenshots: Path, scheme: str) -> None:
    """Contrast of 4.5 to 1 (WCAG 2.2, 1.4.3), and of 3 to 1 for lines (1.4.11)."""
    opened = open_page(color_scheme=scheme)
    opened.locator("#examples summary").first.click()
    style = "element => [getComputedStyle(element).color, getComputedStyle(document.body).backgroundColor]"
    for selector in ("body", "header p", "a", "td", ".label"):
        pair = sorted(map(luminance, opened.locator(selector).last.evaluate(style)))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, selector
    paper = luminance(opened.locator("body").evaluate(style)[1])
    assert (paper < 0.1) == (scheme == "dark")
    for line in opened.locator(".swatch").all():
        color = luminance(line.evaluate("element => getComputedStyle(element).backgroundColor"))
        assert (max(color, paper) + 0.05) / (min(color, paper) + 0.05) >= 3
    opened.screenshot(path=screenshots / f"{scheme}.png")


def test_the_reader_may_choose_the_scheme(open_page: Open) -> None:
    opened = open_page(color_scheme="light")
    button = opened.get_by_role("button", name="Dark")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert opened.locator(".curves svg").evaluate("svg => getComputedStyle(svg).color") == "rgb(230, 233, 236)"


def test_a_phone_needs_no_sideways_scrolling(open_page: Open, screenshots: Path) -> None:
    opened = open_page(viewport=PHONE)
    assert opened.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert opened.locator(".curves svg").bounding_box()["width"] <= PHONE["width"]
    opened.screenshot(path=screenshots / "phone.png", full_page=True)


def test_print_leaves_out_what_paper_cannot_do(open_page: Open, screenshots: Path) -> None:
    opened = open_page(color_scheme="dark")
    opened.emulate_media(media="print")
    assert not opened.locator("nav").is_visible()
    assert opened.locator(".curves svg").is_visible()
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    (screenshots / "print.pdf").write_bytes(opened.pdf(format="A4"))


def test_all_can_be_reached_with_the_keyboard(open_page: Open) -> None:
    opened = open_page()
    reached = []
    for _ in range(200):
        opened.keyboard.press("Tab")
        name = opened.evaluate(
            "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
        )
        reached.append(name)
        if name == "BODY":
            break
    assert reached[0] == "skip"
    assert {"theme", "first", "second", "wide"} <= set(reached)
    assert opened.locator("main").count() == 1
    assert texts(opened, "h1") == ["What dropout changed"]
    unnamed = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length && !e.ariaLabel).length"
    assert opened.evaluate(unnamed) == 0


def test_without_javascript_the_tables_are_there(browser: Any, page_file: Path) -> None:
    opened = browser.new_page(java_script_enabled=False)
    opened.goto(page_file.as_uri())
    assert opened.locator("#runs tbody tr").count() == 6
    assert "need JavaScript" in opened.locator("noscript").inner_text()
    opened.close()


def test_five_hundred_runs_open_in_under_two_seconds(
    open_page: Open, make_run: Callable[..., Path], tmp_path: Path, screenshots: Path
) -> None:
    rules = ("none", "zaremba", "naive", "variational", "recurrent")
    for number in range(500):
        data = f"corpus{number // 50}"
        make_run(tmp_path / f"runs/{number}", rules[number % 5], number // 5 % 10, epochs=20, data=data)
    path = tmp_path / "page.html"
    path.write_text(page(report([tmp_path / "runs"], papers=())), encoding="utf-8")
    assert min(seconds_to_open(open_page, path, screenshots) for _ in range(3)) < 2  # the machine may be busy


def seconds_to_open(open_page: Open, path: Path, screenshots: Path) -> float:
    start = time.perf_counter()
    opened = open_page(path)
    opened.locator(".curves .validation path").first.wait_for(state="attached")
    seconds = time.perf_counter() - start
    assert opened.locator("#runs tbody tr").count() == 500
    opened.screenshot(path=screenshots / "500-runs.png")
    return seconds
