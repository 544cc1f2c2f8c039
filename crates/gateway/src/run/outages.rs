//! What is away, and since when: each outage leaves one event when it is seen and one when it is over. It knows no
//! dependency, only names and states.

use std::collections::HashMap;
use std::time::SystemTime;

use audit::facts::Lifecycle;

/// Most dependencies that are followed; there are as many as issuers and sinks, and two.
const NAMES_MAX: usize = 256;

/// What was seen of one that is away.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: SystemTime,
    told: bool,
}

/// The outages under way.
#[derive(Debug, Default)]
pub(super) struct Outages(HashMap<String, Away>);

impl Outages {
    /// What there is to tell after a look. One that is away is told at the second look in a row: at a start, keys are still
    /// on their way.
    pub(super) fn look(&mut self, states: &[(String, bool)], time: SystemTime) -> Vec<Lifecycle> {
        let mut told = Vec::new();
        self.0.retain(|name, _| states.iter().any(|(known, _)| known == name));
        for (name, up) in states.iter().take(NAMES_MAX) {
            match (self.0.get_mut(name), up) {
                (None, true) => {}
                (None, false) => {
                    self.0.insert(name.clone(), Away { since: time, told: false });
                }
                (Some(away), false) => {
                    if !std::mem::replace(&mut away.told, true) {
                        told.push(Lifecycle::DependencyDown { time, name: name.clone() });
                    }
                }
                (Some(away), true) => {
                    let was = *away;
                    self.0.remove(name);
                    if was.told {
                        let away = time.duration_since(was.since).unwrap_or_default();
                        told.push(Lifecycle::DependencyUp { time, name: name.clone(), away });
                    }
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let mut outages = Outages::default();
        let mut told = Vec::new();
        for (second, up) in [true, false, false, false, true, true, false, true].iter().enumerate()
        {
            let time = UNIX_EPOCH + Duration::from_secs(second as u64);
            for event in outages.look(&[("limits".to_owned(), *up)], time) {
                if let Lifecycle::DependencyDown { name, .. } = &event {
                    told.push(format!("{second} {name} down"));
                } else if let Lifecycle::DependencyUp { name, away, .. } = &event {
                    told.push(format!("{second} {name} up after {}", away.as_secs()));
                } else {
                    panic!("{event:?}");
                }
            }
        }
        // That of one look, at 6, is none.
        assert_eq!(told, ["2 limits down", "4 limits up after 3"]);
    }
}
