//! What the demonstration prints: curl lines that can be pasted as they are, and where the audit
//! stream is. It knows addresses and secrets, nothing of how they are served.

use std::io::{self, Write};
use std::net::SocketAddr;

use super::documents::{Documents, HOST};
use super::issuer::{Issuer, READER, WRITER};

/// The file that the audit file sink appends to.
const EVENTS_FILE: &str = "audit-events.jsonl";
/// The members of an event that are worth a glance, as a jq filter.
const EVENT_SUMMARY: &str =
    "[.metadata.correlation_uid, .http_response.code, .action, .status_detail, .actor.app_uid]";

/// Requests to try: what each shows, and the line that sends it.
const TRIES: [(&str, &str); 6] = [
    ("allowed: 200", r#"send "authorization: Bearer $READ" "$API/orders?limit=5""#),
    ("no token: 401", r#"send "accept: application/json" "$API/orders""#),
    (
        "wrong scope: 403",
        r#"send "authorization: Bearer $READ" "$API/orders" -H "$JSON" -d '{"item":"tea","quantity":1}'"#,
    ),
    (
        "an order with an apostrophe: 201",
        r#"send "authorization: Bearer $WRITE" "$API/orders" -H "$JSON" -d '{"item":"tea","quantity":1,"note":"for Mr O'\''Brien"}'"#,
    ),
    (
        "unknown field: 400",
        r#"send "authorization: Bearer $WRITE" "$API/orders" -H "$JSON" -d '{"item":"tea","quantity":1,"price":0}'"#,
    ),
    (
        "SQL injection: 403",
        r#"send "authorization: Bearer $WRITE" "$API/orders" -H "$JSON" -d '{"item":"tea","quantity":1,"note":"x'\'' OR '\''1'\''='\''1'\'' --"}'"#,
    ),
];

/// Where everything listens.
pub(super) struct Addresses {
    /// The gateway's public listener.
    pub(super) public: SocketAddr,
    /// Its status listener.
    pub(super) status: SocketAddr,
    /// Its identity listener.
    pub(super) identity: SocketAddr,
}

/// Prints everything needed to try the demonstration by hand.
pub(super) fn print(
    out: &mut impl Write,
    issuer: &Issuer,
    documents: &Documents,
    addresses: &Addresses,
) -> io::Result<()> {
    places(out, issuer, documents, addresses)?;
    let ca = documents.ca.display();
    let events = documents.events.display();
    writeln!(
        out,
        "\n# Paste this first: the address, a helper, two tokens (valid for 5 minutes)."
    )?;
    writeln!(out, "API=https://{HOST}:{}", addresses.public.port())?;
    writeln!(
        out,
        r#"send() {{ curl -sS -i --cacert {ca} -H "$@"; echo; }}; JSON="content-type: application/json""#
    )?;
    for (variable, id) in [("READ", READER), ("WRITE", WRITER)] {
        let secret = issuer.client(id).map_or("", |client| client.secret());
        let url = issuer.url();
        writeln!(
            out,
            r#"{variable}=$(curl -sS --cacert {ca} -u {id}:{secret} -d grant_type=client_credentials {url}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"#,
        )?;
    }
    for (what, line) in TRIES {
        writeln!(out, "\n# {what}\n{line}")?;
    }
    writeln!(out, "\n# flood: some 200, then 429")?;
    writeln!(
        out,
        r#"curl -sS -o /dev/null -w '%{{http_code}}\n' --cacert {ca} -H "authorization: Bearer $READ" "$API/orders?limit=[1-40]" | sort | uniq -c"#,
    )?;
    writeln!(out, "\n# the audit stream, one OCSF event per line")?;
    writeln!(out, "tail -n +1 -F {events}/{EVENTS_FILE} | jq -c '{EVENT_SUMMARY}'")?;
    writeln!(out, "\nPress Ctrl-C to end; everything is removed then.")?;
    out.flush()
}

fn places(
    out: &mut impl Write,
    issuer: &Issuer,
    documents: &Documents,
    addresses: &Addresses,
) -> io::Result<()> {
    let Addresses { public, status, identity } = addresses;
    writeln!(out, "gateway   https://{HOST}:{}", public.port())?;
    writeln!(out, "config    {}", documents.configuration.display())?;
    writeln!(out, "status    http://{status}/readyz and /metrics")?;
    writeln!(out, "identity  http://{identity}/.well-known/jwks.json")?;
    writeln!(out, "issuer    {}/.well-known/openid-configuration", issuer.url())?;
    writeln!(out, "\nClients, made for this run:")?;
    for client in issuer.clients() {
        writeln!(out, "  {:12} {}  ({})", client.id, client.secret(), client.scopes.join(" "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
