"""Build the image of ``Dockerfile`` without Docker, and see it run: ``make image``, as root.

Its stages are run as scripts, each in a clean Debian of its own (mmdebstrap) that stands for the
image named by FROM. The last one is then started as a container is: as process 1, as its USER, in a
file system that cannot be written but for its volumes and /tmp, with the health check of the file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[1]
# What the images that FROM names have of their own.
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches a package index, for the time of the build.
OF_THE_NETWORK = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/ssl/certs/ca-certificates.crt",
)
START_SECONDS = 60
# So that the server is process 1, and what it sees is what a container with read_only sees.
CONTAINER = """
set -e
mount --bind "$ROOT" "$ROOT"
mount -o remount,ro,bind "$ROOT"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount --bind /sys "$ROOT/sys"
mount --bind /dev "$ROOT/dev"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm"
mount --bind "$VOLUME" "$ROOT$PLACE"
exec chroot --userspec="$OWNER" "$ROOT" /bin/sh -c 'cd "$HERE" && exec "$@"' sh "$@"
"""


@dataclass
class Stage:
    """One stage: where its files are, and what its instructions have set so far."""

    root: Path
    names: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    folder: str = "/"
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def spelt_out(self, text: str) -> str:
        """``text`` with the names that ENV and ARG gave."""
        known = {**self.names, **self.environment}
        return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)

    def run(self, script: str) -> None:
        """One RUN, by the shell that Docker takes."""
        subprocess.run(
            ["chroot", f"--userspec={self.user}", self.root, "/bin/sh", "-c",
             f"cd {self.folder} && {script}"],
            env={**self.names, **self.environment, **_of_pip()}, check=True,
        )  # fmt: skip

    def inside(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / str(PurePosixPath(self.folder) / path).lstrip("/")


def _of_pip() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if re.match(r"PIP_|SSL_|REQUESTS_|\w+_proxy$", name, re.IGNORECASE)
    }


def ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    """Does ``.dockerignore`` leave the path out? Of the patterns the last that fits decides."""
    out = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        parts = [path, *path.parents][:-1]
        names = [bare.removeprefix("**/")] if bare.startswith("**/") else [bare]
        fits = any(
            fnmatchcase(str(part) if "**/" not in bare else part.name, name)
            for part in parts
            for name in names
        )
        if fits:
            out = not pattern.startswith("!")
    return out


def context() -> list[PurePosixPath]:
    """The files that Docker would be given."""
    patterns = [
        line.strip()
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    found = []
    for folder, below, names in os.walk(ROOT):
        here = PurePosixPath(Path(folder).relative_to(ROOT).as_posix())
        below[:] = [name for name in below if not name.startswith(".") or name == ".ci"]
        found += [here / name for name in names]
    return [path for path in found if not ignored(path, patterns)]


def copy(stage: Stage, words: list[str], stages: Mapping[str, Stage]) -> None:
    """One COPY: files and folders of the context, or of an earlier stage."""
    flags = [word for word in words if word.startswith("--")]
    *sources, target = (word for word in words if not word.startswith("--"))
    place = stage.inside(target)
    if flags:
        (name,) = (flag.partition("--from=")[2] for flag in flags)
        for source in sources:
            subprocess.run(["cp", "-a", stages[name].inside(source), place], check=True)
        return
    files = context()
    for source in sources:
        own = PurePosixPath(source)
        those = [path for path in files if path == own or own in path.parents]
        if not those:
            raise SystemExit(f"COPY {source}: nothing of that name is in the context")
        for path in those:
            into = place if target.endswith("/") or len(sources) > 1 else place.parent
            name = path.name if path == own else path.relative_to(own)
            at = into / name if path == own and target.endswith("/") else place / name
            at = place if path == own and not target.endswith("/") else at
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, at)


def build(base: Path, work: Path) -> Stage:
    """Run every stage, each in a copy of ``base``; the last one."""
    parser = DockerfileParser(path=str(ROOT / "Dockerfile"))
    stages: dict[str, Stage] = {}
    common: dict[str, str] = {}
    stage: Stage | None = None
    for step in parser.structure:
        word, value = step["instruction"], step["value"]
        if word == "COMMENT":
            continue
        print(f"{word} {' '.join(value.split())[:110]}", flush=True)
        if word == "FROM":
            name = value.split()[2] if " AS " in value.upper() else "last"
            root = work / name
            subprocess.run(["cp", "-a", base, root], check=True)
            stage = stages[name] = Stage(root)
        elif word == "ARG" and stage is None:
            common.update([value.split("=", 1)])
        elif stage is None:
            raise SystemExit(f"{word} before FROM")
        elif word == "ARG":
            name, _, given = value.partition("=")
            stage.names[name] = given or common.get(name, "")
        elif word == "ENV":
            for name, given in re.findall(r'(\w+)=("[^"]*"|\S+)', value):
                stage.environment[name] = stage.spelt_out(given.strip('"'))
        elif word == "WORKDIR":
            stage.folder = value
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = value
        elif word == "VOLUME":
            stage.volumes += value.split()
        elif word == "COPY":
            copy(stage, value.split(), stages)
        elif word == "RUN":
            stage.run(value)
        elif word == "HEALTHCHECK":
            stage.health = json.loads(value[value.index("[") :])
        elif word == "ENTRYPOINT":
            stage.entry = json.loads(value)
        elif word == "CMD":
            stage.command = json.loads(value)
        elif word not in ("LABEL", "EXPOSE", "STOPSIGNAL"):
            raise SystemExit(f"{word}: this script does not know it")
    assert stage is not None
    return stage


def start(
    stage: Stage, volume: Path, command: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A command of the image as process 1 of a container that can write its volume and /tmp."""
    of_script = {
        "ROOT": str(stage.root), "VOLUME": str(volume), "PLACE": stage.volumes[0],
        "OWNER": stage.user, "HERE": stage.folder,
    }  # fmt: skip
    return subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", CONTAINER,
         "sh", *command],
        env={**stage.environment, **of_script, **(environment or {})}, start_new_session=True,
    )  # fmt: skip


