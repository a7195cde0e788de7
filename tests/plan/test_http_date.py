from __future__ import annotations

import pytest

from loadtest.plan.http_date import http_date


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1_445_412_480.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 1_445_412_480.0),
        ("Wed, 21-Oct-2015 07:28:00 GMT", 1_445_412_480.0),
        ("Wed Oct 21 07:28:00 2015", 1_445_412_480.0),
        ("soon", None),
        ("", None),
        ("Wed, 99 Oct 99999999999999999999 07:28:00 GMT", None),
    ],
)
def test_a_date_of_http(text: str, unix: float | None) -> None:
    assert http_date(text) == unix
