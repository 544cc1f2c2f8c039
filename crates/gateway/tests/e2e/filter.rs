//! The attack filter through the binary: every class in every place of a request, each beside a near miss, and what happens
//! with what is found.

mod actions;

use bytes::Bytes;
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::attacks::recorder::{Arrived, Recorder};
use crate::client::{Answer, Client, Protocol};
use crate::issuer::Issuer;
use crate::site::{FILE_SINK, Gateway, Site, WIDE_LIMITS};

/// A gateway whose filter has these settings, in front of a service that writes down what arrives.
struct Filtered {
    site: Site,
    gateway: Gateway,
    recorder: Recorder,
    client: Client,
}

impl Filtered {
    fn new(filter: &str) -> Self {
        let site = Site::new();
        let document = include_str!("filter.openapi.yaml");
        std::fs::write(site.path("orders.openapi.yaml"), document).unwrap();
        Issuer::new(&site);
        let recorder = Recorder::start(Vec::new());
        let upstream = recorder.address;
        site.configure(&Issuer::configuration(), upstream, &format!("{WIDE_LIMITS}{FILE_SINK}"));
        site.amend(
            "    access:\n      - { operations: [deleteOrder], clients: [backoffice] }\n",
            &format!("    anonymous: [text, notes]\n    filter: {filter}\n"),
        );
        site.amend(&format!("https://{upstream}"), &format!("http://{upstream}"));
        site.amend(
            "    tls: { ca: ca.pem, certificate: { chain: client.pem, key: client.key }, name: orders.internal }\n",
            "    insecure_plaintext: true\n",
        );
        let gateway = site.start();
        let client = Client::new(&site.authority.ca_pem(), gateway.address);
        Self { site, gateway, recorder, client }
    }

    async fn send(&self, request: Request<Bytes>) -> (Answer, Option<Arrived>) {
        let answer = self.client.send(Protocol::H2, request).await;
        (answer, self.recorder.take().pop())
    }

    /// What the record says of a request: all of it, as text.
    fn told(&self, answer: &Answer) -> String {
        self.site.await_event_of(answer.transaction()).to_string()
    }
}

/// Where a text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Path,
    Query,
    QueryName,
    Header,
    Cookie,
    Form,
    Json,
    JsonName,
    Xml,
    XmlAttribute,
    Part,
    FileName,
    Plain,
}

const SPOTS: [Spot; 13] = [
    Spot::Path,
    Spot::Query,
    Spot::QueryName,
    Spot::Header,
    Spot::Cookie,
    Spot::Form,
    Spot::Json,
    Spot::JsonName,
    Spot::Xml,
    Spot::XmlAttribute,
    Spot::Part,
    Spot::FileName,
    Spot::Plain,
];

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn request(target: &str, kind: &str, body: String) -> Request<Bytes> {
    let mut builder = Request::builder().uri(target);
    if !kind.is_empty() {
        builder = builder.method("POST").header("content-type", kind);
    }
    builder.body(body.into()).unwrap()
}

/// The request that has a text in a spot.
fn with(spot: Spot, text: &str) -> Request<Bytes> {
    let head = |name: &str, value: &str| {
        let builder = Request::builder().uri("/texts/a").header(name, value);
        builder.body(Bytes::new()).unwrap()
    };
    let posted = |kind: &str, body: String| request("/notes", kind, body);
    let marked = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let marked = marked.replace('\n', "&#10;").replace('\r', "&#13;");
    let part = |head: &str, content: &str| {
        posted(
            "multipart/form-data; boundary=b",
            format!(
                "--b\r\ncontent-disposition: form-data; name={head}\r\n\r\n{content}\r\n--b--\r\n"
            ),
        )
    };
    match spot {
        Spot::Path => request(&format!("/texts/{}", escaped(text)), "", String::new()),
        Spot::Query => request(&format!("/texts/a?note={}", escaped(text)), "", String::new()),
        Spot::QueryName => {
            request(&format!("/texts/a?open%5B{}%5D=1", escaped(text)), "", String::new())
        }
        Spot::Header => head("x-note", text),
        // A semicolon ends a cookie, and quotes are refused: encoded, as clients that send any text do.
        Spot::Cookie => head("cookie", &format!("note={}", escaped(text))),
        Spot::Form => {
            posted("application/x-www-form-urlencoded", format!("note={}", escaped(text)))
        }
        Spot::Json => posted("application/json", serde_json::json!({ "note": text }).to_string()),
        Spot::JsonName => {
            posted("application/json", serde_json::json!({ "list": [{ text: 1 }] }).to_string())
        }
        Spot::Xml => posted("application/xml", format!("<order><note>{marked}</note></order>")),
        Spot::XmlAttribute => {
            posted("application/xml", format!("<order of=\"{marked}\"><note>a</note></order>"))
        }
        Spot::Part => part("note", text),
        Spot::FileName => {
            let head = format!("photo; filename=\"{text}\"\r\ncontent-type: image/png");
            part(&head, "")
        }
        Spot::Plain => posted("text/plain", text.to_owned()),
    }
}

/// One class: a text of it, one without separators for paths and file names, and a harmless neighbour.
struct Row {
    class: &'static str,
    attack: &'static str,
    short: &'static str,
    harmless: &'static str,
}

