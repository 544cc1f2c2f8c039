//! The files of one document, and the way from a `$ref` to the node it means. It reads files
//! below the folder of the first one only, and never the network.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::Mistake;
use super::tree::{Kind, Node, Position};

/// Files that one document may be made of.
const FILES_MAX: usize = 10_000;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// References that may follow each other before something else than a reference stands there.
const REFERENCE_CHAIN_MAX: usize = 32;

/// Every file that the document refers to, read once.
#[derive(Debug)]
pub(crate) struct Library {
    files: Vec<File>,
    by_path: HashMap<PathBuf, usize>,
}

#[derive(Debug)]
struct File {
    name: String,
    path: PathBuf,
    /// A file that cannot be read is a mistake only where something refers to it.
    root: Result<Node, Mistake>,
}

impl Library {
    /// Reads `path` and everything it refers to, directly or not.
    pub(crate) fn load(path: &Path) -> Result<Self, Mistake> {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| Mistake::of_file(&name, error.to_string());
        let first = path.canonicalize().map_err(unreadable)?;
        let folder = first.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut library = Self { files: Vec::new(), by_path: HashMap::new() };
        let mut waiting = vec![first];
        while let Some(next) = waiting.pop() {
            if library.by_path.contains_key(&next) {
                continue;
            }
            if library.files.len() >= FILES_MAX {
                return Err(Mistake::of_file(&name, format!("more than {FILES_MAX} files")));
            }
            let shown = shown_name(&next, &folder, library.files.is_empty().then_some(&name));
            let root = read_file(&next, &folder, &shown);
            if let Ok(node) = &root {
                let here = next.parent().unwrap_or(&folder);
                waiting.extend(mentioned_files(node).iter().map(|file| joined(here, file)));
            }
            library.by_path.insert(next.clone(), library.files.len());
            library.files.push(File { name: shown, path: next, root });
        }
        library.root()?;
        Ok(library)
    }

    /// One text, without other files.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Self, Mistake> {
        let root = parse_file(text, name)?;
        let path = PathBuf::from(name);
        let file = File { name: name.to_owned(), path: path.clone(), root: Ok(root) };
        Ok(Self { files: vec![file], by_path: HashMap::from([(path, 0)]) })
    }

    fn root(&self) -> Result<&Node, Mistake> {
        match self.files.first().map(|file| &file.root) {
            Some(Ok(node)) => Ok(node),
            Some(Err(mistake)) => Err(mistake.clone()),
            None => Err(Mistake::of_file("", "nothing was read".to_owned())),
        }
    }

    /// Whether the document is one file, so that no reference leads to another.
    pub(crate) fn is_one_file(&self) -> bool {
        self.files.len() == 1
    }

    /// The document itself.
    pub(crate) fn start(&self) -> Result<Cursor<'_>, Mistake> {
        let node = self.root()?;
        Ok(Cursor { library: self, file: 0, pointer: String::new(), node })
    }
}

fn shown_name(path: &Path, folder: &Path, given: Option<&String>) -> String {
    given
        .cloned()
        .unwrap_or_else(|| path.strip_prefix(folder).unwrap_or(path).display().to_string())
}

