"""Loading: defaults < config.yaml < environment < secret files, and every mistake in them at once."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, InitSettingsSource, PydanticBaseSettingsSource

from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel
from engine.settings.crosschecks import Finding, cross_checks
from engine.settings.document import ConfigDocument, Unread, read_secret
from engine.settings.local import local_secret
from engine.settings.places import TWINS, Loc, find, find_key, known_keys, scalars
from engine.settings.resolve import resolve
from engine.settings.schema import FileSettings
from engine.settings.values import Settings
from engine.source import did_you_mean, redact

PREFIX = "TOCSIN_"
CONFIG = "TOCSIN_CONFIG"
DATA = "TOCSIN_DATA"
DEFAULT_FILE = "config.yaml"


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] | None = None, *, generate: bool = True
) -> Settings:
    """The settings of `path`, else of the file that TOCSIN_CONFIG names, else of config.yaml if it is there.

    `environ` None: the process's own. With `generate` the local endpoint's secret is made where there is none yet;
    without it nothing is written and that endpoint has no secret. Raises ConfigError with every mistake, in the order
    of the file; its `sources` are safe to print. No mistake ever shows a secret.
    """
    environ = os.environ if environ is None else environ
    file = _file(path, environ)
    document = _document(file, environ)
    loading = _Loading(document, environ)
    found = loading.read()
    if found is None or loading.mistakes:
        sources = {document.document.file: document.printable()} if document else {}
        raise ConfigError(_in_order(loading.mistakes), sources=sources) from None
    return resolve(found, file, local_secret if generate else None)


class _Environment(EnvSettingsSource):
    """The variables that name a key, from the mapping that was given and not from the process."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items() if value}


class _Loading:
    """One run: gathers the sources, has pydantic check them, and says what is wrong where."""

    def __init__(self, document: ConfigDocument | None, environ: Mapping[str, str]) -> None:
        self.document = document
        self.mistakes: list[Mistake] = list(document.mistakes) if document else []
        self.variables = self._variables(environ)
        self.files = self._secret_files(environ)

    def read(self) -> FileSettings | None:
        """The checked file, None when there are mistakes."""
        state = self.document.state if self.document else {}
        variables, files = self.variables, self.files

        class Bound(FileSettings):
            """The settings, bound to the sources of this run."""

            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (
                    InitSettingsSource(settings_cls, files),
                    _Environment(settings_cls, variables),
                    InitSettingsSource(settings_cls, state),
                )

        found = None
        try:
            found = Bound()
        except ValidationError as problem:
            for error in problem.errors(include_input=True, include_url=False):
                self._say(error)
        for finding in cross_checks(
            state, variables.get("TOCSIN_DEFAULT_CHANNEL"), variables.get("TOCSIN_OPS__CHANNEL")
        ):
            self._found(finding)
        return found

    def _variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The TOCSIN_ variables that set a key; every other name with that prefix is a mistake."""
        names = {variable(loc) for loc, _ in scalars()}
        twins = {variable(loc) + "_FILE" for loc in _scalar_twins()}
        used = set(self.document.variables) if self.document else set()
        for name in environ:
            if name.startswith(PREFIX) and name not in names | twins | used | {CONFIG}:
                self._say_unknown(name, names | twins | {CONFIG})
        found = {name: value for name, value in environ.items() if name in names and value.strip()}
        if data := found.get(DATA):  # no file that it stands in, so it is relative to where we are
            found[DATA] = str(Path(data.strip()).expanduser().absolute())
        return found

    def _say_unknown(self, name: str, names: set[str]) -> None:
        key = name.removeprefix(PREFIX).lower().partition("__")[0]
        if key in FileSettings.model_fields and not any(known.startswith(PREFIX + key.upper()) for known in names):
            hint = f"'{key}' holds more than one value: write it in {DEFAULT_FILE}, with ${{VARIABLE}} where needed"
        else:
            hint = did_you_mean(name, names) or f"see {DEFAULT_FILE.replace('.', '.example.')} for the settings"
        self._mistake("unknown-variable", f"unknown variable {name}", hint=hint)

    def _secret_files(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """What TOCSIN_..._FILE variables name, as a tree of values."""
        state: dict[str, Any] = {}
        for loc in _scalar_twins():
            name = variable(loc) + "_FILE"
            if not environ.get(name):
                continue
            if environ.get(variable(loc)):
                self._mistake("both", f"{variable(loc)} and {name} are both set; keep one")
            part = state
            for step in loc[:-1]:
                part = part.setdefault(str(step), {})
            try:
                part[str(loc[-1])] = read_secret(Path(environ[name]))
            except ValueError as problem:
                self._mistake("secret-file", f"{name}: {problem}")
        return state

    def _say(self, error: ErrorDetails) -> None:
        """One of pydantic's findings as a mistake. What was given is never repeated here."""
        loc, kind = error["loc"], error["type"]
        if isinstance(error["input"], Unread):
            return
        if kind == "extra_forbidden":
            known = known_keys(loc[:-1])
            where = f"in '{_dotted(loc[:-1])}'" if loc[1:] else "in the configuration"
            hint = did_you_mean(str(loc[-1]), known) or (f"known: {', '.join(known)}" if known else None)
            self._mistake("unknown-key", f"unknown key '{loc[-1]}' {where}", loc, hint, key=True)
        elif kind == "missing":
            owner = _dotted(loc[:-1])
            self._mistake("missing-key", f"'{loc[-1]}' is missing in '{owner}'", loc[:-1], _written_for(loc))
        elif "message" in (context := error.get("ctx") or {}):
            in_key = loc[-1] == "[key]"
            self._mistake(kind, context["message"], loc[:-1] if in_key else loc, context.get("hint"), key=in_key)
        else:
            expected = _EXPECTED.get(kind, "a value of another kind")
            self._mistake("type", f"expected {expected} for '{_dotted(loc)}'", loc)

    def _found(self, finding: Finding) -> None:
        self._mistake(finding.code, finding.message, finding.loc, finding.hint)

    def _mistake(
        self, code: str, message: str, loc: Loc | None = None, hint: str | None = None, *, key: bool = False
    ) -> None:
        if loc is not None and variable(loc) in self.variables:
            message, loc = f"{variable(loc)}: {message}", None
        root = self.document.root if self.document else None
        position = None if loc is None else find_key(root, loc) if key else find(root, loc)
        if position is not None and self.document and position in self.document.broken:
            return
        self.mistakes.append(
            Mistake(
                level=MistakeLevel.ERROR,
                code=code,
                message=self._safe(message),
                position=position,
                hint=hint and self._safe(hint),
            )
        )

    def _safe(self, message: str) -> str:
        """A message without what came from a variable or looks like a secret: either may stand where it should not."""
        for name, value in (self.document.variables if self.document else {}).items():
            for part in (value.strip(), value.strip()[:60], value.strip()[:40]):
                if len(part) > 3:
                    message = message.replace(part, f"${{{name}}}")
        return redact(message)


