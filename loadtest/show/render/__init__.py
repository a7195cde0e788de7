"""How views are written, one file a format; ``FORMATS`` and ``PAPER`` of ``loadtest.show.report_formats`` use them."""
