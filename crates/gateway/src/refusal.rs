//! Every reason to say no, as one closed enum. It holds no text of the request.
//!
//! What the client sees (status, problem) and what the record says (`stage.reason`) are two
//! different things: the second may name the exact fault, the first never helps an attacker.

use crate::passage::Ended;
use http::{Method, StatusCode};
use ratelimit::Limited;
use std::sync::Arc;
use validate::{Attack, Violation};

/// Why a request was not served.
#[derive(Debug)]
pub enum Refusal {
    /// The address asks too often.
    AddressLimited(Limited),
    /// Its worker is behind with its work: one of those turned away for that.
    Overloaded,
    /// The request cannot be read in one way only.
    Malformed(edge::Malformed),
    /// It came to a listener that only sends clients to https, on this port.
    Redirected(u16),
    /// No API is declared for this host.
    HostUndeclared,
    /// No operation is declared for this path.
    PathUndeclared,
    /// The path is declared, but not with this method; these are.
    MethodUndeclared(Arc<[Method]>),
    /// No credential, or not a usable one.
    Credential(authn::Denied),
    /// The client spent its rate or quota.
    ClientLimited(Limited),
    /// The shared limits cannot be asked, and the configuration says `on_outage: refuse`.
    LimitsUnavailable,
    /// The token does not carry the scopes; these would do.
    ScopeMissing(Arc<str>),
    /// The access list of the API does not let this caller in.
    AccessDenied,
    /// The request does not fit its contract; never empty.
    ContractViolated(Vec<Violation>),
    /// The body could not be read.
    Body(edge::BodyError),
    /// The filter found an attack.
    Attack(Attack),
    /// It asks for a WebSocket where the configuration opens none.
    UpgradeUndeclared,
    /// A passage lasted as long as it may, or longer than its caller's token.
    Expired,
    /// There is no room for a record, or the spool is broken.
    Unrecordable,
    /// The upstream failed.
    Upstream(upstream::Fault),
    /// What the service answered does not fit its contract; never empty.
    AnswerViolated(Vec<Violation>),
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let status = match self {
            Self::AddressLimited(_) | Self::ClientLimited(_) => 429,
            Self::Malformed(malformed) => malformed.status(),
            Self::Redirected(_) => 308,
            Self::HostUndeclared => 421,
            Self::PathUndeclared => 404,
            Self::MethodUndeclared(_) => 405,
            Self::Credential(denied) => match denied {
                authn::Denied::Absent | authn::Denied::Refused(_) => 401,
                authn::Denied::Malformed(_) | authn::Denied::Unasked => 400,
                authn::Denied::Unavailable { .. } => 503,
            },
            Self::Overloaded | Self::LimitsUnavailable | Self::Unrecordable => 503,
            Self::ScopeMissing(_) | Self::AccessDenied | Self::Attack(_) => 403,
            Self::ContractViolated(violations) => {
                violations.iter().map(Violation::status).max().unwrap_or(400)
            }
            Self::Body(fault) => match fault {
                edge::BodyError::TooLarge => 413,
                edge::BodyError::TimedOut | edge::BodyError::TooSlow => 408,
                edge::BodyError::Aborted | edge::BodyError::Malformed => 400,
            },
            Self::UpgradeUndeclared => 400,
            Self::Expired => 408,
            Self::Upstream(upstream::Fault::Saturated) => 503,
            Self::Upstream(fault) if fault.is_timeout() => 504,
            Self::Upstream(_) | Self::AnswerViolated(_) => 502,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stage that refused: the first half of `stage.reason` in the record.
    #[must_use]
    pub const fn stage(&self) -> &'static str {
        match self {
            Self::AddressLimited(_) | Self::ClientLimited(_) | Self::LimitsUnavailable => {
                "ratelimit"
            }
            Self::Overloaded | Self::Malformed(_) => "edge",
            Self::Redirected(_)
            | Self::HostUndeclared
            | Self::PathUndeclared
            | Self::MethodUndeclared(_) => "route",
            Self::Credential(_) => "token",
            Self::ScopeMissing(_) => "scope",
            Self::AccessDenied => "access",
            Self::ContractViolated(_) | Self::Body(_) => "schema",
            Self::Expired | Self::UpgradeUndeclared => "stream",
            Self::Attack(_) => "filter",
            Self::Unrecordable => "audit",
            Self::Upstream(_) => "upstream",
            Self::AnswerViolated(_) => "response",
        }
    }

