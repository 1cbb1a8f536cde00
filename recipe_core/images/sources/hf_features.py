"""Which class names do a Hugging Face data set's own descriptions tell?

`datasets` describes columns as features, in the Parquet schema's metadata, in dataset_info(s).json
or in the front matter of README.md (the data card).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa


def schema_of(container: Path) -> pa.Schema:
    """A Parquet file's schema, also where its name is not UTF-8 (Arrow itself refuses those)."""
    import pyarrow.parquet as pq  # most data sets are plain files

    with container.open("rb") as f:
        return pq.read_schema(f)


def features_of(root: Path, container: Path | None) -> Mapping[str, Any]:
    """`datasets`' features from the first place that tells them, {} where none does."""
    return next((f for f in _feature_places(root, container) if f), {})


def _feature_places(root: Path, container: Path | None) -> Iterator[Mapping[str, Any]]:
    if container is not None:
        text = (schema_of(container).metadata or {}).get(b"huggingface", b"{}")
        yield _inner(_json(text), "info", "features")
    for name in ("dataset_info.json", "dataset_infos.json"):
        if (root / name).is_file():
            info = _json((root / name).read_bytes())
            yield _inner(info, "features")
            yield next((_inner(v, "features") for v in info.values() if isinstance(v, dict)), {})
    if (root / "README.md").is_file():
        yield front_matter_features((root / "README.md").read_text("utf-8", errors="replace"))


def front_matter_features(text: str) -> dict[str, Any]:
    """Features in a data card's front matter, in the form of the JSON ones; {} where none."""
    import yaml

    matter = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    try:
        card = yaml.safe_load(matter[1]) if matter else None
    except yaml.YAMLError:
        return {}
    info = card.get("dataset_info") if isinstance(card, dict) else None
    info = info[0] if isinstance(info, list) and info else info
    listed = info.get("features") if isinstance(info, dict) else None
    return {
        f["name"]: _card_feature(f) for f in listed or () if isinstance(f, dict) and "name" in f
    }


def _card_feature(feature: Mapping[str, Any]) -> dict[str, Any]:
    """{"names": […]} of a class label; {"feature": {…}} of a list of named fields."""
    for key in ("dtype", "sequence", "list", "struct"):
        inner = feature.get(key)
        if isinstance(inner, dict) and "class_label" in inner:
            names = _inner(inner, "class_label", "names")
            return {"names": [names[k] for k in sorted(names, key=int)]}
        if isinstance(inner, list):
            return {"feature": {f["name"]: _card_feature(f) for f in inner if isinstance(f, dict)}}
    return {}


def _inner(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):  # names may be written as a list
        return {str(i): v for i, v in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _json(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def class_names_of(features: Mapping[str, Any], column: str) -> list[str] | None:
    """The names of a ClassLabel (or a list of them) in `datasets`' features; None where none."""
    feature = features.get(column)
    while isinstance(feature, (dict, list)) and feature:
        if isinstance(feature, list):
            feature = feature[0]
        elif isinstance(feature.get("names"), list):
            return [str(n) for n in feature["names"]]
        else:
            feature = feature.get("feature")
    return None


def category_names(features: Mapping[str, Any]) -> list[str] | None:
    """The class names of the boxes in a column `objects`; None where nothing tells them."""
    objects = features.get("objects")
    inner = objects[0] if isinstance(objects, list) and objects else objects
    inner = inner.get("feature", inner) if isinstance(inner, dict) else {}
    keys = ("category", "categories", "label", "category_id")
    return next((n for k in keys if (n := class_names_of(inner, k))), None)
