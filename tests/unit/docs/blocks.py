"""The blocks of code in the pages of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def blocks(page: Path, info: str) -> list[str]:
    """Contents of the page's blocks whose opening line is three backticks and `info`."""
    return re.findall(rf"^```{re.escape(info)}\n(.*?)^```$", page.read_text(), re.M | re.S)
