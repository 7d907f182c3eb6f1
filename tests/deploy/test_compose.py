"""``compose.yaml`` is what it is taken for: by its schema, and by the files that it names."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from recommender.config import PREFIX, Settings, settings

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text(encoding="utf-8"))
# The innermost, since a default may name others.
NAMED = r"\$\{(\w+)(:[-?][^${}]*)?\}"
# The place of the settings in .env.example, filled in.
FILLED = {"POSTGRES_PASSWORD": "secret"}


def given() -> dict[str, str]:
    """The names of ``.env.example``, with what stands there."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def composed(more: Mapping[str, str] = FILLED) -> Any:
    """The file as Compose reads it, with the names of ``.env`` filled in."""
    known = {**given(), **FILLED, **more}

    def value(match: re.Match[str]) -> str:
        default = match[2] or ""
        return known.get(match[1]) or (default[2:] if default.startswith(":-") else "")

    def fill(text: str) -> str:
        while (done := re.sub(NAMED, value, text)) != text:
            text = done
        return done

    return filled(yaml.safe_load(TEXT), fill)


def filled(node: Any, fill: Callable[[str], str]) -> Any:
    """What was read, its texts filled in: the names are none of YAML's business."""
    if isinstance(node, dict):
        return {key: filled(value, fill) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, fill) for value in node]
    return fill(node) if isinstance(node, str) else node


SERVICES = composed()["services"]


def test_it_follows_the_specification():
    """As the specification's own schema has it; a misspelt word is none."""
    jsonschema.Draft7Validator(SCHEMA).validate(composed())

    wrong = composed()
    wrong["services"]["api"]["volume"] = []
    with pytest.raises(jsonschema.ValidationError, match="volume"):
        jsonschema.Draft7Validator(SCHEMA).validate(wrong)


def test_every_name_is_in_the_example_and_no_secret_is_in_either():
    """What ``.env`` may set stands in ``.env.example``; secrets are empty there."""
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    # These have the place of their own that the other services give them.
    own = {f"{PREFIX}{name}" for name in ("DATABASE", "TIME_ZONE", "TRUSTED_PROXIES")}

    assert asked - own == set(given())
    assert [given()[name] for name in ("POSTGRES_PASSWORD", "RECOMMENDER_ADMIN_KEY")] == ["", ""]
    assert "${POSTGRES_PASSWORD:?" in TEXT


@pytest.mark.parametrize("service", ["api", "trainer"])
def test_the_settings_are_known_ones(service: str):
    """An unknown setting would keep the service from starting."""
    found = settings(
        {k: v for k, v in SERVICES[service]["environment"].items() if k.startswith("RECOMMENDER")},
        folder=Path("/nowhere"),
    )

    assert found.database == "postgresql://recommender:secret@store/recommender"


@pytest.mark.parametrize("service", ["api", "trainer"])
def test_every_setting_of_the_file_reaches_the_container(service: str):
    """What ``.env`` has counts, also where a service has a value of its own; it may be absent."""
    names = [PREFIX + field.name.upper() for field in fields(Settings)]

    for name in names:
        found = composed({name: "mine"})["services"][service]
        assert found["env_file"] == [{"path": ".env", "required": False}]
        assert {name: "mine", **found["environment"]}[name] == "mine"
    own = SERVICES[service]["environment"]
    assert own["RECOMMENDER_TIME_ZONE"] == "UTC"
    assert (
        composed({"TZ": "Asia/Tokyo"})["services"][service]["environment"]["RECOMMENDER_TIME_ZONE"]
        == "Asia/Tokyo"
    )


def test_each_waits_for_what_it_needs_and_is_started_again():
    """The store before who opens it, the server before who stands in front of it."""
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }

    assert waits == {
        "store": {},
        "api": {"store": "service_healthy"},
        "trainer": {"store": "service_healthy"},
        "proxy": {"api": "service_healthy"},
    }
    assert {service["restart"] for service in SERVICES.values()} == {"unless-stopped"}
    # The server's own check is that of the image.
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"api"}


def test_only_the_proxy_is_open_to_the_world():
    """Neither the store nor the server has a port outside; the root of ours cannot be written."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert all(SERVICES[name]["read_only"] for name in ("api", "trainer", "proxy"))
    assert all(SERVICES[name]["cap_drop"] == ["ALL"] for name in ("api", "trainer"))


def test_the_proxy_is_the_one_that_is_trusted():
    """Everybody in the network of these services, and nobody else, may say who a reader is."""
    (network,) = composed()["networks"]["default"]["ipam"]["config"]

    assert SERVICES["api"]["environment"]["RECOMMENDER_TRUSTED_PROXIES"] == network["subnet"]


def test_backups_have_a_place_that_the_user_of_the_image_may_write():
    """A volume of its own: a new one belongs to whom the image's folder belongs to."""
    folder = "/srv/recommender/backups"
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert f"backups:{folder}" in SERVICES["api"]["volumes"]
    assert re.search(rf"install -d -o recommender [^&]*{folder}\b", image)


def test_files_that_are_mounted_are_there():
    """Those of the project; volumes are named below."""
    mounts = [each.split(":")[0] for service in SERVICES.values() for each in service["volumes"]]

    gone = [name for name in mounts if name.startswith("./docs") and not (ROOT / name).is_file()]
    named = {name for name in mounts if not name.startswith(".")}
    assert gone == []
    assert named == set(composed()["volumes"])
