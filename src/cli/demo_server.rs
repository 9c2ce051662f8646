//! The sample MCP server behind `serve --demo`: a handful of tools of each risk, over stdio.
//!
//! It never does what its tools say: every call is answered with a sentence. It is a server like any other to the
//! gateway, started as a child process and judged by the same policy.

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

/// Name, description, whether it only reads, and its one argument.
const TOOLS: &[(&str, &str, bool, &str)] = &[
    (
        "list_datastores",
        "List the medical imaging data stores of this account.",
        true,
        "status",
    ),
    (
        "get_import_job",
        "Get the state of one import job.",
        true,
        "job_id",
    ),
    (
        "create_datastore",
        "Create a data store.",
        false,
        "datastore_name",
    ),
    (
        "start_dicom_import_job",
        "Start importing DICOM files from a bucket into a data store.",
        false,
        "datastore_id",
    ),
    (
        "delete_datastore",
        "Delete a data store and everything in it.",
        false,
        "datastore_id",
    ),
    (
        "purchase_storage",
        "Buy more storage for a data store.",
        false,
        "datastore_id",
    ),
];

/// Answers requests line by line until standard input ends.
pub(super) fn run() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut jobs = 0;
    for line in io::stdin().lock().lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        if let Some(id) = message
            .get("id")
            .filter(|_| message.get("method").is_some())
        {
            let reply = match answer(&message, &mut jobs) {
                Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
            };
            writeln!(out, "{reply}")?;
            out.flush()?;
        }
    }
    Ok(())
}

fn answer(request: &Value, jobs: &mut u64) -> Result<Value, Value> {
    let params = &request["params"];
    match request["method"].as_str() {
        Some("initialize") => Ok(json!({
            "protocolVersion": params["protocolVersion"].as_str().unwrap_or("2025-06-18"),
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "toolgate-demo", "version": env!("CARGO_PKG_VERSION") },
        })),
        Some("ping") => Ok(json!({})),
        Some("tools/list") => {
            Ok(json!({ "tools": TOOLS.iter().map(definition).collect::<Vec<_>>() }))
        }
        Some("tools/call") => call(params["name"].as_str().unwrap_or_default(), jobs),
        _ => Err(json!({ "code": -32601, "message": "method not found" })),
    }
}

fn definition(&(name, description, is_read_only, argument): &(&str, &str, bool, &str)) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object", "properties": { argument: { "type": "string" } } },
        "annotations": { "readOnlyHint": is_read_only },
    })
}

fn call(name: &str, jobs: &mut u64) -> Result<Value, Value> {
    if !TOOLS.iter().any(|(tool, ..)| *tool == name) {
        return Err(json!({ "code": -32602, "message": "unknown tool" }));
    }
    *jobs += 1;
    let text = format!(
        "{name}: done (call {jobs} that reached the demo server; nothing was really changed)"
    );
    Ok(json!({ "content": [{ "type": "text", "text": text }] }))
}
