"""What does a machine read? One strict JSON document, without NumPy's types and without NaN."""

from __future__ import annotations

import json
from typing import Any

from recipe_core.kernel.plain import plain
from recipe_core.kernel.report import Report


def json_text(value: Any) -> str:
    """One strict JSON document (RFC 8259), two spaces a level, ending with a line break.

    Raises TypeError for what has no JSON form.
    """
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_report(report: Report) -> str:
    """The JSON report of the contract (schema 1)."""
    return json_text(report.to_json())
