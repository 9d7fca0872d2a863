"""The documentation as a site, of the same Markdown that is read in the repository: ``make docs``."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

project = "lstmdrop"
author = "The lstmdrop developers"
release = version_of("lstmdrop")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "index"
exclude_patterns = ["_build", "notebooks"]
html_theme = "furo"
html_title = f"lstmdrop {release}"
html_extra_path = ["results/page.html"]
myst_heading_anchors = 4
myst_links_external_new_tab = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"AnyPath": "AnyPath"}
suppress_warnings = ["myst.header", "misc.highlighting_failure"]


def linked_pages(text: str) -> list[str]:
    """The pages of this folder that a text links to, in its order; a folder stands for all that is in it."""
    found: list[str] = []
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        paths = sorted((HERE / link).glob("*.md")) if link.endswith("/") else [HERE / link]
        found += [path.relative_to(HERE).with_suffix("").as_posix() for path in paths if path.suffix == ".md"]
    return list(dict.fromkeys(found))


def _add_contents(app: Any, name: str, source: list[str]) -> None:
    """The pages that ``index.md`` links to are the site's contents; after them comes what it leaves out."""
    if name == "index":
        source[0] = re.sub(r"\[([^]]+)\]\(([\w./-]+/)\)", r"\1", source[0])  # a folder is no page
        linked = linked_pages((HERE / "index.md").read_text(encoding="utf-8"))
        others = sorted(page for page in app.env.found_docs if page not in (*linked, "index"))
        pages = "\n".join([*linked, *others])
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"


def setup(app: Any) -> None:
    """What Sphinx calls."""
    app.connect("source-read", _add_contents)
