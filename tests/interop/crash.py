#!/usr/bin/env python3
"""A limit is a hard cap: under 64 threads on two workers, and across a kill -9.

    crash.py    TOOLGATE_STEADY=3 TOOLGATE_CRASHES=5

Steady: 64 threads with 50 calls each at one limit of 100: exactly 100 reach the upstream. Crashes: the gateway is killed while
calls are under way and started again with the same data and ports. In every other round that is at a call of the upstream's, of
which some are held; in those between at random moments, twice, at a limit of 600. Before and after together never more than the
limit reach the upstream, the journal has admitted exactly the limit, and after each start exactly what it has left is admitted.
A call that was admitted but whose outcome nobody knows keeps its charge. The last round is one with `durability = "fsync"`.
The upstream is our own and counts; the gateway's metrics are not asked. Standard library only.
"""

import http.client
import http.server
import json
import os
import pathlib
import random
import socket
import socketserver
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from gateway import Gateway, Report, address_of, files_that_contain, stopped_at_the_end  # noqa: E402

THREADS, LIMIT = 64, 100
CALLS_A_THREAD = 50  # many times the limit, and about a second
STEADY = int(os.environ.get("TOOLGATE_STEADY", "3"))
CRASHES = int(os.environ.get("TOOLGATE_CRASHES", "5"))
LIMIT_OF_RANDOM = 600  # so much that a kill at a random moment mostly comes before it is used up
KILLS = 2
KILL_MAX_SECONDS = 0.25  # in which a debug gateway and this client get through a third to a half of that limit
HOLD_MAX_SECONDS = 60  # a held reply is let go by the kill; this only bounds a broken run



def policy(limit):
    limits = [{"counter": "work_rate", "window": "hour", "max": limit}]
    return {"version": "1", "default": "deny", "tools": {"work": {"limits": limits}}}


class Upstream(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Counts the tools/call requests it receives. From the `hold_from`th on it keeps its replies back until `let_go`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.lock = threading.Lock()
        self.received = 0
        self.leaks = 0  # requests in which anything that looks like a grant token occurs
        self.hold_from = None
        self.kill_at = None
        self.reached = threading.Event()
        self.let_go = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A connection that a killed gateway left behind is what this test is about."""

    def arrived(self):
        """One more call; returns whether its reply is to wait."""
        with self.lock:
            self.received += 1
            if self.kill_at is not None and self.received >= self.kill_at:
                self.reached.set()
            return self.hold_from is not None and self.received >= self.hold_from


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request as JSON, ids as they came."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if b"tg_" in text or "tg_" in str(self.headers):
            self.server.leaks += 1
        body = json.loads(text)
        if body.get("method") == "tools/call" and self.server.arrived():
            self.server.let_go.wait(HOLD_MAX_SECONDS)
        if body.get("method") == "tools/list":
            result = {"tools": [{"name": "work", "inputSchema": {"type": "object"}}]}
        else:
            result = {"content": [{"type": "text", "text": "done"}]}
        answer = json.dumps({"jsonrpc": "2.0", "id": body.get("id"), "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def hammer(address, token, calls_a_thread):
    """THREADS threads call through the gateway; returns how many were (done, denied, broken off)."""
    tally = {"done": 0, "denied": 0, "broken": 0}
    lock = threading.Lock()
    start = threading.Barrier(THREADS)

    def agent():
        mine = {"done": 0, "denied": 0, "broken": 0}
        start.wait()
        connection = http.client.HTTPConnection(address, timeout=HOLD_MAX_SECONDS)
        for _ in range(calls_a_thread):
            try:
                mine[call(connection, token)] += 1
            except (OSError, http.client.HTTPException):
                mine["broken"] += 1
                break
        connection.close()
        with lock:
            for word, count in mine.items():
                tally[word] += count

    threads = [threading.Thread(target=agent) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads, tally


def call(connection, token):
    """One tools/call: "done" or "denied"."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{}}}'
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-06-18",
    }
    if connection.sock is None:
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.request("POST", "/mcp/work", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"{answer.status} {text[:300]!r}")
    result = json.loads(text)["result"]
    return "denied" if result.get("isError") else "done"


