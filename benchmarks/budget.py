"""How long a benchmark may take: whole rounds as far as there is time for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


class Budget:
    """Time for interleaved rounds, ``most`` at most. A second round begins where it can end in time too.

    ``seconds``: from now on; ``now`` is a clock of seconds.
    """

    def __init__(self, seconds: float, most: int, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._until_s = now() + seconds
        self._most = most
        self._took_s: dict[str, float] = {}
        self._rounds = 0

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self._now() >= self._until_s

    def rounds(self) -> Iterator[int]:
        """The numbers of the rounds, from 1 on."""
        longest_s = 0.0
        for number in range(1, self._most + 1):
            if number > 1 and self._now() + longest_s > self._until_s:
                return
            self._rounds = number
            began_s = self._now()
            yield number
            longest_s = max(longest_s, self._now() - began_s)

    def took(self, case: str, seconds: float) -> None:
        """A measurement of a case is over."""
        self._took_s[case] = self._took_s.get(case, 0.0) + seconds

    def told(self) -> str:
        """How long each case took, all of its generators and rounds."""
        cases = ", ".join(f"{case} {seconds:.0f} s" for case, seconds in self._took_s.items())
        whole = sum(self._took_s.values())
        rounds = f"{self._rounds} round{'' if self._rounds == 1 else 's'}"
        return f"{rounds} in {whole / 60:.1f} minutes: {cases}"
