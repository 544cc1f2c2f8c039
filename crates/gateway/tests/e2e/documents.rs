//! Real documents of public APIs, as they were published: those that say what they mean load, and every operation of them is
//! found at its path; the others are refused with a reason. `scripts/parts/documents` says where they come from.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::parts::{INSTALL, accepts, cache, free_port};
use crate::site::{FILE_SINK, LIMIT, Site};

/// Documents that load, each with its operations at least.
const LOADED: &[(&str, usize)] = &[
    // 5.7 MB, and `/compare/{base}...{head}` among its paths.
    ("github.com/api.github.com.json", 845),
    ("kubernetes.io.json", 845),
    ("netbox.dev.json", 844),
    ("plaid.com.json", 200),
    ("slack.com.json", 174),
    ("asana.com.json", 167),
];
/// Documents that are refused, each with words of the reason.
const REFUSED: &[(&str, &str)] = &[
    // `#Action=...` tells operations of one path apart: a fragment never reaches a server.
    ("amazonaws.com/ec2.json", "a path starts with `/` and has no query"),
    // Inline alternatives beside a discriminator, which OpenAPI leaves without a meaning.
    ("mailchimp.com.json", "alternatives beside a discriminator"),
    ("atlassian.com/jira.json", "the schema of a form is an object"),
    // Lists of style `deepObject`, which OpenAPI defines for objects only.
    ("stripe.com.json", "style `deepObject` cannot be written here"),
    // A control character (U+0080) that YAML does not have.
    ("docusign.net.json", "unexpected character"),
];
/// Limits that a few thousand questions without a token do not reach.
const LIMITS: &str = "limits:
  wait: { queue: 1m }
  address: { rate: 100000/s, burst: 100000 }
  connections: { max_per_address: 10000, new_per_address: { rate: 10000/s, burst: 10000 } }
";

fn document(name: &str) -> Value {
    let path = cache().join("documents").join(name);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{} ({error}): {INSTALL}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Asks for one kind of credential everywhere, and has its paths at the root: what a document says of either is its
/// author's and no matter here.
fn demanding(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        let Some(map) = value.as_object_mut() else { return };
        map.remove("servers");
        map.remove("security");
    }
    strip(&mut document);
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        strip(item);
        item.as_object_mut().into_iter().flat_map(|item| item.values_mut()).for_each(strip);
    }
    document["security"] = json!([{ "own": [] }]);
    document["components"]["securitySchemes"] =
        json!({ "own": { "type": "http", "scheme": "bearer" } });
    document
}

/// A gateway that has these documents, each under a host of its own.
fn site(names: &[&str]) -> (Site, SocketAddr) {
    let site = Site::new();
    Issuer::new(&site);
    site.configure(&Issuer::configuration(), free_address(), &format!("{LIMITS}{FILE_SINK}"));
    let door = free_address();
    site.amend(
        "listeners:\n",
        &format!("listeners:\n  - {{ address: '{door}', insecure_plaintext: true }}\n"),
    );
    let mut apis = String::from("apis:\n");
    for (number, name) in names.iter().enumerate() {
        let file = format!("document-{number}.json");
        std::fs::write(site.path(&file), demanding(document(name)).to_string()).unwrap();
        apis += &format!(
            "  - {{ openapi: {file}, hosts: [{}], upstream: orders, audience: a }}\n",
            host(number)
        );
    }
    let text = std::fs::read_to_string(site.path("gateway.yaml")).unwrap();
    let (before, rest) = text.split_once("apis:\n").unwrap();
    let (_, after) = rest.split_once("upstreams:\n").unwrap();
    std::fs::write(site.path("gateway.yaml"), format!("{before}{apis}upstreams:\n{after}"))
        .unwrap();
    (site, door)
}

fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

fn host(number: usize) -> String {
    format!("document-{number}.example")
}

/// Method and path of every operation that the gateway serves, each parameter with some text in its place.
fn questions(document: &Value) -> BTreeSet<(String, String)> {
    let served = ["get", "put", "post", "delete", "options", "head", "patch"];
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let filled = path.split('{').enumerate().map(|(index, part)| match part.split_once('}') {
            Some((_, rest)) if index > 0 => format!("x{index}{rest}"),
            _ => part.to_owned(),
        });
        let path: String = filled.collect();
        let methods =
            item.as_object().unwrap().keys().filter(|name| served.contains(&name.as_str()));
        methods.map(move |method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    each.collect()
}

/// The status of a question without a token, over one connection that stays.
fn status(stream: &mut BufReader<TcpStream>, host: &str, method: &str, path: &str) -> u16 {
    let asked = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n");
    stream.get_mut().write_all(asked.as_bytes()).unwrap();
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "{method} {path}: it hung up");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if line.starts_with("http/1.1 ") {
            status = line.get(9..12).unwrap().parse().unwrap();
        }
        if let Some(said) = line.strip_prefix("content-length: ") {
            length = said.parse().unwrap();
        }
    }
    let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
    stream.read_exact(&mut body).unwrap();
    status
}

/// Every operation asks for a token at its own path, and nothing is found beside it.
#[test]
fn documents_of_public_apis_load_and_route() {
    let names: Vec<&str> = LOADED.iter().map(|(name, _)| *name).collect();
    let (site, door) = site(&names);
    let mut gateway = site.launch(&mut site.run());
    let status_door = gateway.status;
    // Three thousand contracts are compiled first.
    gateway.process.wait_until_ready(10 * LIMIT, || accepts(status_door) && accepts(door));
    for (number, (name, least)) in LOADED.iter().enumerate() {
        let stream = TcpStream::connect(door).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let (mut stream, host) = (BufReader::new(stream), host(number));
        let questions = questions(&document(name));
        assert!(questions.len() >= *least, "{name}: {} operations", questions.len());
        for (method, path) in &questions {
            assert_eq!(status(&mut stream, &host, method, path), 401, "{name}: {method} {path}");
        }
        assert_eq!(status(&mut stream, &host, "GET", "/no/such/path/at/all/x/y/z/0/1/2"), 404);
    }
}

/// What is not what it seems stops the start, and says why.
#[test]
fn documents_of_public_apis_that_contradict_themselves_are_refused() {
    for (name, reason) in REFUSED {
        let (site, _) = site(&[name]);
        let (good, said) = check(site.path("gateway.yaml"));
        assert!(
            !good && said.contains(reason),
            "{name}: {}",
            said.chars().take(2_000).collect::<String>()
        );
    }
}

fn check(path: PathBuf) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_gateway")).arg("check").arg(path).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
