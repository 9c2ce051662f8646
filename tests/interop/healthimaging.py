#!/usr/bin/env python3
"""A server that is not ours (awslabs.healthimaging-mcp-server, over stdio) behind toolgate, with the Python MCP client in front.

    healthimaging.py              over streamable HTTP in both eras, then through `toolgate wrap` in both
    healthimaging.py --direct     the same calls without toolgate: shows what is the server's own

What reached the server is counted in the record of shim.py, which stands between toolgate and the server; never by our own
metrics. Without AWS credentials the tool answers an error *result*: it did run, so it counts.
"""

import asyncio
import json
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from gateway import BINARY, TOKEN, Gateway, Report, files_that_contain, stopped_at_the_end  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: E402
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client  # noqa: E402

SHIM = str(ROOT / "tests" / "interop" / "shim.py")
SERVER = str(pathlib.Path(sys.executable).parent / "awslabs.healthimaging-mcp-server")
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}  # the client's mode, and the revision it must end up speaking
TOOL = "start_dicom_import_job"
LIMIT, CALLS = 10, 12
POLICY = {
    "version": "1",
    "default": "deny",
    "tools": {TOOL: {"limits": [{"counter": f"{TOOL}_rate", "window": "minute", "max": LIMIT, "scope": "grant"}]}},
}
ARGUMENTS = {
    "datastore_id": "0123456789abcdef0123456789abcdef",
    "data_access_role_arn": "arn:aws:iam::123456789012:role/import",
    "input_s3_uri": "s3://in/study/",
    "output_s3_uri": "s3://out/study/",
}


def aws_environment(folder):
    """A region and no credentials from anywhere."""
    config = folder / "aws.ini"
    config.write_text("[default]\nregion = us-east-1\n")
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
    }


def server_command(folder):
    """The server behind its recording shim."""
    return [sys.executable, SHIM, str(folder / "record"), SERVER]


def lines(folder, name):
    """The recorded messages of one direction."""
    file = folder / "record" / name
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def calls_that_reached_the_server(folder):
    """Names of the tools whose tools/call lines the shim saw on their way in."""
    return [m["params"]["name"] for m in lines(folder, "to_server.jsonl") if m.get("method") == "tools/call"]


def text_of(result):
    """What a model would read."""
    return "".join(part.text for part in result.content if part.type == "text")


async def session(transport, mode):
    """Twelve calls at once (the server takes a second for each), then whether the session still works, then the tool that nobody may use."""
    seen = {}
    async with Client(transport, mode=mode, read_timeout_seconds=60) as client:
        seen["protocol"] = client.session.protocol_version
        seen["listed"] = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
        began = time.monotonic()
        seen["results"] = await asyncio.gather(*(client.call_tool(TOOL, ARGUMENTS) for _ in range(CALLS)))
        seen["took"] = time.monotonic() - began
        seen["listed_after"] = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
        seen["other"] = await client.call_tool("list_datastores", {})
    return seen


def judge(report, way, era, session_and_folder):
    """What must hold whichever way the calls came."""
    (seen, folder), name = session_and_folder, f"{way} {era}"
    texts = [text_of(result) for result in seen["results"]]
    denied = [text for text in texts if text.startswith("[POLICY DENIED]")]
    reached = calls_that_reached_the_server(folder)
    say = lambda sentence, holds, found: report.check(f"{name}: {sentence}", holds, found)  # noqa: E731
    say(f"the revision is {ERAS[era]}, as without toolgate", seen["protocol"] == ERAS[era], seen["protocol"])
    say("the calls were within one window", seen["took"] < 60, f"took {seen['took']:.0f} s")
    say("exactly 10 of 12 calls reach the server", reached.count(TOOL) == LIMIT, f"{reached.count(TOOL)} reached it")
    say("no other tool was called on the server", set(reached) <= {TOOL}, sorted(set(reached)))
    say("the client sees ten answers of the server's own", sum("POLICY" not in text for text in texts) == LIMIT, texts)
    say("the client sees two policy denials", len(denied) == CALLS - LIMIT, texts)
    say("a denial is a tool result marked as an error", all(r.is_error for r in seen["results"]), seen["results"])
    say("a denial names the limit", all("10" in t and "minute" in t and TOOL in t for t in denied) and denied, denied)
    say("the list shows exactly the one tool", seen["listed"] == [TOOL], seen["listed"])
    say("the session goes on working after the denials", seen["listed_after"] == [TOOL], seen["listed_after"])
    other = text_of(seen["other"])
    is_refused = seen["other"].is_error and other.startswith("[POLICY DENIED]") and "list_datastores is not available" in other
    say("an unlisted tool is refused as not available", is_refused, other)


