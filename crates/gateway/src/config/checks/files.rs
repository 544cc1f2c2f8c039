//! Files and directories that the configuration names: absolute, there, readable, and secret
//! where they have to be. Their content is left to whoever needs it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Checker;
use crate::config::mistake::{Place, Placed};
use crate::config::raw::{FilePath, RawCertificate, RawSecret, RawServerCertificate};
use crate::config::reader::Given;
use crate::config::settings::{Certificate, SecretFile};

/// Group and others: read, write, execute.
const NOT_OWNER: u32 = 0o077;
/// Others: read.
const OTHERS_READ: u32 = 0o004;

impl Checker<'_, '_> {
    /// A path from the directory of the configuration file.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// A file that can be read.
    pub(super) fn readable(&mut self, file: &Placed<FilePath>) -> Option<PathBuf> {
        self.readable_path(&file.place, &file.value.0)
    }

    /// A file that must be named.
    pub(super) fn file(&mut self, file: &Given<FilePath>) -> Option<PathBuf> {
        self.readable(file.get()?)
    }

    /// A file that may be left out: `Some(None)` where it is.
    pub(super) fn optional_file(&mut self, file: &Given<FilePath>) -> Option<Option<PathBuf>> {
        if file.is_absent() { Some(None) } else { self.file(file).map(Some) }
    }

    /// As [`Self::readable`], for a path that is written in another form.
    pub(super) fn readable_path(&mut self, place: &Place, path: &Path) -> Option<PathBuf> {
        let path = self.absolute(path);
        if let Err(error) = open(&path) {
            self.wrong(place, format!("{}: {error}", path.display()));
            return None;
        }
        Some(path)
    }

    /// A certificate chain and its key.
    pub(super) fn certificate(
        &mut self,
        certificate: &Placed<RawCertificate>,
    ) -> Option<Certificate> {
        let RawCertificate { chain, key } = &certificate.value;
        self.pair(&certificate.place, chain, key)
    }

    /// A certificate chain, its key, and what is stapled to it.
    pub(super) fn server_certificate(
        &mut self,
        certificate: &Placed<RawServerCertificate>,
    ) -> Option<Certificate> {
        let RawServerCertificate { chain, key, ocsp } = &certificate.value;
        let (pair, ocsp) = (self.pair(&certificate.place, chain, key), self.optional_file(ocsp));
        Some(Certificate { ocsp: ocsp?, ..pair? })
    }

    fn pair(
        &mut self,
        place: &Place,
        chain: &Given<FilePath>,
        key: &Given<FilePath>,
    ) -> Option<Certificate> {
        let chain = self.file(chain);
        let key = self.file(key)?;
        Some(Certificate {
            place: place.clone(),
            chain: chain?,
            key_readable_by_all: mode(&key).is_some_and(|mode| mode & OTHERS_READ != 0),
            key,
            ocsp: None,
        })
    }

    /// A certificate that may be left out: `Some(None)` where it is.
    pub(super) fn optional_certificate(
        &mut self,
        certificate: &Given<RawCertificate>,
    ) -> Option<Option<Certificate>> {
        if certificate.is_absent() {
            return Some(None);
        }
        self.certificate(certificate.get()?).map(Some)
    }

    /// A file that only its owner may read.
    pub(super) fn secret(&mut self, secret: &Given<RawSecret>) -> Option<SecretFile> {
        let file = secret.value()?.file.get()?;
        let path = self.readable(file)?;
        self.owner_only(&file.place, &path);
        Some(SecretFile { place: file.place.clone(), path })
    }

    /// Notes a file that others than its owner may use.
    pub(super) fn owner_only(&mut self, place: &Place, path: &Path) {
        if mode(path).is_some_and(|mode| mode & NOT_OWNER != 0) {
            let path = path.display();
            let what = format!("{path} is open to others than its owner: `chmod 600 {path}`");
            self.wrong(place, what);
        }
    }

    /// A directory that is there or can be made later.
    pub(super) fn directory(&mut self, place: &Place, path: &Path) -> PathBuf {
        let path = self.absolute(path);
        if fs::metadata(&path).is_ok_and(|found| !found.is_dir()) {
            self.wrong(place, format!("{} is not a directory", path.display()));
        }
        path
    }
}

fn open(path: &Path) -> io::Result<()> {
    // Before opening: to open a pipe would wait for whoever writes into it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    File::open(path).map(drop)
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().as_ref().map(Metadata::permissions).map(|found| found.mode())
}
