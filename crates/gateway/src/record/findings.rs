//! Which refusals and failures are findings, each an event of its own (OCSF 2004): what was blocked for its content, and who
//! sends more than may be. The rule, its class and its weight; never what hit it.

use audit::facts::{Finding, FindingKind, Severity};
use edge::FailureKind;
use validate::Attack;

use crate::refusal::Refusal;

/// Resources without a limit (CWE-770): what a flood of frames is after.
const UNLIMITED: u16 = 770;
/// More often than a person or a service would (CWE-799).
const TOO_OFTEN: u16 = 799;

/// The finding in a refusal, if it is one. A client that spends its rate or its quota is none: that is what they are for.
pub(super) fn refused(refusal: &Refusal) -> Option<Finding> {
    if let Refusal::Attack(attack) = refusal {
        return Some(blocked(attack));
    }
    let is_flood = matches!(refusal, Refusal::AddressLimited(_));
    is_flood.then(|| flood(refusal.reason(), TOO_OFTEN, Severity::Low))
}

fn blocked(attack: &Attack) -> Finding {
    let rule = validate::rules().iter().find(|rule| rule.id == attack.rule);
    let cwe = rule.map_or(0, |rule| rule.cwe);
    let severity = rule.map_or(Severity::High, |rule| match rule.severity {
        validate::Severity::Medium => Severity::Medium,
        validate::Severity::High | validate::Severity::Critical => Severity::High,
    });
    Finding { kind: FindingKind::Block, rule: attack.rule, cwe, severity }
}

/// The finding in a connection that failed, if it is one.
pub(super) fn failed(kind: FailureKind) -> Option<Finding> {
    if matches!(kind, FailureKind::AddressConnections | FailureKind::AddressRate) {
        return Some(flood(kind.reason(), TOO_OFTEN, Severity::Low));
    }
    let of_frames = matches!(
        kind,
        FailureKind::Http2ResetFlood
            | FailureKind::Http2ControlFlood
            | FailureKind::Http2WindowFlood
            | FailureKind::Http2ContinuationFlood
            | FailureKind::Http3ResetFlood
            | FailureKind::Http3ControlFlood
    );
    of_frames.then(|| flood(kind.reason(), UNLIMITED, Severity::Medium))
}

const fn flood(rule: &'static str, cwe: u16, severity: Severity) -> Finding {
    Finding { kind: FindingKind::Flood, rule, cwe, severity }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flood_is_a_finding_and_other_failures_are_none() {
        assert_eq!(failed(FailureKind::Http2ResetFlood).map(|f| f.rule), Some("http2_reset_flood"));
        assert_eq!(failed(FailureKind::AddressRate).map(|f| f.cwe), Some(TOO_OFTEN));
        for none in [FailureKind::NotTls, FailureKind::ConnectionLimit, FailureKind::HeadTimedOut] {
            assert_eq!(failed(none), None, "{}", none.reason());
        }
    }

    #[test]
    fn every_rule_of_the_filter_has_its_class() {
        for rule in validate::rules() {
            let place = validate::Place::Size;
            let finding = refused(&Refusal::Attack(Attack { rule: &rule.id, place, cure: None }));
            assert_eq!(finding.map(|f| (f.rule, f.cwe)), Some((rule.id.as_str(), rule.cwe)));
        }
        assert_eq!(refused(&Refusal::PathUndeclared), None, "no content, no flood");
    }
}