def configuration(upstream, listen, admin, durability):
    return f"""
listen = "{listen}"
admin = "{admin}"
data = "data"
workers = 2
durability = "{durability}"
[servers.work]
url = "http://127.0.0.1:{upstream.server_address[1]}/mcp"
[policies]
hard = "hard.json"
[grants.agent]
servers = {{ work = "hard" }}
"""


def begun(folder, upstream, limit=LIMIT, durability="write"):
    """A gateway with a fresh data folder, and its token."""
    config = configuration(upstream, "127.0.0.1:0", "127.0.0.1:0", durability)
    gateway = Gateway(folder, config, {"hard.json": policy(limit)})
    return gateway, gateway.grant("agent")


def back_where_it_was(gateway, upstream, address, durability="write"):
    """Starts a killed gateway at the address it had; returns whether it is there."""
    gateway.config.write_text(configuration(upstream, address, address_of(gateway.admin), durability))
    gateway.start()
    return address_of(gateway.endpoints["work"]) == address


def journal(gateway):
    """The journal's lines, oldest first. The last line of a file may be torn by a kill; no other may."""
    found = []
    for file in sorted((gateway.folder / "data").rglob("*.jsonl")):
        lines = file.read_bytes().split(b"\n")
        found += [json.loads(line) for line in lines[:-1]]
    return found


def admitted(gateway):
    """How many calls the journal says took from the limit, less those that were given back."""
    lines = journal(gateway)
    taken = sum(1 for line in lines if line["kind"] == "decision" and line["decision"] == "allow")
    given_back = sum(1 for line in lines if line["kind"] == "outcome" and line["refunded"])
    return taken - given_back


def without_a_crash(report, number):
    """Exactly the limit, whatever the concurrency."""
    with tempfile.TemporaryDirectory() as folder:
        upstream = Upstream()
        gateway, token = begun(folder, upstream)
        with stopped_at_the_end(gateway.start()):
            threads, tally = hammer(address_of(gateway.endpoints["work"]), token, CALLS_A_THREAD)
            for thread in threads:
                thread.join()
        upstream.shutdown()
        calls = THREADS * CALLS_A_THREAD
        name = f"steady {number}"
        report.check(f"{name}: exactly {LIMIT} of {calls} calls reach the upstream", upstream.received == LIMIT, upstream.received)
        report.check(f"{name}: every other call is denied, none broken", tally == {"done": LIMIT, "denied": calls - LIMIT, "broken": 0}, tally)
        report.check(f"{name}: the journal admitted {LIMIT}", admitted(gateway) == LIMIT, admitted(gateway))
        report.check(f"{name}: no upstream request carries the grant token", upstream.leaks == 0, f"{upstream.leaks} do")
        found = files_that_contain(folder, token.removeprefix("tg_").encode())
        report.check(f"{name}: no file that the gateway wrote carries it", not found, found)


