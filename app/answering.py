"""What may a browser store of what a person called a picture?"""

from __future__ import annotations

import hmac
from datetime import datetime

from app import opened
from recipe_core.skeleton import labelling
from recipe_core.store.answers import CANNOT_TELL

LONGEST_ANSWER_S = 3600.0


def key(asked: int, number: int) -> str:
    """What an answer to this pass must carry."""
    return opened.key("answers", str(opened.workspace()), asked, number)


def is_key(asked: int, number: int, sent: str) -> bool:
    """Whether an answer may be stored in this pass."""
    return hmac.compare_digest(key(asked, number).encode(), sent.encode())


def store(asked: int, number: int, sent: object) -> None:
    """Store what a browser sent: {"row", "answer": code or null, "seconds", "id"}.

    Raises ValueError for what is no answer, RecipeError where it cannot be stored.
    """
    log = labelling.answers(opened.workspace())
    latest = log.latest()
    if latest is None or latest.id != asked or not isinstance(sent, dict):
        raise ValueError("this labelling is over")
    row, code, seconds, name = (sent.get(k) for k in ("row", "answer", "seconds", "id"))
    if not _whole(row) or not 0 <= row < len(opened.evidence()):  # type: ignore[operator]
        raise ValueError("no such sample")
    if code is not None and not (_whole(code) and -1 <= code < len(latest.class_names)):  # type: ignore[operator]
        raise ValueError("no such answer")
    if not isinstance(name, str) or not 8 <= len(name) <= 64:
        raise ValueError("an entry needs a key of 8 to 64 characters")
    took = float(seconds) if isinstance(seconds, int | float) else 0.0
    sample_id = str(opened.evidence().samples["sample_id"][row].as_py())
    answer = None if code is None else (CANNOT_TELL if code < 0 else latest.class_names[code])
    log.answer(asked, number, sample_id, answer, seconds=min(max(took, 0.0), LONGEST_ANSWER_S),
               key=name, now=datetime.now().astimezone())  # fmt: skip


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
