"""The rooms of the code: who may import whom, how large files and folders are, that no file is idle.

A room is a folder or a few files. Imports run from a room to those that it stands on, and to all rooms
beneath these; never up, never sideways. All imports count, also those in functions and for types.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "models", "tuner")
FUNCTIONS = {"tuner.search", "tuner.train"}  # as `from tuner import search`, beside these commands
FACES = {f"{package}/__init__.py" for package in PACKAGES}  # what users import, which may re-export
FOLDERS = (*PACKAGES, "benchmarks", "cluster", "configs", "tests")
MOST_LINES, MOST_FILES = 300, 14

COMMANDS = (
    "tuner/search.py tuner/train.py tuner/best.py tuner/prepare.py tuner/results.py tuner/doctor.py"
)
TOP = f"{COMMANDS} tuner/cli.py tuner/api.py tuner/kept.py tuner/learnt.py tuner/__main__.py"

# From the ground up: each room, and the rooms that it stands on. A name that ends with "/" is a folder,
# with all that is in it.
ROOMS: dict[str, list[str]] = {
    "data/errors.py": [],
    "data/prefetch.py": [],
    "data/console.py": ["data/errors.py"],
    "data/files/": ["data/errors.py", "data/prefetch.py", "data/console.py"],
    "data/videos/": ["data/files/"],
    "data/cells/": ["data/files/"],
    "data/formats/": ["data/cells/", "data/videos/"],
    "data/labels/": ["data/formats/"],
    "data/clips/": ["data/videos/"],
    "data/stores/": ["data/clips/"],
    "data/dataset.py": ["data/labels/", "data/stores/"],
    "data/learnt.py": ["data/dataset.py"],
    "data/page.py": ["data/files/"],
    "data/tools/": ["data/dataset.py", "data/page.py"],
    "data/__main__.py": ["data/tools/"],
    "data/__init__.py": ["data/learnt.py"],
    #
    "models/errors.py": [],
    "models/tensors.py": [],
    "models/patches.py": [],
    "models/layers/": ["models/errors.py", "models/patches.py"],
    "models/backbones/": ["models/errors.py", "models/patches.py"],
    "models/registry.py": ["models/layers/", "models/backbones/"],
    "models/rules.py models/conditions.py models/backbone_rules.py": ["models/registry.py"],
    "models/config.py": ["models/rules.py models/conditions.py models/backbone_rules.py"],
    "models/seen.py": ["models/config.py"],
    "models/architectures/": ["models/seen.py"],
    "models/assembly.py": ["models/architectures/"],
    "models/files.py": ["models/assembly.py", "models/tensors.py"],
    "models/__init__.py": ["models/files.py"],
    #
    "tuner/objective.py": ["data/__init__.py", "data/tools/", "models/__init__.py"],
    "tuner/config/": ["tuner/objective.py"],
    "tuner/runtime/": ["tuner/config/"],
    "tuner/cluster/": ["tuner/runtime/"],  # beside all else: what Ray's own commands load
    "tuner/training/": ["tuner/runtime/"],
    "tuner/preparation/": ["tuner/training/"],
    "tuner/study/store/": ["tuner/preparation/"],
    "tuner/study/space/": ["tuner/preparation/"],
    "tuner/study/halving/": ["tuner/study/store/", "tuner/study/space/"],
    "tuner/study/sharing/": ["tuner/study/space/"],
    "tuner/study/*.py": ["tuner/study/halving/", "tuner/study/sharing/"],
    "tuner/analysis/": ["tuner/preparation/"],
    "tuner/diagnosis/": ["tuner/study/store/", "tuner/cluster/"],
    TOP: ["tuner/study/*.py", "tuner/analysis/", "tuner/diagnosis/", "data/__main__.py"],
    "tuner/__init__.py": [TOP],
}


class Import(NamedTuple):
    """One module that a statement imports."""

    importer: str
    imported: str
    place: str  # file and line, and the statement

    @property
    def edge(self) -> tuple[str, str]:
        return self.importer, self.imported


def dotted(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


MODULES = {dotted(path): path for path in sources(*PACKAGES)}


def imports(path: Path) -> Iterator[Import]:
    """What a file imports of the three packages, wherever in the file it does so."""
    package = dotted(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            longer = [f"{source}.{alias.name}" for alias in node.names]
            names = [
                name if name in MODULES and name not in FUNCTIONS else source for name in longer
            ]
        else:
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}: `{ast.unparse(node)}`"
        for name in dict.fromkeys(names):
            if name in MODULES:
                yield Import(dotted(path), name, place)


IMPORTS = [found for path in MODULES.values() for found in imports(path)]


def files_of(room: str) -> Iterator[Path]:
    for name in room.split():
        yield from ROOT.glob(f"{name}**/*.py" if name.endswith("/") else name)


def claims() -> dict[str, list[str]]:
    """The rooms that name a module: one, if all is well."""
    rooms: dict[str, list[str]] = {module: [] for module in MODULES}
    for room in ROOMS:
        for path in files_of(room):
            rooms[dotted(path)].append(room)
    return rooms


ROOM_OF = {module: rooms[0] for module, rooms in claims().items() if rooms}


def beneath(room: str) -> set[str]:
    """All rooms that a room may use: those that it stands on, and all beneath these."""
    return {room, *(lower for floor in ROOMS[room] for lower in beneath(floor))}


def against_the_rooms() -> Iterator[tuple[Import, str]]:
    """Imports that run up or sideways, and what is said of each."""
    for found in IMPORTS:
        importer, imported = ROOM_OF.get(found.importer), ROOM_OF.get(found.imported)
        if importer and imported and imported not in beneath(importer):
            yield found, f"{found.place}: room {importer!r} may not use room {imported!r}"


def of_commands() -> Iterator[Import]:
    """Imports of commands anywhere but in tests."""
    commands = {dotted(ROOT / name) for name in COMMANDS.split()}
    for path in sources(*(folder for folder in FOLDERS if folder != "tests")):
        yield from (found for found in imports(path) if found.imported in commands)


def in_circles(edges: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The imports that close a circle."""
    edges = set(edges)
    following: dict[str, set[str]] = {}
    for one, other in edges:
        following.setdefault(one, set()).add(other)

    def reached(start: str) -> set[str]:
        seen, waiting = {start}, [start]
        while waiting:
            new = following.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    all_reached = {module: reached(module) for edge in edges for module in edge}
    return {(one, other) for one, other in edges if one in all_reached[other]}


