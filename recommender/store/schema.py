"""The store's tables, as the ordered steps that made them.

A new store runs every step, an older one those it lacks; each step and the record that it ran
share one transaction. A store made by a newer release is refused, not guessed at.
"""

from __future__ import annotations

import logging

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import NewerStoreError, StoreError
from recommender.store.action_sources import fill_all
from recommender.store.finding import rebuild

logger = logging.getLogger("api")


def _first(connection: Connection) -> None:
    postgresql = connection.dialect.name == "postgresql"
    blob = "BYTEA" if postgresql else "BLOB"
    # Without this SQLite keeps a second tree beside a table with a primary key.
    tight = "" if postgresql else "WITHOUT ROWID"
    for statement in f"""
        CREATE TABLE articles (
            id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, teaser TEXT NOT NULL,
            url TEXT, category TEXT, tags TEXT NOT NULL, published_at TEXT, updated_at TEXT,
            language TEXT, recommended TEXT NOT NULL, previous TEXT, next TEXT,
            sensitive INTEGER NOT NULL, stub INTEGER NOT NULL, digest TEXT NOT NULL);
        CREATE TABLE ids (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
        CREATE TABLE slates (
            slate INTEGER PRIMARY KEY, digest {blob} NOT NULL UNIQUE, source INTEGER NOT NULL,
            list TEXT NOT NULL, ordered INTEGER NOT NULL);
        CREATE TABLE slate_links (
            slate INTEGER NOT NULL, rank INTEGER NOT NULL, item INTEGER NOT NULL,
            position INTEGER, propensity DOUBLE PRECISION, PRIMARY KEY (slate, rank)) {tight};
        CREATE TABLE views (
            view_id TEXT PRIMARY KEY, ts BIGINT NOT NULL, slate INTEGER NOT NULL,
            session TEXT NOT NULL, layout TEXT NOT NULL, arm TEXT NOT NULL) {tight};
        CREATE INDEX views_by_time ON views (ts);
        CREATE TABLE clicks (
            view_id TEXT NOT NULL, item INTEGER NOT NULL, ts BIGINT NOT NULL,
            PRIMARY KEY (view_id, item)) {tight};
        CREATE TABLE pageviews (
            ts BIGINT NOT NULL, session TEXT NOT NULL, article INTEGER NOT NULL,
            referrer INTEGER NOT NULL, UNIQUE (ts, session, article, referrer))
    """.split(";"):
        connection.execute(sql.text(statement))


def _pages(connection: Connection) -> None:
    """Pages as they came, for export; and clicks find their link without walking its slate."""
    connection.execute(
        sql.text("CREATE INDEX slate_links_by_item ON slate_links (slate, item, rank)")
    )
    blob = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    connection.execute(
        sql.text(
            f"CREATE TABLE pages (id TEXT PRIMARY KEY, path TEXT NOT NULL, raw {blob} NOT NULL)"
        )
    )


def _live(connection: Connection) -> None:
    """Events that come while the site is read, articles that come and go, and what is kept of
    events that are forgotten.

    ``live`` is 0 for what was imported, 1 for what readers' pages sent, 2 if a known crawler did,
    3 if too much came from its origin that day.
    """
    postgresql = connection.dialect.name == "postgresql"
    tight = "" if postgresql else "WITHOUT ROWID"
    for statement in f"""
        ALTER TABLE views ADD COLUMN variant INTEGER;
        ALTER TABLE views ADD COLUMN live INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE clicks ADD COLUMN live INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE pageviews ADD COLUMN live INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE slate_links ADD COLUMN origin TEXT NOT NULL DEFAULT '';
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) {tight};
        CREATE TABLE changes (
            id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, removed INTEGER NOT NULL);
        CREATE TABLE tallies (
            day INTEGER NOT NULL, name TEXT NOT NULL, n BIGINT NOT NULL,
            PRIMARY KEY (day, name)) {tight};
        CREATE TABLE imports (
            file TEXT PRIMARY KEY, head TEXT NOT NULL, records BIGINT NOT NULL) {tight};
        CREATE TABLE past_views (
            day INTEGER NOT NULL, slate INTEGER NOT NULL, n BIGINT NOT NULL,
            PRIMARY KEY (day, slate)) {tight};
        CREATE TABLE past_clicks (
            day INTEGER NOT NULL, slate INTEGER NOT NULL, item INTEGER NOT NULL,
            n BIGINT NOT NULL, n_in_sessions BIGINT NOT NULL,
            PRIMARY KEY (day, slate, item)) {tight};
        CREATE TABLE past_reads (
            day INTEGER NOT NULL, article INTEGER NOT NULL, n BIGINT NOT NULL,
            PRIMARY KEY (day, article)) {tight};
        CREATE TABLE past_pairs (
            day INTEGER NOT NULL, article INTEGER NOT NULL, other INTEGER NOT NULL,
            n BIGINT NOT NULL, PRIMARY KEY (day, article, other)) {tight}
    """.split(";"):
        connection.execute(sql.text(statement))


