#!/usr/bin/env node
// A streamable HTTP server that is not ours (server-everything) behind toolgate, with the TypeScript SDK's client in front.
//
//     node everything.mjs             through toolgate
//     node everything.mjs --direct    the same expectations against the server itself
//
// Order is proved by cause, never by the clock: a request that the client sends because of a progress event is answered before
// the tool's result, so that event cannot have been kept back until the end.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const packages = process.env.TOOLGATE_NPM ?? join(root, "target", "npm");
const require = createRequire(join(packages, "package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { ListRootsRequestSchema, LoggingMessageNotificationSchema } = require("@modelcontextprotocol/sdk/types.js");

const binary = process.env.TOOLGATE ?? join(root, "target", "debug", "toolgate");
const isDirect = process.argv.includes("--direct");
const startMax = 60_000; // a debug build on a loaded two-core machine
const suiteMax = 180_000;
let passed = 0;
let failed = 0;

function check(sentence, holds, found = "") {
  if (holds) passed += 1;
  else failed += 1;
  console.log(holds ? `ok      ${sentence}` : `FAILED  ${sentence}: ${typeof found === "string" ? found : JSON.stringify(found)}`);
}

/** Resolves with the promise's value, or fails naming what was waited for. */
function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise that someone else settles. */
function awaited() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Open, but for limits that the server's own answers are counted by. */
const policy = {
  version: "1",
  default: "allow",
  tools: {
    echo: { limits: [{ counter: "echoes", window: "hour", max: 1000 }] },
    "get-sum": { limits: [{ counter: "sums", window: "hour", max: 2, refund_on: ["error_result", "rpc_error"] }] },
    "trigger-long-running-operation": { limits: [{ counter: "running", concurrent: 2 }] },
  },
};

const children = [];
function stopChildren() {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
}

/** The server on a port that was free a moment ago; tried again when somebody else was quicker. */
async function startServer() {
  const main = join(packages, "node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js");
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const port = await freePort();
    const child = spawn(process.execPath, [main, "streamableHttp"], {
      env: { ...process.env, PORT: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.push(child);
    const isUp = new Promise((resolve) => {
      createInterface({ input: child.stderr }).on("line", (line) => line.includes("listening on port") && resolve(true));
      child.on("exit", () => resolve(false));
    });
    if (await within(startMax, "server", isUp)) return `http://127.0.0.1:${port}/mcp`;
  }
  throw new Error("server-everything does not start");
}

/** toolgate in front of upstream; returns its endpoint and a token. */
async function startGateway(folder, upstream) {
  const config = join(folder, "toolgate.toml");
  writeFileSync(join(folder, "open.json"), JSON.stringify(policy));
  writeFileSync(
    config,
    `listen = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\ndata = "data"\n[servers.everything]\nurl = ${JSON.stringify(upstream)}\n` +
      `[policies]\nopen = "open.json"\n[grants.agent]\nquota = true\nservers = { everything = "open" }\n`,
  );
  const token = execFileSync(binary, ["grant", "new", "agent", "--config", config], { encoding: "utf8" }).trim();
  const log = openSync(join(folder, "stderr.log"), "a");
  const child = spawn(binary, ["serve", "--config", config], { stdio: ["ignore", "pipe", log] });
  children.push(child);
  const endpoint = awaited();
  const isUp = awaited();
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("endpoint: ")) endpoint.resolve(line.slice("endpoint: ".length).trim());
    if (line.startsWith("admin: ")) isUp.resolve();
  });
  child.on("exit", (code) => isUp.resolve(code));
  await within(startMax, "gateway", isUp.promise);
  if (child.exitCode !== null) throw new Error(`toolgate ended with ${child.exitCode}: ${readFileSync(join(folder, "stderr.log"))}`);
  return { url: await endpoint.promise, token };
}

/** fetch, with a watch on the standing GET stream and on what DELETE answers. */
function watchedFetch(watch) {
  return async (url, options) => {
    const response = await fetch(url, options);
    const method = options?.method ?? "GET";
    if (method === "DELETE") watch.deleteStatus = response.status;
    if (method !== "GET" || !response.ok || !response.body) return response;
    const [forClient, forUs] = response.body.tee();
    (async () => {
      const decoder = new TextDecoder();
      try {
        for await (const piece of forUs) watch.received(decoder.decode(piece, { stream: true }));
      } catch {
        // The client closed the stream, or the server reset it: ended either way.
      }
      watch.ended.resolve();
    })();
    watch.opened.resolve(response.headers.get("content-type"));
    return new Response(forClient, { status: response.status, headers: response.headers });
  };
}

/** Everything a GET stream has carried, and who waits for which words in it. */
function streamWatch() {
  let text = "";
  const waiting = [];
  return {
    opened: awaited(),
    ended: awaited(),
    deleteStatus: 0,
    received(piece) {
      text += piece;
      for (const one of waiting) if (text.includes(one.words)) one.resolve(true);
    },
    carries(words) {
      const one = { words, ...awaited() };
      waiting.push(one);
      this.received("");
      return one.promise;
    },
  };
}

async function listAndCall(client) {
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name);
  check("tools/list has the server's tools", names.includes("echo") && names.includes("trigger-long-running-operation"), names);
  const said = await client.callTool({ name: "echo", arguments: { message: "grüße ☃ \u2028 \"x\"" } });
  check("a call comes back with the server's words", said.content?.[0]?.text === "Echo: grüße ☃ \u2028 \"x\"", said);
  const unknown = await client.callTool({ name: "no-such-tool", arguments: {} }).then((r) => r, (error) => error);
  check("a tool that does not exist is an error, and the session goes on", unknown.isError || unknown instanceof Error, unknown);
}

