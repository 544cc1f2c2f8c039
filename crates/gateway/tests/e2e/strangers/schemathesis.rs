//! schemathesis drives a gateway in front of the document that both have: no failure of the server, nothing that breaks the
//! document is taken, nothing that fits it is refused, and what arrived at the service fits it by other libraries.
//!
//! The filter is off: texts drawn at random may look like attacks, and a contract that refuses too much would hide behind
//! it. NUL is not drawn: the contract refuses it in every text. TRACE is not asked: it is refused as no method, with 400.

use std::process::Command;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::attacks::recorder::{Arrived, Recorder};
use crate::issuer::Issuer;
use crate::parts::{INSTALL, cache};
use crate::site::{FILE_SINK, Site, WIDE_LIMITS};

const DOCUMENT: &str = include_str!("schemathesis.openapi.yaml");
/// What a run must find fault with.
const CHECKS: &str =
    "not_a_server_error,negative_data_rejection,positive_data_acceptance,missing_required_header";
/// Requests that a run sends at least: fewer would mean that it has not begun.
const LEAST: usize = 100;

/// Runs it for so many drawn requests an operation, beside those that it derives from the document.
pub(crate) fn run(examples: usize, seed: u64) {
    let site = Site::new();
    std::fs::write(site.path("orders.openapi.yaml"), DOCUMENT).unwrap();
    Issuer::new(&site);
    let recorder = Recorder::start(Vec::new());
    let upstream = recorder.address;
    site.configure(&Issuer::configuration(), upstream, &format!("{WIDE_LIMITS}{FILE_SINK}"));
    let document: Value = serde_saphyr::from_str(DOCUMENT).unwrap();
    let names = operations(&document).map(|(_, _, operation)| text(operation, "operationId"));
    site.amend(
        "    access:\n      - { operations: [deleteOrder], clients: [backoffice] }\n",
        &format!("    filter: off\n    anonymous: [{}]\n", names.collect::<Vec<_>>().join(", ")),
    );
    site.amend(&format!("https://{upstream}"), &format!("http://{upstream}"));
    site.amend(
        "    tls: { ca: ca.pem, certificate: { chain: client.pem, key: client.key }, name: orders.internal }\n",
        "    insecure_plaintext: true\n",
    );
    let gateway = site.start();
    let (passed, said) = ask(&site, gateway.address.port(), examples, seed);
    let arrived = recorder.take();
    for one in &arrived {
        assert_declared(&document, one);
    }
    assert!(passed, "seed {seed}: {said}");
    assert!(arrived.len() > LEAST, "seed {seed}: only {} requests arrived: {said}", arrived.len());
    let broken = gateway.metric(&["sallyport_requests_total", "status=\"5"]);
    assert_eq!(broken, 0.0, "seed {seed}: {said}");
}

fn ask(site: &Site, port: u16, examples: usize, seed: u64) -> (bool, String) {
    let program = cache().join("schemathesis/bin/schemathesis");
    let mut command = Command::new(&program);
    command.arg("run").arg(site.path("orders.openapi.yaml"));
    command.args(["--url", &format!("https://localhost:{port}"), "--tls-verify"]);
    command.arg(site.path("ca.pem")).args(["--checks", CHECKS]);
    command.args(["--phases", "examples,coverage,fuzzing"]);
    command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()]);
    command.args(["--generation-database", "none", "--generation-allow-x00", "false"]);
    command.args(["--continue-on-failure", "--suppress-health-check", "all", "--no-color"]);
    // A busy machine may let a request wait: that is no finding.
    command.args(["--request-timeout", "90"]).current_dir(site.folder.path());
    let output = command.output().unwrap_or_else(|e| panic!("no schemathesis ({e}): {INSTALL}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Every operation: its path, its method, itself.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

/// What arrived is declared: by path, method, names of the query and of the fields, and the values of a JSON body.
fn assert_declared(document: &Value, arrived: &Arrived) {
    let line = arrived.line();
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_same = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template
                .split('/')
                .zip(path.split('/'))
                .all(|(wanted, own)| wanted == own || wanted.starts_with('{') && !own.is_empty())
    };
    let found = operations(document)
        .find(|(template, own, _)| own.eq_ignore_ascii_case(method) && is_same(template));
    let (template, _, operation) = found.unwrap_or_else(|| panic!("undeclared: {arrived:?}"));
    let shared = document["paths"][template]["parameters"].as_array();
    let own = operation["parameters"].as_array();
    let parameters: Vec<&Value> = shared.into_iter().chain(own).flatten().collect();
    let declared = |location: &str, name: &str| {
        parameters
            .iter()
            .any(|one| one["in"] == location && text(one, "name").eq_ignore_ascii_case(name))
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = percent_decode_str(pair.split('=').next().unwrap()).decode_utf8().unwrap();
        let name = name.split('[').next().unwrap();
        assert!(declared("query", name), "undeclared {name}: {arrived:?}");
    }
    let fields = arrived.head.lines().skip(1).filter(|line| !line.is_empty());
    for name in fields.filter_map(|line| line.split(':').next()) {
        let known = FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name));
        assert!(known || declared("header", name), "undeclared {name}: {arrived:?}");
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !schema.is_null() {
        let body: Value = serde_json::from_slice(&arrived.body).unwrap();
        // References of the document are resolved within it.
        let mut whole = document.clone();
        whole["allOf"] = Value::Array(vec![schema.clone()]);
        let validator = jsonschema::draft202012::new(&whole).unwrap();
        assert!(validator.is_valid(&body), "no such body: {arrived:?}");
    }
}

/// Fields that every request may have inside, whatever it declares; a cookie is among them where one is declared.
const FIELDS: [&str; 14] = [
    "accept",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "traceparent",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-gateway-assertion",
    "x-request-id",
];

#[test]
fn schemathesis_finds_no_fault() {
    run(8, 1);
}

/// So long, with another seed each time.
pub(crate) fn campaign(first: u64, length: Duration) {
    let began = Instant::now();
    let mut seed = first;
    while began.elapsed() < length {
        run(120, seed);
        seed += 1;
    }
}
