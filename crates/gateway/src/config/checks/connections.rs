//! Limits at the door: connections, and the pace of bodies. Each has a default.

use std::time::Duration;

use super::Checker;
use crate::config::raw::{RawBody, RawConnections};
use crate::config::reader::Given;
use crate::config::settings::{BodyPace, Connections, Rate};

/// What connections there may be, where nothing is said.
const CONNECTIONS: Connections = Connections {
    max: 10_000,
    max_per_address: 500,
    new_per_address: Rate { count: 100, per: Duration::from_secs(1), burst: 500 },
    max_requests: 100_000,
    max_age: Duration::from_secs(3600),
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
