"""Backs a database up, and restores it.

    scripts/backup save [FOLDER]       of the database; by default into backups/DATABASE-TIME
    scripts/backup check FOLDER        whether a backup is what it was when it was made
    scripts/backup restore FOLDER      into a database that is empty; services that use it must be stopped

The database is that of DATABASE_URL, otherwise of the instance INSTANCE (default: dev) of scripts/servers. A restore
needs a superuser: an instance has one, otherwise DATABASE_URL must name one. Passwords come from the environment or
~/.pgpass, and never stand on a command line. A backup is pg_dump's directory format with backup.json (what it is of)
and SHA256SUMS beside it. PostgreSQL's tools are those of the server's version (17 or 18), from PATH or from a root that
scripts/setup made. JOBS (default: the processors, at most 4) is how many connections they use. More: docs/backup.md.
"""
import contextlib, hashlib, json, os, shutil, signal, socket, subprocess, sys, time
from pathlib import Path

import psycopg2
import psycopg2.extensions

from dev import servers
from dev.project import PROJECT

# PostgreSQL's major versions that this was tested with.
MAJORS = (17, 18)
TOOLS = ("pg_dump", "pg_restore", "psql")
ABOUT, SUMS = "backup.json", "SHA256SUMS"
# The number of Migrations.lock: a registry that starts meanwhile waits until the schema is there.
MIGRATION_LOCK = 0x69_6F_74
# How long one waits who has a table locked, how long pg_dump waits for us to give way, and how often we do.
LOCK_SECONDS = 60
LOCK_STEP_MS = 2000
LOCK_TRIES = 5
LOCK_WORDS = ("could not obtain lock", "statement timeout", "does not exist")
# The catalog of TimescaleDB, whose tables refer to each other: loaded by one connection, before everything else.
CATALOG = ("_timescaledb_catalog", "_timescaledb_config")
# Loaded last, in one transaction: without the first no service begins, without the second no ingester.
LAST = ("schema_migration", "ingest_partition")
# An ingester that held a partition when the backup was made, or since, has lost it: no ingester has such an epoch.
FENCE = """
    UPDATE public.ingest_partition SET owner = NULL, lease_until = NULL, backend_pid = NULL,
           epoch = greatest(epoch + 1, extract(epoch FROM clock_timestamp())::bigint);
    DELETE FROM public.ingest_replica;
"""

Failure = servers.Failure


def say(text):
    print(f"backup: {text}", file=sys.stderr, flush=True)


# --- the database ------------------------------------------------------------------------------------------------


class Database:
    """A connection for our own SQL, and what PostgreSQL's tools need to make theirs."""

    def __init__(self, superuser=False):
        url, instance = os.environ.get("DATABASE_URL"), os.environ.get("INSTANCE", "dev")
        if not url:
            url = self.of_instance(instance, "postgres" if superuser else "iot")
        try:
            self.connection = psycopg2.connect(url, application_name="backup")
        except psycopg2.OperationalError as error:
            raise Failure(str(error).strip().splitlines()[0], 69)
        self.connection.autocommit = True
        self.query("SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
                   "SET transaction_timeout = 0; SET idle_session_timeout = 0")
        self.major = self.connection.server_version // 10_000
        if self.major not in MAJORS:
            raise Failure(f"the server is PostgreSQL {self.major}, not {' or '.join(map(str, MAJORS))}")
        self.name = self.connection.info.dbname
        # Without the password, which psycopg2 leaves out.
        self.address = psycopg2.extensions.make_dsn(**self.connection.get_dsn_parameters())

    @staticmethod
    def of_instance(name, role):
        instance = servers.Instance(name)
        database = instance.servers[1]
        if not instance.state["ports"] or not database.pid():
            raise Failure(f"no database: scripts/servers start {name}, or DATABASE_URL", 69)
        return f"postgresql://{role}:{database.password(role)}@127.0.0.1:{database.port('database')}/iot"

    def query(self, sql, *parameters):
        """All rows, or none where there are none to give."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, *parameters):
        rows = self.query(sql, *parameters)
        return rows[0][0] if rows else None

    def has(self, table):
        return self.one("SELECT to_regclass(%s) IS NOT NULL", table)


class Tools:
    """PostgreSQL's own programs, of one major version; see `folder` as the backup."""

    def __init__(self, database, folder, major):
        self.folder = folder.resolve()
        self.database = database
        self.major = major
        self.are_ours = all(self.version_in_path(name) == major for name in TOOLS)
        self.place = str(self.folder) if self.are_ours else "/mnt"

    @staticmethod
    def version_in_path(name):
        """The major version of a program in PATH; None: there is none."""
        if not shutil.which(name):
            return None
        words = subprocess.run([name, "--version"], stdout=subprocess.PIPE, text=True).stdout.split()
        return int(words[2].split(".")[0]) if len(words) > 2 and words[2][0].isdigit() else None

    def command(self, name, arguments):
        if self.are_ours:
            return [name, *arguments]
        root = servers.Root.with_postgresql(self.major)
        if not root or not root.is_made:
            raise Failure(f"no PostgreSQL {self.major} in PATH" + (
                f", and no servers' root with it: run {root.setup}" if root else ""))
        # Names are looked up as outside of the root.
        flags = ["--die-with-parent"]
        for file in ("/etc/resolv.conf", "/etc/hosts"):
            if Path(file).exists() and (root.path / file[1:]).exists():
                flags += ["--ro-bind", os.path.realpath(file), file]
        program = f"{root.database_programs}/{name}"
        return root.sandbox((os.geteuid(), os.getegid()), {"/mnt": self.folder}, [program, *arguments], flags)

    def run(self, name, *arguments, connects=True, **options):
        """Runs a program to its end; what it says is in the result."""
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "PGAPPNAME": f"backup {name}"}
        address = []
        if connects:
            address = [f"--dbname={self.database.address}"]
            environment["PGPASSWORD"] = self.database.connection.info.password or ""
        line = self.command(name, [*address, *arguments])
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.run(line, env=environment, **options)

    def must(self, name, *arguments, **options):
        """The same, and it must succeed."""
        done = self.run(name, *arguments, **options)
        if done.returncode != 0:
            raise Failure(f"{name} failed:\n{said(done)}")
        return done

    def contents(self):
        """The lines of the table of contents."""
        lines = self.must("pg_restore", "--list", self.place, connects=False).stdout.splitlines()
        return [line for line in lines if line and line[0] != ";"]