_EXPECTED = {
    "model_type": "a map",
    "model_attributes_type": "a map",
    "dict_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
}


def variable(loc: Loc) -> str:
    """The name of the variable that sets a key: TOCSIN_STORE__URL for store.url."""
    return PREFIX + "__".join(str(part) for part in loc).upper()


def _scalar_twins() -> Iterator[Loc]:
    yield from (loc for loc, _ in scalars() if loc in TWINS)


def _written_for(loc: Loc) -> str | None:
    return f"or give '{loc[-1]}_file'" if f"{loc[-1]}_file" in known_keys(loc[:-1]) else None


def _dotted(loc: Loc) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _in_order(mistakes: list[Mistake]) -> list[Mistake]:
    """By line, what has no place last; what is said twice of one place only once."""
    once = {(str(mistake.position), mistake.message): mistake for mistake in mistakes}.values()

    def place(mistake: Mistake) -> tuple[bool, int, int]:
        where = mistake.position
        return (where is None, where.line if where else 0, where.column if where else 0)

    return sorted(once, key=place)


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = path or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    if named is not None:
        return named.absolute()
    usual = Path(DEFAULT_FILE).absolute()
    return usual if usual.exists() or usual.is_symlink() else None


def _document(file: Path | None, environ: Mapping[str, str]) -> ConfigDocument | None:
    if file is None:
        return None
    try:
        text = file.read_bytes().decode()
    except OSError as problem:
        raise ConfigError([_no_file(f"cannot read {file}: {problem.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([_no_file(f"{file} is not UTF-8 text")]) from None
    return ConfigDocument(text, _shown(file), file.parent, environ)


def _shown(file: Path) -> str:
    """The name that positions carry: relative where the file is below the working directory."""
    try:
        return file.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def _no_file(message: str) -> Mistake:
    return Mistake(level=MistakeLevel.ERROR, code="config-file", message=message)
