//! Limits of what one request is: its target, its fields, its body.

use super::{Sent, TAIL, hold};
use crate::attacks::Stage;
use crate::client::PROTOCOLS;

pub(super) const NAMES: [&str; 6] =
    ["path and query", "one field", "fields", "all fields", "all fields, by far", "request body"];

/// Small heads; what is near a limit of them is far from every other.
const LIMITS: &str = "  head: { target: 1KiB, field: 2KiB, fields: 20, size: 8KiB }\n";
/// Bytes of a request body where no passage is declared (`validate::Limits`).
const BODY_BYTES: usize = 1024 * 1024;

fn repeated<'a>(name: &'a str, value: &'a str, count: usize) -> Vec<(&'a str, &'a str)> {
    std::iter::repeat_n((name, value), count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_heads_and_bodies() {
    let stage = Stage::limited(Vec::new(), LIMITS);
    let (long, fits) =
        (format!("{TAIL}?{}", "q".repeat(1024)), format!("{TAIL}?{}", "q".repeat(900)));
    // What is called `x-a` counts, and on HTTP/1.1 `host` and `connection` as well.
    let (wide, slim) = ("v".repeat(2048), "v".repeat(2000));
    let kilobyte = "v".repeat(1024);
    let length = (BODY_BYTES + 1).to_string();
    let with = |fields: Vec<(_, _)>| Sent { fields, ..Sent::get(TAIL) };
    for protocol in PROTOCOLS {
        let rows = [
            (NAMES[0], Sent::get(&long), Sent::get(&fits)),
            (NAMES[1], with(vec![("x-a", &*wide)]), with(vec![("x-a", &*slim)])),
            (NAMES[2], with(repeated("x-a", "v", 21)), with(repeated("x-a", "v", 15))),
            (NAMES[3], with(repeated("x-a", &kilobyte, 8)), with(repeated("x-a", &kilobyte, 6))),
            (NAMES[4], with(repeated("x-a", &kilobyte, 19)), with(repeated("x-a", &kilobyte, 6))),
            (
                NAMES[5],
                Sent::post(vec![("content-length", &*length)], b"{", false),
                Sent::post(Vec::new(), b"{}", true),
            ),
        ];
        for (name, over, near) in rows {
            let near = if name == NAMES[5] { with_length(near) } else { near };
            let near =
                async { stage.told(name, protocol, &near).await == super::Told::Status(200) };
            hold(&stage, name, protocol, stage.told(name, protocol, &over), near).await;
        }
    }
}

/// The body of a near miss says how long it is, which HTTP/1.1 needs.
fn with_length(mut sent: Sent<'_>) -> Sent<'_> {
    sent.fields.push(("content-length", "2"));
    sent
}
