"""What a site costs as it grows: from a Parquet file of synthetic articles to a live bundle and the
lists it answers with, each step a command in a process of its own.

``python -m benchmarks growth`` takes SIZES, by default ``10000,50000``; FULL=1 adds 200,000 and
1,000,000 articles, which take an hour or two on two cores, and 8 GB of disk below PLACE, where
what was made and imported before is not again; by default it is a folder that is deleted. A
training of many articles is interrupted once, as by Ctrl-C, when it is half through with comparing
articles, and started again. ``growth.json`` keeps the figures of each size; the pictures are drawn
of these.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.corpus import table
from benchmarks.servers import Client, Server, Site
from recommender.evaluation.report.picture import COLOURS, GREY, Axis, Picture, Series, chart
from recommender.text.terms import FUNCTION_WORDS

SIZES, MORE = "10000,50000", (200_000, 1_000_000)
# From so many articles on a training is interrupted once.
INTERRUPTED = 500_000
FIGURES = Path(__file__).with_suffix(".json")
COST, MEMORY = (Path(__file__).with_name(f"growth-{name}.svg") for name in ("cost", "memory"))
# Words of a text: function words, those of any text, of its topic, and of this text alone, each
# several times.
FUNCTION, GENERAL, OF_TOPIC, OF_ITSELF = 95, 83, 60, 12
# Chances of words by rank: Zipf's law, flattened for the first (Mandelbrot), steeper for those
# behind the first 5,000, so that the vocabulary grows as the .55th power of the text (Heaps).
LANGUAGE, FLAT, COMMON, STEEPER = 4_000_000, 60, 5_000, 1.8
# Articles of a topic, words of one, sections of the site, and texts that nearly are another's.
A_TOPIC, TOPIC, N_SECTIONS, COPIES = 120, 50, 25, 0.005
AT_ONCE = 20_000
FREQUENT = "the of and to a in that is was it for with as he his on be at by this are from".split()  # noqa: SIM905
FORMS = (
    "What is {}?", "How to {} with {}", "{} and {}", "{}: the {} of {}", "Why {} needs {}",
    "{} in {}", "Ten things about {}", "A guide to {} and {}", "{} {}", "Does {} cause {}?",
)  # fmt: skip
FOOTERS = tuple(
    f"Sign up for our newsletter on {subject} and never miss an article again."
    for subject in ("health", "science", "politics", "food", "travel", "money", "sport")
)
N_GETS, N_POSTS = 2_000, 300
# Points of a picture of memory, and the part of the time from which on it names a stage.
N_POINTS, LONG = 400, 0.03
# The command line itself, which also notes its stages and their steps in a file.
NOTING = """
import json, signal, sys, time
from recommender import progress
from recommender.cli.main import main
# Who starts benchmarks in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
notes, shown, known = open(sys.argv.pop(1), "a", buffering=1), progress.Shown, {"done": 0}
def stage(self, name, total=None, stage=shown.stage):
    known.update(stage=name, total=total, done=0, noted=time.time())
    notes.write(json.dumps([known["noted"], name, total, 0]) + "\\n")
    stage(self, name, total)
def advance(self, steps=1, advance=shown.advance):
    known["done"] += steps
    if time.time() > known["noted"] + .5:
        known["noted"] = time.time()
        notes.write(json.dumps([known["noted"], known["stage"], known["total"], known["done"]])
                    + "\\n")
    advance(self, steps)
