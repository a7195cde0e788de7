"""From a page to a file beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def link_to(file: Path, folder: Path) -> str:
    """The address of a file, relative to the folder of a page; empty where the file is not there.

    It never begins with a name that could be taken for a scheme: folders are named by others, and not all
    of their names are text.
    """
    if not file.is_file():
        return ""
    relative = Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    return f"{'' if relative.startswith('../') else './'}{quote(os.fsencode(relative), safe='/')}"
