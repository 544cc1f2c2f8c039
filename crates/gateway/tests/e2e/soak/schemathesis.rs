//! schemathesis for some minutes, with another seed each run.

use std::time::Duration;

use super::Dice;
use crate::strangers::schemathesis;

/// How long runs are begun.
const LENGTH: Duration = Duration::from_secs(180);

#[test]
#[ignore = "soak"]
fn soak_schemathesis() {
    schemathesis::campaign(Dice::new().seed, LENGTH);
}
