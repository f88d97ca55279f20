"""Two runs side by side: what differs in configuration, data and error."""

from __future__ import annotations

from typing import Any

from surrogate_modeling.common.errors import UserError
from surrogate_modeling.config.identity import WITHOUT_EFFECT
from surrogate_modeling.reporting.content import Content

NOT_COMPARED = ("blocks", "warnings", "errors")


def pair_content(first: Content, second: Content) -> Content:
    """Content of the page of two runs.

    Raises:
        UserError: one is not a run but a search or a comparison.
    """
    both = (first, second)
    for content in both:
        if content["kind"] != "run":
            raise UserError(
                f"{content['title']}: is the run of a {content['kind']}; runs=[a,b] puts two trainings side by side"
            )
    return {
        "kind": "pair",
        "title": f"{first['title']} | {second['title']}",
        "runs": [{key: value for key, value in content.items() if key not in NOT_COMPARED} for content in both],
        "configuration": _configuration(first, second),
        "data": _data(first, second),
        "missing": sorted({key for content in both for key in content["missing"]}),
        "blocks": [block for content in both for block in content["blocks"]],
    }


def _configuration(first: Content, second: Content) -> list[Content]:
    """Keys whose values differ; ``decides``: whether the key determines the result."""
    one, other = (content["repeat"]["configuration"] for content in (first, second))
    versions = [content["repeat"] for content in (first, second)]
    found = [
        {"key": key, "values": [one.get(key), other.get(key)], "decides": key not in WITHOUT_EFFECT}
        for key in [*one, *(key for key in other if key not in one)]
        if one.get(key) != other.get(key)
    ]
    commits = [content["commit"] for content in versions]
    if commits[0] != commits[1]:
        found.append({"key": "git commit", "values": commits, "decides": True})
    for package in versions[0]["versions"]:
        values = [content["versions"].get(package) for content in versions]
        if values[0] != values[1] and values[1] is not None:
            found.append({"key": package, "values": values, "decides": False})
    return found


def _data(first: Content, second: Content) -> Content:
    """Fingerprints, cases of one run only, and columns of one only."""
    both = (first, second)
    prints = [content["data"]["fingerprint"] if content["data"] else None for content in both]
    parts = [_parts(content) for content in both]
    columns = [[*content["channels"]["controls"], *content["channels"]["predicted"]] for content in both]
    return {
        "fingerprints": prints,
        "counts": [_counts(content) for content in both],
        "moved": [
            {"case": name, "parts": [parts[0].get(name), parts[1].get(name)]}
            for name in dict.fromkeys([*parts[0], *parts[1]])
            if all(parts) and parts[0].get(name) != parts[1].get(name)
        ],
        "columns": [[name for name in columns[k] if name not in columns[1 - k]] for k in (0, 1)],
        "targets": [content["channels"]["targets"] for content in both],
        "common_test": [name for name in first["cases"] if name in set(second["cases"])],
    }


def _parts(content: Content) -> dict[str, Any]:
    return {item["name"]: item["part"] for item in content["data"]["cases"]} if content["data"] else {}


def _counts(content: Content) -> dict[str, int]:
    parts = _parts(content)
    return {part: list(parts.values()).count(part) for part in ("training", "validation", "test")}
