"""Requests by a grammar that is read from the service's own OpenAPI document, and heads of requests
with bytes changed: no answer but the documented ones, every error in the one shape, memory flat.

``REQUESTS=20000 READS=1000000 python -m benchmarks fuzz``
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.corpus import table
from benchmarks.servers import KEY, Client, Server, Site
from recommender.demo.prepare import URL
from recommender.demo.readers import PAGES, truth

REQUESTS = int(os.environ.get("REQUESTS", "20000"))
READS = int(os.environ.get("READS", "1000000"))
SEED = 20261130  # any number
# What a server answers that cannot now; its code says so.
MAY_FAIL = {"overloaded", "store_unavailable", "no_bundle", "not_ready"}
# A head in ten has bytes changed.
SHARE_OF_HEADS = 0.1
TEXTS = (
    "", " ", "\x00",
    "\x1b[2J", "\r\nSet-Cookie: a=b", "../../etc/passwd", "<script>alert(1)</script>",
    "'; DROP TABLE views; --", "%00", "%zz", "\ud800", "\u202eabc", "é" * 300, "膝" * 3_000,
    "a" * 10_000, "NaN", "-0", "1e400", "9" * 400, "null", "true", "{{7*7}}", "${jndi:x}", "=1+1",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1.5, float("nan"), float("inf"), [], {},
    [[]], [{}], {"a": {}}, [None] * 1_500, "x" * 70_000,
)  # fmt: skip


def run() -> None:
    """Print what came back."""
    with TemporaryDirectory() as folder:
        site = Site(Path(folder), f"sqlite:///{folder}/store.db")
        for arguments in (("import", "articles", PAGES, "--url", URL), ("train",)):
            done = site.run(*arguments)
            if done.returncode:
                raise RuntimeError(done.stderr)
        server = Server(site)
        server.ready()
        # In this order: a fuzzed site has lost articles.
        _reads(server)
        _fuzz(server)
        server.stop()


def _fuzz(server: Server) -> None:
    chance, client = random.Random(SEED), Client(server.port)
    document = json.loads(client.get("/openapi.json")[1])
    grammar = Grammar(document, chance)
    statuses: Counter[int] = Counter()
    faults: Counter[str] = Counter()
    slowest, before = 0.0, 0.0
    for number in range(REQUESTS):
        if number == REQUESTS // 10:
            before = server.megabytes()
        began = time.monotonic()
        if chance.random() < SHARE_OF_HEADS:
            fault, status = _head(server.port, grammar)
        else:
            fault, status = _request(server.port, grammar)
        slowest = max(slowest, time.monotonic() - began)
        statuses[status] += 1
        if fault:
            faults[fault] += 1
    after = server.megabytes()
    table(
        ("requests by a grammar", "answers", "faults", "slowest, s", "memory, MB, a tenth and all"),
        [(
            f"{REQUESTS:,}",
            ", ".join(f"{n:,} x {code or 'closed'}" for code, n in sorted(statuses.items())),
            str(faults.total()), f"{slowest:.2f}", f"{before:.0f}, {after:.0f}",
        )],
    )  # fmt: skip
    for fault, n in faults.most_common(20):
        print(f"- {n} x {fault}")


class Grammar:
    """Draws requests: what the document allows, what lies at its bounds, and what it forbids."""

    def __init__(self, document: dict[str, Any], chance: random.Random) -> None:
        self.document, self.chance = document, chance
        self.ids = sorted(truth())
        self.operations = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def request(self) -> tuple[str, str, bytes | None, dict[str, str]]:
        """Method, target, body and headers."""
        chance = self.chance
        path, method, operation = chance.choice(self.operations)
        method = method.upper()
        if chance.random() < 0.05:
            method = chance.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
        query = []
        for parameter in operation.get("parameters", ()):
            name, schema = parameter["name"], parameter.get("schema", {})
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", _quoted(str(self.value(schema, name))))
            elif parameter["in"] == "query" and (
                parameter.get("required") or chance.random() < 0.5
            ):
                for _ in range(chance.choice([1, 1, 1, 1, 2, 40])):
                    value = self.value(schema, name)
                    many = value if isinstance(value, list) else [value]
                    query += [f"{name}={_quoted(str(each))}" for each in many]
        headers = {}
        if chance.random() < 0.5:
            headers["Authorization"] = f"Bearer {KEY if chance.random() < 0.9 else 'wrong'}"
        if chance.random() < 0.1:
            headers["Origin"] = chance.choice(["https://elsewhere.example", "null", "http://x:0"])
        if chance.random() < 0.1:
            headers["If-None-Match"] = chance.choice(["*", '"x"', 'W/"x", "y"', '"' * 50])
        body = self.body(operation, headers) if method in ("POST", "PUT", "PATCH") else None
        return method, path + ("?" + "&".join(query) if query else ""), body, headers

    def body(self, operation: dict[str, Any], headers: dict[str, str]) -> bytes:
        """A body of the declared schema, of another, or of none."""
        chance = self.chance
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        headers["Content-Type"] = chance.choices(
            ["application/json", "text/plain", "application/xml", ""], [8, 1, 1, 1]
        )[0]
        if chance.random() < 0.05:
            return bytes(chance.randrange(256) for _ in range(chance.randrange(200)))
        if chance.random() < 0.02:
            return b"[" * 100_000
        value: Any
        if examples := content.get("examples"):
            value = dict(chance.choice(list(examples.values()))["value"])
            for name in [*value]:
                if chance.random() < 0.2:
                    value[name] = self.odd()
            value = [value] * chance.choice([1, 1, 2, 1_001]) if chance.random() < 0.5 else value
        else:
            value = self.value(content.get("schema", {}), "")
        with contextlib.suppress(UnicodeEncodeError, ValueError):
            return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
        return json.dumps(value).encode()

    def value(self, schema: dict[str, Any], name: str) -> Any:
        """A value that the schema allows, mostly."""
        chance = self.chance
        if chance.random() < 0.15:
            return self.odd()
        if "$ref" in schema:
            return self.value(self._named(schema["$ref"]), name)
        if parts := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(chance.choice(parts), name)
        match schema.get("type"):
            case "integer" | "number":
                low, high = schema.get("minimum", -5), schema.get("maximum", 10**6)
                return chance.choice([low, high, low - 1, high + 1, chance.randint(low, high)])
            case "boolean":
                return chance.random() < 0.5
            case "array":
                most = min(schema.get("maxItems", 5), 600)
                n = chance.choice([0, 1, 2, 3, most, most + 1])
                return [self.value(schema.get("items", {}), name) for _ in range(n)]
            case "object":
                found = {
                    each: self.value(part, each)
                    for each, part in schema.get("properties", {}).items()
                    if each in schema.get("required", ()) or chance.random() < 0.6
                }
                if not found:  # an article, whose fields the document leaves open
                    found = {"id": f"fuzz-{chance.randrange(50)}", "title": chance.choice(TEXTS)}
                    found |= {key: self.odd() for key in ("body", "tags", "url", "published_at")
                              if chance.random() < 0.4}  # fmt: skip
                return found
        if name in ("id", "ids", "article_id", "exclude"):
            return chance.choice(self.ids) if chance.random() < 0.7 else f"fuzz-{chance.random()}"
        return chance.choice([*TEXTS, chance.choice(self.ids), "a few words of a text"])

    def odd(self) -> Any:
        """Anything but what was asked for."""
        return self.chance.choice([*TEXTS, *VALUES])

    def _named(self, reference: str) -> dict[str, Any]:
        found: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)


def _quoted(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="%")


def _request(port: int, grammar: Grammar) -> tuple[str, int]:
    """What is wrong with an answer, and its status; 0 if the connection was closed."""
    method, target, body, headers = grammar.request()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, target[:60_000], body, headers)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.getheader("content-type") or ""
        return _fault(method, target, answer.status, kind, content), answer.status
    except (http.client.HTTPException, ConnectionError, BrokenPipeError):
        return "", 0
    except TimeoutError:
        return f"{method} {target[:60]}: no answer", 0
    finally:
        connection.close()


def _head(port: int, grammar: Grammar) -> tuple[str, int]:
    """The same of a head with some bytes changed, cut or doubled."""
    chance = grammar.chance
    method, target, body, headers = grammar.request()
    lines = [f"{method} {target[:500]} HTTP/1.1", "Host: x", "Connection: close",
             *(f"{name}: {value}" for name, value in headers.items())]  # fmt: skip
    if body is not None:
        lines.append(f"Content-Length: {len(body) + chance.choice([0, 0, 0, 1, -1, 10**9])}")
    raw = bytearray(
        "\r\n".join(lines).encode(errors="replace") + b"\r\n\r\n" + (body or b"")[:5_000]
    )
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(raw))
        match chance.randrange(3):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(1, 20)]
            case 2:
                raw[at:at] = raw[at : at + chance.randrange(1, 200)]
        if not raw:
            return "", 0
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
    ):
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection, method="GET")
        answer.begin()
        content = answer.read()
        kind = answer.getheader("content-type") or ""
        return _fault("raw", "", answer.status, kind, content), answer.status
    return "", 0


def _fault(method: str, target: str, status: int, kind: str, content: bytes) -> str:
    """What an answer should not be."""
    where = f"{method} {target.partition('?')[0][:60]}: {status}"
    if status < 400:
        return ""
    if method == "HEAD":
        return where if status >= 500 and status != 503 else ""
    try:
        error = json.loads(content)
        is_error = [*error] == ["error", "detail"] and kind.startswith("application/json")
    except ValueError:
        return "" if method == "raw" and not content else f"{where}: not in the shape of errors"
    if not is_error:
        return f"{where}: not in the shape of errors"
    if status >= 500 and not (status == 503 and error["error"] in MAY_FAIL):
        return f"{where}: {error['error']}"
    return ""


def _reads(server: Server) -> None:
    """Many reads on connections that are kept: memory at a tenth of them and at the end."""
    chance, pages = np.random.default_rng(SEED), sorted(truth())
    began, before = time.monotonic(), 0.0
    for n, status in enumerate(_answers(server.port, pages, chance), start=1):
        if status != 200:
            print(f"- a read was answered {status}")
        if n == READS // 10:
            before = server.megabytes()
    rate = READS / (time.monotonic() - began)
    table(
        ("reads", "memory after a tenth, MB", "after all", "a second, one connection"),
        [(f"{READS:,}", f"{before:.1f}", f"{server.megabytes():.1f}", f"{rate:,.0f}")],
    )


def _answers(port: int, pages: list[str], chance: np.random.Generator) -> Iterator[int]:
    """Statuses of reads, sixteen sent ahead at a time."""
    ahead = 16
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        file = connection.makefile("rb")
        for _ in range(0, READS, ahead):
            drawn = zip(chance.integers(len(pages), size=ahead), chance.integers(100, size=ahead),
                        strict=True)  # fmt: skip
            connection.sendall(b"".join(
                b"GET /v1/related?id=%b&variant=%d HTTP/1.1\r\nHost: x\r\n\r\n"
                % (quote(pages[page]).encode(), variant)
                for page, variant in drawn
            ))  # fmt: skip
            for _ in range(ahead):
                status = int(file.readline().split()[1])
                length = 0
                while (line := file.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                file.read(length)
                yield status