async function progressWhileRunning(client) {
  const order = [];
  const errands = [];
  const result = await client.callTool(
    { name: "trigger-long-running-operation", arguments: { duration: 4, steps: 4 } },
    undefined,
    {
      onprogress: ({ progress }) => {
        order.push(`progress ${progress}`);
        const errand = client.callTool({ name: "echo", arguments: { message: `after ${progress}` } });
        errands.push(errand.then(() => order.push(`errand ${progress}`)));
      },
    },
  );
  order.push("result");
  await Promise.all(errands);
  const at = (what) => order.indexOf(what);
  check("the long tool ends with its result", result.content?.[0]?.text?.includes("completed"), result);
  check("every step is told, in order", [1, 2, 3].every((n) => at(`progress ${n}`) >= 0 && at(`progress ${n}`) < at(`progress ${n + 1}`)), order);
  check("progress comes before the result", at("progress 4") < at("result"), order);
  check("an errand run because of the first progress is back before the result", at("errand 1") >= 0 && at("errand 1") < at("result"), order);
  check("an errand run because of the first progress is back before the last progress", at("errand 1") < at("progress 4"), order);
}

/** What only a gateway does: counts that depend on how the server answered. */
async function limits(client) {
  const call = (name, args) => client.callTool({ name, arguments: args });
  const denial = (result) => result._meta?.["toolgate/denial"];
  const echo = await call("echo", { message: "x" });
  const quota = echo._meta?.["toolgate/quota"];
  check("a result says what is left", quota?.length === 1 && quota[0].limit === 1000 && quota[0].remaining < 1000 && quota[0].window === "hour", quota);
  const long = () => call("trigger-long-running-operation", { duration: 3, steps: 1 });
  const three = await Promise.all([long(), long(), long()]);
  const refused = three.filter(denial);
  check("of three at once, two run", refused.length === 1 && three.every((result) => denial(result) || !result.isError), three);
  const told = denial(refused[0]);
  check("the third is told the limit, and no time", told?.rule.endsWith("/limits/running") && told?.limit === 2 && !("retry_after_ms" in told), told);
  check("once they have ended there is room again", !(await long()).isError);
  const wrong = [await call("get-sum", { a: "x", b: 1 }).catch(Object), await call("get-sum", { a: "x", b: 2 }).catch(Object)];
  check("the server refuses what is no number", wrong.every((result) => (result.isError || result instanceof Error) && !denial(result)), wrong);
  const sums = [];
  for (let n = 0; n < 3; n += 1) sums.push(await call("get-sum", { a: n, b: 1 }));
  check("what the server refused was given back", sums.slice(0, 2).every((sum) => !sum.isError), sums);
  check("what it did was not", denial(sums[2])?.remaining === 0, sums[2]);
}

async function standingStream(client, watch, heard) {
  const type = await within(30_000, "GET stream", watch.opened.promise);
  check("the GET stream opens as an event stream", type?.startsWith("text/event-stream"), type);
  const roots = await client.callTool({ name: "get-roots-list", arguments: {} });
  check("a request of the server reaches the client, and its answer the server", JSON.stringify(roots).includes("file:///gate"), roots);
  check("that request came on the GET stream", await within(30_000, "roots/list on the GET stream", watch.carries("roots/list")));
  await client.setLoggingLevel("debug");
  const before = heard.count;
  const next = new Promise((resolve) => (heard.notify = () => heard.count > before && resolve(true)));
  await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
  check("a notification that no request asked for reaches the client", await within(30_000, "log message", next));
  check("it came on the GET stream", await within(30_000, "log message on the GET stream", watch.carries("notifications/message")));
}

async function end(transport, watch, url, headers) {
  const session = transport.sessionId;
  check("the server gave a session", typeof session === "string" && session.length > 8, session);
  await transport.terminateSession();
  check("DELETE is answered with success", watch.deleteStatus === 200 || watch.deleteStatus === 204, watch.deleteStatus);
  await within(30_000, "end of the GET stream", watch.ended.promise);
  check("the GET stream ends with its session", true);
  const after = await fetch(url, {
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": session,
      "mcp-protocol-version": "2025-11-25",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 99, method: "tools/list", params: {} }),
  });
  check("the session is gone afterwards", after.status === 404 || after.status === 400, after.status);
  await after.body?.cancel();
}

async function run(folder) {
  const upstream = await startServer();
  const { url, token } = isDirect ? { url: upstream, token: null } : await startGateway(folder, upstream);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (token) {
    const refused = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    check("without the bearer: 401 and WWW-Authenticate", refused.status === 401 && refused.headers.has("www-authenticate"), refused.status);
    await refused.body?.cancel();
  }
  const watch = streamWatch();
  const heard = { count: 0, notify: () => {} };
  const client = new Client({ name: "interop", version: "1" }, { capabilities: { roots: {} } });
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///gate", name: "gate" }] }));
  client.setNotificationHandler(LoggingMessageNotificationSchema, () => {
    heard.count += 1;
    heard.notify();
  });
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch: watchedFetch(watch) });
  await client.connect(transport);
  check("initialize names the server", client.getServerVersion()?.name === "mcp-servers/everything", client.getServerVersion());
  await listAndCall(client);
  await progressWhileRunning(client);
  if (token) await limits(client);
  await standingStream(client, watch, heard);
  await end(transport, watch, url, headers);
  await client.close();
}

const folder = mkdtempSync(join(tmpdir(), "toolgate-everything-"));
try {
  await within(suiteMax, "end of the suite", run(folder));
} catch (error) {
  check("the suite runs to its end", false, String(error?.stack ?? error));
  if (!isDirect) console.log(readFileSync(join(folder, "stderr.log"), { flag: "a+" }).toString().slice(-3000));
} finally {
  stopChildren();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
