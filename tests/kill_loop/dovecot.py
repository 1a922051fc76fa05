"""A Dovecot of our own, as an ordinary process, and its mailboxes as they are on the disk."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from .common import PASSWORD, Failure, digest

# `nobody`: whose mail it is where root starts Dovecot, which serves no mail of root's.
NOBODY = 65534


def command(name):
    """Where a command is that only root's PATH may lead to."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        sys.exit(f"error: there is no {name}; this needs Debian's package dovecot-imapd")
    return path


class Dovecot:
    """A Dovecot of our own; its mailboxes are Maildirs."""

    def __init__(self, directory):
        self.directory = directory
        self.program = command("dovecot")
        self.owner = (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        (directory / "mail").mkdir(parents=True)
        self.own(directory / "mail")
        self.start()

    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, *self.owner)

    def start(self):
        # Somebody else may take the port between the look at it and its use.
        for _ in range(5):
            self.port = free_port()
            (self.directory / "dovecot.conf").write_text(self.configuration())
            output = (self.directory / "output").open("wb")
            # It ends with this script, however that ends.
            self.process = subprocess.Popen(
                [command("setpriv"), "--pdeathsig", "TERM", self.program, "-F", "-c"]
                + [self.directory / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            while self.process.poll() is None:
                if self.greets():
                    return
                time.sleep(0.01)
        raise Failure(f"Dovecot does not start:\n{self.log()}")

    def greets(self):
        """Whether this Dovecot, and no other, answers at the port."""
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as stream:
                return self.directory.name.encode() in stream.makefile("rb").readline()
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def log(self):
        names = [self.directory / "output", self.directory / "log"]
        return "".join(name.read_text() for name in names if name.exists())[-5000:]

    def configuration(self):
        directory = self.directory
        internal, group, login = "dovecot", "dovecot", "dovenull"
        if os.geteuid() != 0:
            internal, group = (
                subprocess.check_output(["id", flag], text=True).strip() for flag in ("-un", "-gn")
            )
            login = internal
        uid, gid = self.owner
        common = f"""
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = imap
listen = 127.0.0.1
login_greeting = {directory.name}
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 200
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
first_valid_uid = 1
mail_max_userip_connections = 200
mail_fsync = never
ssl = no
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
        version = subprocess.check_output([self.program, "--version"], text=True)
        if version.startswith("2.3."):
            return f"""{common}
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%u
}}
"""
        return f"""dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
{common}
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
passdb static {{
  password = {PASSWORD}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {directory}/mail/%{{user}}
  }}
}}
"""


def free_port():
    """A port outside the range from which the kernel gives ports to those who ask for any."""
    start = os.getpid() % 1000 * 20
    for offset in range(20_000):
        port = 10_000 + (start + offset) % 20_000
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise Failure("no port is free")


class Mailbox:
    """A mailbox, as it is on the disk."""

    def __init__(self, dovecot, name):
        self.dovecot = dovecot
        self.user = f"{name}@example.org"
        self.maildir = dovecot.directory / "mail" / self.user / "Maildir"
        for path in [self.maildir.parent, self.maildir] + [
            self.maildir / sub for sub in ("cur", "new", "tmp")
        ]:
            path.mkdir()
            dovecot.own(path)
        self.delivered = 0
        self.known = {}

    def deliver(self, mails):
        """Puts mails into INBOX; Dovecot numbers them in the order of their names."""
        for mail in mails:
            name = f"{1_700_000_000 + self.delivered}.P1Q{self.delivered}.test.example"
            self.delivered += 1
            written = self.maildir / "tmp" / name
            written.write_bytes(mail)
            self.dovecot.own(written)
            written.rename(self.maildir / "new" / name)

    def folders(self):
        """For each folder its messages, as digests and flags. A message that is moved meanwhile may
        be in two of them, or, where its file is renamed, in none."""
        found = {}
        others = sorted(path.name[1:] for path in self.maildir.glob(".*/") if path.is_dir())
        for folder in ["INBOX", *others]:
            path = self.maildir if folder == "INBOX" else self.maildir / f".{folder}"
            found[folder] = messages = []
            for sub in ("new", "cur"):
                entries = os.scandir(path / sub) if (path / sub).exists() else []
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        flags = entry.name.partition(":2,")[2]
                        messages.append((self.digest(entry), flags))
        return found

    def digest(self, entry):
        stat = entry.stat()
        # A copy is a link to the same file.
        key = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if key not in self.known:
            self.known[key] = digest(pathlib.Path(entry.path).read_bytes())
        return self.known[key]
