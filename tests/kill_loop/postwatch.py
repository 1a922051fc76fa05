"""The program: its passes, its rows, and what it says a mail is."""

import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess

from .common import LARGEST, PASSWORD, Failure, check, digest

KINDS = ["records", "aggregate", "complaints", "failure-reports", "tls", "bounces"]


class Postwatch:
    """The program with a mailbox and a database of its own."""

    def __init__(self, program, directory, mailbox, after):
        self.program = program
        self.directory = directory
        self.mailbox = mailbox
        directory.mkdir()
        # Whether there is a database.
        self.begun = False
        password = directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        self.config = directory / "postwatch.toml"
        # Where nothing is named, unreadable mail stays where it is.
        unreadable = 'unreadable_to = "Unreadable"' if after == "move" else ""
        self.config.write_text(
            f"""database = "{directory}/postwatch.db"
[own]
domains = ["example.org"]
[limits]
message = "{LARGEST >> 20}MiB"
[[imap]]
name = "reports"
host = "127.0.0.1"
port = {mailbox.dovecot.port}
security = "none"
username = "{mailbox.user}"
password_file = "{password}"
after = "{after}"
move_to = "Processed"
{unreadable}
"""
        )
        self.config.chmod(0o600)

    def command(self, *arguments):
        return [self.program, "--config", self.config, *arguments]

    def environment(self):
        return {key: value for key, value in os.environ.items() if "POSTWATCH" not in key}

    def run(self, *arguments, codes=(0,)):
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            cwd=self.directory,
            env=self.environment(),
            check=False,
        )
        said = done.stderr.decode(errors="replace")[-3000:]
        name = " ".join(map(str, arguments[:2]))
        check(
            done.returncode in codes and "panicked" not in said and "Traceback" not in said,
            f"`{name}` ended with {done.returncode}:\n{said}",
        )
        return done

    def poll(self):
        """One undisturbed pass; what it counted."""
        said = self.run("poll", "--format", "json", codes=(0, 1)).stdout
        check(said.count(b"\n") == 1, f"`poll --format json` printed {said[:1000]}")
        return json.loads(said)

    def poll_and_kill(self, delay):
        """True where the pass was not over by then."""
        with (self.directory / "output").open("wb") as output:
            process = subprocess.Popen(
                self.command("poll"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=self.environment(),
            )
            try:
                code = process.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        said = (self.directory / "output").read_text(errors="replace")[-3000:]
        check(code in (0, 1, -signal.SIGKILL), f"`poll` ended with {code}:\n{said}")
        return code == -signal.SIGKILL

    def export(self, kind):
        # Killed while it made the database: there is none that can be read yet.
        codes = (0,) if self.begun else (0, 5)
        done = self.run("export", kind, "--format", "json", "--foreign", codes=codes)
        self.begun |= done.returncode == 0
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stored(self):
        """What tells the reports in the database from one another."""
        found = set()
        for kind, key in [
            ("aggregate", key_of_aggregate),
            ("complaints", key_of_feedback),
            ("failure-reports", key_of_feedback),
            ("tls", key_of_tls),
        ]:
            found.update(key(row) for row in self.export(kind))
        for row in self.export("bounces"):
            found.add(key_of_bounce(row, row["recipient"]))
        return found

    def rows(self):
        """All that is stored, without where and when it was stored, in a fixed order."""
        rows = {kind: [plain(row) for row in self.export(kind)] for kind in KINDS}
        listed = json.loads(self.run("quarantine", "list", "--format", "json").stdout)["rows"]
        rows["quarantine"] = []
        for entry in listed:
            raw = self.run("quarantine", "show", str(entry["id"])).stdout
            rows["quarantine"].append(plain(entry | {"raw": digest(raw)}))
        for kind in rows:
            rows[kind] = sorted(json.dumps(row, sort_keys=True) for row in rows[kind])
        return rows


def plain(row):
    """A row without its number and the time of storing it. UIDVALIDITY is the mailbox's."""
    row = {key: value for key, value in row.items() if key not in ("id", "stored")}
    if "time" in row and row.get("arrival_date") is None:
        del row["time"]
    place, _, uid = row["origin"].rsplit("/", 2)
    return row | {"origin": f"{place}/{uid}"}


def key_of_aggregate(row):
    return ("aggregate", row["org_name"], row["report_id"], row["domain"], row["begin"])


def key_of_feedback(row):
    original = row.get("original") or {}
    message = row.get("original_message_id") or original.get("message_id")
    return ("feedback", row["source_ip"], row["arrival_date"], message)


def key_of_tls(row):
    return ("tls", row["organization_name"], row["report_id"], row["begin"])


def key_of_bounce(row, recipient):
    return ("bounce", row["reporting_mta"], row["arrival_date"], recipient)


class Expected:
    """What each mail is, by its digest, as `parse` says."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory
        self.kinds = {}
        self.keys = {}

    def learn(self, mails):
        new = {digest(mail): mail for mail in mails if digest(mail) not in self.kinds}
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        for name, mail in new.items():
            (self.directory / f"{name}.eml").write_bytes(mail)
        items = collections.defaultdict(list)
        parse = [self.program, "parse", self.directory]
        for line in subprocess.run(parse, capture_output=True, check=True).stdout.splitlines():
            item = json.loads(line)
            items[pathlib.Path(item["origin"]).stem].append(item)
        for name, mail in new.items():
            kinds = {item["kind"] for item in items[name]}
            check(kinds, "`parse` says nothing of a mail")
            if len(mail) > LARGEST:
                self.kinds[name] = "oversized"
            elif "quarantined" in kinds:
                self.kinds[name] = "unreadable"
            elif kinds == {"ignored"}:
                self.kinds[name] = "ignored"
            else:
                self.kinds[name] = "read"
            self.keys[name] = {key for item in items[name] for key in keys_of(item)}

    def folder(self, name, after):
        """Where a message belongs in the end; None: it is deleted."""
        kind = self.kinds[name]
        if kind in ("ignored", "oversized") or (kind == "unreadable" and after == "delete"):
            return "INBOX"
        if kind == "unreadable":
            return "Unreadable"
        return "Processed" if after == "move" else None


def keys_of(item):
    if item["kind"] == "aggregate":
        return [key_of_aggregate(item)]
    if item["kind"] in ("complaint", "failure"):
        return [key_of_feedback(item)]
    if item["kind"] == "tls":
        return [key_of_tls(item)]
    if item["kind"] == "bounce":
        return [key_of_bounce(item, one["recipient"]) for one in item["recipients"]]
    return []


def compare(kind, ours, theirs):
    ours, theirs = collections.Counter(ours), collections.Counter(theirs)
    if ours == theirs:
        return
    lines = [f"{kind}: the rows differ from those of one undisturbed pass"]
    for sign, rows in (("+", ours - theirs), ("-", theirs - ours)):
        lines.append(f"{sign} {sum(rows.values())} rows")
        lines += [f"{sign} {row[:1500]}" for row in list(rows)[:5]]
    raise Failure("\n".join(lines))
