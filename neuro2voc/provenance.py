"""What code made a result: the version of a script, which changes when its meaning does."""

import ast
import contextlib
import hashlib
import importlib.metadata
import json
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from neuro2voc.errors import DataError

PACKAGE = Path(__file__).parent


def code_version(script_path: str | Path, package: str | Path = PACKAGE) -> str:
    """Return the version of a script: a digest of its code, then the libraries it uses.

    The digest covers the syntax trees of the script and of every module of the package that it
    imports, directly or through others, wherever in the code the import stands. Comments,
    docstrings, layout and the package's own ``__version__`` do not count.

    Parameters
    ----------
    script_path : path
        A Python script.
    package : path, optional
        The folder of the package whose modules are followed.

    Returns
    -------
    str
        For example ``"0f3a5b7c9d1e2f30 numpy==2.4.6 pandas==3.1.1"``.

    Raises
    ------
    DataError
        A file that cannot be read, or is not valid Python.

    Notes
    -----
    Imports are read, not run: modules named in strings (``importlib.import_module``) are not seen.
    """
    return code_versions([script_path], package)[Path(script_path).stem]


def code_versions(
    script_paths: Iterable[str | Path],
    package: str | Path = PACKAGE,
    memory: str | Path | None = None,
) -> dict[str, str]:
    """Return the versions of many scripts by their names without suffix, as `code_version` does.

    Parameters
    ----------
    script_paths : iterable of path
        Python scripts.
    package : path, optional
        The folder of the package whose modules are followed.
    memory : path, optional
        A JSON file that keeps what was read of each file from one call to the next, by the file's
        content, so that the result is the same with and without it. It is made where it is
        missing, damaged or out of date; where it cannot be written, every call reads anew.

    Raises
    ------
    DataError
        A file that cannot be read, or is not valid Python.
    """
    package = Path(package).resolve()
    remembered = {} if memory is None else _recall(Path(memory))
    used: dict[str, list] = {}

    @cache
    def parsed(path: Path, module: str) -> list:
        source = _source(path)
        key = _key(source, path, module)
        used[key] = remembered.get(key) or _parsed(source, path, module)
        return used[key]

    @cache
    def files(name: str) -> tuple[tuple[str, Path], ...]:
        return tuple(_files(name, package))

    versions = {
        path.stem: _version(path, package.name, parsed, files) for path in map(Path, script_paths)
    }
    if memory is not None and not used.keys() <= remembered.keys():
        _remember(Path(memory), used)
    return versions


def _version(path: Path, package: str, parsed: Callable, files: Callable) -> str:
    """Follow a script's imports through the package; digest what was found."""
    script_digest, imported = parsed(path, "")
    digests, libraries, waiting = {}, set(), list(imported)
    while waiting:
        name = waiting.pop()
        if name.split(".")[0] != package:
            libraries.add(name.split(".")[0])
            continue
        for module, file in files(name):
            if module not in digests:
                digests[module], imported = parsed(file, module)
                waiting.extend(imported)
    code = hashlib.sha256(script_digest.encode())
    for module in sorted(digests):
        code.update(f"\n{module} {digests[module]}".encode())
    return " ".join([code.hexdigest()[:16], *_versions(libraries)])


def _recall(memory: Path) -> dict[str, list]:
    """Return what a memory holds: by key, a digest and imported names; nothing if it is damaged."""
    try:
        entries = json.loads(memory.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    entries = entries.items() if isinstance(entries, dict) else ()
    return {key: entry for key, entry in entries if _is_entry(entry)}


def _is_entry(entry) -> bool:
    match entry:
        case [str(), list() as imported]:
            return all(isinstance(name, str) for name in imported)
    return False


def _remember(memory: Path, entries: dict[str, list]) -> None:
    """Write a memory in one step, since other processes may write and read it now."""
    part = memory.with_name(f"{memory.name}.{secrets.token_hex(4)}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(entries))
        part.replace(memory)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@cache
def _reader() -> str:
    """What the reading itself depends on: this module, and Python, whose syntax trees differ."""
    return f"{sys.version} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


def _key(source: bytes, path: Path, module: str) -> str:
    return hashlib.sha256(f"{_reader()}\n{module} {path.name}\n".encode() + source).hexdigest()


def _files(name: str, package: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules that importing the dotted `name` runs, outermost first.

    What is no file (the function at the end of ``neuro2voc.trials.fold_of``) is passed over.
    """
    folder, parts = package, name.split(".")
    for count in range(1, len(parts) + 1):
        module = ".".join(parts[:count])
        if count > 1:
            file = folder / f"{parts[count - 1]}.py"
            folder = folder / parts[count - 1]
            if file.is_file():
                yield module, file
                return
        if (folder / "__init__.py").is_file():
            yield module, folder / "__init__.py"


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _parsed(source: bytes, path: Path, module: str) -> list:
    """Return the digest of a file and the dotted names it imports."""
    try:
        tree = ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        raise DataError(f"{path}{line}: not valid Python ({error}); correct it.") from error
    # Within a package's __init__.py, one dot means the package itself.
    container = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, container)
            # What is imported may be a module or something in one; _files finds out.
            imported.extend(f"{origin}.{alias.name}" for alias in node.names)
        _drop_docstring(node)
    tree.body = [node for node in tree.body if not _states_version(node)]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return [digest, list(dict.fromkeys(imported))]


def _absolute(node: ast.ImportFrom, container: str) -> str:
    """Return the dotted name that ``from ... import`` starts from."""
    if node.level == 0:
        return node.module
    parts = container.split(".")
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if node.body and isinstance(node.body[0], ast.Expr):
        value = node.body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            del node.body[0]


def _states_version(node: ast.AST) -> bool:
    """Tell ``__version__ = ...``: a release alone is no reason to compute everything again."""
    return (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__version__"
    )


def _versions(names: Iterable[str]) -> list[str]:
    """Return ``distribution==version``, sorted, for the imported third-party names."""
    versions = set()
    for name in names:
        if name and name not in sys.stdlib_module_names:
            versions.update(_library_versions(name))
    return sorted(versions)


@cache
def _library_versions(name: str) -> list[str]:
    owners = _owners().get(name, [])
    if not owners:
        # An editable install lists no modules, but usually has their name. What is not installed at
        # all may be optional, and installing it changes what happens.
        try:
            owners = [importlib.metadata.distribution(name)]
        except importlib.metadata.PackageNotFoundError:
            return [f"{name}==absent"]
    # Builds of one version (PyTorch's for processors or GPUs) differ by what follows a plus sign.
    return [f"{owner.name}=={owner.version.partition('+')[0]}" for owner in owners]


@cache
def _owners() -> dict[str, list[importlib.metadata.Distribution]]:
    """Map each importable top-level name to the distributions that bring it.

    As `importlib.metadata.packages_distributions`, which takes many times as long.
    """
    owners: dict[str, list[importlib.metadata.Distribution]] = {}
    for distribution in importlib.metadata.distributions():
        names = (distribution.read_text("top_level.txt") or "").split()
        if not names:
            record = distribution.read_text("RECORD") or ""
            names = {line.partition(",")[0].partition("/")[0] for line in record.splitlines()}
        for name in {name.partition(".")[0] for name in names if not name.endswith("-info")}:
            owners.setdefault(name, []).append(distribution)
    return owners
