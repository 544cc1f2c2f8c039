//! Records that were counted together, as one event of their class: `count` says how many, `status_detail` why, and
//! `unmapped.network` where from. It holds no address of a client.

use std::net::{IpAddr, Ipv6Addr};

use super::{API_ACTIVITY, CONTROLLED, EVENT_BYTES, HTTP_ACTIVITY, INTEGER_MAX, Stamp};
use super::{UNAUTHENTICATED, classify, endpoint, metadata};
use crate::json::Object;
use crate::roll_ups::RolledUp;

/// The event of records that were counted together.
pub(super) fn encode(rolled: &RolledUp, uid: &str) -> Vec<u8> {
    let RolledUp { reason, network, first, last, count } = rolled;
    let stamp = Stamp { uid, correlation: None, logged: *last, profiles: CONTROLLED };
    // No network: the class wants an address, and this one is nobody's.
    let address = network.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |(address, _)| address);
    Object::build(EVENT_BYTES, |event| {
        metadata(event, stamp);
        classify(event, reason.class, (99, "Rolled Up"));
        event.number("time", *first);
        event.number("start_time", *first);
        event.number("end_time", *last);
        event.number("count", (*count).min(INTEGER_MAX));
        event.pair(("severity_id", "severity"), (3, "Medium"));
        event.pair(("status_id", "status"), (99, "Rolled Up"));
        event.text("status_detail", &format!("{}.{}", reason.stage, reason.reason));
        event.pair(("action_id", "action"), (0, "Unknown"));
        event.pair(("disposition_id", "disposition"), (20, "Count"));
        if reason.class == API_ACTIVITY {
            event.object("actor", |actor| actor.raw(UNAUTHENTICATED));
            event.object("api", |api| api.text("operation", "unmatched"));
        }
        endpoint(event, "src_endpoint", address, None);
        if reason.class == HTTP_ACTIVITY {
            // The class wants a request or a response; 0 says that nothing is told of one.
            event.object("http_response", |http| http.number("code", 0));
        }
        let network = network.map(|(address, bits)| format!("{address}/{bits}"));
        event.object("unmapped", |unmapped| {
            unmapped.text("network", network.as_deref().unwrap_or("other"));
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::NETWORK_ACTIVITY;
    use crate::event::tests::{checked, encoder};
    use crate::roll_ups::Reason;

    #[test]
    fn what_is_counted_together_is_a_valid_event_of_its_class() {
        let classes = [
            (API_ACTIVITY, "api_activity"),
            (NETWORK_ACTIVITY, "network_activity"),
            (HTTP_ACTIVITY, "http_activity"),
        ];
        for (class, name) in classes {
            for (address, told) in [(Some("203.0.113.0"), "203.0.113.0/24"), (None, "other")] {
                let network = address.map(|text| (text.parse().expect("an address"), 24));
                let reason = Reason { class, stage: "token", reason: "absent" };
                let rolled = RolledUp { reason, network, first: 3, last: 8, count: 1 << 40 };
                let event = checked(name, encoder().rolled_up(&rolled, "uid").as_bytes());
                assert_eq!(event["count"], INTEGER_MAX);
                assert_eq!(event["status_detail"], "token.absent");
                assert_eq!(event["unmapped"]["network"], told);
                assert_eq!((&event["start_time"], &event["end_time"]), (&3.into(), &8.into()));
            }
        }
    }
}