def test_every_module_belongs_to_one_room() -> None:
    wrong = [
        f"{MODULES[module].relative_to(ROOT)}: {' and '.join(rooms) or 'in no room'}"
        for module, rooms in claims().items()
        if len(rooms) != 1
    ]
    assert not wrong, "name it in one room of ROOMS:\n" + "\n".join(wrong)


def test_imports_run_from_a_room_to_those_beneath_it() -> None:
    wrong = [said for found, said in against_the_rooms()]
    assert not wrong, "imports run up or sideways:\n" + "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    circles = in_circles(found.edge for found in IMPORTS)
    wrong = [
        f"{found.place}: room {ROOM_OF.get(found.importer)!r} uses room {ROOM_OF.get(found.imported)!r}"
        for found in IMPORTS
        if found.edge in circles
    ]
    assert not wrong, "imports in a circle:\n" + "\n".join(wrong)


def test_no_command_is_imported() -> None:
    wrong = [found.place for found in of_commands()]
    assert not wrong, "what both need belongs in a room beneath the command:\n" + "\n".join(wrong)


def test_a_module_does_more_than_to_hand_on_others_names() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(*FOLDERS)
        if str(path.relative_to(ROOT)) not in FACES and only_hands_on(parsed(path).body)
    ]
    assert not wrong, "they only re-export; import from where the names are: " + ", ".join(wrong)


def only_hands_on(body: list[ast.stmt]) -> bool:
    """All statements but the docstring are imports, for types too, and `__all__`."""
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return bool(body) and all(
        isinstance(statement, ast.Import | ast.ImportFrom)
        or (isinstance(statement, ast.If) and only_hands_on(statement.body + statement.orelse))
        or (
            isinstance(statement, ast.Assign)
            and [ast.unparse(target) for target in statement.targets] == ["__all__"]
        )
        for statement in body
    )


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(*FOLDERS)
    }
    wrong = [f"{name}: {length} lines" for name, length in lengths.items() if length > MOST_LINES]
    assert not wrong, f"more than {MOST_LINES} lines are two ideas:\n" + "\n".join(wrong)


def test_no_folder_is_too_full() -> None:
    folders = [
        folder
        for name in FOLDERS
        for folder in [ROOT / name, *(ROOT / name).rglob("*/")]
        if folder.is_dir() and not {"results", "__pycache__"} & {*folder.relative_to(ROOT).parts}
    ]
    counts = {
        folder: sum(
            path.is_file() and path.name != "__init__.py" and not path.name.startswith(".")
            for path in folder.iterdir()
        )
        for folder in [ROOT, *folders]
    }
    wrong = [
        f"{folder.relative_to(ROOT)}: {count} files"
        for folder, count in counts.items()
        if count > MOST_FILES
    ]
    assert not wrong, f"more than {MOST_FILES} files are two rooms:\n" + "\n".join(wrong)
