"""Starts toolgate for a test and stops it again. Standard library only.

A `Gateway` owns a folder with the configuration, the policy files and the data, and keeps what the process said on stdout and
stderr in files there. Never reads the gateway's own counts: what a test asserts, it counts at the other end.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TOOLGATE", str(ROOT / "target" / "debug" / "toolgate"))
START_MAX_SECONDS = 60  # a debug binary on a loaded two-core machine; the wait ends with the first line that says it is up
STOP_MAX_SECONDS = 30


class Broken(Exception):
    """The gateway did not do what a test needs before it can begin."""


class Gateway:
    """One toolgate with its folder. `start` may be called again after `stop` or `kill`, with the same data."""

    def __init__(self, folder, config, policies):
        """folder: where everything goes. config: the TOML text. policies: file name to document."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "toolgate.toml"
        self.config.write_text(config)
        for name, document in policies.items():
            (self.folder / name).write_text(json.dumps(document, indent=2))
        self.log = self.folder / "stderr.log"
        self.process = None
        self.endpoints = {}
        self.admin = None

    def grant(self, name):
        """Mints a token for the grant `name` of the configuration."""
        return self.run("grant", "new", name, "--config", str(self.config)).strip()

    def run(self, *arguments):
        """Runs a subcommand to its end and returns its stdout."""
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=START_MAX_SECONDS, cwd=self.folder)
        if done.returncode != 0:
            raise Broken(f"toolgate {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def start(self):
        """Starts `toolgate serve` and returns once it has named every endpoint and the admin address."""
        self.endpoints, self.admin = {}, None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", str(self.config)], stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder
            )
        is_up = threading.Event()
        threading.Thread(target=self._listen, args=(self.process, is_up), daemon=True).start()
        if not is_up.wait(START_MAX_SECONDS) or self.admin is None:
            self.kill()
            raise Broken(f"toolgate serve did not come up; its log ends with:\n{self.log_tail()}")
        return self

    def _listen(self, process, is_up):
        with open(self.folder / "stdout.log", "a") as kept:
            for line in process.stdout:
                kept.write(line)
                kept.flush()
                word, _, address = line.strip().partition(": ")
                if word == "endpoint":
                    self.endpoints[urllib.parse.urlsplit(address).path.rstrip("/").rsplit("/", 1)[-1]] = address
                elif word == "admin":
                    self.admin = address
                    is_up.set()
        is_up.set()

    def stop(self):
        """SIGTERM, and waits for the drain to end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_MAX_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Broken(f"toolgate did not stop within {STOP_MAX_SECONDS} s of SIGTERM") from None
        return self.process.returncode if self.process else None

    def kill(self):
        """SIGKILL: no drain, no snapshot, nothing said."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def metrics(self):
        """The text of /metrics."""
        where = urllib.parse.urlsplit(self.admin)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise Broken(f"/metrics answered {answer.status}")
        return text

    def log_tail(self):
        """The end of what the gateway logged, for a failure message."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else "(no log)"


def address_of(listen):
    """The host:port of an endpoint, to start again where it was."""
    return urllib.parse.urlsplit(listen).netloc


@contextlib.contextmanager
def stopped_at_the_end(gateway):
    """Whatever happens inside, no gateway is left running."""
    try:
        yield gateway
    finally:
        gateway.kill()


def free_port():
    """A port that was free a moment ago, for programs that cannot say which one the system gave them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def files_that_contain(folder, needle):
    """The files under folder in which the bytes of needle occur."""
    return [str(file) for file in sorted(pathlib.Path(folder).rglob("*")) if file.is_file() and needle in file.read_bytes()]


class Report:
    """Collects what held and what did not, and closes with the plain line that every suite here ends with."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, sentence, holds, found=""):
        """One promise, by name. `found` says what was there instead."""
        if holds:
            self.passed += 1
            print(f"ok      {sentence}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {sentence}: {found}", flush=True)
        return holds

    def close(self):
        """Prints `N passed, N failed` and ends the process accordingly."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


TOKEN = re.compile(r"^tg_[A-Za-z0-9_-]{30,}$")
