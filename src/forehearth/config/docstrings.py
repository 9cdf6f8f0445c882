"""What the settings' source says about them: the docstring under a class, and the one under each of its members."""

import ast
import inspect
import sys
from types import ModuleType

import msgspec


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A class in words: its own docstring, and each documented member's."""

    text: str = ""
    members: dict[str, str] = {}


class Docstrings:
    """Reads each module's source once. Without source (there are such installations) everything is empty."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[str, About]] = {}

    def about(self, cls: type) -> About:
        """The words of a class and of its members, inherited ones included."""
        members: dict[str, str] = {}
        for each in reversed(cls.__mro__):
            members.update(self._own(each).members)
        return About(text=self._own(cls).text, members=members)

    def _own(self, cls: type) -> About:
        known = self._modules.get(cls.__module__)
        if known is None:
            module = sys.modules.get(cls.__module__)
            known = self._modules[cls.__module__] = _classes(module) if module else {}
        return known.get(cls.__qualname__.replace("<locals>.", ""), About())


def _classes(module: ModuleType) -> dict[str, About]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return {}
    return dict(_within(tree, ""))


def _within(tree: ast.AST, prefix: str) -> list[tuple[str, About]]:
    found: list[tuple[str, About]] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            if isinstance(node, ast.ClassDef):
                found.append((prefix + node.name, _about(node)))
            found.extend(_within(node, f"{prefix}{node.name}."))
    return found


def _about(node: ast.ClassDef) -> About:
    members: dict[str, str] = {}
    for statement, after in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            members[statement.target.id] = inspect.cleandoc(after.value.value)
    return About(text=inspect.cleandoc(ast.get_docstring(node) or ""), members=members)
