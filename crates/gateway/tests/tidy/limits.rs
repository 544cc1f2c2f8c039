//! The page of limits: its table is the one that the end-to-end tests hold, its defaults are the code's, its settings are in the
//! reference, and the files that it names exist.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{expect_none, root};

#[path = "../e2e/attacks/limits/table.rs"]
mod table;

use table::{Cell, LIMITS, class};

const PAGE: &str = "docs/limits.md";
const BEGIN: &str = "<!-- limits: begin -->\n";
const END: &str = "<!-- limits: end -->\n";
/// Streams that the HTTP/2 engine resets because of a client's errors, and frames without data of an HTTP/3 request.
const CONSTANTS: [(&str, &str); 2] = [
    ("const LOCAL_RESETS_MAX: usize = 64;", "crates/edge/src/h2.rs"),
    ("const BARREN_FRAMES_MAX: usize = 64;", "crates/edge/src/h3/frames.rs"),
];

/// The default of each limit, as the page shows it. A limit of the edge that has no line here does not compile.
fn defaults() -> BTreeMap<&'static str, String> {
    let edge::Limits {
        handshake_timeout,
        header_timeout,
        idle_timeout,
        // Of a drain, not of a client.
        linger: _,
        body_timeout,
        write_timeout,
        header_bytes_max,
        header_count_max,
        field_bytes_max,
        target_bytes_max,
        connections_max,
        address_connections_max,
        address_connections_rate: rate,
        streams_max,
        connection_requests_max,
        connection_age_max,
        body_pace_min: pace,
        floods,
    } = edge::Limits::default();
    let edge::Floods { resets, control, window_updates, continuations_max } = floods;
    let allowed = |of: edge::Allowance| format!("{}, and {} a second", of.burst, of.per_second);
    let broken = format!("64; HTTP/3: {}", allowed(resets));
    BTreeMap::from([
        ("path and query", kibibytes(target_bytes_max)),
        ("one field", kibibytes(field_bytes_max)),
        ("fields", header_count_max.to_string()),
        ("all fields", kibibytes(header_bytes_max)),
        ("all fields, by far", format!("{} more", kibibytes(target_bytes_max + 8 * 1024))),
        ("request body", kibibytes(validate::Limits::default().body_bytes_max)),
        ("connections in all", connections_max.to_string()),
        ("connections of an address", address_connections_max.to_string()),
        (
            "new connections of an address",
            format!("{}, and {} in {}", rate.burst, rate.count, seconds(rate.per)),
        ),
        ("requests at the same time", streams_max.to_string()),
        ("requests on a connection", connection_requests_max.to_string()),
        ("age of a connection", seconds(connection_age_max)),
        ("time of a handshake", seconds(handshake_timeout)),
        ("time of a head", seconds(header_timeout)),
        ("time between two pieces of a body", seconds(body_timeout)),
        ("pace of a body", format!("{} B/s", pace.bytes_per_second)),
        ("how far behind its pace a body may be", seconds(pace.grace)),
        ("time without a request", seconds(idle_timeout)),
        ("time to take a piece of an answer", seconds(write_timeout)),
        ("requests taken back", allowed(resets)),
        ("frames without work", allowed(control)),
        ("window updates", allowed(window_updates)),
        ("pieces of a head", continuations_max.to_string()),
        ("broken requests on a connection", broken),
        ("frames without data on a request", "64".to_owned()),
    ])
}

