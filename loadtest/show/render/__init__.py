"""One file a format; ``FORMATS`` in ``loadtest.show.views`` names them."""
