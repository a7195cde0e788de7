"""How views are written, one file a format; ``FORMATS`` and ``PAPER`` of ``show.report_formats`` use them."""
