"""Is everything that a judge may put into numbers strict JSON afterwards?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recipe_core.kernel.plain import plain


def test_numpy_and_non_finite_values() -> None:
    value = {"a": np.float32(0.5), 3: np.arange(2), "n": float("nan"), "i": [np.inf, np.True_],
             "p": Path("x"), "t": (1, None), "s": "caf\udce9"}  # fmt: skip
    text = json.dumps(plain(value), allow_nan=False)
    assert json.loads(text) == {"a": 0.5, "3": [0, 1], "n": None, "i": [None, True], "p": "x",
                                "t": [1, None], "s": "caf\\udce9"}  # fmt: skip


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        plain({"a": object()})
