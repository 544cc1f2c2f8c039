//! Limits at the door: connections, heads, waits, floods, and the pace of bodies. Each has a default.

use std::time::Duration;

use super::Checker;
use crate::config::raw::{RawBody, RawConnections, RawFloods, RawHead, RawWait};
use crate::config::reader::Given;
use crate::config::settings::{BodyPace, Connections, Floods, HeadSize, Rate, Waits};

/// What connections there may be, where nothing is said.
const CONNECTIONS: Connections = Connections {
    max: 10_000,
    max_per_address: 500,
    new_per_address: Rate { count: 100, per: Duration::from_secs(1), burst: 500 },
    max_requests: 100_000,
    max_age: Duration::from_secs(3600),
    max_streams: 100,
};
/// The size of a head, where nothing is said.
const HEAD: HeadSize =
    HeadSize { target_bytes: 8 << 10, field_bytes: 16 << 10, fields: 100, bytes: 32 << 10 };
/// How long clients are waited for, where nothing is said.
const WAITS: Waits = Waits {
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    body: Duration::from_secs(15),
    idle: Duration::from_secs(60),
    write: Duration::from_secs(30),
    queue: Duration::from_millis(250),
};
/// What a connection bears, where nothing is said.
const FLOODS: Floods = Floods {
    resets: (100, 10),
    control: (256, 32),
    window_updates: (2048, 200),
    continuations: 32,
};
/// The pace of a body, where nothing is said.
const BODY: BodyPace = BodyPace { min_rate: 240, grace: Duration::from_secs(5) };

impl Checker<'_, '_> {
    /// Connections; what is wrong in them has its default.
    pub(super) fn connections(&mut self, raw: &Given<RawConnections>) -> Connections {
        let Some(raw) = raw.value() else { return CONNECTIONS };
        let max = raw.max.value().map_or(CONNECTIONS.max, |count| count.0);
        if let Some(written) = raw.max_per_address.get().filter(|written| written.value.0 > max) {
            let what = format!("without effect: all addresses together may have {max} (`max`)");
            self.wrong(&written.place, what);
        }
        let new_per_address = raw.new_per_address.value();
        let new_per_address =
            new_per_address.and_then(|address| self.rate(&address.rate, &address.burst));
        Connections {
            max,
            max_per_address: raw
                .max_per_address
                .value()
                .map_or(CONNECTIONS.max_per_address, |count| count.0),
            new_per_address: new_per_address.unwrap_or(CONNECTIONS.new_per_address),
            max_requests: raw.max_requests.value().map_or(CONNECTIONS.max_requests, |n| n.0),
            max_age: raw.max_age.value().map_or(CONNECTIONS.max_age, |age| age.0),
            max_streams: raw.max_streams.value().map_or(CONNECTIONS.max_streams, |n| n.0),
        }
    }

    /// The size of heads; what is wrong in it has its default.
    pub(super) fn head(&mut self, raw: &Given<RawHead>) -> HeadSize {
        let Some(raw) = raw.value() else { return HEAD };
        let bytes = raw.size.value().map_or(HEAD.bytes, |size| size.0);
        if let Some(written) = raw.field.get().filter(|written| written.value.0 > bytes) {
            let what = format!("without effect: all fields together may have {bytes} B (`size`)");
            self.wrong(&written.place, what);
        }
        HeadSize {
            target_bytes: raw.target.value().map_or(HEAD.target_bytes, |size| size.0),
            field_bytes: raw.field.value().map_or(HEAD.field_bytes, |size| size.0),
            fields: raw.fields.value().map_or(HEAD.fields, |count| count.0),
            bytes,
        }
    }

    /// How long clients are waited for; what is wrong in it has its default.
    pub(super) fn waits(raw: &Given<RawWait>) -> Waits {
        let Some(raw) = raw.value() else { return WAITS };
        Waits {
            handshake: raw.handshake.value().map_or(WAITS.handshake, |time| time.0),
            head: raw.head.value().map_or(WAITS.head, |time| time.0),
            body: raw.body.value().map_or(WAITS.body, |time| time.0),
            idle: raw.idle.value().map_or(WAITS.idle, |time| time.0),
            write: raw.write.value().map_or(WAITS.write, |time| time.0),
            queue: raw.queue.value().map_or(WAITS.queue, |time| time.0),
        }
    }

    /// What a connection bears; what is wrong in it has its default.
    pub(super) fn floods(raw: &Given<RawFloods>) -> Floods {
        let Some(raw) = raw.value() else { return FLOODS };
        Floods {
            resets: (
                raw.resets.value().map_or(FLOODS.resets.0, |count| count.0),
                raw.resets_per_second.value().map_or(FLOODS.resets.1, |count| count.0),
            ),
            control: (
                raw.control.value().map_or(FLOODS.control.0, |count| count.0),
                raw.control_per_second.value().map_or(FLOODS.control.1, |count| count.0),
            ),
            window_updates: (
                raw.window_updates.value().map_or(FLOODS.window_updates.0, |count| count.0),
                raw.window_updates_per_second
                    .value()
                    .map_or(FLOODS.window_updates.1, |count| count.0),
            ),
            continuations: raw.continuations.value().map_or(FLOODS.continuations, |n| n.0),
        }
    }

    /// The pace of bodies; what is wrong in it has its default.
    pub(super) fn body_pace(raw: &Given<RawBody>) -> BodyPace {
        let Some(raw) = raw.value() else { return BODY };
        BodyPace {
            min_rate: raw.min_rate.value().map_or(BODY.min_rate, |count| count.0),
            grace: raw.grace.value().map_or(BODY.grace, |grace| grace.0),
        }
    }
}