def is_healthy(stage: Stage) -> bool:
    """Does the health check of the file pass?"""
    done = subprocess.run(
        ["chroot", f"--userspec={stage.user}", stage.root, *stage.health],
        env=stage.environment, capture_output=True,
    )  # fmt: skip
    return done.returncode == 0


def inner(process: subprocess.Popen[bytes]) -> int:
    """The number, on this machine, of process 1 of a container."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(path.read_text().split()[0])


def see(stage: Stage, work: Path) -> None:
    """Train the sample site in the container, serve, probe, stop."""
    owner, group = map(int, stage.user.split(":"))
    volume = work / "volume"
    volume.mkdir()
    os.chown(volume, owner, group)
    # The sample site is made where the command is given, and only the volume can be written.
    place = f"{stage.volumes[0]}/.demo"
    script = 'cd "$0" && exec "$@"'
    demo = start(
        stage, volume,
        ["/bin/sh", "-c", script, stage.volumes[0], *stage.entry, "demo", "--no-serve"],
    )  # fmt: skip
    if demo.wait(900):
        raise SystemExit("the sample site could not be trained")
    print("the sample site is trained, on a read-only root", flush=True)

    settings = {
        "RECOMMENDER_DATABASE": f"sqlite:///{place}/demo.db",
        "RECOMMENDER_MODELS": f"{place}/models",
    }
    server = start(stage, volume, [*stage.entry, *stage.command], settings)
    try:
        began = time.monotonic()
        while not is_healthy(stage):
            if server.poll() is not None or time.monotonic() > began + START_SECONDS:
                raise SystemExit("the health check does not pass")
            time.sleep(0.2)
        print(f"healthy after {time.monotonic() - began:.1f} s", flush=True)
        os.kill(inner(server), signal.SIGTERM)
        if server.wait(30):
            raise SystemExit(f"SIGTERM: it ended with {server.returncode}")
        if is_healthy(stage):
            raise SystemExit("the health check passes without a server")
    finally:
        if server.poll() is None:
            server.kill()
    print("stopped by SIGTERM with 0; the health check fails without it", flush=True)


def megabytes(path: Path) -> int:
    """What a folder takes on the disk."""
    out = subprocess.run(["du", "-sm", path], capture_output=True, text=True, check=True).stdout
    return int(out.split()[0])


def main() -> None:
    """Make the base, build, see; what cannot be tried here is named and is no failure."""
    if os.geteuid() or not shutil.which("mmdebstrap"):
        print("the image's steps need root and mmdebstrap; they are not run")
        return
    given = Path(sys.argv[1]) if sys.argv[1:] else None
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        base = given or work / "base"
        if given is None:
            made = subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}",
                 "bookworm", base], check=False,
            )  # fmt: skip
            if made.returncode:
                print("no Debian could be fetched; the image's steps are not run")
                return
        alias = base / "usr" / "local" / "bin" / "python"
        if not alias.is_symlink():
            alias.symlink_to("/usr/bin/python3")
        for path in map(Path, OF_THE_NETWORK):
            if path.is_file():
                shutil.copy(path, base / str(path).lstrip("/"))
        before = megabytes(base)
        stage = build(base, work)
        print(f"the image adds {megabytes(stage.root) - before} MB to its base", flush=True)
        if start(stage, base, ["/bin/true"]).wait(START_SECONDS):
            print("containers cannot be made here; what the image does is not tried")
            return
        see(stage, work)


if __name__ == "__main__":
    main()
