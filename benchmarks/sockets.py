"""Lists over a socket: ``recommender serve`` beside a bare ASGI application and beside nginx, both
of which send the same bodies and headers, one out of a dictionary, the other from files.

Server and client have a core each. The load comes from wrk where it is installed, else from a
client of Python, which is slower than the servers: then only requests per processor second count.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pickle
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.corpus import table
from benchmarks.servers import Server, Site, free_port, megabytes_of

N_ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS, N_CONNECTIONS, N_HOT = 2, 32, 1_000

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36",
    "Accept": "*/*", "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd", "Origin": "https://www.example.org",
    "Referer": "https://www.example.org/", "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty",
    "sec-ch-ua": '"Chromium";v="130", "Not?A_Brand";v="99"', "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
}  # fmt: skip

WRK = """
local targets, n, own = {}, 0, false
function init(args)
  for line in io.lines(args[1]) do n = n + 1; targets[n] = line end
  own = args[2] == "own"
  math.randomseed(tonumber(args[3]))
end
local function set(headers)
  if own then
    headers["X-Forwarded-For"] = string.format("203.%d.%d.9", math.random(255), math.random(255))
    headers["Referer"] = "https://www.example.org/" .. math.random(1000000)
  end
  return headers
end
local headers = {HEADERS}
function request() return wrk.format("GET", targets[math.random(n)], set(headers)) end
"""

BARE = """
import pickle, sys, uvicorn
answers = pickle.load(open(sys.argv[1], "rb"))
async def app(scope, receive, send):
    headers, body = answers[scope["query_string"].partition(b"&variant=")[0]]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[2]), access_log=False, lifespan="off", log_level="warning",
            server_header=False)
"""

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  default_type application/json; open_file_cache max=20000 inactive=600s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port}; root {folder}/www;
    add_header Cache-Control "public, max-age=60"; add_header Access-Control-Allow-Origin "*";
    add_header Cross-Origin-Resource-Policy cross-origin;
    location = /v1/related {{ try_files /$arg_id =404; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: its name, port and process."""

    name: str
    port: int
    pid: int

    def seconds(self) -> float:
        """Processor seconds of its threads."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9

    def megabytes(self) -> float:
        """Its memory: what is its alone, and its share of the rest."""
        return megabytes_of(self.pid)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for, by how many, and with which headers; ``own`` ones differ each time."""

    name: str
    targets: Sequence[str]
    headers: dict[str, str]
    own: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second, and for a second of the server's processor; milliseconds to an answer."""

    a_second: float
    a_processor_second: float
    p50: float
    p99: float


def over_sockets(folder: Path, database: str, ids: Sequence[str]) -> None:
    """Print the table of a site whose store and bundle stand in ``folder``; ``ids`` as they stand
    in a query.
    """
    with contextlib.ExitStack() as stack:
        peers = [*stack.enter_context(_peers(folder, database, ids))]
        targets = [f"/v1/related?id={id}" for id in ids]
        hot, some = targets[:N_HOT], np.random.default_rng(0).integers(0, 100, 20 * len(ids))
        drawn = [f"{targets[at % len(ids)]}&variant={v}" for at, v in enumerate(some.tolist())]
        loads = [
            Load(f"{len(hot):,} pages, headers of a browser", hot, BROWSER),
            Load("... and one header", hot, {}),
            Load("... and headers that differ each time", hot, BROWSER, own=True),
            Load(f"{len(ids):,} pages", targets, BROWSER),
            Load(f"... and {len(drawn):,} answers (variants)", drawn, BROWSER),
        ]
        rows = []
        for load in loads:
            rates = measured(folder, load, peers)
            floor = rates["bare ASGI"]
            for name, found in rates.items():
                rows.append((load.name, name, *_row(found, floor)))
    print(
        f"{N_ROUNDS} interleaved rounds of {SECONDS} s, {N_CONNECTIONS} connections, by {_tool()}"
    )
    table(("asked for", "server", "requests/s", "a processor second", "p50 ms", "p99 ms"), rows)


def _row(found: Sequence[Rate], floor: Sequence[Rate]) -> tuple[str, ...]:
    """Medians, and those of the ratios to the floor of the same round."""

    def cell(field: str, form: str) -> str:
        mine, theirs = ([getattr(each, field) for each in part] for part in (found, floor))
        ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
        return f"{statistics.median(mine):{form}} ({ratio:.2f})"

    return (
        cell("a_second", ",.0f"), cell("a_processor_second", ",.0f"),
        cell("p50", ".2f"), cell("p99", ".2f"),
    )  # fmt: skip