shown.stage, shown.advance = stage, advance
sys.exit(main())
"""


@dataclass
class Run:
    """A command: seconds, those of processors, and by the second since it began the megabytes of
    its processes (their share of what they have in common), of which some are anonymous, and the
    seconds of processors so far; its stages, each with the second it began. ``said`` is what it
    printed.
    """

    code: int = 0
    wall: float = 0.0
    processor: float = 0.0
    memory: list[tuple[float, float, float, float]] = field(default_factory=list)
    stages: list[tuple[str, float]] = field(default_factory=list)
    said: str = ""

    @property
    def peak(self) -> float:
        """The most megabytes."""
        return max((megabytes for _, megabytes, _, _ in self.memory), default=0.0)

    @property
    def by_stage(self) -> list[tuple[str, float, float, float]]:
        """Stages with their seconds, those of processors, and their most megabytes; those of one
        name together.
        """
        found: dict[str, list[float]] = {}
        moments = [0.0, *(each[0] for each in self.memory), self.wall]
        used = [0.0, *(each[3] for each in self.memory), self.processor]
        for (name, start), (_, end) in pairwise([("imports", 0.0), *self.stages, ("", self.wall)]):
            before = found.setdefault(name, [0.0, 0.0, 0.0])
            before[0] += end - start
            before[1] += float(np.diff(np.interp([start, end], moments, used))[0])
            before[2] = max([before[2], *(mb for at, mb, _, _ in self.memory if start <= at < end)])
        return [(name, wall, used, most) for name, (wall, used, most) in found.items()]


def run() -> None:
    """Measure, print tables, and draw."""
    sizes = [int(size) for size in os.environ.get("SIZES", SIZES).split(",") if size]
    if os.environ.get("FULL") == "1":
        sizes += MORE
    for size in sizes:
        with TemporaryDirectory(prefix="growth-") as scratch:
            place = Path(os.environ.get("PLACE") or scratch) / f"growth-{size}"
            figures, training = measured(size, place)
        by_stage = [
            (name, f"{wall:.1f}", f"{used:.1f}", f"{megabytes:,.0f}")
            for name, wall, used, megabytes in training.by_stage
        ]
        heading = f"train of {size:,} articles", "seconds", "of processors", "most MB"
        table(heading, by_stage)
        known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        known[str(size)] = figures
        ordered = dict(sorted(known.items(), key=lambda each: int(each[0])))
        FIGURES.write_text(json.dumps(ordered, indent=1) + "\n")
        if size == max(map(int, ordered)):
            memory_over_time(training, size).save(MEMORY)
    known = json.loads(FIGURES.read_text())
    table(("", *(f"{int(size):,}" for size in known)), rows_of(known))
    cost(known).save(COST)
    print(f"drawn: {COST.name}, {MEMORY.name}")


def measured(size: int, place: Path) -> tuple[dict[str, Any], Run]:
    """The figures of a site of so many articles, and its training."""
    place.mkdir(parents=True, exist_ok=True)
    source = place / "articles.parquet"
    if not source.exists():
        write_articles(source, size)
    site = Site(place, f"sqlite:///{place / 'site.db'}")
    _say(f"{size:,} articles: {source.stat().st_size / 1e6:,.0f} MB of Parquet")
    imported = import_of(site, source)
    _say(f"imported in {imported['wall']:.0f} s")
    runs = []
    if size >= INTERRUPTED:
        runs.append(followed(site, "train", until=half_compared))
        _say(f"interrupted after {runs[0].wall:.0f} s")
    runs.append(followed(site, "train"))
    _say(f"trained in {sum(each.wall for each in runs):.0f} s: {runs[-1].said.splitlines()[0]}")
    training = together(runs)
    bundle = next((place / "models").glob("2*"))
    figures = {
        "import": imported,
        "train": _figures(training),
        "runs": len(runs),
        "source_gb": source.stat().st_size / 1e9,
        "store_gb": _bytes_of(place, "site.db*") / 1e9,
        "bundle_gb": _bytes_of(bundle) / 1e9,
        "kept_gb": _bytes_of(place / "models.work") / 1e9,
        **served(site, size),
    }
    return figures, training


def import_of(site: Site, source: Path) -> dict[str, float]:
    """The figures of the import; what was imported there before is not again."""
    done = site.folder / "import.json"
    if not done.exists():
        found = followed(site, "import", "articles", source)
        print(found.said, end="")
        done.write_text(json.dumps(_figures(found)))
    return dict(json.loads(done.read_text()))


def _figures(run: Run) -> dict[str, float]:
    return {"wall": run.wall, "processor": run.processor, "peak": run.peak}


def followed(
    site: Site, *arguments: object, until: Callable[[str, int | None, int], bool] | None = None
) -> Run:
    """A command and what it takes. It is interrupted once ``until`` of stage, steps and steps done
    is true.
    """
    notes = site.folder / "stages.jsonl"
    notes.unlink(missing_ok=True)
    output = site.folder / "output.txt"
    found, over, start = Run(), threading.Event(), time.time()
    with output.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", NOTING, notes, *map(str, arguments)],
            cwd=site.folder, env=site.environment, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip

    def watch() -> None:
        sent = False
        while not over.wait(1.0):
            sample = *_memory(process.pid), _processor(process.pid)
            # A process that is about to be gone has used nothing.
            if not found.memory or sample[2] >= found.memory[-1][3]:
                found.memory.append((time.time() - start, *sample))
            if until and not sent and (seen := _notes(notes)) and until(*seen[-1][1:]):
                # To all its processes, as a terminal does.
                os.killpg(process.pid, signal.SIGINT)
                sent = True

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, used = os.wait4(process.pid, 0)
    over.set()
    watcher.join()
    process.returncode = found.code = os.waitstatus_to_exitcode(status)
    found.wall, found.processor = time.time() - start, used.ru_utime + used.ru_stime
    found.said = output.read_text()
    before = None
    for at, name, total, done in _notes(notes):
        if done == 0 and before != (name, total):
            found.stages.append((name, at - start))
        before = name, total
    if found.code and until is None:
        raise SystemExit(f"{arguments}: {found.said[-2_000:]}")
    return found


def half_compared(stage: str, steps: int | None, done: int) -> bool:
    """Is half of the comparing done?"""
    return stage == "comparing articles" and bool(steps) and 2 * done >= (steps or 0)


def together(runs: list[Run]) -> Run:
    """Runs one after the other as one."""
    starts = [0.0, *accumulate(each.wall for each in runs)]
    return Run(
        code=runs[-1].code,
        wall=starts[-1],
        processor=sum(each.processor for each in runs),
        memory=[
            (at + start, all_of_it, own, used + sum(run.processor for run in runs[:nth]))
            for nth, (start, each) in enumerate(zip(starts, runs, strict=False))
            for at, all_of_it, own, used in each.memory
        ],
        stages=[
            stage
            for start, each in zip(starts, runs, strict=False)
            for stage in [
                *([("imports", start)] if start else []),
                *((name, at + start) for name, at in each.stages),
            ]
        ],
        said=runs[-1].said,
    )


def served(site: Site, size: int) -> dict[str, float]:
    """Start to first answer, a server's memory before and after, and milliseconds to answers."""
    draw = np.random.default_rng(1)
    paths = [
        f"/v1/related?id={quote(id_of(number), safe='')}&variant={draw.integers(100)}"
        for number in draw.integers(0, size, N_GETS).tolist()
    ]
    texts = list(articles(N_POSTS, seed=size + 7, n_site=size))
    bodies = [{"title": each["title"], "body": each["body"]} for each in texts]
    start = time.monotonic()
    server = Server(site)
    try:
        server.ready()
        client = Client(server.port)
        status, body = client.get(paths[0])
        first, at_first = time.monotonic() - start, _processor(server.process.pid)
        if status != 200 or not json.loads(body)["items"]:
            raise SystemExit(f"{paths[0]}: {status} {body[:500]!r}")
        before = _memory(server.process.pid)
        gets = [_milliseconds(client.get, path) for path in paths]
        after_gets = _processor(server.process.pid)
        posts = [_milliseconds(client.post, "/v1/related", body) for body in bodies]
        after_posts = _processor(server.process.pid)
        after = _memory(server.process.pid)
    finally:
        server.stop()
    return {
        "first_answer_s": first,
        "first_answer_processor_s": at_first,
        "get_processor_ms": 1000 * (after_gets - at_first) / len(gets),
        "post_processor_ms": 1000 * (after_posts - after_gets) / len(posts),
        "server_mb": before[0],
        "server_own_mb": before[1],
        "server_after_mb": after[0],
        "server_after_own_mb": after[1],
        **{f"get_p{at}_ms": float(np.percentile(gets, at)) for at in (50, 99)},
        **{f"post_p{at}_ms": float(np.percentile(posts, at)) for at in (50, 99)},
    }