def said(done):
    """What a tool had to say, without what pg_dump always says of TimescaleDB's catalog: it is restored with care."""
    lines, skipping = [], False
    for line in (done.stderr or "").splitlines():
        if "warning:" in line:
            skipping = "circular foreign-key constraints" in line
        if not skipping or "error:" in line:
            lines.append(line)
    return "\n".join(f"  {line}" for line in lines[-20:])


def jobs():
    text = os.environ.get("JOBS", str(min(4, os.cpu_count() or 1)))
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise Failure(f"JOBS is 1 to 64, not {text}", 64)
    return int(text)


# --- save --------------------------------------------------------------------------------------------------------


def save(folder=None):
    """Makes a backup beside its name, checks it, gives it its name, and writes it down in the database."""
    database = Database()
    begun = time.monotonic()
    if not folder:
        folder = PROJECT / "backups" / time.strftime(f"{database.name}-%Y%m%dT%H%M%SZ", time.gmtime())
    folder = Path(os.path.abspath(folder))
    if folder.exists():
        raise Failure(f"{folder} is there already")
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        raise Failure(f"{part} is there: another backup is being made, or one was killed; then remove it")
    part.mkdir(mode=0o700, parents=True)
    try:
        tools = Tools(database, part, database.major)
        about = dump(database, tools)
        servers.write(part / ABOUT, json.dumps(about, indent=2) + "\n")
        size = seal(part)
        check(part, tools)
        part.rename(folder)
        synchronise(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    note(database, about, size, folder)
    print(f"{folder}: {size:,} bytes in {time.monotonic() - begun:.1f} s, of {about['started_at']}")


def dump(database, tools):
    """pg_dump of one moment: what it says of it in backup.json.

    A chunk that is dropped or compressed between pg_dump's first look and its lock would be missed, so a transaction of
    our own locks all tables before the moment. Who waits for a stronger lock meanwhile (retention, compression, a
    migration) is before pg_dump, and we are before him: all begins again when he had his turn. Further connections of
    pg_dump ask for locks all the time, so only the first try has them.
    """
    for count in [jobs()] + [1] * LOCK_TRIES:
        try:
            with locked_moment(database) as (snapshot, about):
                done = tools.run("pg_dump", "--format=directory", f"--file={tools.place}", f"--jobs={count}",
                                 "--compress=zstd:3", f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_STEP_MS}",
                                 "--no-password")
            if done.returncode == 0:
                if said(done):
                    say(f"pg_dump says:\n{said(done)}")
                return about
            if not any(words in done.stderr for words in LOCK_WORDS):
                raise Failure(f"pg_dump failed:\n{said(done)}")
        except psycopg2.errors.UndefinedTable:
            pass  # dropped after it was listed
        say("another session drops or changes tables: giving way, then once more")
        for file in tools.folder.iterdir():
            file.unlink()
        time.sleep(1)
    raise Failure("tables are locked and changed all the time; try again later")