def over_http(report, era):
    """toolgate serve, stdio upstream, streamable HTTP in front; a fresh data folder."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        command, *arguments = server_command(folder)
        config = f"""
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data = "data"
[servers.health]
command = {json.dumps(command)}
args = {json.dumps(arguments)}
env = {{ {", ".join(f"{key} = {json.dumps(value)}" for key, value in aws_environment(folder).items())} }}
[policies]
start = "start.json"
[grants.agent]
servers = {{ health = "start" }}
"""
        gateway = Gateway(folder / "gateway", config, {"start.json": POLICY})
        token = gateway.grant("agent")
        report.check(f"http {era}: grant new prints a token and nothing else", TOKEN.match(token), f"{len(token)} characters")
        with stopped_at_the_end(gateway.start()):
            try:
                http = create_mcp_http_client(headers={"Authorization": f"Bearer {token}"})
                seen = asyncio.run(session(streamable_http_client(gateway.endpoints["health"], http_client=http), era))
                judge(report, "http", era, (seen, folder))
                metrics = gateway.metrics()
            finally:
                code = gateway.stop()
        report.check(f"http {era}: SIGTERM ends it cleanly", code == 0, f"exit {code}\n{gateway.log_tail()}")
        secret = token.removeprefix("tg_").encode()
        found = files_that_contain(folder, secret) + (["/metrics"] if secret.decode() in metrics else [])
        report.check(f"http {era}: the token is in no record, journal, store, log or metric", not found, found)
        places = [folder / "record" / "to_server.jsonl", gateway.folder / "data", gateway.log]
        filled = [place for place in places if place.is_dir() and any(place.iterdir()) or place.is_file() and place.stat().st_size]
        report.check(f"http {era}: there was a record, data and a log to look in", filled == places and metrics, filled)


def over_wrap(report, era):
    """toolgate wrap between the client's own stdio transport and the server."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        (folder / "start.json").write_text(json.dumps(POLICY))
        arguments = ["wrap", "--policy", str(folder / "start.json"), "--data", str(folder / "data"), "--", *server_command(folder)]
        started = StdioServerParameters(command=BINARY, args=arguments, env=aws_environment(folder), cwd=str(folder))
        with open(folder / "stderr.log", "w") as log:
            try:
                seen = asyncio.run(session(stdio_client(started, errlog=log), era))
            except Exception as error:
                report.check(f"wrap {era}: a session", False, f"{error!r}\n{(folder / 'stderr.log').read_text()[-3000:]}")
                return
        judge(report, "wrap", era, (seen, folder))


def directly(report, era):
    """No toolgate: all twelve arrive, all tools are listed, and each answers an error result of the server's own."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        command, *arguments = server_command(folder)
        started = StdioServerParameters(command=command, args=arguments, env=aws_environment(folder), cwd=str(folder))
        with open(folder / "stderr.log", "w") as log:
            seen = asyncio.run(session(stdio_client(started, errlog=log), era))
        reached = calls_that_reached_the_server(folder)
        own = [text_of(result) for result in seen["results"]]
        report.check(f"direct {era}: the revision is {ERAS[era]}", seen["protocol"] == ERAS[era], seen["protocol"])
        report.check(f"direct {era}: all 12 reach the server", reached.count(TOOL) == CALLS, reached)
        report.check(f"direct {era}: each is an error result", all(r.is_error for r in seen["results"]), own)
        report.check(f"direct {era}: none speaks of a policy", not any("POLICY" in text for text in own), own)
        report.check(f"direct {era}: list_datastores is there", "list_datastores" in seen["listed"], seen["listed"])


def main():
    report = Report()
    for era in ERAS:
        if "--direct" in sys.argv:
            directly(report, era)
        else:
            over_http(report, era)
            over_wrap(report, era)
    report.close()


if __name__ == "__main__":
    main()
