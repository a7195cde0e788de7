"""One file a probe; ``PROBES`` in ``loadtest.readiness.prober`` names them."""
