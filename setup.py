"""What pyproject.toml cannot say: the README for a package index, where no relative link leads
anywhere and no relative picture shows. All else stands in pyproject.toml.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def with_whole_addresses(text: str, repository: str) -> str:
    """``text`` in Markdown, its links and pictures by the address of the ``repository``."""

    def whole(match: re.Match[str]) -> str:
        kind = "raw" if match[1] == "!" else "blob"
        return f"{match[1]}[{match[2]}]({repository}/{kind}/main/{match[3]})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)", whole, text)


if __name__ == "__main__":
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setup(
        long_description=with_whole_addresses(
            (ROOT / "README.md").read_text(encoding="utf-8"), about["project"]["urls"]["Source"]
        ),
        long_description_content_type="text/markdown",
    )