def with_a_crash(report, number):
    """Killed with calls under way, started again, hammered on: still exactly the limit."""
    with tempfile.TemporaryDirectory() as folder:
        upstream = Upstream()
        upstream.kill_at = random.randrange(10, LIMIT - THREADS)  # so that the window is never used up before the kill
        upstream.hold_from = upstream.kill_at - random.randrange(0, 8)
        name = f"crash {number} (at call {upstream.kill_at}, replies held from {upstream.hold_from})"
        gateway, token = begun(folder, upstream)
        with stopped_at_the_end(gateway.start()):
            address = address_of(gateway.endpoints["work"])
            threads, tally = hammer(address, token, CALLS_A_THREAD)
            was_reached = upstream.reached.wait(HOLD_MAX_SECONDS)
            gateway.kill()
            upstream.let_go.set()
            for thread in threads:
                thread.join()
            spent = admitted(gateway)
            report.check(f"{name}: it was killed with calls under way", was_reached and tally["broken"] > 0, tally)
            is_back = back_where_it_was(gateway, upstream, address)
            report.check(f"{name}: it comes back where it was", is_back, gateway.endpoints)
            threads, tally = hammer(address, token, CALLS_A_THREAD)
            for thread in threads:
                thread.join()
        upstream.shutdown()
        # Each thread had at most one call under way; what was admitted but not yet sent is lost to the upstream, and stays charged.
        report.check(f"{name}: never more than {LIMIT} reach the upstream", upstream.received <= LIMIT, upstream.received)
        report.check(f"{name}: only calls under way are missing", upstream.received >= LIMIT - THREADS, upstream.received)
        report.check(f"{name}: the journal admitted exactly {LIMIT}", admitted(gateway) == LIMIT, admitted(gateway))
        report.check(f"{name}: after the restart none is broken", tally["broken"] == 0, tally)
        report.check(f"{name}: after the restart exactly what was left is admitted", tally["done"] == LIMIT - spent, (tally, spent))


def at_random_moments(report, number, durability="write"):
    """Killed at random moments under load, again and again: each start goes on with exactly what was left."""
    with tempfile.TemporaryDirectory() as folder:
        upstream = Upstream()
        gateway, token = begun(folder, upstream, LIMIT_OF_RANDOM, durability)
        with stopped_at_the_end(gateway.start()):
            address = address_of(gateway.endpoints["work"])
            moments = [random.uniform(0, KILL_MAX_SECONDS) for _ in range(KILLS)]
            told = ", ".join(f"{moment * 1000:.0f}" for moment in moments)
            name = f"random {number} ({durability}, after {told} ms)"
            before, killed = 0, []
            for moment in moments:
                threads, tally = hammer(address, token, CALLS_A_THREAD)
                time.sleep(moment)  # not for anything to happen: the moment is what is random
                gateway.kill()
                for thread in threads:
                    thread.join()
                spent = admitted(gateway)
                killed.append((before, tally["done"], spent))
                before = spent
                report.check(f"{name}: it was killed with calls under way", tally["broken"] > 0, tally)
                is_back = back_where_it_was(gateway, upstream, address, durability)
                report.check(f"{name}: it comes back where it was", is_back, gateway.endpoints)
            threads, tally = hammer(address, token, CALLS_A_THREAD)
            for thread in threads:
                thread.join()
        upstream.shutdown()
        # A call that was answered was admitted by a journal that has it; of those that were not, each thread had one.
        has_all = all(was + done <= now <= was + done + THREADS for was, done, now in killed)
        report.check(f"{name}: the journal has what was answered and at most what was under way", has_all, killed)
        report.check(f"{name}: never more than {LIMIT_OF_RANDOM} reach the upstream", upstream.received <= LIMIT_OF_RANDOM, upstream.received)
        missing = LIMIT_OF_RANDOM - upstream.received
        report.check(f"{name}: only calls under way are missing", missing <= KILLS * THREADS, missing)
        left = LIMIT_OF_RANDOM - before
        report.check(f"{name}: the last start admits exactly what was left", tally["done"] == left, (tally, left))
        report.check(f"{name}: none is broken then", tally["broken"] == 0, tally)
        report.check(f"{name}: the journal admitted exactly {LIMIT_OF_RANDOM}", admitted(gateway) == LIMIT_OF_RANDOM, admitted(gateway))


def main():
    report = Report()
    for number in range(1, STEADY + 1):
        without_a_crash(report, number)
    for number in range(1, CRASHES + 1):
        if number == CRASHES:
            at_random_moments(report, number, "fsync")
        elif number % 2:
            at_random_moments(report, number)
        else:
            with_a_crash(report, number)
    report.close()


if __name__ == "__main__":
    main()