def _replace(connection: Connection, table: str, columns: str, values: str) -> None:
    """Give a table other columns; ``values`` are what they hold of what stood in the old ones."""
    tight = "" if connection.dialect.name == "postgresql" else "WITHOUT ROWID"
    for statement in (
        f"ALTER TABLE {table} RENAME TO older",
        f"CREATE TABLE {table} ({columns}) {tight}",
        f"INSERT INTO {table} SELECT {values} FROM older",
        "DROP TABLE older",
    ):
        connection.execute(sql.text(statement))


def _layouts(connection: Connection) -> None:
    """What is kept of forgotten views has their layout; of those forgotten before it is unknown."""
    _replace(
        connection,
        "past_views",
        """day INTEGER NOT NULL, slate INTEGER NOT NULL, layout TEXT NOT NULL, n BIGINT NOT NULL,
        PRIMARY KEY (day, slate, layout)""",
        "day, slate, '', n",
    )
    _replace(
        connection,
        "past_clicks",
        """day INTEGER NOT NULL, slate INTEGER NOT NULL, layout TEXT NOT NULL,
        item INTEGER NOT NULL, n BIGINT NOT NULL, n_in_sessions BIGINT NOT NULL,
        PRIMARY KEY (day, slate, layout, item)""",
        "day, slate, '', item, n, n_in_sessions",
    )


def _forgeable(connection: Connection) -> None:
    """Whether a link stood in a list only because of what the request asked for: of lists sent
    before it is not known, and they count as lists that everybody is shown. And whether forgotten
    views were sent by pages: of those forgotten before it is not known, and they may have been.
    """
    connection.execute(
        sql.text("ALTER TABLE slate_links ADD COLUMN brought INTEGER NOT NULL DEFAULT 0")
    )
    _replace(
        connection,
        "past_views",
        """day INTEGER NOT NULL, slate INTEGER NOT NULL, layout TEXT NOT NULL,
        live INTEGER NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (day, slate, layout, live)""",
        "day, slate, layout, 1, n",
    )
    _replace(
        connection,
        "past_clicks",
        """day INTEGER NOT NULL, slate INTEGER NOT NULL, layout TEXT NOT NULL,
        live INTEGER NOT NULL, item INTEGER NOT NULL, n BIGINT NOT NULL,
        n_in_sessions BIGINT NOT NULL, PRIMARY KEY (day, slate, layout, live, item)""",
        "day, slate, layout, 1, item, n, n_in_sessions",
    )


def _images(connection: Connection) -> None:
    """Articles have a picture and an author."""
    connection.execute(sql.text("ALTER TABLE articles ADD COLUMN image TEXT"))
    connection.execute(sql.text("ALTER TABLE articles ADD COLUMN author TEXT"))


