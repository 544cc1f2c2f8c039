//! What is declared: hosts, paths and methods, each with the demands of its operation.
//!
//! Nothing here decides about callers. What is not found here does not exist.

use crate::access::Access;
use crate::passage::Bounds;
use crate::record::Record;
use crate::refusal::Refusal;
use edge::Exchange;
use http::Method;
use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, Range};
use std::sync::Arc;
use upstream::{AllowList, Upstream};
use validate::{Contract, Filter, Mode};

/// Path parameters of one template at most.
const PARAMETERS_MAX: usize = 32;

/// One operation and everything it demands.
#[derive(Debug)]
pub struct Route {
    /// The name of the API: the document's title, or the prefix.
    pub api: Arc<str>,
    /// The operation: `operationId`, else method and path.
    pub operation: Arc<str>,
    /// The path template: what a record names instead of the path.
    pub template: Arc<str>,
    /// The names of its path parameters, in order.
    pub parameters: Vec<String>,
    /// What a caller must prove.
    pub demand: authn::Demand,
    /// What a caller must be allowed.
    pub access: Access,
    /// What the request must look like.
    pub contract: Arc<Contract>,
    /// Whether a violated contract refuses.
    pub contract_mode: Mode,
    /// Whether what the service answers is held against the contract.
    pub answers: Mode,
    /// What its texts must not hold.
    pub filter: Arc<Filter>,
    /// How its bodies pass unread, where the configuration says so.
    pub stream: Option<Bounds>,
    /// The service behind it.
    pub upstream: Arc<Upstream>,
    /// The request fields that go inside.
    pub pass: Arc<AllowList>,
    /// No record, no service.
    pub audit_required: bool,
    /// The operation as its records name it.
    pub record: audit::Operation,
}

/// All declared operations of one policy.
#[derive(Debug, Default)]
pub struct Routes {
    hosts: HashMap<Box<str>, matchit::Router<Entry>>,
    /// Every operation, in the order of its declaration.
    every: Vec<Arc<Route>>,
    count: usize,
}

/// What answers one path template.
#[derive(Debug)]
struct Entry {
    methods: Vec<(Method, Arc<Route>)>,
    allowed: Arc<[Method]>,
    /// The declaration it began with, for mistakes.
    first: usize,
}

/// One operation to be declared.
#[derive(Debug)]
pub struct Declaration {
    /// Where it answers.
    pub hosts: Vec<String>,
    /// The methods it answers to.
    pub methods: Vec<Method>,
    /// The operation.
    pub route: Arc<Route>,
}

/// Proof that the operation is declared. Only this module can make one.
#[derive(Debug)]
pub struct Found {
    route: Arc<Route>,
    /// Where the path parameters stand in the canonical path.
    parameters: Vec<Range<usize>>,
}

impl Deref for Found {
    type Target = Route;
    fn deref(&self) -> &Route {
        &self.route
    }
}

impl Found {
    /// Name and raw text of each path parameter, out of the `path` that was matched.
    pub fn path_parameters<'a>(
        &'a self,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let names = self.route.parameters.iter().map(String::as_str);
        let texts = self.parameters.iter().map(|range| path.get(range.clone()).unwrap_or_default());
        names.zip(texts)
    }
}

impl Routes {
    /// Finds the operation of a request; what it found (or not) is noted in the record.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] where the target has no single reading,
    /// [`Refusal::HostUndeclared`], [`Refusal::PathUndeclared`], [`Refusal::MethodUndeclared`].
    pub fn find(&self, exchange: &Exchange, record: &mut Record) -> Result<Found, Refusal> {
        let target = exchange.matrix_target().map_err(Refusal::Malformed)?;
        if target.has_matrix() && !self.takes_matrix(target, &exchange.head.method) {
            return Err(Refusal::Malformed(edge::Malformed::PathCharacter));
        }
        let router = self.hosts.get(target.host()).ok_or(Refusal::HostUndeclared)?;
        let path = target.path();
        let matched = router.at(path).map_err(|_| Refusal::PathUndeclared)?;
        let route = matched
            .value
            .methods
            .iter()
            .find_map(|(method, route)| (*method == exchange.head.method).then_some(route))
            .ok_or_else(|| Refusal::MethodUndeclared(matched.value.allowed.clone()))?;
        record.knows_route(route);
        let parameters = matched
            .params
            .iter()
            .take(PARAMETERS_MAX)
            .filter_map(|(_, text)| within(path, text))
            .collect();
        Ok(Found { route: route.clone(), parameters })
    }

