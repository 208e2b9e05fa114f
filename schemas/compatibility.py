"""Whether what was written with one schema can be read with another.

The rules are those of schema resolution in the Avro specification, and one more: a logical type may
not change, because the same number would then mean another instant or amount. Backward, transitive:
every version ever shipped must be readable by the newest of its event.
"""

from dataclasses import dataclass
from typing import Any

from schemas.catalogue import SHIPPED, Catalogue

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
_NAMED = frozenset({"record", "enum", "fixed", "error"})


@dataclass(frozen=True)
class Incompatibility:
    """One reason why data of `writer` cannot be read as `reader`. `path` is empty for the whole."""

    writer: str
    reader: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.writer} cannot be read as {self.reader}{where}: {self.message}"


def check_all(catalogue: Catalogue = SHIPPED) -> list[Incompatibility]:
    """Every shipped version against the newest of the same event; empty if all can be read."""
    return [
        found
        for schema in catalogue.by_type.values()
        for found in check(schema.tree, catalogue.newest(schema).tree)
    ]


def check(writer: Any, reader: Any) -> list[Incompatibility]:
    """What keeps data written with the schema `writer` from being read with `reader`.

    Schemas are as `json.loads` gives them.
    """
    comparison = _Comparison(_names_in(writer), _names_in(reader))
    comparison.compare(writer, reader, "")
    return [
        Incompatibility(_title(writer), _title(reader), path, message)
        for path, message in comparison.found
    ]


class _Comparison:
    """One pass over two schemas side by side."""

    def __init__(self, writer_names: dict[str, Any], reader_names: dict[str, Any]) -> None:
        self.writer_names = writer_names
        self.reader_names = reader_names
        self.found: list[tuple[str, str]] = []
        self._under_way: set[tuple[int, int]] = set()

    def compare(self, writer: Any, reader: Any, path: str) -> None:
        writer = _resolved(writer, self.writer_names)
        reader = _resolved(reader, self.reader_names)
        pair = (id(writer), id(reader))
        if pair in self._under_way:  # a record that contains itself
            return
        self._under_way.add(pair)
        if isinstance(writer, list):
            for branch in writer:
                self.compare(branch, reader, path)
        elif isinstance(reader, list):
            self._compare_with_union(writer, reader, path)
        else:
            self._compare_single(writer, reader, path)
        self._under_way.discard(pair)

    def _compare_with_union(self, writer: Any, reader: list[Any], path: str) -> None:
        if any(self._fits(writer, branch) for branch in reader):
            return
        kinds = [_kind(_resolved(branch, self.reader_names)) for branch in reader]
        if kinds.count(_kind(writer)) == 1:  # what is wrong with this one says more
            self.compare(writer, reader[kinds.index(_kind(writer))], path)
        else:
            self._report(path, f"{_kind(writer)} is none of {_kind(reader)}")

    def _fits(self, writer: Any, reader: Any) -> bool:
        before = len(self.found)
        self.compare(writer, reader, "")
        fits = len(self.found) == before
        del self.found[before:]
        return fits

    def _compare_single(self, writer: Any, reader: Any, path: str) -> None:
        kind, reader_kind = _kind(writer), _kind(reader)
        if kind != reader_kind:
            if reader_kind not in _PROMOTIONS.get(kind, set()):
                self._report(path, f"{kind} cannot be read as {reader_kind}")
            elif _logical(writer) or _logical(reader):
                self._report(path, "a logical type is lost or gained")
            return
        if _logical(writer) != _logical(reader):
            self._report(path, f"{_logical(writer)} is not {_logical(reader)}")
        if kind in _NAMED and not _same_name(writer, reader):
            self._report(
                path, f"the names differ; the newer needs the alias {_short(writer['name'])!r}"
            )
        if kind == "array":
            self.compare(writer["items"], reader["items"], f"{path}[]")
        elif kind == "map":
            self.compare(writer["values"], reader["values"], f"{path}{{}}")
        elif kind == "fixed" and writer["size"] != reader["size"]:
            self._report(path, "the sizes differ")
        elif kind == "enum":
            missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
            if missing and "default" not in reader:
                self._report(path, f"the newer does not know {', '.join(missing)}")
        elif kind == "record":
            self._compare_fields(writer, reader, path)

    def _compare_fields(self, writer: Any, reader: Any, path: str) -> None:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            here = f"{path}.{field['name']}" if path else field["name"]
            names = (field["name"], *field.get("aliases", ()))
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                self.compare(source["type"], field["type"], here)
            elif "default" not in field:
                self._report(here, "a new field needs a default")

    def _report(self, path: str, message: str) -> None:
        self.found.append((path, message))


def _kind(schema: Any) -> str:
    if isinstance(schema, list):
        return "[" + ", ".join(_kind(branch) for branch in schema) + "]"
    kind: Any = schema["type"] if isinstance(schema, dict) else schema
    return kind if isinstance(kind, str) else _kind(kind)


def _logical(schema: Any) -> str | None:
    if not isinstance(schema, dict) or "logicalType" not in schema:
        return None
    if schema["logicalType"] == "decimal":
        return f"decimal({schema['precision']},{schema.get('scale', 0)})"
    return str(schema["logicalType"])


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _same_name(writer: Any, reader: Any) -> bool:
    name = _short(writer["name"])
    return name == _short(reader["name"]) or name in map(_short, reader.get("aliases", ()))


def _resolved(schema: Any, names: dict[str, Any]) -> Any:
    if isinstance(schema, dict) and not isinstance(schema["type"], str):
        return _resolved(schema["type"], names)
    return names.get(_short(schema), schema) if isinstance(schema, str) else schema


def _names_in(schema: Any) -> dict[str, Any]:
    """The named types that a schema declares, by their names without namespace."""
    found: dict[str, Any] = {}
    rest = [schema]
    while rest:
        item = rest.pop()
        if isinstance(item, list):
            rest.extend(item)
        elif isinstance(item, dict):
            if isinstance(item.get("type"), str) and item["type"] in _NAMED:
                found[_short(item["name"])] = item
            rest.extend(value for value in item.values() if isinstance(value, dict | list))
    return found


def _title(schema: Any) -> str:
    if isinstance(schema, dict):
        return str(schema.get("event_type") or schema.get("name") or _kind(schema))
    return _kind(schema)
