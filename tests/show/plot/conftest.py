"""What the tests of plots share."""

from __future__ import annotations

import sys
from pathlib import Path

# As for the samples one folder up.
sys.path.insert(0, str(Path(__file__).parent))
