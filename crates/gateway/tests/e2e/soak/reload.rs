//! Two hundred reloads under load: good ones, bad ones, ones that open connections and keys anew. No request fails but by a
//! policy's own word, and nothing of an old policy stays behind.

use std::fs;

use crate::client::{Client, PROTOCOLS, Protocol};
use crate::parts::process::wait_until;
use crate::site::{Gateway, LIMIT, Site};

use super::crowd::{Ask, Crowd, Tokens};
use super::{Dice, Stand, Witness, account};

const RELOADS: usize = 200;
/// The most whole answers between two reloads.
const ANSWERS_MAX: usize = 20;
/// After so many the process has seen every kind of policy and is as large as it has to be.
const WARM: usize = 10;
/// Operations added to the document, so that a policy that stays behind weighs something.
const OPERATIONS: usize = 60;
/// What may be added to the resident memory between the tenth reload and the last. One policy of this document weighs about
/// one MiB (18 KiB an operation), and half of the reloads bring one: some ninety MiB if they stayed. The rest is
/// what allocators and connections need; less than one MiB was measured.
const GROWTH_KIB_MAX: u64 = 12 << 10;
/// What may be added to the open descriptors: each client and each connection to a service may be between two of them.
/// A descriptor that stays per reload is a hundred and ninety.
const DESCRIPTORS_MAX: usize = 24;

/// What a reload finds in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As at the start.
    Wide,
    /// Nobody gets in.
    Narrow,
    /// Everything as at the start, but each engine has other settings or stands elsewhere in the file.
    Anew,
    /// A name that does not exist.
    Unknown,
    /// No YAML.
    Garbage,
    /// Good, but asks for a restart.
    Restart,
}

const KINDS: [Kind; 6] =
    [Kind::Wide, Kind::Narrow, Kind::Anew, Kind::Unknown, Kind::Garbage, Kind::Restart];

impl Kind {
    fn text(self, wide: &str) -> String {
        match self {
            Self::Wide => wide.to_owned(),
            Self::Narrow => {
                wide.replace("    access:\n", "    access:\n      - { clients: [nobody] }\n")
            }
            Self::Anew => wide
                .replace("version: 1\n", "# Everything is a line lower.\nversion: 1\n")
                .replace("timeout: 1s }", "timeout: 999ms }")
                .replace("response: 1m }", "response: 2m }"),
            Self::Unknown => wide.replace("version: 1\n", "version: 1\nunknown: 1\n"),
            Self::Garbage => wide.replace("apis:", "apis: ["),
            Self::Restart => wide.replace("version: 1\n", "version: 1\nworkers: 7\n"),
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Wide | Self::Narrow | Self::Anew)
    }
}

/// A document with many more operations, each with a schema of its own.
fn grow_document(site: &Site) {
    let path = site.path("orders.openapi.yaml");
    let text = fs::read_to_string(&path).expect("a document");
    let mut more = String::new();
    for number in 0..OPERATIONS {
        more.push_str(&format!(
            r#"  /more{number}/{{id}}:
    parameters:
      - {{ name: id, in: path, required: true, schema: {{ type: string, pattern: "^[a-z0-9-]{{1,36}}$" }} }}
    put:
      operationId: more{number}
      security: [{{ oauth: [write:orders] }}]
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                name{number}: {{ type: string, pattern: "^[A-Za-z]{{1,{length}}}$" }}
                list: {{ type: array, items: {{ type: integer, minimum: {number} }} }}
      responses: {{ "200": {{ description: Put }} }}
"#,
            length = number + 8,
        ));
    }
    fs::write(&path, text.replace("components:\n", &format!("{more}components:\n"))).expect("it");
}

/// Resident memory in KiB, and open descriptors.
fn size(gateway: &Gateway) -> (u64, usize) {
    let process = format!("/proc/{}", gateway.process.id());
    let status = fs::read_to_string(format!("{process}/status")).expect("the state of the process");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|text| text.trim().strip_suffix(" kB")).expect("VmRSS in kB");
    let descriptors = fs::read_dir(format!("{process}/fd")).expect("descriptors").count();
    (resident.trim().parse().expect("a number"), descriptors)
}

/// Puts a policy into the file and waits until the gateway has looked at it.
fn reload(stand: &Stand, gateway: &Gateway, text: &str) {
    let looked = || gateway.metric(&["sallyport_reloads"]);
    let before = looked();
    fs::write(stand.site.path("gateway.yaml"), text).expect("a configuration");
    gateway.process.signal("HUP");
    wait_until("the reload", LIMIT, || looked() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn soak_reload_under_load() {
    let mut dice = Dice::new();
    let stand = Stand::new();
    let _witness = Witness::new(&dice, &stand);
    grow_document(&stand.site);
    let wide = fs::read_to_string(stand.site.path("gateway.yaml")).expect("a configuration");
    let tokens = stand.tokens().await;
    let gateway = stand.site.start();
    gateway.await_all_up();
    let probe = Client::new(&stand.site.authority.ca_pem(), gateway.address);
    let quiet = size(&gateway);
    let crowd = Crowd::begin(&stand.site, &gateway, &tokens);
    let (mut good, mut expected, mut warm) = (0, 200, (0, 0));
    for round in 1..=RELOADS {
        let kind = if round <= KINDS.len() { KINDS[round - 1] } else { dice.one_of(&KINDS) };
        reload(&stand, &gateway, &kind.text(&wide));
        if kind.is_good() {
            good += 1;
            expected = if kind == Kind::Narrow { 403 } else { 200 };
        }
        let protocol = dice.one_of(&PROTOCOLS);
        let status = word(&probe, protocol, &tokens).await;
        assert_eq!(status, expected, "round {round}, {kind:?}: its word on {protocol:?}");
        assert_eq!(gateway.metric(&["sallyport_reloads_total"]), f64::from(good), "{kind:?}");
        crowd.await_answers(dice.one_of(&PROTOCOLS), 1 + dice.below(ANSWERS_MAX));
        if round == WARM {
            warm = size(&gateway);
        }
    }
    let end = size(&gateway);
    let told = crowd.end().await;
    // Who has left holds nothing any more: what may be open are connections to services.
    wait_until("connections are where they were", LIMIT, || {
        size(&gateway).1 <= quiet.1 + DESCRIPTORS_MAX
    });
    let left = size(&gateway);
    let refused = f64::from(u32::try_from(RELOADS).expect("few") - good);
    assert_eq!(gateway.metric(&["sallyport_reloads_refused_total"]), refused);
    stand.finish(gateway);
    for told in &told {
        let (_, status) = told.answer.as_ref().unwrap_or_else(|e| panic!("{e}: {told:?}"));
        // `Narrow` shuts out whoever has a good token.
        let narrow = *status == 403 && !matches!(told.ask, Ask::NoToken | Ask::NoSuchPath);
        assert!(told.ask.is_usual(*status) || narrow, "{told:?}");
    }
    account::settle(&stand, &told, true);
    let sizes = format!(
        "after {WARM}: {warm:?}, after {RELOADS}: {end:?}, nobody there before: {quiet:?}, after: {left:?} (KiB, descriptors)"
    );
    super::report(&format!("{} asked; {sizes}", told.len()));
    assert!(end.0 <= warm.0 + GROWTH_KIB_MAX, "memory grew: {sizes}");
    assert!(end.1 <= warm.1 + DESCRIPTORS_MAX, "descriptors stay open: {sizes}");
}

/// What the policy in force says to somebody with a good token.
async fn word(client: &Client, protocol: Protocol, tokens: &Tokens) -> u16 {
    client.send(protocol, Ask::Read.request(tokens)).await.status.as_u16()
}
