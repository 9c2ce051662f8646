//! What `serve` prints once it is ready: the endpoints, and for the demo all that a first call needs.
//!
//! A token is printed here once and nowhere else.

use serde_json::json;

use super::serve::Running;
use crate::grants::Token;

/// Stands where a token would, once it is not known any more.
const UNKNOWN_TOKEN: &str = "tg_YOUR_GRANT_TOKEN";

/// Prints to standard output. `demo` is there for the demo only, and holds the token if it was made by this start.
pub(super) fn print(running: &Running<'_>, demo: Option<Option<Token>>) {
    for server in running.config.servers.keys() {
        println!("endpoint: http://{}/mcp/{server}", running.listen);
    }
    if let Some(token) = demo {
        print_demo(running, token.as_ref());
    } else {
        print_missing_grants(running);
    }
    println!("admin: http://{}", running.admin);
}

fn print_demo(running: &Running<'_>, token: Option<&Token>) {
    match token {
        Some(token) => println!("token: {}\n    shown once; it is not kept", token.reveal()),
        None => println!(
            "token: this folder's grant exists already, and its token was shown when it was made\n    `toolgate grant new` makes another"
        ),
    }
    let token = token.map_or(UNKNOWN_TOKEN, Token::reveal);
    let url = format!("http://{}/mcp/demo", running.listen);
    let client = json!({ "mcpServers": { "demo": {
        "type": "http", "url": url, "headers": { "Authorization": format!("Bearer {token}") },
    } } });
    println!("\nclient configuration:\n{client:#}\n");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "start_dicom_import_job", "arguments": { "datastore_id": "demo" },
    } });
    println!(
        "a call, of which ten a minute pass:\ncurl -s {url} -H 'Authorization: Bearer {token}' \
         -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{call}'\n"
    );
}

/// A grant of the configuration for which no token was ever made lets nobody in.
fn print_missing_grants(running: &Running<'_>) {
    let snapshot = running.shared.snapshot.load();
    for name in running
        .config
        .grants
        .keys()
        .filter(|name| !snapshot.grants.has(name))
    {
        eprintln!(
            "no token yet for grant {name:?}: make one with `toolgate grant new {name}` (with the same --config); it is in force at once"
        );
    }
}
