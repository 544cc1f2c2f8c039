//! What is left of a configuration that is refused. Mistakes in the files that it names are told
//! together with its own; it does not know what those files must hold.

use super::mistake::Mistake;
use super::settings::{Certificate, ClientCertificates, Offer, SecretFile, Settings};

/// A configuration that is refused.
#[derive(Debug)]
pub struct Refused {
    /// Everything that is wrong and can be seen without the content of the files it names.
    pub mistakes: Vec<Mistake>,
    /// What is left without that; nothing where the file could not be read as YAML.
    pub draft: Option<Box<Draft>>,
}

/// A configuration without what is wrong in it: good for finding more mistakes, never for running.
#[derive(Debug)]
pub struct Draft {
    /// The sections and items that are whole; a section of which that does not hold has its
    /// default.
    pub rest: Settings,
    /// What is good of the items that are not whole.
    pub parts: Parts,
}

/// Good parts of items that are wrong in another part.
#[derive(Debug, Default)]
pub struct Parts {
    /// Of listeners.
    pub certificates: Vec<Certificate>,
    /// Of listeners, too.
    pub client_certificates: Vec<ClientCertificates>,
    /// Of APIs.
    pub offers: Vec<Offer>,
    /// Keys of upstreams.
    pub assertion_keys: Vec<SecretFile>,
}
