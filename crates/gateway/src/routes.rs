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

mod segments;

use segments::{Fit, Segment};

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

/// What answers one pattern of the router.
#[derive(Debug)]
struct Entry {
    /// The templates of that pattern: at most one with segments of several parameters, which stands first, and one without.
    shapes: Vec<Shape>,
    /// The declaration it began with, for mistakes.
    first: usize,
}

/// What answers one path template.
#[derive(Debug)]
struct Shape {
    /// For each parameter of the router, how it is split.
    segments: Vec<Option<Segment>>,
    methods: Vec<(Method, Arc<Route>)>,
    allowed: Arc<[Method]>,
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
        let found = matched.value.shape(path, &matched.params);
        let (shape, parameters) = found.ok_or(Refusal::PathUndeclared)?;
        let route = shape
            .methods
            .iter()
            .find_map(|(method, route)| (*method == exchange.head.method).then_some(route))
            .ok_or_else(|| Refusal::MethodUndeclared(shape.allowed.clone()))?;
        record.knows_route(route);
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
        let shapes = entry.iter().flat_map(|entry| &entry.value.shapes);
        let methods = shapes.flat_map(|shape| &shape.methods);
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
            let (pattern, segments) = pattern(&declaration.route.template);
            if declaration.route.parameters.len() > PARAMETERS_MAX {
                mistakes.push((index, format!("more than {PARAMETERS_MAX} path parameters")));
            }
            for host in &declaration.hosts {
                let paths = hosts.entry(host.to_ascii_lowercase().into()).or_default();
                let entry = paths.entry(pattern.clone()).or_insert_with(|| Entry::new(index));
                if let Err(what) = entry.add(declaration, &segments) {
                    mistakes.push((index, format!("{what} on {host}")));
                }
            }
        }
        let every = declarations.iter().map(|declaration| declaration.route.clone()).collect();
        let mut routes = Self { every, ..Self::default() };
        for (host, paths) in hosts {
            let router = routes.hosts.entry(host).or_default();
            for (pattern, entry) in paths {
                let methods = entry.shapes.iter().map(|shape| shape.methods.len());
                routes.count = routes.count.saturating_add(methods.sum());
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
    const fn new(first: usize) -> Self {
        Self { shapes: Vec::new(), first }
    }

    /// The template that a path has, and where its parameters stand. What could be split in several ways has none.
    fn shape(
        &self,
        path: &str,
        found: &matchit::Params<'_, '_>,
    ) -> Option<(&Shape, Vec<Range<usize>>)> {
        for shape in &self.shapes {
            let mut parameters = Vec::with_capacity(shape.segments.len());
            let texts = found.iter().map(|(_, text)| text);
            match shape.fit(path, texts, &mut parameters) {
                Fit::Whole(_) => return Some((shape, parameters)),
                Fit::Not => {}
                Fit::Ambiguous => return None,
            }
        }
        None
    }

    fn add(
        &mut self,
        declaration: &Declaration,
        segments: &[Option<Segment>],
    ) -> Result<(), String> {
        let is_split = segments.iter().any(Option::is_some);
        if let Some(shape) = self.shapes.iter_mut().find(|shape| shape.segments == segments) {
            return shape.add(declaration);
        }
        if is_split && self.shapes.iter().any(Shape::is_split) {
            let what = "another path is split in another way: a request could be both";
            return Err(format!("{}: {what}", declaration.route.template));
        }
        let mut shape =
            Shape { segments: segments.to_vec(), methods: Vec::new(), allowed: Arc::default() };
        shape.add(declaration)?;
        self.shapes.insert(if is_split { 0 } else { self.shapes.len() }, shape);
        Ok(())
    }
}

impl Shape {
    fn is_split(&self) -> bool {
        self.segments.iter().any(Option::is_some)
    }

    /// Whether the texts that the router found fit; where the parameters stand in the path goes to `parameters`.
    fn fit<'p>(
        &self,
        path: &'p str,
        texts: impl Iterator<Item = &'p str>,
        parameters: &mut Vec<Range<usize>>,
    ) -> Fit {
        for (text, segment) in texts.take(PARAMETERS_MAX).zip(&self.segments) {
            let Some(whole) = within(path, text) else { return Fit::Not };
            match segment.as_ref().map(|segment| segment.split(text)) {
                None => parameters.push(whole),
                Some(Fit::Whole(ranges)) => parameters.extend(
                    ranges.iter().map(|own| whole.start + own.start..whole.start + own.end),
                ),
                Some(other) => return other,
            }
        }
        Fit::Whole(Vec::new())
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

/// The template with its parameters named by place (`{p0}`): documents may name the same place differently in different
/// templates, which the router would call a conflict. A segment of several parameters is one to the router; how each
/// parameter of the router is split comes with it.
fn pattern(template: &str) -> (String, Vec<Option<Segment>>) {
    let (mut out, mut segments) = (String::with_capacity(template.len()), Vec::new());
    for (index, segment) in template.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let split = Segment::of(segment);
        if split.is_some() {
            out.push_str(&format!("{{p{}}}", segments.len()));
            segments.push(split);
            continue;
        }
        let parts = segment.split_once('{').and_then(|(before, after)| {
            after.split_once('}').map(|(name, behind)| (before, name, behind))
        });
        let Some((before, name, behind)) = parts else {
            out.push_str(segment);
            continue;
        };
        let star = if name.starts_with('*') { "*" } else { "" };
        out.push_str(&format!("{before}{{{star}p{}}}{behind}", segments.len()));
        segments.push(None);
    }
    (out, segments)
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
