#!/usr/bin/env python3
"""Stands between whoever starts it and a stdio MCP server, and writes down every line both ways.

    shim.py RECORD_FOLDER COMMAND [ARGUMENT…]

RECORD_FOLDER/to_server.jsonl holds what the server was sent, from_server.jsonl what it answered; both are appended to, so that
a restarted server goes on in the same record. A line is in the record before it is passed on.
Never changes a byte, never answers anything itself.
"""

import pathlib
import subprocess
import sys
import threading


def copy(source, sink, record):
    """Passes lines from source to sink until source ends; each is recorded first."""
    with open(record, "ab", buffering=0) as written:
        for line in iter(source.readline, b""):
            written.write(line)
            try:
                sink.write(line)
                sink.flush()
            except BrokenPipeError:
                return


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def to_server():
        copy(sys.stdin.buffer, server.stdin, folder / "to_server.jsonl")
        try:
            server.stdin.close()
        except BrokenPipeError:
            pass

    threading.Thread(target=to_server, daemon=True).start()
    copy(server.stdout, sys.stdout.buffer, folder / "from_server.jsonl")
    sys.exit(server.wait())


if __name__ == "__main__":
    main()
