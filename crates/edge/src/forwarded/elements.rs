//! The list of `Forwarded` (RFC 7239 4) to the letter: what could be read in two ways is read in none. A quoted text that
//! a client leaves open swallows what a proxy appends, and that is a fault of the whole line.

use super::{Hop, ListFault, node, push};

/// Parameters of one element; four are registered.
const PARAMETERS_MAX: usize = 16;

/// Reads one field line to its end.
pub(super) fn read(line: &[u8], hops: &mut Vec<Hop>) -> Result<(), ListFault> {
    let mut rest = line;
    loop {
        let (hop, after) = element(space(rest))?;
        push(hops, hop)?;
        match space(after).split_first() {
            None => return Ok(()),
            Some((b',', after)) => rest = after,
            Some(_) => return Err(ListFault),
        }
    }
}

/// One element, and what follows it. None of its parameters may be there twice.
fn element(mut rest: &[u8]) -> Result<(Hop, &[u8]), ListFault> {
    let mut hop = Hop::Hidden;
    let mut names: Vec<&[u8]> = Vec::new();
    loop {
        let (name, after) = token(rest);
        if name.is_empty() {
            // A pair may be missing between two semicolons, or all of them.
            rest = after;
        } else {
            let after = after.strip_prefix(b"=").ok_or(ListFault)?;
            let (value, after) = value(after)?;
            let is_known = names.iter().any(|other| other.eq_ignore_ascii_case(name));
            if is_known || names.len() >= PARAMETERS_MAX {
                return Err(ListFault);
            }
            if name.eq_ignore_ascii_case(b"for") {
                hop = bracketed(&value);
            }
            names.push(name);
            rest = after;
        }
        match rest.strip_prefix(b";") {
            Some(after) => rest = after,
            None => return Ok((hop, rest)),
        }
    }
}

/// A node as RFC 7239 6 has it: IPv6 only in brackets.
fn bracketed(value: &[u8]) -> Hop {
    let colons = value.iter().filter(|byte| **byte == b':').count();
    if colons > 1 && !value.starts_with(b"[") { Hop::Hidden } else { node(value) }
}

/// A token or a quoted string, unquoted; and what follows it.
fn value(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), ListFault> {
    let Some(mut rest) = bytes.strip_prefix(b"\"") else {
        let (value, rest) = token(bytes);
        return if value.is_empty() { Err(ListFault) } else { Ok((value.to_vec(), rest)) };
    };
    let mut value = Vec::new();
    loop {
        let (&byte, after) = rest.split_first().ok_or(ListFault)?;
        rest = after;
        let content = match byte {
            b'"' => return Ok((value, rest)),
            b'\\' => {
                let (&escaped, after) = rest.split_first().ok_or(ListFault)?;
                rest = after;
                escaped
            }
            byte => byte,
        };
        if content != b'\t' && content.is_ascii_control() {
            return Err(ListFault);
        }
        value.push(content);
    }
}

/// The longest token at the beginning; it may be empty.
fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = bytes.iter().position(|byte| !is_token(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, b""))
}

/// What follows optional white space.
fn space(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    let count = bytes.iter().take_while(blank).count();
    bytes.get(count..).unwrap_or_default()
}
