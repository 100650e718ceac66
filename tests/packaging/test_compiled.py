"""What mypyc asks of the modules that a build may compile, and does not check itself."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
HOT = re.findall(r'^HOT = """([^"]*)"""', (CHECKOUT / "setup.py").read_text(), re.MULTILINE)
PATHS = [CHECKOUT / f"daphne_like/{name}.py" for name in "".join(HOT).split()]


def classes(paths: list[Path]) -> dict[str, ast.ClassDef]:
    """The classes of the modules, by module and name."""
    return {
        f"{path.relative_to(CHECKOUT).with_suffix('').as_posix()}.{node.name}": node
        for path in paths
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }


CLASSES = classes(PATHS)


def line_of(name: str) -> list[str]:
    """The class, its base, the base of that, and so on, as far as they are compiled."""
    module, line = name.rpartition(".")[0], [name]
    for base in CLASSES[name].bases:
        known = f"{module}.{ast.unparse(base)}"
        elsewhere = [other for other in CLASSES if other.endswith(f".{ast.unparse(base)}")]
        found = [known] if known in CLASSES else same_family(module, elsewhere)
        line += [above for other in found for above in line_of(other)]
    return line


def same_family(module: str, names: list[str]) -> list[str]:
    """Those of `names` that `module` imports."""
    tree = ast.parse((CHECKOUT / f"{module}.py").read_text())
    imported = {
        f"{(node.module or '').replace('.', '/')}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return [name for name in names if name in imported]


def annotated(node: ast.ClassDef) -> Iterator[str]:
    """The attributes whose types the class says, in its body or through ``self``."""
    own = {id(part) for part in node.body}
    for part in ast.walk(node):
        if not isinstance(part, ast.AnnAssign):
            continue
        target = part.target
        if isinstance(target, ast.Name) and id(part) in own:
            yield target.id
        elif isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
            yield target.attr


def test_they_are_there() -> None:
    assert len(PATHS) > 20
    assert [path for path in PATHS if not path.exists()] == []
    assert len(line_of("daphne_like/wire/http1.HTTP1Connection")) == 7
    assert len(line_of("daphne_like/asgi/http.HTTPExchange")) == 3


@pytest.mark.parametrize("name", CLASSES)
def test_an_attribute_is_annotated_once_in_a_line_of_classes(name: str) -> None:
    """Twice, and the garbage collector would count two references: it clears what lives."""
    said = Counter(attribute for one in line_of(name) for attribute in set(annotated(CLASSES[one])))
    assert [attribute for attribute, times in said.items() if times > 1] == []


SOUND = {
    "http1_request: view[start:end]": "a memoryview",
    "http2_request: head[1:at]": "a tuple",
    "compression: value[1:-1]": "a str",
    "frame_reader: data[at:end]": "a frame ends behind its beginning",
    "frame_reader: data[at:header.start]": "and its payload begins there,",
    "frame_reader: data[header.start:end]": "and ends not before",
    "frames: data[at + 2:start - 4]": "the mask, of 4 bytes, comes last",
}
"""Slices that have two ends, and why that is right."""


def in_order(ends: ast.Slice) -> bool:
    """Whether one sees that the second end is not before the first: `2:6`, `a:a + b`, `a - b:a`."""
    first, second = ends.lower, ends.upper
    if isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
        return bool(0 <= first.value <= second.value)
    if isinstance(second, ast.BinOp) and isinstance(second.op, ast.Add):
        return ast.dump(second.left) == ast.dump(first or second)
    if isinstance(first, ast.BinOp) and isinstance(first.op, ast.Sub):
        return ast.dump(first.left) == ast.dump(second or first)
    return first is None or second is None


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_slice_of_bytes_ends_behind_its_beginning(path: Path) -> None:
    """Otherwise SystemError is raised; `x[a:][:b]` never does, whatever they are."""
    doubtful = {
        f"{path.stem}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and not in_order(node.slice)
    }
    assert doubtful == {known for known in SOUND if known.startswith(f"{path.stem}: ")}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_one_base_at_most(name: str) -> None:
    """Two compiled ones it cannot have."""
    assert len(CLASSES[name].bases) < 2
