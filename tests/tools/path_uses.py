"""Finds where a module's source touches the file system by path, and where each path came from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

EVERYWHERE = ("os.walk", "os.fwalk", "shutil.copytree", "shutil.rmtree", "shutil.move", "rglob",
              "glob.glob", "glob.iglob")
"""What recurses (1,500 nested folders end it) or follows links: host/beneath has better."""

# Methods that only a pathlib.Path has; and those that others have, with as many arguments.
_PATH_METHODS = frozenset((
    "read_text", "write_text", "read_bytes", "write_bytes", "iterdir", "glob", "rglob", "mkdir",
    "unlink", "rmdir", "touch", "symlink_to", "hardlink_to", "readlink", "lstat", "lchmod",
    "samefile", "is_dir", "is_symlink"))
_BY_COUNT = {"is_file": 0, "exists": 0, "stat": 0, "resolve": 0, "chmod": 1, "rename": 1,
             "replace": 1}
_OS_CALLS = frozenset((
    "listdir", "scandir", "walk", "fwalk", "stat", "lstat", "open", "mkdir", "makedirs", "remove",
    "unlink", "rmdir", "rename", "replace", "readlink", "symlink", "link", "chmod", "chown",
    "lchown", "utime", "truncate", "mknod", "mkfifo", "access", "listxattr", "getxattr",
    "setxattr", "removexattr", "statvfs", "chdir"))
_SHUTIL_CALLS = frozenset(("copy", "copy2", "copyfile", "copymode", "copystat", "copytree", "move",
                           "rmtree", "chown", "make_archive", "unpack_archive"))
_SAME_PLACE = frozenset((
    "with_suffix", "with_name", "joinpath", "absolute", "resolve", "expanduser", "iterdir", "glob",
    "rglob", "lstrip", "rstrip", "strip", "relative_to"))
_FIRST_ARGUMENT = frozenset(("Path", "PurePosixPath", "str", "sorted", "list", "tuple", "next",
                             "reversed", "iter", "set", "os.fsencode", "os.fsdecode", "os.fspath",
                             "os.path.join", "os.open", "open", "enumerate", "filter"))
_MODES = frozenset("rwxabt+")


@dataclass(frozen=True)
class Use:
    """A call that touches the file system. origins: the names that its path was made from."""

    line: int
    call: str
    origins: frozenset[str]


def uses(source: str) -> Iterator[Use]:
    """Yield each use of paths in a module's source."""
    module = ast.parse(source)
    scopes = [node for node in ast.walk(module)
              if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    inner = {id(child): scope for scope in scopes for child in ast.walk(scope)}  # innermost last
    values = {id(scope): _assigned(scope) for scope in (module, *scopes)}
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not (call := _touching(node)):
            continue
        known = {**values[id(module)], **values[id(inner.get(id(node), module))]}
        path = _path_of(node)
        yield Use(node.lineno, call, frozenset(_origins(path, known, frozenset())))


def _touching(call: ast.Call) -> str | None:
    """Return what a call is called when it touches the file system by path."""
    function = call.func
    if isinstance(function, ast.Name):
        return "open" if function.id == "open" else None
    if not isinstance(function, ast.Attribute):
        return None
    name, owner = function.attr, ast.unparse(function.value)
    for module, names in (("os", _OS_CALLS), ("shutil", _SHUTIL_CALLS),
                          ("os.path", {"exists", "lexists", "isfile", "isdir", "islink",
                                       "getsize", "realpath"}), ("glob", {"glob", "iglob"})):
        if owner == module:
            return f"{module}.{name}" if name in names else None
    count = len(call.args)
    if name in _PATH_METHODS:
        return name
    if name in _BY_COUNT and count == _BY_COUNT[name]:
        return name
    return name if name == "open" and (count == 0 or _is_mode(call.args[0])) else None


def _is_mode(node: ast.expr) -> TypeGuard[ast.Constant]:
    return (isinstance(node, ast.Constant) and isinstance(node.value, str)
            and set(node.value) <= _MODES)


def _path_of(call: ast.Call) -> ast.expr:
    function = call.func
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if owner in ("", "os", "shutil", "os.path", "glob"):
        return ast.Tuple(call.args, ast.Load())
    assert isinstance(function, ast.Attribute)
    return function.value


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what each local name was made from."""
    found: dict[str, list[ast.expr]] = {}

    def note(target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            values = (value.elts if isinstance(value, ast.Tuple | ast.List)
                      and len(value.elts) == len(target.elts) else [value] * len(target.elts))
            for each, part in zip(target.elts, values, strict=True):
                note(each, part)
        elif isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)

    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                note(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            note(node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            note(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            note(node.optional_vars, node.context_expr)
    return found


def _origins(
    node: ast.expr, known: dict[str, list[ast.expr]], seen: frozenset[str],
) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if node.id in known and node.id not in seen:
            for value in known[node.id]:
                yield from _origins(value, known, seen | {node.id})
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
        yield from _origins(node.value, known, seen)
    elif isinstance(node, ast.Call):
        yield from _origins_of_call(node, known, seen)
    elif isinstance(node, ast.BinOp):
        yield from _origins(node.left, known, seen)
    elif isinstance(node, ast.Subscript | ast.Starred | ast.FormattedValue | ast.NamedExpr):
        yield from _origins(node.value, known, seen)
    elif isinstance(node, ast.IfExp):
        yield from _origins(node.body, known, seen)
        yield from _origins(node.orelse, known, seen)
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _origins(part.value, known, seen)
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from _origins(element, known, seen)
    elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        yield from _origins(node.elt, known, seen)


def _origins_of_call(
    call: ast.Call, known: dict[str, list[ast.expr]], seen: frozenset[str],
) -> Iterator[str]:
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr in _SAME_PLACE:
        yield from _origins(function.value, known, seen)
    elif ast.unparse(function) in _FIRST_ARGUMENT and call.args:
        yield from _origins(call.args[0], known, seen)
