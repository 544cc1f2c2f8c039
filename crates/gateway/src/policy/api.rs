//! APIs to routes: each operation with its demands, its contract and its service.

use super::Engines;
use super::document::{self, Compiled};
use super::leaf;
use crate::access::{Access, Rule};
use crate::config::settings::{Api, AuditMode, Enforcement, FilterMode, Routes as Source};
use crate::config::{Mistake, Settings, Weakening};
use crate::routes::{Declaration, Route, Routes, parameter_names};
use authn::{Demand, Issuer};
use http::Method;
use std::path::PathBuf;
use std::sync::Arc;
use upstream::{AllowList, Upstream};
use validate::{Contract, Filter, FilterSettings, Limits, Mode};

/// What the operations of one API have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) hosts: Vec<String>,
    pub(super) issuers: Vec<Arc<Issuer>>,
    pub(super) audience: String,
    upstream: Arc<Upstream>,
    filter: Arc<Filter>,
    contract_mode: Mode,
    audit_required: bool,
}

/// Routes, the documents they come from, and what is weaker than it could be.
pub(super) type Apis = (Routes, Vec<PathBuf>, Vec<Weakening>);

/// Compiles all APIs.
pub(super) fn compile(settings: &Settings, engines: &Engines) -> Result<Apis, Vec<Mistake>> {
    let (mut mistakes, mut declarations, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    let (mut documents, mut notes) = (Vec::new(), Vec::new());
    let certificate_names = leaf::certificate_names(settings)?;
    for api in &settings.apis {
        let common = match common(settings, engines, api, &certificate_names) {
            Ok(common) => common,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        let compiled = match &api.routes {
            Source::Document(path) => {
                documents.push(path.value.clone());
                document::compile(settings, api, &common)
            }
            Source::Prefix { prefix, methods } => Ok(undeclared(api, &common, prefix, methods)),
        };
        match compiled {
            Ok(Compiled { declarations: mut new, weakenings }) => {
                origins.resize(origins.len().saturating_add(new.len()), api);
                declarations.append(&mut new);
                notes.extend(weakenings);
            }
            Err(new) => mistakes.extend(new),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    match Routes::compile(&declarations) {
        Ok(routes) => Ok((routes, documents, notes)),
        Err(conflicts) => Err(conflicts
            .into_iter()
            .filter_map(|(index, what)| Some(settings.mistake(&origins.get(index)?.place, what)))
            .collect()),
    }
}

fn common(
    settings: &Settings,
    engines: &Engines,
    api: &Api,
    certificate_names: &[String],
) -> Result<Common, Mistake> {
    let mistake = |what: &str| settings.mistake(&api.place, what);
    let hosts: Vec<String> = if api.hosts.is_empty() {
        certificate_names.to_vec()
    } else {
        api.hosts.iter().map(|host| host.value.clone()).collect()
    };
    if hosts.is_empty() {
        return Err(mistake("the certificates name no host: say `hosts`"));
    }
    let issuers: Option<Vec<_>> = api.issuers.iter().map(|name| engines.issuer(name)).collect();
    let (Some(issuers), Some(upstream)) = (issuers, engines.upstream(&api.upstream)) else {
        return Err(mistake("an issuer or the upstream of this API is unknown"));
    };
    let filter = match api.filter {
        FilterMode::Enforce => Mode::Enforce,
        FilterMode::Observe => Mode::Observe,
        FilterMode::Off => Mode::Off,
    };
    Ok(Common {
        hosts,
        issuers,
        audience: api.audience.clone(),
        upstream,
        filter: Arc::new(Filter::new(FilterSettings { mode: filter, ..FilterSettings::default() })),
        contract_mode: match api.validate_request {
            Enforcement::Enforce => Mode::Enforce,
            Enforcement::Observe => Mode::Observe,
        },
        audit_required: api.audit == AuditMode::Required,
    })
}

/// What an operation adds to [`Common`].
#[derive(Debug)]
pub(super) struct Particular {
    pub(super) api_name: Arc<str>,
    pub(super) operation: String,
    pub(super) template: String,
    pub(super) demand: Demand,
    pub(super) access: Access,
    pub(super) contract: Arc<Contract>,
    pub(super) headers: Vec<String>,
}

/// One route out of both.
pub(super) fn route(api: &Api, common: &Common, own: Particular) -> Arc<Route> {
    let named = api.pass_headers.iter().map(|header| header.value.as_str());
    let pass = AllowList::new(own.headers.iter().map(String::as_str).chain(named));
    Arc::new(Route {
        parameters: parameter_names(&own.template),
        api: own.api_name,
        operation: own.operation.into(),
        template: own.template.into(),
        demand: own.demand,
        access: own.access,
        contract: own.contract,
        contract_mode: common.contract_mode,
        filter: common.filter.clone(),
        upstream: common.upstream.clone(),
        pass: Arc::new(pass),
        audit_required: common.audit_required,
    })
}

/// The rows of the access list that concern an operation.
pub(super) fn rules(api: &Api, operation: &str) -> Vec<Rule> {
    let concerns = |row: &&crate::config::settings::Access| {
        row.operations.is_empty() || row.operations.iter().any(|named| named.value == operation)
    };
    let rows = api.access.iter().filter(concerns);
    rows.map(|row| Rule {
        scopes: row.scopes.clone(),
        clients: row.clients.clone(),
        networks: row.networks.clone(),
    })
    .collect()
}

/// An API without a document: everything under its prefix, with a token, without a contract.
fn undeclared(api: &Api, common: &Common, prefix: &str, methods: &[Method]) -> Compiled {
    let declare = |template: String| Declaration {
        hosts: common.hosts.clone(),
        methods: methods.to_vec(),
        route: route(
            api,
            common,
            Particular {
                api_name: prefix.into(),
                operation: format!("{prefix}*"),
                template,
                demand: Demand::Bearer {
                    issuers: common.issuers.clone(),
                    audience: common.audience.clone(),
                    anonymous_too: false,
                },
                access: Access::new(Vec::new(), false, rules(api, "")),
                contract: Arc::new(Contract::prefix(Limits::default())),
                headers: Vec::new(),
            },
        ),
    };
    let declarations = vec![declare(prefix.to_owned()), declare(format!("{prefix}{{*rest}}"))];
    Compiled { declarations, weakenings: Vec::new() }
}