def _milliseconds(ask: Callable[..., tuple[int, bytes]], *what: Any) -> float:
    start = time.perf_counter()
    status, body = ask(*what)
    took = 1000 * (time.perf_counter() - start)
    if status != 200:
        raise SystemExit(f"{what}: {status} {body[:500]!r}")
    return took


def rows_of(known: dict[str, Any]) -> list[tuple[str, ...]]:
    """What is printed of each size."""
    forms: dict[str, Callable[[dict[str, Any]], str]] = {
        "import: seconds": lambda of: f"{of['import']['wall']:.0f}",
        "processor seconds": lambda of: f"{of['import']['processor']:.0f}",
        "peak, GB": lambda of: f"{of['import']['peak'] / 1000:.2f}",
        "train: minutes": lambda of: f"{of['train']['wall'] / 60:.1f}",
        "processor minutes": lambda of: f"{of['train']['processor'] / 60:.1f}",
        "peak, GB ": lambda of: f"{of['train']['peak'] / 1000:.2f}",
        "disk, GB: source": lambda of: f"{of['source_gb']:.2f}",
        "store": lambda of: f"{of['store_gb']:.2f}",
        "bundle": lambda of: f"{of['bundle_gb']:.2f}",
        "kept for the next": lambda of: f"{of['kept_gb']:.2f}",
        "server: s to first answer, of processors": lambda of: (
            f"{of['first_answer_s']:.2f}, {of['first_answer_processor_s']:.2f}"
        ),
        "MB, of its own": lambda of: f"{of['server_mb']:.0f}, {of['server_own_mb']:.0f}",
        "after the questions": lambda of: (
            f"{of['server_after_mb']:.0f}, {of['server_after_own_mb']:.0f}"
        ),
        "GET: p50, p99, processor, ms": lambda of: (
            f"{of['get_p50_ms']:.2f}, {of['get_p99_ms']:.2f}, {of['get_processor_ms']:.2f}"
        ),
        "new text: p50, p99, processor, ms": lambda of: (
            f"{of['post_p50_ms']:.1f}, {of['post_p99_ms']:.1f}, {of['post_processor_ms']:.1f}"
        ),
    }
    return [(name, *map(form, known.values())) for name, form in forms.items()]