@contextlib.contextmanager
def _peers(folder: Path, database: str, ids: Sequence[str]) -> Iterator[Iterator[Peer]]:
    """The servers, each on the first core."""
    with contextlib.ExitStack() as stack:

        def started(command: Sequence[str], port: int) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_for(port)
            return process

        server = Server(Site(folder, database))
        stack.callback(server.stop)
        server.ready()
        _keep(folder, server.port, ids)
        port = free_port()
        bare = started([sys.executable, "-c", BARE, "answers.pickle", f"{port}"], port)
        peers = [
            Peer("recommender", server.port, server.process.pid),
            Peer("bare ASGI", port, bare.pid),
        ]
        if nginx := shutil.which("nginx"):
            port = free_port()
            (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
            (folder / "www").chmod(0o755)
            folder.chmod(0o755)
            process = started([nginx, "-c", str(folder / "nginx.conf")], port)
            worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
            peers.append(Peer("nginx, files", port, worker))
        for peer in peers:
            os.sched_setaffinity(peer.pid, {0})
        yield iter(peers)


def _keep(folder: Path, port: int, ids: Sequence[str]) -> None:
    """Write down what is answered to each query, for the other servers."""
    connection, answers = http.client.HTTPConnection("127.0.0.1", port), {}
    (folder / "www").mkdir()
    for id in ids:
        connection.request("GET", f"/v1/related?id={id}")
        answer = connection.getresponse()
        body = answer.read()
        named = [(name.lower(), value) for name, value in answer.getheaders()]
        headers = [(name.encode(), value.encode()) for name, value in named if name != "date"]
        answers[f"id={id}".encode()] = headers, body
        (folder / "www" / id).write_bytes(body)
    (folder / "answers.pickle").write_bytes(pickle.dumps(answers))


def wait_for(port: int) -> None:
    """Until somebody listens there; ``TimeoutError`` if nobody does in a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at {port}")


def measured(folder: Path, load: Load, peers: Sequence[Peer]) -> dict[str, list[Rate]]:
    """Rounds of requests to each peer in turn, by its name."""
    found = defaultdict(list)
    for number in range(N_ROUNDS):
        for peer in peers:
            since = peer.seconds()
            ask = _by_wrk if shutil.which("wrk") else _by_python
            n, seconds, p50, p99 = ask(folder, load, peer.port, number)
            found[peer.name].append(Rate(n / seconds, n / (peer.seconds() - since), p50, p99))
    return found


def _tool() -> str:
    return "wrk" if shutil.which("wrk") else "a client of Python"


def _by_wrk(folder: Path, load: Load, port: int, seed: int) -> tuple[int, float, float, float]:
    """Requests, seconds, and the median and the 99th percentile of milliseconds."""
    script, targets = folder / "load.lua", folder / "targets"
    given = ", ".join(f"[{_quoted(name)}]={_quoted(value)}" for name, value in load.headers.items())
    script.write_text(WRK.replace("HEADERS", given))
    targets.write_text("\n".join(load.targets) + "\n")
    command = [
        "wrk", "-t1", f"-c{N_CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script),
        f"http://127.0.0.1:{port}", "--", str(targets), "own" if load.own else "same", f"{seed}",
    ]  # fmt: skip
    last = max(os.sched_getaffinity(0))
    said = subprocess.run(
        ["taskset", "-c", f"{last}", *command], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    total = re.search(r"(\d+) requests in ([\d.]+)(m?s)", said)
    assert total is not None, said
    times = dict(re.findall(r"(50|99)%\s+(\S+)", said))
    seconds = float(total[2]) / (1_000 if total[3] == "ms" else 1)
    return int(total[1]), seconds, _milliseconds(times["50"]), _milliseconds(times["99"])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _milliseconds(text: str) -> float:
    number = float(text.rstrip("ums"))
    return number * {"us": 0.001, "ms": 1, "s": 1_000}[text.lstrip("0123456789.")]


def _by_python(folder: Path, load: Load, port: int, seed: int) -> tuple[int, float, float, float]:
    """The same without wrk: connections that ask anew once they are answered."""
    rng, chosen = np.random.default_rng(seed), selectors.DefaultSelector()
    order = iter(rng.integers(0, len(load.targets), 10_000_000))
    given = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
    asked, taken = {}, []

    def ask(connection: socket.socket) -> None:
        own = f"X-Forwarded-For: 203.0.{rng.integers(255)}.9\r\n" if load.own else ""
        target = load.targets[next(order)]
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n{given}{own}\r\n".encode())
        asked[connection] = time.perf_counter(), b""

    for _ in range(N_CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        chosen.register(connection, selectors.EVENT_READ)
        ask(connection)
    start = time.perf_counter()
    while time.perf_counter() < start + SECONDS:
        for key, _ in chosen.select(1):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            since, before = asked[connection]
            answer = before + connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if length and len(body) == int(length[1]):
                assert head.startswith(b"HTTP/1.1 200"), head
                taken.append(time.perf_counter() - since)
                ask(connection)
            else:
                asked[connection] = since, answer
    seconds = time.perf_counter() - start
    for connection in asked:
        connection.close()
    p50, p99 = np.percentile(np.array(taken) * 1_000, [50, 99])
    return len(taken), seconds, float(p50), float(p99)
