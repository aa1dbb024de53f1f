"""The identity of our own code: what a module is made of, found out and not kept by hand.

A step's result is worth nothing once other code would make another one. So the digest of a step
holds that of its module and of every module of this project that it imports, directly or not. How a
module is worded – comments, docstrings, line ends – does not count.

What counts as imported: import statements wherever they stand, but for those under TYPE_CHECKING;
the packages above a module; every module of a package that is searched (host/discovery.py); modules
named by a string, such as those started with `python -m`; files beside a module that it
names by `Path(__file__).with_name(…)`.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from host.errors import CcisError
from host.files import write_atomically
from host.places import cache_folder

ROOMS = ("host", "specs", "images", "builder")
"""What a step may be made of: the floors from the builder down (docs/architecture.md)."""

SILENT = frozenset({
    "host.cost", "host.errors", "host.locks", "host.niceness", "host.progress",
    "builder.store.shelves", "builder.store.store", "builder.identity",
})
"""Modules that change no byte: they show, count, lock, keep, or say what went wrong."""

_SEARCHES = ("host.discovery.modules_in", "host.discovery.names_in")
"""The calls that import whatever modules a package has; their first argument says which package."""

_PROJECT = Path(__file__).parents[1]
_KEPT = "code.json"


def digest_of(content: Any) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys.

    Never of what holds a password: whoever knows the rest can try out all likely ones.
    """
    return hashlib.sha256(_canonical(content)).hexdigest()


def keyed_digest_of(content: Any, key: bytes) -> str:
    """Return the HMAC-SHA-256 of plain data that holds secrets, marked as one.

    key: the store's own (builder/store/key.py), so that it says something in that store alone.
    """
    return "hmac-" + hmac.digest(key, _canonical(content), "sha256").hex()


def _canonical(content: Any) -> bytes:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return text.encode("utf-8", "surrogateescape")


@cache
def code_identity(*modules: str) -> str:
    """Return the digest of some modules, such as "builder.steps.seal", and all they import."""
    digest = hashlib.sha256()
    for name in sorted(closure(*modules)):
        digest.update(f"{name} {_facts_of(name)['digest']}\n".encode())
    return digest.hexdigest()


@cache
def closure(*modules: str) -> frozenset[str]:
    """Return the modules that decide what some modules do, themselves included."""
    found: set[str] = set()
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name in found or name in SILENT:
            continue
        found.add(name)
        waiting += [each for each in _imported(name) if each not in found]
    _keep()
    return frozenset(found)


def _imported(name: str) -> Iterator[str]:
    """Yield the project's modules that a module imports: those that are there of its candidates."""
    facts = _facts_of(name)
    for candidate in facts["imports"]:
        while candidate and not is_module(candidate):
            candidate = candidate.rpartition(".")[0]  # a name of that module
        while candidate:
            yield candidate
            candidate = candidate.rpartition(".")[0]  # importing it runs the packages above
    for package in facts["searched"]:
        folder = _path_of(package).parent
        yield from (f"{package}.{path.stem}" for path in folder.glob("*.py")
                    if path.stem != "__init__")
        yield from (f"{package}.{path.parent.name}" for path in folder.glob("*/__init__.py"))


@cache
def is_module(name: str) -> bool:
    """Say whether this project has a module or package of that name in its rooms."""
    return name.partition(".")[0] in ROOMS and _path_of(name).is_file()


def _path_of(name: str) -> Path:
    """Return the file of a module as Python's import finds it.

    A folder is a package by its __init__.py alone: what a room that was renamed leaves of itself
    in a checkout (its __pycache__) must not hide the module that has its name now.
    """
    place = _PROJECT.joinpath(*name.split("."))
    package = place / "__init__.py"
    return package if package.is_file() else place.with_suffix(".py")