def _pieces(connection: Connection) -> None:
    """Views whose links come in several records, and clicks whose view is not known yet."""
    tight = "" if connection.dialect.name == "postgresql" else "WITHOUT ROWID"
    for statement in f"""
        CREATE TABLE pieces (
            view_id TEXT NOT NULL, slate INTEGER NOT NULL, ts BIGINT NOT NULL, nth BIGINT NOT NULL,
            came INTEGER NOT NULL, settled INTEGER NOT NULL, PRIMARY KEY (view_id, slate)) {tight};
        CREATE INDEX pieces_to_settle ON pieces (view_id) WHERE settled = 0;
        CREATE TABLE clicks_on_pages (
            key TEXT NOT NULL, item INTEGER NOT NULL, ts BIGINT NOT NULL, one TEXT NOT NULL,
            other TEXT NOT NULL, session TEXT NOT NULL, source INTEGER NOT NULL, view_id TEXT,
            PRIMARY KEY (key, item)) {tight}
    """.split(";"):
        connection.execute(sql.text(statement))


def _grades(connection: Connection) -> None:
    """What people think of links beside a page, and the pages that were drawn for them to judge.

    Ends of a link are numbers of ``ids``, as in the log: an article that goes keeps its grades.
    """
    tight = "" if connection.dialect.name == "postgresql" else "WITHOUT ROWID"
    for statement in f"""
        CREATE TABLE grades (
            source INTEGER NOT NULL, item INTEGER NOT NULL, judge TEXT NOT NULL,
            grade INTEGER NOT NULL, at BIGINT NOT NULL, note TEXT NOT NULL,
            PRIMARY KEY (source, item, judge)) {tight};
        CREATE TABLE drawn_pages (
            place INTEGER PRIMARY KEY, source INTEGER NOT NULL UNIQUE,
            size DOUBLE PRECISION NOT NULL, priority DOUBLE PRECISION NOT NULL)
    """.split(";"):
        connection.execute(sql.text(statement))


def _console(connection: Connection) -> None:
    """Who may use the console, who is signed in, the rules that editors make there, and what they
    did.

    Times are milliseconds since 1970. ``rules`` holds what is in force now or will be, by the ids
    that editors named; ``actions`` what was done, by whom, with the row before and after as JSON,
    empty where there was none. Of a session a hash is kept, not what the browser has.
    """
    tight = "" if connection.dialect.name == "postgresql" else "WITHOUT ROWID"
    for statement in f"""
        CREATE TABLE accounts (
            name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,
            changed BIGINT NOT NULL) {tight};
        CREATE TABLE console_sessions (
            digest TEXT PRIMARY KEY, account TEXT NOT NULL, began BIGINT NOT NULL,
            seen BIGINT NOT NULL) {tight};
        CREATE INDEX console_sessions_by_account ON console_sessions (account);
        CREATE TABLE failed_sign_ins (account TEXT NOT NULL, ts BIGINT NOT NULL);
        CREATE INDEX failed_sign_ins_by_account ON failed_sign_ins (account, ts);
        CREATE TABLE rules (
            number INTEGER PRIMARY KEY, action TEXT NOT NULL, source TEXT NOT NULL,
            target TEXT NOT NULL, position INTEGER, starts BIGINT, ends BIGINT,
            reason TEXT NOT NULL, account TEXT NOT NULL, ts BIGINT NOT NULL);
        CREATE TABLE actions (
            number INTEGER PRIMARY KEY, ts BIGINT NOT NULL, account TEXT NOT NULL,
            what TEXT NOT NULL, source TEXT NOT NULL, rule INTEGER, undoes INTEGER,
            row_before TEXT NOT NULL, row_after TEXT NOT NULL);
        CREATE INDEX actions_by_source ON actions (source, number)
    """.split(";"):
        connection.execute(sql.text(statement))