const fn row(
    class: &'static str,
    attack: &'static str,
    short: &'static str,
    harmless: &'static str,
) -> Row {
    Row { class, attack, short, harmless }
}

const ROWS: [Row; 17] = [
    row("sqli", "1' or '1'='1", "1' or '1'='1", "O'Brien or O'Neil"),
    row("xss", "<svg/onload=alert(7)>", "<svg onload=alert(7)>", "a < b, and on = off"),
    row("nosql", "' || this.a == this.b || 'a", "{$where: 1}", "a price in $"),
    row("traversal", "../../../../etc/passwd", ".env%00", "...and so on"),
    row("command", "x; cat /etc/hosts", "$(id)", "cats & dogs"),
    row("template", "{{7*7}}", "{{7*7}}", "{{name}}"),
    row("ldap", "*)(uid=*))(|(uid=*", "*)(uid=*))(|(uid=*", "call me (maybe)"),
    row("xpath", "' or count(/*)=1 or 'a'='b", "x' or name()='u' or 'x'='y", "count (of things)"),
    row("xxe", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///x\">]>", "<!ENTITY b 'c'>", "a <! b"),
    row("header", "x\r\nSet-Cookie: a=b", "x%0d%0aSet-Cookie: a=b", "no Set-Cookie"),
    row("ssrf", "http://127.0.0.1:6379/", "169.254.169.254", "169.254.1.1"),
    row("jndi", "${jndi:ldap://x/a}", "${jndi:dns}", "${price}"),
    row("shellshock", "() { :;}; id", "() { :}", "f() {}"),
    row("ssi", "<!--#exec cmd=\"id\" -->", "<!--#printenv -->", "#5 <-- this"),
    row("deserialisation", "O:8:\"stdClass\":1:{s:1:\"a\";i:1;}", "rO0ABXNyABFq", "rO0"),
    row("prototype", "__proto__[a]=1", "__proto__[a]=1", "the __proto__ property"),
    row("encoding", "%25252527", "%25252527", "100%"),
];

/// Who refuses a cell before the filter reads it, and why.
fn elsewhere(text: &str, spot: Spot) -> Option<&'static str> {
    let cells = [
        (Spot::Path, ['%', '%', '%'], "the edge: no escape behind an escape in a path"),
        (Spot::FileName, ['/', '\\', ':'], "the contract: no separator in a file name"),
        (Spot::QueryName, ['[', ']', ']'], "the contract: no bracket in the name of a member"),
    ];
    let found = cells.into_iter().find(|(own, signs, _)| *own == spot && text.contains(*signs));
    found.map(|(_, _, why)| why)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_refuses_every_class_in_every_place() {
    let filtered = Filtered::new("enforce");
    let mut wrong = Vec::new();
    for row in &ROWS {
        for spot in SPOTS {
            // A field of a head has no line ends, and names of files and segments of paths no separators.
            let plain = matches!(spot, Spot::Path | Spot::FileName)
                || spot == Spot::Header && row.class == "header";
            let attack = if plain { row.short } else { row.attack };
            let why = elsewhere(attack, spot);
            let status = if why.is_some() { 400 } else { 403 };
            let (answer, arrived) = filtered.send(with(spot, attack)).await;
            if answer.status != status || arrived.is_some() {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                wrong.push(format!("{} {spot:?}: not {status} ({why:?}): {body}", row.class));
            } else if status == 403 && !filtered.told(&answer).contains("filter.") {
                wrong.push(format!("{} {spot:?}: not recorded", row.class));
            }
            let (answer, arrived) = filtered.send(with(spot, row.harmless)).await;
            if answer.status != 200 || arrived.is_none() {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                wrong.push(format!("{} {spot:?} harmless: {} {body}", row.class, answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Operators are attacks as names, and harmless as values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_refuses_operators_as_names() {
    let filtered = Filtered::new("enforce");
    for name in ["$ne", "$where", "__proto__", "constructor[prototype]", "a.$gt"] {
        for spot in [Spot::QueryName, Spot::JsonName] {
            let (answer, arrived) = filtered.send(with(spot, name)).await;
            assert!(matches!(answer.status.as_u16(), 400 | 403), "{name} {spot:?}");
            assert!(arrived.is_none(), "{name} {spot:?}");
        }
    }
    for (name, spot) in [
        ("price$", Spot::QueryName),
        ("$ne", Spot::Json),
        ("$ne", Spot::Query),
        ("$ref", Spot::JsonName),
    ] {
        let (answer, _) = filtered.send(with(spot, name)).await;
        assert_eq!(answer.status, 200, "{name} {spot:?}");
    }
    // A member that is spelled with an escape is that member.
    let body = r#"{"list":[{"\u0024ne":1}]}"#.to_owned();
    let (answer, _) = filtered.send(request("/notes", "application/json", body)).await;
    assert_eq!(answer.status, 403);
    // What the schema lists needs no reading.
    let target = format!("/texts/a?kind={}", escaped("' or 1=1--"));
    let (answer, _) = filtered.send(request(&target, "", String::new())).await;
    assert_eq!(answer.status, 200);
}