def cost(known: dict[str, Any]) -> Picture:
    """Processor minutes, memory and disk by the number of articles, both axes logarithmic."""
    sizes = np.array([int(size) for size in known], dtype=float)
    columns = {
        "processor minutes": [
            (of["import"]["processor"] + of["train"]["processor"]) / 60 for of in known.values()
        ],
        "GB of memory": [
            max(of["import"]["peak"], of["train"]["peak"]) / 1000 for of in known.values()
        ],
        "GB of bundle": [of["bundle_gb"] for of in known.values()],
    }
    series = [
        # With room for letters in bold.
        Series(sizes, np.array(values), name=f"{name}  ", colour=colour, points=True)
        for (name, values), colour in zip(columns.items(), COLOURS, strict=False)
    ]
    values = np.concatenate([each.y for each in series])
    ends = 10 ** np.floor(np.log10(values.min())), 10 ** np.ceil(np.log10(values.max()))
    ticks = 10.0 ** np.arange(np.log10(ends[0]), np.log10(ends[1]) + 1)
    across = Axis("articles", sizes[0], max(sizes[-1], 2 * sizes[0]), sizes.tolist(),
                  scale=np.log10, form="{:,.0f}".format)  # fmt: skip
    upwards = Axis("", *ends, ticks.tolist(), scale=np.log10, form="{:g}".format)
    label = "; ".join(
        f"{each.name.strip()}: {', '.join(f'{y:.2g}' for y in each.y)}" for each in series
    )
    title = "What a site costs as it grows, import and training"
    return chart(series, across, upwards, label=label, title=title, width=640, height=300)


