//! An OpenAPI document to routes. The document may only tighten what the configuration says: an
//! operation that asks for no credential is refused unless the configuration names it.

use super::api::{Common, Particular, route, rules};
use crate::access::Access;
use crate::config::settings::{Api, Routes as Source};
use crate::config::{Mistake, Place, Placed, Settings, Weakening};
use crate::routes::Declaration;
use authn::Demand;
use std::path::Path;
use std::sync::Arc;
use validate::{Document, Limits, Operation, Security};

/// What one API came to.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) declarations: Vec<Declaration>,
    pub(super) weakenings: Vec<Weakening>,
}

/// Compiles the document of an API.
pub(super) fn compile(
    settings: &Settings,
    api: &Api,
    common: &Common,
) -> Result<Compiled, Vec<Mistake>> {
    let Source::Document(path) = &api.routes else {
        return Ok(Compiled { declarations: Vec::new(), weakenings: Vec::new() });
    };
    let document = Document::load(&path.value, &Limits::default()).map_err(|mistakes| {
        mistakes.iter().map(|mistake| translate(&path.value, mistake)).collect::<Vec<_>>()
    })?;
    let mut mistakes = unknown_names(settings, api, &document);
    let name: Arc<str> = document.title().into();
    let mut declarations = Vec::new();
    for operation in document.operations() {
        match demands(api, common, operation) {
            Ok((demand, access)) => declarations.push(Declaration {
                hosts: common.hosts.clone(),
                methods: vec![operation.method.clone()],
                route: route(
                    api,
                    common,
                    Particular {
                        api_name: name.clone(),
                        operation: operation.id.clone(),
                        template: operation.template.clone(),
                        demand,
                        access,
                        contract: operation.contract.clone(),
                        headers: operation.declared_headers.clone(),
                    },
                ),
            }),
            Err(what) => {
                let what = format!("operation `{}`: {what}", operation.id);
                mistakes.push(settings.mistake(&path.place, what));
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let place = path.place.path.to_string();
    let weakenings = document
        .notes()
        .iter()
        .map(|note| Weakening {
            place: format!("{place} {}", note.pointer),
            what: note.what.clone(),
        })
        .collect();
    Ok(Compiled { declarations, weakenings })
}

fn translate(file: &Path, mistake: &validate::Mistake) -> Mistake {
    let path: Arc<str> = mistake.pointer.as_str().into();
    let place = Place { line: mistake.line, column: mistake.column, path };
    Mistake::new(file, &place, mistake.what.clone())
}

/// What an operation demands of its caller, out of the document's `security` and the config.
fn demands(
    api: &Api,
    common: &Common,
    operation: &Operation,
) -> Result<(Demand, Access), &'static str> {
    let listed = api.anonymous.iter().any(|named| named.value == operation.id);
    let rules = rules(api, &operation.id);
    let bearer = |anonymous_too| Demand::Bearer {
        issuers: common.issuers.clone(),
        audience: common.audience.clone(),
        anonymous_too,
    };
    match &operation.security {
        Security::Unstated | Security::Open if listed => {
            Ok((Demand::Anonymous, Access::new(Vec::new(), true, rules)))
        }
        Security::Unstated => Err(
            "the document states no `security`: state it, or list the operation under `anonymous`",
        ),
        Security::Open => {
            Err("its `security` is empty: name a scheme, or list the operation under `anonymous`")
        }
        Security::Alternatives { any_of, anonymous_too } => {
            if *anonymous_too && !listed {
                return Err(
                    "its `security` holds `{}`: remove it, or list the operation under `anonymous`",
                );
            }
            if listed && !*anonymous_too {
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
            Ok((bearer(*anonymous_too), Access::new(scopes, *anonymous_too, rules)))
        }
    }
}

/// Operations that the configuration names and the document does not.
fn unknown_names(settings: &Settings, api: &Api, document: &Document) -> Vec<Mistake> {
    let known: Vec<&str> = document.operations().iter().map(|o| o.id.as_str()).collect();
    let named = api.access.iter().flat_map(|row| &row.operations).chain(&api.anonymous);
    let unknown = named.filter(|named| !known.contains(&named.value.as_str()));
    let mistake = |named: &Placed<String>| {
        let nearest = known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, &named.value), *known))
            .min()
            .map(|(_, known)| known.to_owned());
        settings.mistake(&named.place, "the document has no such operation").with_nearest(nearest)
    };
    unknown.map(mistake).collect()
}
