"""The small changes that can be made to a source, each of which a good test notices."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mutants.skipping import children, is_skipped, is_text, is_type
from mutants.source_text import Edit, SourceText

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"), ast.Pow: ("**", "*"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
    ast.BitOr: ("|", "&"), ast.BitAnd: ("&", "|"),
}  # fmt: skip
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a source."""

    edit: Edit
    line: int
    statement: int
    """The first line of the statement: what a tracer may name in place of a later one."""
    at_import: bool
    """Whether the line runs when its module is imported, and not when a function is called."""


def find_changes(source: str) -> list[Change]:
    """All changes that can be made to a source, in the order of their lines."""
    text = SourceText(source)
    found = {
        edit: Change(edit, text.line(edit.start), statement, not inside)
        for node, inside, statement in _walk(ast.parse(source))
        for make in EDITS
        for edit in make(node, text)
    }
    return sorted(found.values(), key=lambda change: change.edit)


def _walk(node: ast.AST, inside: bool = False, statement: int = 0) -> Iterator[tuple[ast.AST, bool, int]]:
    """Every part that is not skipped, whether it is inside a function, and where its statement starts."""
    if is_skipped(node):
        return
    if isinstance(node, ast.stmt):
        statement = node.lineno
    yield node, inside, statement
    makes_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for field, child in children(node):
        yield from _walk(child, inside or (makes_function and field == "body"), statement)


def _comparisons(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for left, right, operator in zip(operands, operands[1:], node.ops, strict=False):
            yield text.operator(left, right, *COMPARISONS[type(operator)])


def _arithmetic(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        operands = (node.left, node.right)
        is_union = isinstance(node.op, ast.BitOr) and any(map(is_type, operands))
        if not is_union and not any(map(is_text, operands)):
            yield text.operator(*operands, *ARITHMETIC[type(node.op)])


def _boolean_operators(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        symbols = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield text.operator(left, right, *symbols)


def _signs(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    is_number = isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub) and not is_number:
        yield text.strip_operator(node)


def _conditions(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    tests = [node.test] if isinstance(node, ast.If | ast.While | ast.IfExp) else getattr(node, "ifs", [])
    for test in tests:
        is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        if not is_negated and not isinstance(test, ast.Constant):
            yield text.negate(test)


def _constants(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield text.replace(node, str(not node.value))
        elif isinstance(node.value, int):
            yield text.replace(node, str(node.value + 1))


def _calls(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OPPOSITES:
        yield text.replace(node.func, OPPOSITES[node.func.id])


def _returns(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield text.replace(node.value, "None")


def _loops(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    if isinstance(node, ast.Break | ast.Continue):
        yield text.replace(node, "continue" if isinstance(node, ast.Break) else "break")


def _deletions(node: ast.AST, text: SourceText) -> Iterator[Edit]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    changes_a_part = isinstance(node, ast.Assign) and not any(
        isinstance(target, ast.Name | ast.Tuple) for target in node.targets
    )
    if isinstance(node, ast.stmt) and (is_call or changes_a_part or isinstance(node, ast.AugAssign | ast.Raise)):
        yield text.replace(node, "pass")


EDITS: tuple[Callable[[ast.AST, SourceText], Iterator[Edit]], ...] = (
    _comparisons, _arithmetic, _boolean_operators, _signs, _conditions, _constants, _calls, _returns, _loops,
    _deletions,
)  # fmt: skip
