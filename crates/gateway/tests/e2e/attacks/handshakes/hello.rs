//! A ClientHello as bytes, with everything in it that an attacker may bend (RFC 8446 4.1.2). It knows no gateway.

/// Extensions (RFC 8446 4.2, RFC 6066, RFC 7301).
pub(super) const SERVER_NAME: u16 = 0;
pub(super) const GROUPS: u16 = 10;
pub(super) const SIGNATURES: u16 = 13;
pub(super) const ALPN: u16 = 16;
pub(super) const TICKETS: u16 = 41;
pub(super) const EARLY_DATA: u16 = 42;
pub(super) const VERSIONS: u16 = 43;
pub(super) const TICKET_MODES: u16 = 45;
pub(super) const KEY_SHARES: u16 = 51;

/// Groups (RFC 8446 4.2.7).
pub(super) const P256: u16 = 0x0017;
pub(super) const X25519: u16 = 0x001d;
pub(super) const X25519_MLKEM768: u16 = 0x11ec;

/// Kinds of records (RFC 8446 5.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// A ClientHello.
#[derive(Clone)]
pub(super) struct Hello {
    pub(super) version: [u8; 2],
    pub(super) session: Vec<u8>,
    pub(super) suites: Vec<u16>,
    pub(super) compression: Vec<u8>,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
    /// What stands behind the extensions.
    pub(super) behind: Vec<u8>,
}

impl Hello {
    /// One that nobody can find fault with.
    pub(super) fn good() -> Self {
        Self {
            version: [3, 3],
            session: vec![7; 32],
            suites: vec![0x1301, 0x1302, 0x1303],
            compression: vec![0],
            extensions: vec![
                (SERVER_NAME, name(b"localhost")),
                (VERSIONS, short(&[3, 4])),
                (GROUPS, groups(&[X25519, P256])),
                (SIGNATURES, groups(&[0x0403, 0x0804, 0x0401])),
                (ALPN, protocols(&[b"http/1.1"])),
                (KEY_SHARES, shares(&[(X25519, &POINT)])),
            ],
            behind: Vec::new(),
        }
    }

    /// With an extension in place of the one of its kind, or behind all others.
    pub(super) fn with(mut self, kind: u16, value: Vec<u8>) -> Self {
        match self.extensions.iter_mut().find(|(found, _)| *found == kind) {
            Some(found) => found.1 = value,
            None => self.extensions.push((kind, value)),
        }
        self
    }

    /// With an extension more, whatever is there.
    pub(super) fn and(mut self, kind: u16, value: Vec<u8>) -> Self {
        self.extensions.push((kind, value));
        self
    }

    pub(super) fn without(mut self, kind: u16) -> Self {
        self.extensions.retain(|(found, _)| *found != kind);
        self
    }

    /// The handshake message.
    pub(super) fn message(&self) -> Vec<u8> {
        let suites: Vec<u8> = self.suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
        let extensions = self
            .extensions
            .iter()
            .flat_map(|(kind, value)| [kind.to_be_bytes().as_slice(), &long(value)].concat());
        let body = [
            self.version.as_slice(),
            &[0x5a; 32],
            &short(&self.session),
            &long(&suites),
            &short(&self.compression),
            &long(&extensions.collect::<Vec<u8>>()),
            &self.behind,
        ]
        .concat();
        message(1, &body)
    }

    /// The message in one record.
    pub(super) fn record(&self) -> Vec<u8> {
        record(HANDSHAKE, &self.message())
    }
}

/// The base point of X25519 (RFC 7748 6.1), which is as good a public key as any.
pub(super) const POINT: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 9;
    point
};

/// A handshake message of a kind.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, length[1], length[2], length[3]], body].concat()
}

/// A record.
pub(super) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    record_of([3, 1], kind, body)
}

/// A record of a version.
pub(super) fn record_of(version: [u8; 2], kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], version.as_slice(), &long(body)].concat()
}

/// Bytes with a length of one byte before them.
pub(super) fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// Bytes with a length of two bytes before them.
pub(super) fn long(bytes: &[u8]) -> Vec<u8> {
    [u16::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat()
}

/// The extension of a server name.
pub(super) fn name(name: &[u8]) -> Vec<u8> {
    long(&[&[0], long(name).as_slice()].concat())
}

/// Groups or signature schemes.
pub(super) fn groups(all: &[u16]) -> Vec<u8> {
    long(&all.iter().flat_map(|one| one.to_be_bytes()).collect::<Vec<u8>>())
}

pub(super) fn protocols(all: &[&[u8]]) -> Vec<u8> {
    long(&all.iter().flat_map(|one| short(one)).collect::<Vec<u8>>())
}

pub(super) fn shares(all: &[(u16, &[u8])]) -> Vec<u8> {
    let share = |(group, key): &(u16, &[u8])| [group.to_be_bytes().as_slice(), &long(key)].concat();
    long(&all.iter().flat_map(share).collect::<Vec<u8>>())
}

/// Tickets and as many binders as are asked for.
pub(super) fn tickets(binders: usize) -> Vec<u8> {
    let identity = [long(&[1; 64]).as_slice(), &[0; 4]].concat();
    [long(&identity), long(&short(&[2; 32]).repeat(binders))].concat()
}
