"""The applications that every server is given; the servers import them as the package ``apps``."""