fn kibibytes(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// The table as the page has to show it.
fn rows() -> String {
    let defaults = defaults();
    let mut text = String::from(
        "| limit | default | setting | HTTP/1.1 | HTTP/2 | HTTP/3 |\n|---|---|---|---|---|---|\n",
    );
    for limit in &LIMITS {
        let key = if limit.key == "-" { "-".to_owned() } else { format!("`{}`", limit.key) };
        let [h1, h2, h3] = &limit.cells;
        let (name, default) = (limit.name, defaults.get(limit.name).expect(limit.name));
        text.push_str(&format!("| {name} | {default} | {key} | {h1} | {h2} | {h3} |\n"));
    }
    text
}

fn page() -> String {
    std::fs::read_to_string(root().join(PAGE)).expect(PAGE)
}

/// What is around the table.
fn around(page: &str) -> (&str, &str) {
    let (before, rest) = page.split_once(BEGIN).expect("the begin of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    (before, after)
}

#[test]
fn the_page_of_limits_shows_the_table() {
    let page = page();
    let shown = page.split(BEGIN).nth(1).and_then(|rest| rest.split(END).next());
    assert_eq!(shown, Some(&*rows()), "{PAGE}: run the ignored test `write_the_limits`");
    assert_eq!(defaults().len(), LIMITS.len(), "one default for each limit");
}

#[test]
#[ignore = "a tool: writes the table into the page"]
fn write_the_limits() {
    let page = page();
    let (before, after) = around(&page);
    let whole = format!("{before}{BEGIN}{}{END}{after}", rows());
    std::fs::write(root().join(PAGE), whole).expect("a page that can be written");
}

#[test]
fn settings_of_limits_are_in_the_reference() {
    let reference = root().join("docs/reference/configuration.md");
    let reference = std::fs::read_to_string(reference).expect("the reference");
    let mut missing = Vec::new();
    for limit in LIMITS.iter().filter(|limit| limit.key != "-") {
        let (section, name) = limit.key.rsplit_once('.').expect("a section and a name");
        let section = reference.split(&format!("## `{section}`\n")).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        if !section.contains(&format!("\n| `{name}` |")) {
            missing.push(limit.key.to_owned());
        }
    }
    expect_none("a setting that the page of limits names exists", &missing);
    for (constant, file) in CONSTANTS {
        let text = std::fs::read_to_string(root().join(file)).expect(file);
        assert!(text.contains(constant), "{file}: {constant}");
    }
}

/// Reasons that cut a connection because of a limit are in the table; each cell without one says why.
#[test]
fn reasons_of_limits_are_in_the_table() {
    use edge::FailureKind as Kind;
    let cuts = [
        Kind::ConnectionLimit,
        Kind::AddressConnections,
        Kind::AddressRate,
        Kind::HandshakeTimedOut,
        Kind::HeadTooLarge,
        Kind::HeadTimedOut,
        Kind::RequestLimit,
        Kind::ConnectionAge,
        Kind::ConnectionIdle,
        Kind::WriteTimedOut,
        Kind::StreamLimit,
        Kind::Http2ResetFlood,
        Kind::Http2ControlFlood,
        Kind::Http2WindowFlood,
        Kind::Http2ContinuationFlood,
        Kind::Http3ResetFlood,
        Kind::Http3ControlFlood,
    ];
    let cells: Vec<&Cell> = LIMITS.iter().flat_map(|limit| &limit.cells).collect();
    let shown = |kind: &Kind| {
        let is = |cell: &&Cell| matches!(cell, Cell::Is(_, reason) if class(reason) != 6003 && reason.ends_with(kind.reason()));
        cells.iter().copied().any(|cell| is(&cell))
    };
    let missing = cuts.iter().filter(|kind| !shown(kind)).map(|kind| format!("{kind:?}"));
    expect_none("a limit's reason is in the table", &missing.collect::<Vec<_>>());
    assert!(cells.iter().all(|cell| !matches!(cell, Cell::No(why) if why.is_empty())));
}

#[test]
fn files_of_the_layers_exist() {
    let page = page();
    let layers = page.split("## Which layer").nth(1).expect("the layers");
    let mut missing = Vec::new();
    for line in layers.lines().filter(|line| line.starts_with("| ")) {
        for (index, name) in line.split('`').enumerate().filter(|(index, _)| index % 2 == 1) {
            let is_gateway =
                line.split('`').take(index).last().unwrap_or_default().contains("gateway")
                    || name == "passage";
            let home = if is_gateway { "crates/gateway/src" } else { "crates/edge/src" };
            if !root().join(home).join(format!("{name}.rs")).exists() {
                missing.push(format!("{home}/{name}.rs"));
            }
        }
    }
    expect_none("a file that the page of limits names exists", &missing);
}