@cache
def _facts_of(name: str) -> dict[str, Any]:
    """Return digest, imports and searched packages of a module; known by its text alone."""
    path = _path_of(name)
    text = path.read_bytes()
    is_package = path.name == "__init__.py"
    key = hashlib.sha256(b"\0".join(
        [_reader(), name.encode(), bytes([is_package]), text])).hexdigest()
    if key not in _known():
        _known()[key] = facts_of(text, name if is_package else name.rpartition(".")[0])
        _changed.append(key)
    facts = _known()[key]
    if facts["files"]:
        beside = [hashlib.sha256((path.parent / file).read_bytes()).hexdigest()
                  for file in facts["files"]]
        facts = {**facts, "digest": " ".join([facts["digest"], *beside])}
    return facts


@cache
def _reader() -> bytes:
    """Return what reads the texts: this module and Python, whose syntax trees differ."""
    return Path(__file__).read_bytes() + sys.version.encode()


def facts_of(text: bytes, package: str) -> dict[str, Any]:
    """Return what a module's text says. package: the one that it is in, or that it is.

    digest: of the text without wording. imports: names, of modules or of what is in them.
    searched: packages whose modules are all found by being there. files: read from beside it.
    """
    tree = ast.parse(text)
    names = _names(tree, package)
    wordless = _Wordless().visit(ast.parse(text))
    return {
        "digest": hashlib.sha256(ast.dump(wordless).encode()).hexdigest(),
        "imports": sorted(set(_imports(tree, package))),
        "searched": sorted(set(_searched(tree, package, names))), "files": sorted(_files(tree)),
    }


class _Wordless(ast.NodeTransformer):
    """Takes out what only people read: strings that stand by themselves."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop a string that is a statement."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            if _is_ours(base):
                yield from (f"{base}.{alias.name}" for alias in node.names)
        elif (isinstance(node, ast.Constant) and isinstance(node.value, str)
                and "." in node.value and _is_ours(node.value) and is_module(node.value)):
            yield node.value


def _names(tree: ast.AST, package: str) -> dict[str, str]:
    """Return what the imported names of a module stand for."""
    names = {}
    for node in _statements(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{_base(node, package)}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name
    return names


def _searched(tree: ast.AST, package: str, names: dict[str, str]) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Call) and _is_search(node.func, names):
            yield _package_of(node, package, names)


def _package_of(call: ast.Call, package: str, names: dict[str, str]) -> str:
    """Return the package that a call searches; raises ValueError when its text doesn't tell."""
    match call.args:
        case [ast.Constant(value=str(name))]:
            return name
        case [ast.Name(id="__name__")]:
            return package
        case [ast.expr() as said] if (name := ast.unparse(said)) in names:
            return names[name]
    raise ValueError(f"which package is searched is not said: {ast.unparse(call)}")


def _is_search(function: ast.expr, names: dict[str, str]) -> bool:
    if isinstance(function, ast.Name):
        return names.get(function.id) in _SEARCHES
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name | ast.Attribute):
        module = ast.unparse(function.value)
        return f"{names.get(module, module)}.{function.attr}" in _SEARCHES
    return False


def _files(tree: ast.AST) -> Iterator[str]:
    for node in _statements(tree):
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                and node.func.attr == "with_name"
                and ast.unparse(node.func.value) == "Path(__file__)"
                and isinstance(node.args[0], ast.Constant)):
            yield str(node.args[0].value)


def _base(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[:len(package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in ROOMS and all(part.isidentifier() for part in name.split("."))


_changed: list[str] = []


@cache
def _known() -> dict[str, dict[str, Any]]:
    """Return what earlier runs found out about texts; parsing all of them takes half a second."""
    with suppress(OSError, ValueError):
        kept = json.loads((cache_folder() / _KEPT).read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return {key: value for key, value in kept.items() if _is_sound(value)}
    return {}


def _is_sound(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"digest", "imports", "searched", "files"}


def _keep() -> None:
    """Keep what was found out, for the next run; a cache that can't be written costs time only."""
    if _changed:
        _changed.clear()
        with suppress(CcisError):
            write_atomically(cache_folder() / _KEPT, json.dumps(_known()), mode=0o600)


def forget() -> None:
    """Forget what is known of modules in this process: somebody has changed their texts."""
    for each in (code_identity, closure, is_module, _facts_of):
        each.cache_clear()
