//! A file is read again once it has changed and lies still.

use super::*;
use crate::config::Place;
use crate::config::settings::{
    ClientAddress, ClientCertificateMode, ClientCertificates, HttpVersions, TlsVersion,
};

fn listener(ca: PathBuf, crl: Option<PathBuf>) -> Listener {
    let place = Place::whole_file();
    let mode = ClientCertificateMode::Required;
    Listener {
        place: place.clone(),
        address: ([127, 0, 0, 1], 0).into(),
        http: HttpVersions { h1: true, h2: true, h3: false },
        plaintext: None,
        certificates: Vec::new(),
        min_version: TlsVersion::V1_3,
        client_address: ClientAddress::default(),
        forwarded_certificates: None,
        client_certificates: Some(ClientCertificates { place, mode, ca, crl, resumption: false }),
    }
}

#[test]
fn a_file_is_read_again_once_it_has_changed_and_lies_still() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, crl) = (folder.path().join("ca.pem"), folder.path().join("list.crl"));
    fs::write(&ca, "a").expect("a file");
    fs::write(&crl, "b").expect("a file");
    let listeners = [listener(ca.clone(), Some(crl.clone()))];
    let mut files = Files::of(&listeners);
    assert!(!files.have_changed(&listeners) && !files.have_changed(&listeners));
    fs::write(&crl, "being").expect("a file");
    assert!(!files.have_changed(&listeners), "may still be written");
    fs::write(&crl, "being written").expect("a file");
    assert!(!files.have_changed(&listeners), "is still written");
    assert!(files.have_changed(&listeners));
    files = Files::of(&listeners);
    assert!(!files.have_changed(&listeners), "was read");
    // Put in place of the old one, and as long as that.
    let fresh = folder.path().join("fresh");
    fs::write(&fresh, "c").expect("a file");
    fs::rename(&fresh, &ca).expect("a renamed file");
    assert!(!files.have_changed(&listeners));
    assert!(files.have_changed(&listeners));
    files = Files::of(&listeners);
    fs::remove_file(&crl).expect("a removed file");
    assert!(!files.have_changed(&listeners));
    assert!(files.have_changed(&listeners));
}
