//! Limits of what brings no work on one connection. A flood is ended at its bound; what is below it is served.

use super::{END_HEADERS, END_STREAM, Outcomes, Sent, TAIL, Told, hold, seen};
use crate::attacks::Stage;
use crate::attacks::h2::outcomes;
use crate::attacks::h3::get;
use crate::attacks::wire::{frame, hpack, preface, pseudo};
use crate::client::Protocol;

pub(super) const NAMES: [&str; 6] = [
    "requests taken back",
    "frames without work",
    "window updates",
    "pieces of a head",
    "broken requests on a connection",
    "frames without data on a request",
];

/// Small bounds, with hardly any refill: how long a row takes is no matter.
const LIMITS: &str = "  floods: { resets: 20, resets_per_second: 1, control: 30, control_per_second: 1, \
    window_updates: 40, window_updates_per_second: 1, continuations: 5 }\n";
/// Errors of a client that the engine of HTTP/2 bears on one connection.
const ERRORS_MAX: u32 = 64;
/// Frames without data that one request of HTTP/3 may have.
const BARREN_FRAMES_MAX: usize = 64;
/// H3_REQUEST_CANCELLED (RFC 9114 8.1).
const CANCELLED: u32 = 0x10c;

/// Sends frames on one connection, with an ordinary request behind them where they are no flood.
async fn flood_h2(stage: &Stage, name: &str, frames: Vec<u8>, last: u32) -> Outcomes {
    let sent = [preface(), frames, Sent::get(TAIL).h2(last)].concat();
    let enough = |all: &Outcomes| all.goodbye.is_some() || all.ended.contains(&last);
    outcomes(&stage.exchange_h2(name, &sent, enough).await)
}

/// The frames of a row, so many times.
fn frames_h2(name: &str, count: u32) -> (Vec<u8>, u32) {
    let flood = |one: &dyn Fn(u32) -> Vec<u8>| (0..count).flat_map(one).collect::<Vec<u8>>();
    let broken = hpack(&[(":method", "GET"), ("x", "y")]);
    let after = 2 * count + 1;
    match name {
        "requests taken back" => {
            let one = |n: u32| {
                let stream = 2 * n + 1;
                [Sent::get(TAIL).h2(stream), frame(3, 0, stream, &CANCELLED.to_be_bytes())].concat()
            };
            (flood(&one), after)
        }
        "frames without work" => (flood(&|_| frame(6, 0, 0, &[0; 8])), 1),
        "window updates" => (flood(&|_| frame(8, 0, 0, &[0, 0, 0, 1])), 1),
        "pieces of a head" => {
            let begun = frame(1, END_STREAM, 1, &hpack(&pseudo("GET", TAIL)));
            let pieces = flood(&|n| {
                let flags = if n + 1 == count { END_HEADERS } else { 0 };
                frame(9, flags, 1, &hpack(&[("x-a", "b")]))
            });
            ([begun, pieces].concat(), 3)
        }
        "broken requests on a connection" => {
            (flood(&|n| frame(1, END_STREAM | END_HEADERS, 2 * n + 1, &broken)), after)
        }
        other => panic!("no such flood: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_floods_over_h2() {
    let stage = Stage::limited(Vec::new(), LIMITS);
    for (name, near, over) in [
        (NAMES[0], 15, 40),
        // SETTINGS and their acknowledgement are two of them.
        (NAMES[1], 25, 60),
        (NAMES[2], 35, 80),
        (NAMES[3], 5, 6),
        (NAMES[4], ERRORS_MAX / 2, 4 * ERRORS_MAX),
    ] {
        let over = async {
            let (frames, last) = frames_h2(name, over);
            let all = flood_h2(&stage, name, frames, last).await;
            assert_ne!(all.goodbye, Some(0), "{name}: a friendly end");
            all.goodbye.map_or_else(|| seen(&all), |_| Told::Goodbye)
        };
        let near = async {
            let (frames, last) = frames_h2(name, near);
            let all = flood_h2(&stage, name, frames, last).await;
            all.goodbye.is_none() && all.streams.contains_key(&last)
        };
        hold(&stage, name, Protocol::H2, over, near).await;
    }
}

/// One flood over HTTP/3, so many times; whether the connection has ended.
async fn flood_h3(stage: &Stage, name: &str, count: usize) -> Told {
    const EXCESSIVE_LOAD: u64 = 0x107;
    let mut quic = stage.quic().await;
    for _ in 0..count {
        let sent = match name {
            "requests taken back" => take_back(&quic.connection).await,
            // A frame of no known kind, which bears nothing.
            "frames without work" => quic.control.write_all(&[0x21, 0]).await.is_ok(),
            "broken requests on a connection" => broken(&quic.connection).await,
            other => panic!("no such flood: {other}"),
        };
        if !sent {
            break;
        }
    }
    if quic.told(name, &get(TAIL), true).await == Told::Status(200) {
        return Told::Status(200);
    }
    assert_eq!(quic.ended(name).await, EXCESSIVE_LOAD);
    Told::Closed
}

async fn take_back(connection: &quinn::Connection) -> bool {
    let Ok((mut send, mut recv)) = connection.open_bi().await else { return false };
    let sent = send.write_all(&get(TAIL)).await.is_ok();
    recv.stop(CANCELLED.into()).ok();
    send.reset(CANCELLED.into()).ok();
    sent
}

/// A request that has to be reset: a control character in a value.
async fn broken(connection: &quinn::Connection) -> bool {
    let Ok((mut send, mut recv)) = connection.open_bi().await else { return false };
    let sent =
        send.write_all(&Sent { fields: vec![("x-a", "b\0c")], ..Sent::get(TAIL) }.h3()).await;
    send.finish().ok();
    recv.read_to_end(usize::MAX).await.ok();
    sent.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_floods_over_h3() {
    let stage = Stage::limited(Vec::new(), LIMITS);
    for (name, near, over) in [(NAMES[0], 10, 200), (NAMES[1], 20, 200), (NAMES[4], 10, 200)] {
        let near = async { flood_h3(&stage, name, near).await == Told::Status(200) };
        hold(&stage, name, Protocol::H3, flood_h3(&stage, name, over), near).await;
    }
    let barren = |count: usize| [get(TAIL), [0x21, 0].repeat(count)].concat();
    let told = async |count: usize| {
        let quic = stage.quic().await;
        quic.told(NAMES[5], &barren(count), true).await
    };
    let over = told(2 * BARREN_FRAMES_MAX);
    let near = async { told(BARREN_FRAMES_MAX / 2).await == Told::Status(200) };
    hold(&stage, NAMES[5], Protocol::H3, over, near).await;
}