def _finding(connection: Connection) -> None:
    """Articles are found by words of their titles, by ids and by addresses."""
    if connection.dialect.name == "postgresql":
        # Code points are in one order everywhere, and texts that begin alike stand together.
        statements = """
            CREATE TABLE finding (
                number BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE,
                names TEXT COLLATE "C" NOT NULL, terms TSVECTOR NOT NULL);
            CREATE TABLE finding_words (
                word TEXT COLLATE "C" PRIMARY KEY, backwards TEXT COLLATE "C" NOT NULL);
            CREATE INDEX finding_words_backwards ON finding_words (backwards);
            CREATE INDEX finding_terms ON finding USING GIN (terms) WITH (fastupdate = off)
        """
    else:
        # Terms come with spaces between. What is left out of FTS5 is what ranks and quotes.
        statements = """
            CREATE TABLE finding (
                number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, names TEXT NOT NULL);
            CREATE TABLE finding_words (
                word TEXT PRIMARY KEY, backwards TEXT NOT NULL) WITHOUT ROWID;
            CREATE INDEX finding_words_backwards ON finding_words (backwards);
            CREATE VIRTUAL TABLE finding_terms USING fts5(
                terms, content='', detail=none, columnsize=0, prefix='1',
                tokenize="ascii tokenchars '^=.,'")
        """
    for statement in statements.split(";"):
        connection.execute(sql.text(statement))
    rebuild(connection)


def _action_sources(connection: Connection) -> None:
    """Which pages an action of an editor touched, with the rows of each page alone, as JSON;
    ``n_rules`` is how many rules the action touched in all.
    """
    tight = "" if connection.dialect.name == "postgresql" else "WITHOUT ROWID"
    connection.execute(
        sql.text(f"""
            CREATE TABLE action_sources (
                source TEXT NOT NULL, number INTEGER NOT NULL, n_rules INTEGER NOT NULL,
                row_before TEXT NOT NULL, row_after TEXT NOT NULL,
                PRIMARY KEY (source, number)) {tight}
        """)
    )
    fill_all(connection)


STEPS = (
    _first, _pages, _live, _layouts, _forgeable, _images, _pieces, _grades, _console, _finding,
    _action_sources,
)  # fmt: skip
# Any number will do, as long as nothing else in the database locks it.
MIGRATION_LOCK = 7_263_550_142


def migrate(connection: Connection, *, to: int = len(STEPS)) -> int:
    """Bring the store up to date, or to an older version; returns the version it had, 0 if there
    was none. ``NewerStoreError`` if it was made by a newer release. Another process that does it
    is waited for.
    """
    if connection.dialect.name == "postgresql":  # SQLite's writers come one at a time anyway
        patience = connection.scalar(sql.text("SELECT current_setting('lock_timeout')"))
        keep = sql.text("SELECT set_config('lock_timeout', :patience, true)")
        connection.execute(keep, {"patience": "0"})
        connection.execute(sql.text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        connection.execute(keep, {"patience": patience})
    connection.execute(
        sql.text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    )
    version = _version(connection)
    if 0 < version < to:
        logger.warning("bringing the store from schema %d to %d: do not stop", version, to)
    for number, step in enumerate(STEPS[version:to], start=version + 1):
        step(connection)
        connection.execute(
            sql.text("INSERT INTO schema_version (version) VALUES (:version)"), {"version": number}
        )
    return version


def is_older(connection: Connection) -> bool:
    """Is there a store of an older release? ``NewerStoreError`` as in ``migrate``."""
    if not sql.inspect(connection).has_table("schema_version"):
        return False
    return 0 < _version(connection) < len(STEPS)


def check_version(connection: Connection, *, older: bool = False) -> None:
    """``StoreError`` if the store cannot be read as it is; with ``older``, only if it was made by a
    newer release.
    """
    version = _version(connection)
    if version < len(STEPS) and not older:
        raise StoreError(
            f"the store has schema version {version}, this release reads {len(STEPS)}: a command "
            "that writes to it, such as recommender import or train, brings it up to date"
        )


def _version(connection: Connection) -> int:
    version = connection.scalar(sql.text("SELECT MAX(version) FROM schema_version")) or 0
    if version > len(STEPS):
        raise NewerStoreError(
            f"the store has schema version {version}, this release knows {len(STEPS)}: upgrade"
        )
    return int(version)
