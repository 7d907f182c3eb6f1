"""The editors' console: pages made on the server, for people who sign in.

``app`` has what all pages share, ``pages`` is the list of them; each shows what the store and the
bundle look up, or what training and timed commands stored, and computes no figures.
"""

from importlib.util import find_spec


def missing_parts() -> list[str]:
    """What the console takes and is not installed."""
    parts = ("argon2", "zxcvbn", "python_multipart", "markdown_it")
    return [name for name in parts if find_spec(name) is None]
