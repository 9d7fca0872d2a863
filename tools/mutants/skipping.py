"""What is not broken: a change there would mean nothing, or only another text."""

from __future__ import annotations

import ast

FIELDS = {"annotation", "returns", "type_params", "pattern"}
"""Parts of the syntax that say what a value is, not what happens."""

KEYWORDS = {
    "slots", "frozen", "strict", "kw_only", "eq", "order", "repr",
    "indent", "stacklevel", "flush", "daemon", "help", "description", "metavar", "hidden", "show_default",
}  # fmt: skip
"""Of arguments that say how strictly a mistake of ours is met, or how something looks."""

SPEAKERS = {"log", "logger", "logging", "warnings", "typer", "TypeVar"}
"""Calls of these, or of what they have, tell the reader something."""

SYSTEMS = {"TYPE_CHECKING", "version_info", "platform", "__name__"}
"""Names in conditions that are the same throughout on one machine."""


def is_skipped(node: ast.AST) -> bool:
    """Whether a part of the syntax and all within it are left as they are."""
    if isinstance(node, ast.keyword):
        return node.arg in KEYWORDS
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or _speaks(node.value)
    if isinstance(node, ast.If):
        return bool(_names(node.test) & SYSTEMS) or _asks_for_the_system(node.test)
    return isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert) or _speaks(node)


def children(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """The parts directly within a part that are looked at, each with the name of its field."""
    if isinstance(node, ast.Raise):  # the text of a message
        return []
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in FIELDS]
    listed = [(name, part) for name, value in fields for part in (value if isinstance(value, list) else [value])]
    return [(name, part) for name, part in listed if isinstance(part, ast.AST)]


def is_text(node: ast.expr) -> bool:
    """Whether an operand is written as a text, so that another operator could only fail."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def is_type(node: ast.expr) -> bool:
    """Whether an operand of ``|`` looks like a type."""
    if isinstance(node, ast.Constant):
        return node.value is None
    name = ast.unparse(node).split("[")[0].split(".")[-1]
    return name[:1].isupper() or name in {"int", "float", "str", "bytes", "bool", "list", "dict", "tuple", "set"}


def _speaks(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    owner = node.func
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    return isinstance(owner, ast.Name) and owner.id in SPEAKERS


def _names(node: ast.expr) -> set[str]:
    parts = list(ast.walk(node))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names | {part.attr for part in parts if isinstance(part, ast.Attribute)}


def _asks_for_the_system(node: ast.expr) -> bool:
    return any(ast.unparse(part) == "os.name" for part in ast.walk(node))
