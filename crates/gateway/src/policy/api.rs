//! APIs to routes: each operation with its demands, its contract and its service.

use super::Engines;
use super::document::{self, Described};
use super::leaf;
use crate::access::Access;
use crate::config::settings::{Api, AuditMode, Enforcement, Filter as Filtering, Routes as Source};
use crate::config::{Mistake, Settings, Weakening};
use crate::passage::Bounds;
use crate::routes::{Declaration, Route, Routes, parameter_names};
use audit::facts::RouteFacts;
use authn::{Demand, Issuer};
use http::Method;
use std::path::PathBuf;
use std::sync::Arc;
use upstream::{AllowList, Upstream};
use validate::{Contract, Exception, Filter, FilterSettings, Mode};

/// What a gRPC call says about itself (grpc/doc/PROTOCOL-HTTP2.md); passed where bodies pass unread.
const GRPC_HEADERS: [&str; 3] = ["grpc-accept-encoding", "grpc-encoding", "grpc-timeout"];

/// What the operations of one API have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) hosts: Vec<String>,
    issuers: Vec<Arc<Issuer>>,
    audience: String,
    upstream: Arc<Upstream>,
    filter: Arc<Filter>,
    contract_mode: Mode,
    audit_required: bool,
}

/// Routes, the documents they come from, and what is weaker than it could be.
pub(super) type Apis = (Routes, Vec<PathBuf>, Vec<Weakening>);

/// Compiles all APIs, and notes every mistake in their documents. `None` where an API is missing
/// in the result, for a mistake that is noted here or in what it needs.
pub(super) fn compile(
    settings: &Settings,
    engines: &Engines,
    mistakes: &mut Vec<Mistake>,
) -> Option<Apis> {
    let (mut declarations, mut origins) = (Vec::new(), Vec::new());
    let (mut documents, mut notes, mut whole) = (Vec::new(), Vec::new(), true);
    let certificate_names = leaf::certificate_names(settings, mistakes);
    for api in &settings.apis {
        let described = document::read(settings, &api.offer);
        let described = described.map_err(|found| mistakes.extend(found));
        let declared = described.as_ref().ok().and_then(Option::as_ref).map(Described::exceptions);
        let outside = Outside { engines, certificate_names: certificate_names.as_deref() };
        let common = common(settings, &outside, api, declared.unwrap_or_default());
        let common = common.map_err(|mistake| mistakes.extend(mistake));
        let (Ok(described), Ok(common)) = (described, common) else {
            whole = false;
            continue;
        };
        let new = match (&described, &api.offer.routes) {
            (Some(described), _) => described.declarations(api, &common),
            (None, Source::Prefix { prefix, methods }) => undeclared(api, &common, prefix, methods),
            (None, Source::Document(_)) => Vec::new(),
        };
        origins.resize(origins.len().saturating_add(new.len()), api);
        declarations.extend(new);
        if let Some(described) = described {
            notes.extend(described.weakenings());
            documents.push(described.path.value);
        }
    }
    match Routes::compile(&declarations) {
        Ok(routes) => whole.then_some((routes, documents, notes)),
        Err(conflicts) => {
            let told = |(index, what): (usize, String)| {
                Some(settings.mistake(&origins.get(index)?.place, what))
            };
            mistakes.extend(conflicts.into_iter().filter_map(told));
            None
        }
    }
}

