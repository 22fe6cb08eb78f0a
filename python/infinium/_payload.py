"""A TaskData as the body that is sent, at most 1 MiB of it."""

from __future__ import annotations

from ._json import dumps, plain
from .types import SECTIONS
from .utils import MAX_PAYLOAD_SIZE, _check_size, dataclass_to_dict

# The body's members in the order the published client sends them; sections go between.
_FIRST = ("name", "description", "current_datetime", "duration")
_BEFORE_SECTIONS = ("input_summary", "output_summary", "expected_outcome", "steps", "errors", "llm_usage")
_LISTS = ("steps", "errors")
_OBJECTS = ("expected_outcome", "llm_usage", "environment")
_SHORTEST = 1_000  # bytes; shorter texts are never trimmed


def _dicts_of(name, items):
    """The steps or errors of a task as dicts; what is neither a dict nor a dataclass is left out."""
    if not items:
        return []
    try:
        items = list(items)
    except TypeError:
        items = [items]
    made = [dataclass_to_dict(item) for item in items]
    if not all(made):
        import logging

        logging.getLogger("infinium.client").warning(
            "some of %r are left out: each must be a dict or a dataclass that is not empty", name
        )
    return [item for item in made if item]


def _is_section(name, value):
    if isinstance(value, dict):
        return True
    import logging

    logging.getLogger("infinium.client").warning(
        "%r is left out: it must be a dict or a dataclass, not %s", name, type(value).__name__
    )
    return False


def body_of(task):
    """The members of the body. Empty parts are left out, attributes that are no fields come last."""
    values = dataclass_to_dict(task)
    body = {name: getattr(task, name) for name in _FIRST}
    for name in _LISTS:
        if name in values:
            values[name] = _dicts_of(name, getattr(task, name))
    for name in _OBJECTS:
        if name in values and not (values[name] and _is_section(name, values[name])):
            values[name] = {}
    for name in _BEFORE_SECTIONS:
        if name in values and values[name] not in ({}, []):
            body[name] = values[name]
    sections = {name: values[name] for name in SECTIONS if values.get(name) and _is_section(name, values[name])}
    if sections:
        body["sections"] = sections
    if values.get("environment") not in (None, {}, []):
        body["environment"] = values["environment"]
    for name, value in values.items():
        if name in body or name in SECTIONS or name in ("environment", *_BEFORE_SECTIONS):
            if name == "sections" and isinstance(value, dict):
                body["sections"] = {**value, **sections}
            continue
        body[name] = value
    return body


def encode_task(task):
    """The body of `task` as JSON in UTF-8. Where it would be over 1 MiB the longest texts are cut, with a note of how
    much is missing; ValidationError when that does not suffice."""
    body = plain(body_of(task))
    encoded = dumps(body)
    budget = MAX_PAYLOAD_SIZE
    for _ in range(8):
        if len(encoded) <= MAX_PAYLOAD_SIZE:
            break
        excess = len(encoded) - budget
        texts = _long_texts(body)
        room = sum(size for size, _, _ in texts) - excess
        cap = _level([size for size, _, _ in texts], room)
        if cap is None:
            break
        for size, holder, key in texts:
            if size > cap:
                holder[key] = _cut(holder[key], size, cap)
        encoded = dumps(body)
        if len(encoded) > MAX_PAYLOAD_SIZE:
            budget -= len(encoded) - MAX_PAYLOAD_SIZE + 1_024  # the next round aims lower
    _check_size(len(encoded))
    return encoded


def _long_texts(value):
    found = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        for key, item in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(item, (dict, list)):
                waiting.append(item)
            elif isinstance(item, str) and len(item) * 6 > _SHORTEST:
                size = len(dumps(item))
                if size > _SHORTEST:
                    found.append((size, holder, key))
    return found


def _level(sizes, room):
    """The cap for which the sizes, each cut to it, add up to `room`; None when that would be below the shortest."""
    sizes = sorted(sizes)
    for index, size in enumerate(sizes):
        cap = room // (len(sizes) - index)
        if size > cap:
            return cap if cap >= _SHORTEST else None
        room -= size
    return None


def _cut(text, size, cap):
    room = cap - 60  # the note's
    keep = max(len(text) * room // size, 0)
    while keep and (written := len(dumps(text[:keep]))) > room:  # the bytes are not spread evenly
        keep = min(keep - 1, keep * room // written)
    return f"{text[:keep]}... [{len(text) - keep} characters trimmed]"