    /// What happened, in snake case: the second half of `stage.reason`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AddressLimited(_) => "address",
            Self::ClientLimited(limited) => match limited.rule {
                ratelimit::Rule::Address => "address",
                ratelimit::Rule::Rate => "rate",
                ratelimit::Rule::Quota => "quota",
            },
            Self::LimitsUnavailable | Self::Unrecordable => "unavailable",
            Self::Overloaded => "overload",
            Self::Malformed(malformed) => malformed.reason(),
            Self::Redirected(_) => "redirected",
            Self::HostUndeclared => "host_undeclared",
            Self::PathUndeclared => "path_undeclared",
            Self::MethodUndeclared(_) => "method_undeclared",
            Self::Credential(denied) => match denied {
                authn::Denied::Absent => "absent",
                authn::Denied::Malformed(fault) | authn::Denied::Refused(fault) => fault.reason(),
                authn::Denied::Unavailable { .. } => "issuer_unavailable",
                authn::Denied::Unasked => "unasked",
            },
            Self::ScopeMissing(_) => "missing",
            Self::AccessDenied => "denied",
            Self::ContractViolated(violations) | Self::AnswerViolated(violations) => {
                violations.first().map_or("violated", |v| v.rule)
            }
            Self::Body(fault) => match fault {
                edge::BodyError::TooLarge => "body_too_large",
                edge::BodyError::TimedOut => "body_timed_out",
                edge::BodyError::TooSlow => "body_too_slow",
                edge::BodyError::Aborted => "body_aborted",
                edge::BodyError::Malformed => "body_malformed",
            },
            Self::Attack(attack) => attack.rule,
            Self::UpgradeUndeclared => "upgrade_undeclared",
            Self::Expired => "expired",
            Self::Upstream(fault) => fault.reason(),
        }
    }

    /// Where in the contract it went wrong, in names of the document only.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::ContractViolated(violations) | Self::AnswerViolated(violations) => {
                violations.first().map(|v| v.place.to_string())
            }
            Self::Attack(attack) => Some(attack.place.to_string()),
            Self::AddressLimited(_)
            | Self::Overloaded
            | Self::Malformed(_)
            | Self::Redirected(_)
            | Self::HostUndeclared
            | Self::PathUndeclared
            | Self::MethodUndeclared(_)
            | Self::Credential(_)
            | Self::ClientLimited(_)
            | Self::LimitsUnavailable
            | Self::ScopeMissing(_)
            | Self::AccessDenied
            | Self::Body(_)
            | Self::Expired
            | Self::UpgradeUndeclared
            | Self::Unrecordable
            | Self::Upstream(_) => None,
        }
    }

    /// Whose fault it is: true where the gateway or a dependency broke rather than the request.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Overloaded
                | Self::LimitsUnavailable
                | Self::Unrecordable
                | Self::Upstream(_)
                | Self::Credential(authn::Denied::Unavailable { .. })
        )
    }

    /// The title of the problem: it names the class, never the detail.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self.status().as_u16() {
            308 => "This is served by https only",
            400 => "The request does not fit the contract of this API",
            401 => "A valid credential is needed",
            403 => "This request is not allowed",
            404 => "Nothing is declared here",
            405 => "This method is not declared here",
            408 => "The request came too slowly",
            413 => "The request body is too large",
            414 => "The request target is too long",
            415 => "This media type is not declared here",
            421 => "This server does not answer for that host",
            429 => "Too many requests",
            431 => "The request header is too large",
            505 => "This version of HTTP is not spoken here",
            502 => "The service behind the gateway failed",
            504 => "The service behind the gateway did not answer in time",
            _ => "The gateway cannot decide at the moment",
        }
    }
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Body(fault) => Self::Body(fault),
            Ended::Expired => Self::Expired,
        }
    }
}
