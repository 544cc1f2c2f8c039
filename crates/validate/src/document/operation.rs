//! Paths and methods of a document as operations. It knows no requests.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Cursor, Operation, Report, Version, answers, body, filter, newer, parameter, security,
};
use crate::contract::wire::Style;
use crate::contract::{Contract, Declared, Handling};
use crate::limits::Limits;
use crate::violation::ParameterIn;

const METHODS: [&str; 9] =
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", QUERY];
/// Of OpenAPI 3.2.
const QUERY: &str = "query";

/// What every operation of one document is built with.
struct Builder<'a, 'r> {
    root: &'a Cursor<'a>,
    version: Version,
    limits: &'a Limits,
    handling: &'a Handling,
    report: &'r mut Report,
    ids: HashSet<String>,
    templates: HashSet<String>,
}

/// Builds every operation; mistakes go to `report`.
pub(super) fn all(
    root: &Cursor<'_>,
    version: Version,
    (limits, handling): (&Limits, &Handling),
    report: &mut Report,
) -> Vec<Operation> {
    let (ids, templates) = (HashSet::new(), HashSet::new());
    let mut builder = Builder { root, version, limits, handling, report, ids, templates };
    let mut operations = Vec::new();
    let Some(paths) = root.get("paths") else {
        builder.report.mistake(root, "a document without `paths` protects nothing");
        return operations;
    };
    for (template, item) in paths.members().filter(|(name, _)| !name.starts_with("x-")) {
        match item.resolved() {
            Ok(item) => builder.path_item(template, &item, &mut operations),
            Err(mistake) => builder.report.push(mistake),
        }
    }
    operations
}

impl Builder<'_, '_> {
    fn path_item(&mut self, template: &str, item: &Cursor<'_>, out: &mut Vec<Operation>) {
        if !template.starts_with('/') || template.contains(['?', '#']) {
            return self.report.mistake(item, "a path starts with `/` and has no query");
        }
        let newest = self.version == Version::V32;
        let methods = METHODS.into_iter().filter(|name| newest || *name != QUERY);
        let mut known: Vec<&str> = methods.clone().collect();
        known.extend(["summary", "description", "servers", "parameters", "additionalOperations"]);
        self.report.known_members(item, &known);
        newer::check_path_item(item, self.version, self.report);
        for name in methods {
            let Some(operation) = item.get(name) else { continue };
            // An operation may stand in a file of its own.
            match operation.resolved() {
                Ok(operation) => out.extend(self.operation(name, template, item, &operation)),
                Err(mistake) => self.report.push(mistake),
            }
        }
    }

    fn operation(
        &mut self,
        method: &str,
        path: &str,
        item: &Cursor<'_>,
        at: &Cursor<'_>,
    ) -> Option<Operation> {
        const KNOWN: [&str; 12] = [
            "tags",
            "summary",
            "description",
            "externalDocs",
            "operationId",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
            "deprecated",
            "security",
            "servers",
        ];
        self.report.known_members(at, &KNOWN);
        let id = at.text("operationId").map_or_else(|| format!("{method} {path}"), str::to_owned);
        if !self.ids.insert(id.clone()) {
            self.report.mistake(at, format!("operationId `{id}` is used twice"));
        }
        let template = self.base_path(item, at) + path;
        if !self.templates.insert(format!("{method} {}", without_names(&template))) {
            self.report.mistake(at, format!("`{method} {template}` is the same as another path"));
        }
        let parameters = parameter::all(item, at, self.version, self.report);
        self.check_template(path, at, &parameters);
        self.check_segments(path, at, &parameters);
        let body = body::read(at, self.version, self.report);
        let declared_headers = declared_headers(&parameters);
        let looked_at = self.handling.answers;
        let answers = looked_at
            .then(|| answers::read(at, (self.version, self.handling.drops_members), self.report));
        let declared = Declared { parameters, body, answers };
        let exceptions = filter::exceptions(at, &id, self.report);
        let contract = Contract::declared(declared, *self.limits, self.handling.clone());
        Some(Operation {
            id,
            method: http::Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?,
            template,
            security: security::read(at, self.root, self.report),
            declared_headers,
            exceptions,
            contract: Arc::new(contract),
        })
    }