def memory_over_time(training: Run, size: int) -> Picture:
    """Gigabytes over the minutes of a training, and where its long stages begin."""
    parts = np.array_split(np.array(training.memory), min(N_POINTS, len(training.memory)))
    minutes = np.array([part[0, 0] for part in parts]) / 60
    whole, own = (np.array([part[:, at].max() for part in parts]) / 1000 for at in (1, 2))
    most, last = 1.4 * float(whole.max()), training.wall / 60
    series = [
        Series(minutes, whole, name="all", colour=COLOURS[0]),
        Series(minutes, np.minimum(own, whole), name="not of files", colour=COLOURS[1]),
    ]
    # The names at the end must not meet.
    if abs(whole[-1] - own[-1]) < 0.1 * most:
        series[1] = replace(series[1], name="")
    ends = [*(at for _, at in training.stages[1:]), training.wall]
    long = [
        (name, at)
        for (name, at), end in zip(training.stages, ends, strict=True)
        if end - at > LONG * training.wall
    ]
    for number, (name, at) in enumerate(long):
        # Beside each other on four heights, so that names have room.
        top = most * (1 - 0.07 * (number % 4))
        series.append(
            Series(np.full(2, at / 60), np.array([0, top]), name=name, colour=GREY, dashed=True)
        )
    step = max(1, int(last) // 8)
    across = Axis("minutes", 0.0, last, [*range(0, int(last) + 1, step)])
    upwards = Axis("", 0.0, most, [*range(0, int(most) + 1, max(1, int(most) // 6))])
    stages = "; ".join(f"{name} from {at / 60:.0f}" for name, at in long)
    title = f"Memory of a training of {size:,} articles, GB"
    return chart(series, across, upwards, label=f"{title}: {stages}", title=title,
                 width=720, height=300)  # fmt: skip


def _notes(path: Path) -> list[Any]:
    lines = path.read_text().splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:  # it is being written
            break
    return found


def _memory(pid: int) -> tuple[float, float]:
    """Megabytes of a process and those it started, and how many of them are anonymous."""
    sizes = {"Pss:": 0, "Pss_Anon:": 0}
    for each in _tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(" ")
            if name in sizes:
                sizes[name] += int(rest.split()[0])
    return sizes["Pss:"] / 1024, sizes["Pss_Anon:"] / 1024


def _processor(pid: int) -> float:
    """Processor seconds of a process, those it started, and those of them that ended."""
    ticks = 0
    for each in _tree(pid):
        try:
            after_name = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, after_name[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield from _tree(child)


def _bytes_of(folder: Path, pattern: str = "**/*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def _say(text: str) -> None:
    print(f"- {text}", flush=True)


# Articles


def write_articles(path: Path, size: int) -> None:
    """A Parquet file of so many articles, made in a process of its own."""
    code = f"from benchmarks.growth import _write; _write({str(path)!r}, {size})"
    subprocess.run([sys.executable, "-c", code], check=True)


def _write(path: str, size: int) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    part, writer, rows = f"{path}.part", None, list[dict[str, Any]]()

    def put() -> None:
        nonlocal writer
        batch = arrow.Table.from_pylist(rows)
        writer = writer or parquet.ParquetWriter(part, batch.schema, compression="zstd")
        writer.write_table(batch)
        rows.clear()

    for article in articles(size):
        rows.append(article)
        if len(rows) == AT_ONCE:
            put()
    if rows:
        put()
    if writer:
        writer.close()
    Path(part).rename(path)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(f"{size:,} articles were made with {megabytes:,.0f} MB")


def id_of(number: int) -> str:
    """The id of an article."""
    return f"a{number:07}"


def articles(size: int, *, seed: int = 0, n_site: int | None = None) -> Iterator[dict[str, Any]]:
    """So many articles of a site of ``n_site``, whose topics it settles; other texts with another
    ``seed``.
    """
    vocabulary = words_of_language()
    functions = np.array([*FREQUENT, *sorted(FUNCTION_WORDS - {*FREQUENT})], dtype=object)
    of_function = np.cumsum(1 / np.arange(1, len(functions) + 1))
    rank = np.arange(1, LANGUAGE + 1, dtype=float)
    chance = np.where(
        rank <= COMMON, 1 / (rank + FLAT), COMMON**STEEPER / (COMMON + FLAT) / rank**STEEPER
    )
    reached = np.cumsum(chance)
    n_topics = max(20, (n_site or size) // A_TOPIC)
    topics = np.random.default_rng(12).integers(300, 30_000, (n_topics, TOPIC))
    within = np.cumsum(1 / np.arange(1, TOPIC + 1))
    for start in range(0, size, AT_ONCE):
        random, n = np.random.default_rng((seed, start)), min(AT_ONCE, size - start)

        def drawn(sums: np.ndarray, *shape: int, random: Any = random) -> np.ndarray:
            found = np.searchsorted(sums, random.random(shape) * sums[-1])
            return np.minimum(found, len(sums) - 1)

        topic = random.integers(0, n_topics, n)
        own = np.repeat(drawn(reached, n, OF_ITSELF // 4), 4, axis=1)
        about = np.take_along_axis(topics[topic], drawn(within, n, OF_TOPIC), axis=1)
        content = np.concatenate([drawn(reached, n, GENERAL), about, own], axis=1)
        content = random.permuted(content, axis=1)
        copied = np.flatnonzero(random.random(n) < COPIES)
        content[copied] = content[random.integers(0, n, len(copied))]
        content[copied, :2] = drawn(reached, len(copied), 2)
        places = random.permuted(
            np.arange(FUNCTION + content.shape[1]) < FUNCTION, axis=0
        )  # one order of kinds a block
        text = np.empty((n, len(places)), dtype=object)
        text[:, places] = functions[drawn(of_function, n, FUNCTION)]
        text[:, ~places] = vocabulary[content]
        lengths, form = random.integers(7, 20, (n, 40)), random.integers(0, len(FORMS), n)
        in_title = vocabulary[np.concatenate([about[:, :3], own[:, :1]], axis=1)]
        day, extra = random.integers(0, 3_650, n), random.integers(0, 1 << 20, (n, 2))
        for row in range(n):
            yield {
                "id": id_of(start + row),
                "title": _title(FORMS[form[row]], in_title[row].tolist()),
                "body": _body(text[row].tolist(), lengths[row].tolist(), int(extra[row, 0])),
                "url": f"https://www.example.org/{topic[row] % N_SECTIONS}/{id_of(start + row)}",
                "category": f"Section {topic[row] % N_SECTIONS}",
                "tags": [f"subject {topic[row]}", f"field {topic[row] % 400}"][: extra[row, 1] % 3],
                "published_at": str(np.datetime64("2016-11-01") + day[row]),
                "author": f"Author {extra[row, 1] % 500}",
            }


def _title(form: str, words: list[str]) -> str:
    n = form.count("{}")
    # The word that the article has for itself, and before it those of its topic.
    filled = form.format(*words[4 - n :])
    if n < 3:
        filled += f" {words[0]}" if filled[-1] != "?" else ""
    return filled[0].upper() + filled[1:]


def _body(words: list[str], lengths: list[int], extra: int) -> str:
    sentences, at = [], 0
    for length in lengths:
        if at >= len(words):
            break
        sentences.append(" ".join(words[at : at + length]).capitalize() + ".")
        at += length
    paragraphs = [" ".join(sentences[at : at + 5]) for at in range(0, len(sentences), 5)]
    if extra % 3 == 0:
        paragraphs.append(FOOTERS[extra % len(FOOTERS)])
    return "\n\n".join(paragraphs)


def words_of_language() -> np.ndarray:
    """Words by rank, made of syllables: the more frequent, the shorter, ``(LANGUAGE,)``."""
    syllables = [
        f"{first}{vowel}{last}"
        for vowel in "aeiou" for first in "bdfgklmnprstv" for last in ("", "n", "r", "s")
    ]  # fmt: skip
    n = len(syllables)
    order = np.random.default_rng(3).permutation(n).tolist()
    mixed = [syllables[at] for at in order]
    pairs = [f"{first}{second}" for first in mixed for second in mixed]
    words = pairs[: n * n]
    more = (f"{pair}{third}" for third in mixed for pair in pairs)
    found = np.empty(LANGUAGE, dtype=object)
    found[: len(words)] = words
    found[len(words) :] = [next(more) for _ in range(LANGUAGE - len(words))]
    return found