@contextlib.contextmanager
def locked_moment(database):
    """A transaction that keeps all tables as they are: its snapshot, and what the database is at that moment."""
    tables = database.one("""
        SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) FROM pg_class c
          JOIN pg_namespace s ON s.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
           AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)""")
    if not tables or not database.has("public.schema_migration"):
        raise Failure(f"the database {database.name} has no schema of ours: nothing to back up")
    try:
        database.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        database.query(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        # With their chunks, which are their children. The snapshot is taken after it, by the first SELECT.
        database.query(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
        yield database.one("SELECT pg_export_snapshot()"), describe(database)
    except psycopg2.errors.LockNotAvailable:
        raise Failure(f"another session has locked a table for {LOCK_SECONDS} s; try again later")
    finally:
        database.query("ROLLBACK")


def describe(database):
    """What a restore must know before it begins."""
    now, version = database.query("SELECT now(), current_setting('server_version')")[0]
    roles = database.query("""
        SELECT DISTINCT pg_get_userbyid(refobjid) FROM pg_shdepend
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND refclassid = 'pg_authid'::regclass ORDER BY 1""")
    return {
        "started_at": now.isoformat(), "host": socket.gethostname(), "database": database.name, "postgresql": version,
        "extensions": dict(database.query("SELECT extname, extversion FROM pg_extension ORDER BY 1")),
        "compressed_chunks": database.one(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"),
        "roles": [role for role, in roles],
        "schema": database.one("SELECT max(version) FROM schema_migration"),
    }


def note(database, about, size, folder):
    """The row of table backup. A database of a release before it has none, and is backed up all the same."""
    if not database.has("public.backup"):
        say("the database has no table backup yet: not written down there")
        return
    database.query("""INSERT INTO public.backup (started_at, finished_at, kind, bytes, place)
                      VALUES (%s, clock_timestamp(), 'pg_dump', %s, %s)""",
                   about["started_at"], size, f"{socket.gethostname()}:{folder}")


# --- check -------------------------------------------------------------------------------------------------------


def seal(folder):
    """Writes SHA256SUMS; gives the size of all files."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    servers.write(folder / SUMS, "".join(f"{checksum(file)}  {file.name}\n" for file in files))
    for name in (ABOUT, SUMS):  # pg_dump does it for its own
        synchronise(folder / name)
    synchronise(folder)
    return sum(file.stat().st_size for file in folder.iterdir())


def checksum(file):
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def synchronise(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check(folder, tools=None):
    """Fails unless every file is there with its checksum and, with `tools`, can be read; gives backup.json."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        sums = dict(reversed(line.split("  ", 1)) for line in (folder / SUMS).read_text().splitlines())
    except (OSError, ValueError) as error:
        raise Failure(f"{folder} is no backup, or a damaged one: {error}")
    there = {file.name for file in folder.iterdir()} - {SUMS}
    if odd := ", ".join(sorted(there ^ set(sums))):
        raise Failure(f"{folder} is damaged: {odd} is missing or does not belong there")
    for name, sum in sums.items():
        if checksum(folder / name) != sum:
            raise Failure(f"{folder} is damaged: {name} has not the checksum that it had when it was made")
    if tools:
        check_contents(tools)
    return about


def check_contents(tools):
    """Fails unless what matters is there, and every file can be read and unpacked."""
    names = [entry(line) for line in tools.contents()]
    if not {("TABLE DATA", "public", name) for name in LAST} <= set(names):
        raise Failure(f"{tools.folder} is damaged: the table of contents lacks {' or '.join(LAST)}")
    tools.must("pg_restore", "--file=/dev/null", tools.place, connects=False)


def entry(line):
    """(kind, schema, name) of a line of the table of contents, as far as the kinds go that are asked for."""
    words = line.split(" ")
    if words[3:5] == ["TABLE", "DATA"]:
        return "TABLE DATA", words[5], words[6]
    return words[3], words[4], words[5] if len(words) > 5 else ""


# --- restore -----------------------------------------------------------------------------------------------------


def restore(folder):
    folder = Path(os.path.abspath(folder))
    begun = time.monotonic()
    about = check(folder)
    database = Database(superuser=True)
    tools = Tools(database, folder, database.major)
    if not database.one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        raise Failure(f"{database.connection.info.user} is no superuser, and only one can restore TimescaleDB's "
                      "catalog: set DATABASE_URL to one's")
    if not database.one("SELECT pg_try_advisory_lock(%s)", MIGRATION_LOCK):
        raise Failure(f"another session is creating or restoring the schema of {database.name}")
    require_empty(database)
    require_what_it_needs(database, about)
    try:
        load(database, tools)
    except BaseException:
        say(f"the database {database.name} is incomplete: drop it before you try again")
        raise
    database.query("ANALYZE")
    took = time.monotonic() - begun
    print(f"{database.name} is as of {about['started_at']}, in {took:.1f} s; ingesters go on from there:")
    for stream, offset in database.query("SELECT stream, committed_offset FROM public.ingest_partition ORDER BY 1"):
        print(f"  {stream} " + ("from its beginning" if offset is None else f"behind offset {offset:,}"))


def require_empty(database):
    others = database.query("""
        SELECT DISTINCT coalesce(nullif(application_name, ''), usename) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()""")
    if others:
        names = ", ".join(sorted(name for name, in others))
        raise Failure(f"{database.name} is in use by {names}; stop the services first")
    there = database.one("""
        SELECT string_agg(name, ', ' ORDER BY name) FROM (
            SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
             WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i', 'a'))
            UNION ALL
            SELECT p.oid::regproc::text || '()' FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
             WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
            LIMIT 3) t""")
    if there:
        raise Failure(f"the database {database.name} is not empty ({there} …): make a new one")


def made_by(about):
    """The major version of PostgreSQL that a backup is of; only its tools or newer ones read it."""
    return int(about["postgresql"].split(".")[0])


def require_what_it_needs(database, about):
    """A server that is not older, roles, extensions in their versions, and an edition that reads what is compressed."""
    if made_by(about) > database.major:
        raise Failure(f"the backup is of PostgreSQL {made_by(about)}, and the server is {database.major}: restore it "
                      f"on {made_by(about)} or newer")
    there = {role for role, in database.query("SELECT rolname FROM pg_roles")}
    if missing := [role for role in about["roles"] if role not in there]:
        raise Failure(f"what is in the backup belongs to roles that are not here; CREATE ROLE {missing[0]} LOGIN"
                      + "".join(f", {role}" for role in missing[1:]))
    available = {name for name, in database.query("SELECT name FROM pg_available_extensions")}
    if missing := [name for name in about["extensions"] if name not in available]:
        raise Failure(f"the backup needs extensions that this server does not have: {', '.join(missing)}")
    version = about["extensions"]["timescaledb"]
    if not database.query("SELECT 1 FROM pg_available_extension_versions WHERE name = 'timescaledb' AND version = %s",
                          version):
        raise Failure(f"the backup is of TimescaleDB {version}, which this server does not have")
    here = database.one("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    if not here:
        database.query("CREATE EXTENSION timescaledb VERSION %s", version)
    elif here != version:
        raise Failure(f"the backup is of TimescaleDB {version}, the database has {here}: make one from template0, and "
                      f"in it CREATE EXTENSION timescaledb VERSION '{version}', as the first command of a session")
    license = database.one("SHOW timescaledb.license")
    if about["compressed_chunks"] and license == "apache":
        raise Failure("the backup has compressed chunks, which TimescaleDB's Apache edition can't read: restore it on "
                      "the community edition")


def load(database, tools):
    """Definitions and TimescaleDB's catalog by one connection, all other rows and indexes by several, LAST last."""
    lines = tools.contents()
    catalog = [line for line in lines if entry(line)[:2] in {("TABLE DATA", schema) for schema in CATALOG}]
    last = [line for line in lines if entry(line) in {("TABLE DATA", "public", name) for name in LAST}]
    rest = [line for line in lines if line not in {*catalog, *last}]

    def pick(chosen, *words, **options):
        """pg_restore of these lines only."""
        return tools.must("pg_restore", "--exit-on-error", "--no-password", "--use-list=/dev/stdin", *words,
                          tools.place, input="\n".join(chosen) + "\n", **options)

    database.query("SELECT timescaledb_pre_restore()")
    pick(rest, "--section=pre-data")
    pick(catalog, "--section=data")
    pick(rest, "--section=data", "--section=post-data", f"--jobs={jobs()}")
    database.query("SELECT timescaledb_post_restore()")
    script = pick(last, "--section=data", "--file=-", connects=False).stdout
    tools.must("psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-",
               stdout=subprocess.DEVNULL, input=script + FENCE)


def interrupted(number, frame):
    raise KeyboardInterrupt


def main():
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if words else 64
    match words:
        case ["save"]: save()
        case ["save", folder]: save(folder)
        case ["check", folder]:
            about = check(Path(folder))
            check_contents(Tools(None, Path(folder), made_by(about)))
            print(f"{folder} is sound: {about['database']} of {about['host']} as of {about['started_at']}")
        case ["restore", folder]: restore(folder)
        case ["check" | "restore"]: raise Failure(f"{words[0]} what? Name the backup's folder, at make by FILE=…", 64)
        case _: raise Failure(f"not understood: {' '.join(words)} (see --help)", 64)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Failure as failure:
        print(f"scripts/backup: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except psycopg2.Error as error:
        print(f"scripts/backup: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        sys.exit(1)
