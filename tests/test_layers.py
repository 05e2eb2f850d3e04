"""The import rule: a package imports only packages of a lower layer, so each can be understood without those above."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"engine.errors"},
    {"engine.model"},
    {"engine.source"},
    {"engine.match", "engine.render", "engine.settings", "engine.observe", "engine.links"},
    {"engine.decide"},
    {"engine.rulebook", "engine.store", "engine.receive", "engine.stripe_api"},
    {"notifiers", "engine.samples", "engine.plan"},
    {"engine.course"},
    {"engine.decision"},
    {"engine.pipeline", "engine.replay", "engine.scaffold", "engine.configured"},
    {"engine.work"},
    {"engine.testing"},
    {"engine.backtest"},
    {"engine.service"},
    {"engine.wiring", "engine.editor"},
    {"engine.connections"},
    {"engine.console", "engine.cli"},
    {"engine.main"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
SOLE_IMPORTERS = {
    "pgqueuer": {"engine/store/jobs.py", "engine/store/adapter.py"},
    "jsonpath_ng": {"engine/match/jsonpath.py"},
    "re2": {"engine/match/regex.py"},
    "apprise": {"notifiers/notify.py", "notifiers/channels.py"},
    "stripe": {"engine/stripe_api/client.py", "engine/stripe_api/operations.py"},
}


def _package(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "notifiers" else ".".join(parts[:2])


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    tree = ast.parse(path.read_text())
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names if node.module == "engine"]
    return names


def _sources() -> list[Path]:
    return [path for top in ("engine", "notifiers") for path in sorted((ROOT / top).rglob("*.py"))]


def test_every_import_goes_down() -> None:
    wrong = []
    for path in _sources():
        own = _package(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in _imports(path):
            target = _package(name)
            if target in RANK and target != own and own in RANK and RANK[target] >= RANK[own]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, wrong


def test_risky_dependencies_have_one_importer() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _sources()
        for name in _imports(path)
        for package, allowed in SOLE_IMPORTERS.items()
        if name.split(".")[0] == package and path.relative_to(ROOT).as_posix() not in allowed
    ]
    assert not wrong, wrong