fn read_file(path: &Path, folder: &Path, name: &str) -> Result<Node, Mistake> {
    let unreadable = |error: std::io::Error| Mistake::of_file(name, error.to_string());
    let real = path.canonicalize().map_err(unreadable)?;
    if !real.starts_with(folder) {
        return Err(Mistake::of_file(name, "outside the folder of the document".to_owned()));
    }
    if std::fs::metadata(&real).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(Mistake::of_file(name, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    parse_file(&std::fs::read_to_string(&real).map_err(unreadable)?, name)
}

fn parse_file(text: &str, name: &str) -> Result<Node, Mistake> {
    Node::parse(text).map_err(|(at, what)| Mistake {
        file: name.to_owned(),
        line: at.line,
        column: at.column,
        pointer: String::new(),
        what,
    })
}

/// The file parts of all references below a node.
fn mentioned_files(root: &Node) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        match &node.kind {
            Kind::List(items) => waiting.extend(items),
            Kind::Map(members) => {
                for (name, child) in members {
                    if name == "$ref"
                        && let Some(target) = child.as_str()
                    {
                        let file = target.split('#').next().unwrap_or_default();
                        if !file.is_empty() && !is_remote(file) {
                            found.insert(decoded(file));
                        }
                    }
                    waiting.push(child);
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
    found
}

fn is_remote(target: &str) -> bool {
    target.contains("://") || target.starts_with("//")
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `folder/relative` with `.` and `..` resolved by name.
fn joined(folder: &Path, relative: &str) -> PathBuf {
    let mut path = folder.to_path_buf();
    for part in Path::new(relative).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => path = PathBuf::from(part.as_os_str()),
        }
    }
    path
}

/// One node of the document, with the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    library: &'a Library,
    pub(crate) file: usize,
    pub(crate) pointer: String,
    pub(crate) node: &'a Node,
}

impl<'a> Cursor<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        self.node.get(name).map(|node| self.at(name, node))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.node.get(name).and_then(Node::as_str)
    }

    /// The members of a map, none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = self.node.as_map().unwrap_or_default();
        members.iter().map(|(name, node)| (name.as_str(), self.at(name, node)))
    }

    /// The items of a list, none of anything else.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> {
        let items = self.node.as_list().unwrap_or_default();
        items.iter().enumerate().map(|(index, node)| self.at(&index.to_string(), node))
    }

    fn at(&self, name: &str, node: &'a Node) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self {
            library: self.library,
            file: self.file,
            pointer: self.pointer.clone() + "/" + &escaped,
            node,
        }
    }

    /// The file as mistakes show it.
    pub(crate) fn file_name(&self) -> &'a str {
        self.library.files.get(self.file).map(|file| file.name.as_str()).unwrap_or_default()
    }

    pub(crate) fn mistake(&self, what: impl Into<String>) -> Mistake {
        let Position { line, column } = self.node.at;
        let (file, pointer) = (self.file_name().to_owned(), self.pointer.clone());
        Mistake { file, line, column, pointer, what: what.into() }
    }

    /// Where this node's own `$ref` leads, one step.
    pub(crate) fn target(&self) -> Result<Self, Mistake> {
        let Some(text) = self.text("$ref") else {
            return Err(self.mistake("`$ref` must be a string"));
        };
        if is_remote(text) {
            return Err(
                self.mistake(format!("`$ref: {text}` is remote; put a copy beside the document"))
            );
        }
        let (file, fragment) = text.split_once('#').unwrap_or((text, ""));
        let index = if file.is_empty() { self.file } else { self.other_file(file)? };
        let root = match self.library.files.get(index).map(|file| &file.root) {
            Some(Ok(node)) => node,
            Some(Err(mistake)) => {
                return Err(self.mistake(format!("`$ref: {text}`: {}", mistake.what)));
            }
            None => return Err(self.mistake(format!("`$ref: {text}` leads to no file"))),
        };
        let start = Self { library: self.library, file: index, pointer: String::new(), node: root };
        let fragment = decoded(fragment);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return Err(self.mistake(format!(
                "`$ref: {text}`: anchors are not supported; use a JSON pointer"
            )));
        }
        start.walk(&fragment).ok_or_else(|| self.mistake(format!("`$ref: {text}` leads nowhere")))
    }

    fn other_file(&self, file: &str) -> Result<usize, Mistake> {
        let here = self.library.files.get(self.file);
        let folder = here.and_then(|file| file.path.parent()).unwrap_or(Path::new(""));
        let wanted = joined(folder, &decoded(file));
        let found = self.library.by_path.get(&wanted).copied();
        found
            .ok_or_else(|| self.mistake(format!("`$ref` to the file `{file}`, which was not read")))
    }

    fn walk(self, pointer: &str) -> Option<Self> {
        let mut here = self;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            here = match here.node.as_list() {
                Some(items) => here.at(&name, items.get(name.parse::<usize>().ok()?)?),
                None => here.get(&name)?,
            };
        }
        Some(here)
    }

    /// This node, or what it refers to in the end.
    pub(crate) fn resolved(&self) -> Result<Self, Mistake> {
        let mut here = self.clone();
        for _ in 0..REFERENCE_CHAIN_MAX {
            if here.node.get("$ref").is_none() {
                return Ok(here);
            }
            here = here.target()?;
        }
        Err(self.mistake(format!("more than {REFERENCE_CHAIN_MAX} references in a row")))
    }
}