/// What the operations of an API share. `Err(None)` where that is wanting for a mistake that is
/// noted elsewhere.
fn common(
    settings: &Settings,
    outside: &Outside<'_>,
    api: &Api,
    declared: Vec<Exception>,
) -> Result<Common, Option<Mistake>> {
    let engines = outside.engines;
    let hosts: Vec<String> = if api.hosts.is_empty() {
        outside.certificate_names.ok_or(None)?.to_vec()
    } else {
        api.hosts.iter().map(|host| host.value.clone()).collect()
    };
    if hosts.is_empty() {
        let what = "the certificates name no host: say `hosts`";
        return Err(Some(settings.mistake(&api.place, what)));
    }
    let issuers: Option<Vec<_>> = api.issuers.iter().map(|name| engines.issuer(name)).collect();
    Ok(Common {
        hosts,
        issuers: issuers.ok_or(None)?,
        audience: api.audience.clone(),
        upstream: engines.upstream(&api.upstream).ok_or(None)?,
        filter: Arc::new(Filter::new(filter_settings(api, declared))),
        contract_mode: match api.validate_request {
            Enforcement::Enforce => Mode::Enforce,
            Enforcement::Observe => Mode::Observe,
        },
        audit_required: api.audit == AuditMode::Required,
    })
}

/// What an API needs of the rest of the configuration.
struct Outside<'a> {
    engines: &'a Engines,
    certificate_names: Option<&'a [String]>,
}

/// The filter of an API: as the configuration has it, with the exceptions of its document.
fn filter_settings(api: &Api, declared: Vec<Exception>) -> FilterSettings {
    let mut exceptions = declared;
    for written in &api.filter.exceptions {
        let operations = written.operations.iter().map(|named| Some(named.value.clone()));
        let mut operations: Vec<Option<String>> = operations.collect();
        if operations.is_empty() {
            operations.push(None);
        }
        let id: Arc<str> = written.place.path.to_string().into();
        for (operation, field) in
            operations.iter().flat_map(|own| written.fields.iter().map(move |field| (own, field)))
        {
            let (id, operation, field) = (Arc::clone(&id), operation.clone(), field.clone());
            exceptions.push(Exception { id, operation, field, rules: written.rules.clone() });
        }
    }
    let Filtering { actions, text_bytes_max, .. } = api.filter;
    FilterSettings { actions, exceptions, text_bytes_max, ..FilterSettings::default() }
}

impl Common {
    /// The demand of a token.
    pub(super) fn bearer(&self, anonymous_too: bool) -> Demand {
        Demand::Bearer {
            issuers: self.issuers.clone(),
            audience: self.audience.clone(),
            anonymous_too,
        }
    }
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
    let stream = api.offer.stream.as_ref().filter(|stream| stream.concerns(&own.operation));
    let grpc = GRPC_HEADERS.iter().copied().filter(|_| stream.is_some());
    let pass = AllowList::new(own.headers.iter().map(String::as_str).chain(named).chain(grpc));
    let parameters = parameter_names(&own.template);
    let (operation, template): (Arc<str>, Arc<str>) = (own.operation.into(), own.template.into());
    let facts = RouteFacts {
        api: own.api_name.clone(),
        operation: operation.clone(),
        template: template.clone(),
        upstream: common.upstream.name().clone(),
        audit_required: common.audit_required,
    };
    Arc::new(Route {
        parameters,
        api: own.api_name,
        operation,
        template,
        demand: own.demand,
        access: own.access,
        contract: own.contract,
        contract_mode: common.contract_mode,
        answers: document::answers(&api.offer),
        filter: common.filter.clone(),
        stream: stream.map(|stream| Bounds {
            bytes_max: stream.size_bytes_max,
            silence_max: stream.idle_max,
            age_max: stream.age_max,
            websocket: stream.websocket,
        }),
        upstream: common.upstream.clone(),
        pass: Arc::new(pass),
        audit_required: common.audit_required,
        record: facts.into(),
    })
}

/// An API without a document: everything under its prefix, with a token, without a contract.
fn undeclared(api: &Api, common: &Common, prefix: &str, methods: &[Method]) -> Vec<Declaration> {
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
                demand: common.bearer(false),
                access: Access::new(Vec::new(), false, document::rules(&api.offer, "")),
                contract: Arc::new(Contract::prefix(api.offer.bounds)),
                headers: Vec::new(),
            },
        ),
    };
    vec![declare(prefix.to_owned()), declare(format!("{prefix}{{*rest}}"))]
}
