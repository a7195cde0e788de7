"""Pictures of pages as people see them: 1280 and 390 pixels wide, light and dark.

    python tools/page_pictures.py results/RUN/report.html results/index.html --into pictures

Needs chromium. The pictures are to be looked at; nothing compares them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from docs.make_pictures import CHROMIUM, SCHEMES, WIDTHS, appearance, screenshot


def main() -> None:
    """Make four pictures of each page, and print their paths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path, help="HTML files")
    parser.add_argument("--into", type=Path, default=Path(), help="the folder of the pictures")
    asked = parser.parse_args()
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        parser.error(f"none of {', '.join(CHROMIUM)} is installed (apt-get install chromium)")
    asked.into.mkdir(parents=True, exist_ok=True)
    for page in asked.pages:
        for width in WIDTHS:
            for scheme in SCHEMES:
                name = f"{page.resolve().parent.name}-{page.stem}-{width}-{scheme}.png"
                made = screenshot([browser, *appearance(width, scheme)], page, asked.into / name)
                sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