    /// The path of the first server that holds for the operation, without the last slash.
    fn base_path(&mut self, item: &Cursor<'_>, at: &Cursor<'_>) -> String {
        let stated = [at, item, self.root].into_iter().find_map(|level| level.get("servers"));
        let Some(servers) = stated else { return String::new() };
        let Some(server) = servers.items().next() else { return String::new() };
        if servers.items().count() > 1 {
            self.report.note(&servers, "only the first server gives the base path");
        }
        let Some(url) = server.text("url") else {
            self.report.mistake(&server, "a server needs its `url`");
            return String::new();
        };
        let mut url = url.to_owned();
        for (name, variable) in server.get("variables").iter().flat_map(Cursor::members) {
            let value = variable.text("default").unwrap_or_default();
            url = url.replace(&format!("{{{name}}}"), value);
        }
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|i| rest.get(i..)).unwrap_or_default(),
            None => url.as_str(),
        };
        let path = path.trim_end_matches('/');
        if path.contains(['{', '}', '?', '#']) || !(path.is_empty() || path.starts_with('/')) {
            self.report.mistake(&server, format!("no base path can be taken from `{url}`"));
        }
        path.to_owned()
    }

    /// Every templated name is declared, and every declared one is in the template.
    fn check_template(&mut self, path: &str, at: &Cursor<'_>, all: &[parameter::Parameter]) {
        let names: Vec<&str> = path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect();
        let declared =
            |name: &str| all.iter().any(|p| p.location == ParameterIn::Path && p.name == name);
        for name in names.iter().filter(|name| !declared(name)) {
            self.report.mistake(at, format!("`{{{name}}}` of the path is not declared"));
        }
        for one in all.iter().filter(|p| p.location == ParameterIn::Path) {
            if !names.contains(&one.name.as_str()) {
                let what = format!("path parameter `{}` is not in the path", one.name);
                self.report.mistake(at, what);
            }
        }
    }
}

impl Builder<'_, '_> {
    /// Every brace of a template is one of a parameter, and parameters of one segment can be told apart.
    fn check_segments(&mut self, path: &str, at: &Cursor<'_>, all: &[parameter::Parameter]) {
        for segment in path.split('/') {
            let names: Vec<&str> = segment
                .split('{')
                .skip(1)
                .filter_map(|part| part.split_once('}').map(|(name, _)| name))
                .collect();
            let braces = |brace| segment.matches(brace).count() != names.len();
            if braces('{') || braces('}') || names.iter().any(|name| name.is_empty()) {
                self.report.mistake(at, format!("`{path}`: a brace that holds no name"));
            }
            if segment.contains("}{") {
                let what = format!("`{path}`: nothing stands between two parameters of a segment");
                self.report.mistake(at, what);
            }
            let marked = |name: &&&str| {
                all.iter().any(|one| {
                    one.location == ParameterIn::Path
                        && one.name == **name
                        && one.wire.style != Style::Simple
                })
            };
            if names.len() > 1
                && let Some(name) = names.iter().find(marked)
            {
                let what = format!("`{path}`: `{name}` shares its segment, so its style is simple");
                self.report.mistake(at, what);
            }
        }
    }
}

/// The fields that parameters come in.
fn declared_headers(parameters: &[parameter::Parameter]) -> Vec<String> {
    let cookies = parameters.iter().any(|p| p.location == ParameterIn::Cookie);
    let named = parameters.iter().filter(|p| p.location == ParameterIn::Header);
    let named = named.map(|p| p.name.to_ascii_lowercase());
    named.chain(cookies.then(|| "cookie".to_owned())).collect()
}

fn without_names(template: &str) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.split_once('}').map(|(_, rest)| rest).unwrap_or_default();
        text + "{}" + rest
    })
}