    /// Every declared operation.
    #[must_use]
    pub fn every(&self) -> &[Arc<Route>] {
        &self.every
    }

    /// Whether anything is declared for this host.
    #[must_use]
    pub fn answers_for(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }

    /// Whether the operation of a target declares that its path may hold `;`: nobody else reads it as it is meant.
    fn takes_matrix(&self, target: &edge::Target, method: &Method) -> bool {
        let entry = self.hosts.get(target.host()).and_then(|router| router.at(target.path()).ok());
        let methods = entry.iter().flat_map(|entry| &entry.value.methods);
        methods.into_iter().any(|(own, route)| own == method && route.contract.takes_matrix())
    }

    /// Compiles declarations into routers.
    ///
    /// # Errors
    /// Each declaration that does not fit, by its index, with what is wrong.
    pub fn compile(declarations: &[Declaration]) -> Result<Self, Vec<(usize, String)>> {
        let mut hosts: HashMap<Box<str>, BTreeMap<String, Entry>> = HashMap::new();
        let mut mistakes = Vec::new();
        for (index, declaration) in declarations.iter().enumerate() {
            let (pattern, count) = pattern(&declaration.route.template);
            if count > PARAMETERS_MAX {
                mistakes.push((index, format!("more than {PARAMETERS_MAX} path parameters")));
            }
            for host in &declaration.hosts {
                let paths = hosts.entry(host.to_ascii_lowercase().into()).or_default();
                let entry = paths.entry(pattern.clone()).or_insert_with(|| Entry::new(index));
                if let Err(what) = entry.add(declaration) {
                    mistakes.push((index, format!("{what} on {host}")));
                }
            }
        }
        let every = declarations.iter().map(|declaration| declaration.route.clone()).collect();
        let mut routes = Self { every, ..Self::default() };
        for (host, paths) in hosts {
            let router = routes.hosts.entry(host).or_default();
            for (pattern, entry) in paths {
                routes.count = routes.count.saturating_add(entry.methods.len());
                let first = entry.first;
                if let Err(conflict) = router.insert(pattern, entry) {
                    mistakes.push((first, conflict.to_string()));
                }
            }
        }
        if mistakes.is_empty() { Ok(routes) } else { Err(mistakes) }
    }

    /// How many operations are declared, counted per host.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing at all is declared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Entry {
    fn new(first: usize) -> Self {
        Self { methods: Vec::new(), allowed: Arc::default(), first }
    }

    fn add(&mut self, declaration: &Declaration) -> Result<(), String> {
        for method in &declaration.methods {
            if self.methods.iter().any(|(declared, _)| declared == method) {
                return Err(format!("{method} {} is declared twice", declaration.route.template));
            }
            self.methods.push((method.clone(), declaration.route.clone()));
        }
        self.allowed = self.methods.iter().map(|(method, _)| method.clone()).collect();
        Ok(())
    }
}

/// The range of `part` inside `whole`, of which it is a slice.
fn within(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// The template with its parameters named by place (`{0}`): documents may name the same place
/// differently in different templates, which the router would call a conflict.
fn pattern(template: &str) -> (String, usize) {
    let (mut out, mut count, mut rest) = (String::with_capacity(template.len()), 0_usize, template);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        let star = if name.starts_with('*') { "*" } else { "" };
        out.push_str(&format!("{{{star}p{count}}}"));
        count = count.saturating_add(1);
        rest = tail;
    }
    out.push_str(rest);
    (out, count)
}

/// The names of the parameters of a template, in order.
#[must_use]
pub fn parameter_names(template: &str) -> Vec<String> {
    template
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name.trim_start_matches('*').to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
