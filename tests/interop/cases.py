#!/usr/bin/env python3
"""Runs a corpus of raw HTTP/1 requests (kept outside this repository) against toolgate, and holds the result to a list.

    cases.py RUN_CASES [--only REGEX] [--write]

RUN_CASES is the corpus's own runner; it brings the recording upstream. cases-known.txt names the cases that do not pass yet, each
with its reason: a case that fails and is not named there fails the suite, and so does one that is named and passes.
`--write` prints lines to paste into that file for what is missing; the reason is for a person to write.
Never holds a case's text: ids and our own reasons only. Standard library only.
"""

import http.client
import http.server
import json
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from gateway import Gateway, Report, address_of, free_port, stopped_at_the_end  # noqa: E402

KNOWN = ROOT / "tests" / "interop" / "cases-known.txt"
RUN_MAX_SECONDS = 900
CASES_MIN = 150  # a runner that finds no cases must not pass for one that found no fault
UPSTREAM_SECRET = "upstream-secret-7d1f0c"
# The corpus's policy. What the language cannot say yet shows up as cases in cases-known.txt.
POLICY = {
    "version": "1",
    "default": "deny",
    "hide": ["secret_tool"],
    "methods": ["tools/call", "tools/list", "resources/list"],
    "tools": {
        "echo": {},
        "search": {"limits": [{"counter": "search_rate", "window": "minute", "max": 3, "scope": "grant"}]},
        "read_file": {
            "schema": {"properties": {"path": {}}, "additionalProperties": False},
            "require": [{"conditions": [{"path": "args.path", "op": "regex", "value": "^/data/[a-z0-9_./-]+$"}]}],
            "deny_if": [{"conditions": [{"path": "args.path", "op": "contains", "value": ".."}]}],
        },
        "transfer": {
            "schema": {"properties": {"amount": {"type": "integer"}}, "additionalProperties": False},
            "require": [
                {"conditions": [{"path": "args.amount", "op": "exists", "value": True}]},
                {"conditions": [{"path": "args.amount", "op": "gte", "value": 1}]},
                {"conditions": [{"path": "args.amount", "op": "lte", "value": 100}]},
            ]
        },
        "write_file": {"action": "require_approval"},
        "delete_all": {"action": "deny", "reason": "never"},
    },
}


def configuration(upstream):
    """Two servers behind the runner's one upstream, and a grant for each."""
    server = f'url = "http://127.0.0.1:{upstream}/mcp"\nheaders = {{ Authorization = "Bearer {UPSTREAM_SECRET}" }}'
    return f"""
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"
body_max_bytes = 4194304
[servers.alpha]
{server}
[servers.beta]
{server}
[policies]
p1 = "p1.json"
[grants.a]
servers = {{ alpha = "p1" }}
[grants.b]
servers = {{ beta = "p1" }}
[grants.gone]
servers = {{ alpha = "p1" }}
"""


class SessionServer(http.server.BaseHTTPRequestHandler):
    """Stands in for the upstream until the runner's own takes the port: answers initialize with a session."""

    session = secrets.token_hex(16)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        answer = json.dumps({"jsonrpc": "2.0", "id": body.get("id"), "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Mcp-Session-Id", self.session)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def session_of(address, token, upstream):
    """Opens a legacy session through the gateway, so that there is one that belongs to grant A; its id as the agent sees it."""
    server = http.server.HTTPServer(("127.0.0.1", upstream), SessionServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        connection = http.client.HTTPConnection(address, timeout=30)
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "cases", "version": "1"}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        connection.request("POST", "/mcp/alpha", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("Mcp-Session-Id")
    finally:
        server.shutdown()
        server.server_close()


def revoked(gateway):
    """A token that was good once."""
    token = gateway.grant("gone")
    listed = [line for line in gateway.run("grant", "list", "--config", str(gateway.config)).splitlines() if "gone" in line]
    ids = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}|\bgr?_\w+", listed[0]) if listed else []
    gateway.run("grant", "revoke", ids[0] if ids else listed[0].split()[0], "--config", str(gateway.config))
    return token


def substitutions(gateway, upstream, report):
    """What the runner puts in the place of its {{…}}."""
    a, b, gone = gateway.grant("a"), gateway.grant("b"), revoked(gateway)
    gateway.start()
    address = address_of(gateway.endpoints["alpha"])
    session = session_of(address, a, upstream)
    report.check("a legacy session opens through the gateway", session, session)
    return {
        "{{PATH}}": "/mcp/alpha",
        "{{TOKEN_A}}": a,
        "{{TOKEN_B}}": b,
        "{{TOKEN_REVOKED}}": gone,
        "{{TOKEN_EXPIRED}}": "tg_" + secrets.token_hex(24)[: len(a) - 3],
        "{{TOKEN_A_PREFIX12}}": a[:12],
        "{{SESSION_A}}": session or SessionServer.session,
        "{{UPSTREAM_SECRET}}": UPSTREAM_SECRET,
        "codes": {"POLICY_DENIED": -31001, "RATE_LIMITED": -31002, "APPROVAL_REQUIRED": -31003},
        "is_error_text": r"\[POLICY|approv",
    }


def known_cases():
    """Case id to reason."""
    known = {}
    for line in KNOWN.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            case, _, reason = line.partition(" ")
            known[case] = reason.strip()
    return known


def judge(report, output, is_partial):
    """Holds what the runner printed to the list."""
    failing = dict(re.findall(r"^FAIL (\S+) (.*)$", output, re.M))
    totals = re.search(r"^(\d+) passed, (\d+) failed$", output, re.M)
    if not report.check("the runner ran to its end", totals, output[-2000:]):
        return failing
    known = known_cases()
    count = int(totals[1]) + int(totals[2])
    report.check("it found its cases", is_partial or count >= CASES_MIN, count)
    report.passed += int(totals[1])
    for case, why in failing.items():
        if case in known:
            print(f"known   {case}: {known[case]}")
        else:
            report.check(f"case {case}", False, why)
    for case, reason in known.items():
        if not is_partial:
            report.check(f"listed case {case} does not pass yet", case in failing, "it passes: take it out of cases-known.txt")
        report.check(f"listed case {case} has a reason", len(reason) > 10, reason)
    return failing


def main():
    runner = pathlib.Path(sys.argv[1]).resolve()
    options = ["--only", sys.argv[sys.argv.index("--only") + 1]] if "--only" in sys.argv else []
    report, upstream = Report(), free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        gateway = Gateway(folder / "gateway", configuration(upstream), {"p1.json": POLICY})
        with stopped_at_the_end(gateway):
            chosen = folder / "subst.json"
            chosen.write_text(json.dumps(substitutions(gateway, upstream, report)))
            port = address_of(gateway.endpoints["alpha"]).rsplit(":", 1)[1]
            command = [sys.executable, str(runner), port, str(upstream), "--config", str(chosen), *options]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=RUN_MAX_SECONDS)
            output = done.stdout + done.stderr
            report.check("the gateway is still up", gateway.process.poll() is None, gateway.log_tail())
        failing = judge(report, output, is_partial=bool(options))
    if "--write" in sys.argv:
        for case in sorted(set(failing) - set(known_cases())):
            print(f"{case} TODO: {failing[case].rpartition(' | ')[2]}")
    report.close()


if __name__ == "__main__":
    main()
