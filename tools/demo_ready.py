"""A GO, then the same system with its backend broken: the NO-GO. Leaves both reports as HTML and PDF.

python tools/demo_ready.py [FOLDER [KEY=VALUE ...]]     each KEY=VALUE is set in the policy
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loadtest.simulator.process import Simulator

WITHIN_S = 120


def assess(port: int, output: Path, results: Path) -> int:
    """Assess the shipped policy against a backend on that port; the exit code."""
    command = [sys.executable, "-m", "loadtest", "ready", "ready", "--since", "LAST"]
    command += ["--results", str(results), "--target", f"ws://127.0.0.1:{port}/ws"]
    for change in sys.argv[2:]:
        command += ["--set", change]
    command += ["--format", "html,pdf,terminal", "--output", str(output)]
    code = subprocess.run(command, check=False, timeout=WITHIN_S, stdout=subprocess.DEVNULL).returncode
    sys.stdout.write((output / "ready.txt").read_text("utf-8").partition("\nEvidence\n")[0] + "\n")
    return code


def main() -> int:
    """Run the demonstration; 0 where it was a GO and then a NO-GO."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results") / "demo-ready"
    with Simulator.start() as backend:
        port = backend.port
        whole = assess(port, folder / "go", folder)
    sys.stdout.write("the backend is stopped; the same policy again\n\n")
    broken = assess(port, folder / "no-go", folder)
    for name in ("go", "no-go"):
        sys.stdout.write(f"{folder / name / 'ready.html'}  {folder / name / 'ready.pdf'}\n")
    sys.stdout.write(f"exit codes {whole} (GO is 0) and {broken} (NO-GO is 1)\n")
    return 0 if (whole, broken) == (0, 1) else 1


if __name__ == "__main__":
    raise SystemExit(main())
