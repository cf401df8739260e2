"""What a version of a record may change against every version before it: Avro's FULL_TRANSITIVE, and a little less.

Readers of every version read records of every other by Avro's schema resolution, in both directions: fields are added
at the end and have defaults, symbols are added at the end of enums that name a default, and nothing is renamed, moved,
removed or given another type. Full compatibility would let a field with a default go; then nothing could say any more
what the records of the log hold in it.
"""

from __future__ import annotations

from schemas.contract import History, Schema, spelt_out


def check_history(history: History) -> None:
    """Raises ValueError, with what to do, where the newest version does not fit a released one."""
    for number, released in enumerate(history.versions[: history.num_released], 1):
        try:
            check_change(spelt_out(released), spelt_out(history.newest), history.name)
        except ValueError as error:
            raise ValueError(
                f"{history.file.name} does not fit version {number} of {history.name}, which is released and stands in "
                f"logs: {error}. schemas/README.md says what may change"
            ) from error


def check_change(old: Schema, new: Schema, where: str) -> None:
    """Raises ValueError where records of the types `old` and `new`, spelt out, cannot be read as each other."""
    if isinstance(old, list) and isinstance(new, list):
        check_change(old[1], new[1], where)
    elif isinstance(old, dict) and isinstance(new, dict) and old["type"] == new["type"]:
        if old["type"] == "array":
            check_change(old["items"], new["items"], f"{where}[]")
            return
        if old["name"] != new["name"]:
            raise ValueError(f"{where}: type {old['name']} became {new['name']}; a type keeps its name")
        if old["type"] == "enum":
            _check_enum(old, new, where)
        else:
            _check_fields(old, new, where)
    elif old != new:
        raise ValueError(f"{where}: another type; add a field at the end with the new type and a default instead")


def _check_enum(old: Schema, new: Schema, where: str) -> None:
    kept = len(old["symbols"])
    if new["symbols"][:kept] != old["symbols"]:
        raise ValueError(f"{where}: symbols of {old['name']} stay where they are; new ones come at the end")
    if len(new["symbols"]) > kept and "default" not in new:
        raise ValueError(f'{where}: {new["name"]} needs a "default" symbol, for readers that know fewer')
    if "default" in old and new.get("default") != old["default"]:
        raise ValueError(f"{where}: the default of {old['name']} stays {old['default']}")


def _check_fields(old: Schema, new: Schema, where: str) -> None:
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    for name in before:
        if name not in after:
            raise ValueError(f"{where}.{name}: is gone, but logs hold it; put it back")
    if list(after)[: len(before)] != list(before):
        raise ValueError(f"{where}: released fields keep their order; new ones come at the end")
    for name, field in after.items():
        if name not in before:
            if "default" not in field:
                raise ValueError(f"{where}.{name}: is new, so it needs a default, which older records are read with")
            continue
        check_change(before[name]["type"], field["type"], f"{where}.{name}")
        if "default" in before[name] and field.get("default", field) != before[name]["default"]:
            raise ValueError(f"{where}.{name}: the default is what older records are read with; it stays")
