"""What every test shares: the hypothesis profile, and a Ctrl-C that is heard."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what runs beside it so, and what a test starts inherits it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
