//! An OpenAPI document to routes. The document may only tighten what the configuration says: an
//! operation that asks for no credential is refused unless the configuration names it.

use super::api::{Common, Particular, route};
use crate::access::{Access, Rule};
use crate::config::settings::{
    Answers, Api, Coding, JsonBodies, Offer, Routes as Source, Undeclared, UndeclaredMembers,
};
use crate::config::{Mistake, Place, Placed, Settings, Weakening, nearest};
use crate::routes::Declaration;
use authn::Demand;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use validate::{Codings, Document, Exception, Handling, Mode, Operation, Security};

/// A document that says nothing that the configuration does not allow.
#[derive(Debug)]
pub(super) struct Described {
    /// Where the configuration names it, and which file it is.
    pub(super) path: Placed<PathBuf>,
    document: Document,
    /// What each operation demands, in their order.
    demands: Vec<Demanded>,
}

/// What an operation demands of its caller.
#[derive(Debug)]
struct Demanded {
    /// Whether a token counts at all.
    token: bool,
    /// Whether one may call without.
    anonymous_too: bool,
    access: Access,
}

/// Reads the document of an API, where it has one, and holds it against the configuration.
pub(super) fn read(settings: &Settings, offer: &Offer) -> Result<Option<Described>, Vec<Mistake>> {
    let Source::Document(path) = &offer.routes else {
        return Ok(None);
    };
    let handling = handling(offer);
    let document =
        Document::load_for(&path.value, &offer.bounds, &handling).map_err(|mistakes| {
            mistakes.iter().map(|mistake| translate(&path.value, mistake)).collect::<Vec<_>>()
        })?;
    let mut mistakes = unknown_names(settings, offer, &document);
    let mut demands = Vec::new();
    for operation in document.operations() {
        match demanded(offer, operation) {
            Ok(demand) => demands.push(demand),
            Err(what) => {
                let what = format!("operation `{}`: {what}", operation.id);
                mistakes.push(settings.mistake(&path.place, what));
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Some(Described { path: path.clone(), document, demands }))
}

/// Fields that clients and what is between send by themselves, beyond those that go inside everywhere. None of them goes
/// inside as it came.
const EXPECTED: [&str; 43] = [
    "accept-encoding",
    "authorization",
    "client-cert",
    "client-cert-chain",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "x-request-id",
];

/// How requests are handled where the document leaves it open.
fn handling(offer: &Offer) -> Handling {
    let passes = |name: &str| offer.pass_headers.iter().any(|own| own == name);
    let expected = || {
        let own = offer.pass_headers.iter().map(String::as_str);
        let all = upstream::STANDARD_HEADERS.into_iter().chain(EXPECTED).chain(own);
        Arc::new(all.filter_map(|name| name.parse().ok()).collect())
    };
    let decodes = |coding| offer.decode.contains(&coding);
    Handling {
        cookies: match offer.undeclared_cookies {
            Undeclared::Refuse => validate::Undeclared::Refuse,
            Undeclared::Drop if passes("cookie") => validate::Undeclared::Pass,
            Undeclared::Drop => validate::Undeclared::Drop,
        },
        headers: (offer.undeclared_headers == Undeclared::Refuse).then(expected),
        codings: Codings {
            gzip: decodes(Coding::Gzip),
            br: decodes(Coding::Br),
            zstd: decodes(Coding::Zstd),
        },
        rewrites_json: offer.json == JsonBodies::Rewritten,
        answers: answers(offer) != Mode::Off,
        drops_members: offer.undeclared_members == UndeclaredMembers::Drop,
    }
}

/// Whether answers are held against the document.
pub(super) fn answers(offer: &Offer) -> Mode {
    match offer.validate_response {
        Answers::Off => Mode::Off,
        Answers::Observe => Mode::Observe,
        Answers::Enforce => Mode::Enforce,
    }
}

impl Described {
    /// Its operations, as an API offers them.
    pub(super) fn declarations(&self, api: &Api, common: &Common) -> Vec<Declaration> {
        let name: Arc<str> = self.document.title().into();
        let declare = |(operation, demanded): (&Operation, &Demanded)| Declaration {
            hosts: common.hosts.clone(),
            methods: vec![operation.method.clone()],
            route: route(
                api,
                common,
                Particular {
                    api_name: name.clone(),
                    operation: operation.id.clone(),
                    template: operation.template.clone(),
                    demand: demanded.of(common),
                    access: demanded.access.clone(),
                    contract: operation.contract.clone(),
                    headers: operation.declared_headers.clone(),
                },
            ),
        };
        self.document.operations().iter().zip(&self.demands).map(declare).collect()
    }

    /// What its `x-filter` lets pass.
    pub(super) fn exceptions(&self) -> Vec<Exception> {
        self.document
            .operations()
            .iter()
            .flat_map(|operation| operation.exceptions.clone())
            .collect()
    }

    /// What it says that is weaker than its author may expect.
    pub(super) fn weakenings(&self) -> impl Iterator<Item = Weakening> {
        let place = &self.path.place.path;
        self.document.notes().iter().map(move |note| Weakening {
            place: format!("{place} {}", note.pointer),
            what: note.what.clone(),
        })
    }
}

impl Demanded {
    fn of(&self, common: &Common) -> Demand {
        if self.token { common.bearer(self.anonymous_too) } else { Demand::Anonymous }
    }
}

/// A mistake in a document, or in a file beside it that it refers to.
fn translate(document: &Path, mistake: &validate::Mistake) -> Mistake {
    let folder = document.parent().unwrap_or(document);
    let path: Arc<str> = mistake.pointer.as_str().into();
    let place = Place { line: mistake.line, column: mistake.column, path };
    Mistake::new(&folder.join(&mistake.file), &place, mistake.what.clone())
}

/// The rows of the access list that concern an operation.
pub(super) fn rules(offer: &Offer, operation: &str) -> Vec<Rule> {
    let rows = offer.access.iter().filter(|row| row.concerns(operation));
    rows.map(|row| Rule {
        scopes: row.scopes.clone(),
        clients: row.clients.clone(),
        networks: row.networks.clone(),
    })
    .collect()
}

/// What an operation demands of its caller, out of the document's `security` and the config.
fn demanded(offer: &Offer, operation: &Operation) -> Result<Demanded, &'static str> {
    let listed = offer.anonymous.iter().any(|named| named.value == operation.id);
    let rules = rules(offer, &operation.id);
    match &operation.security {
        Security::Unstated | Security::Open if listed => {
            let access = Access::new(Vec::new(), true, rules);
            Ok(Demanded { token: false, anonymous_too: true, access })
        }
        Security::Unstated => Err(
            "the document states no `security`: state it, or list the operation under `anonymous`",
        ),
        Security::Open => {
            Err("its `security` is empty: name a scheme, or list the operation under `anonymous`")
        }
        Security::Alternatives { any_of, anonymous_too } => {
            let anonymous_too = *anonymous_too;
            if anonymous_too && !listed {
                return Err(
                    "its `security` holds `{}`: remove it, or list the operation under `anonymous`",
                );
            }
            if listed && !anonymous_too {
                return Err(
                    "it is listed under `anonymous`, but the document demands a credential",
                );
            }
            if any_of.iter().any(|all| all.len() > 1) {
                return Err(
                    "one alternative demands several schemes at once: only one bearer token is read",
                );
            }
            let scopes = any_of
                .iter()
                .map(|all| all.iter().flat_map(|r| r.scopes.clone()).collect())
                .collect();
            let access = Access::new(scopes, anonymous_too, rules);
            Ok(Demanded { token: true, anonymous_too, access })
        }
    }
}

/// Operations that the configuration names and the document does not.
fn unknown_names(settings: &Settings, offer: &Offer, document: &Document) -> Vec<Mistake> {
    let known: Vec<&str> = document.operations().iter().map(|o| o.id.as_str()).collect();
    let streamed = offer.stream.iter().flat_map(|stream| &stream.operations);
    let named = offer.access.iter().flat_map(|row| &row.operations).chain(&offer.anonymous);
    let named = named.chain(streamed).chain(&offer.excepted);
    let unknown = named.filter(|named| !known.contains(&named.value.as_str()));
    let mistake = |named: &Placed<String>| {
        let near = nearest(&named.value, known.iter().copied());
        settings.mistake(&named.place, "the document has no such operation").with_nearest(near)
    };
    unknown.map(mistake).collect()
}
