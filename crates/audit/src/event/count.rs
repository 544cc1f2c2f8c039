//! How many events of each class were filed. Numbers only.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    API_ACTIVITY, APPLICATION_LIFECYCLE, AUTHENTICATION, Class, DETECTION_FINDING,
    ENTITY_MANAGEMENT, HTTP_ACTIVITY, NETWORK_ACTIVITY,
};

/// Every class that is written.
const CLASSES: [Class; 7] = [
    DETECTION_FINDING,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    NETWORK_ACTIVITY,
    HTTP_ACTIVITY,
    APPLICATION_LIFECYCLE,
    API_ACTIVITY,
];

/// One counter a class.
#[derive(Default)]
pub(crate) struct Counts([AtomicU64; CLASSES.len()]);

impl Counts {
    /// One more event of that class.
    pub(crate) fn add(&self, class: Class) {
        let counters = CLASSES.iter().zip(&self.0);
        for (_, counter) in counters.filter(|(one, _)| one.0 == class.0) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Class uid and count, of every class.
    pub(crate) fn all(&self) -> Vec<(u64, u64)> {
        let counters = CLASSES.iter().zip(&self.0);
        counters.map(|(class, counter)| (class.0, counter.load(Ordering::Relaxed))).collect()
    }
}
