"""Is the training pipeline right? Its checks, run and judged."""

from __future__ import annotations

from app import words
from app.nothing import report_or_stop


def main() -> None:
    words.title("Skeleton")
    report_or_stop("What is right and wrong with the training pipeline")


main()
