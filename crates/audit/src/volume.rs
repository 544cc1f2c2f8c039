//! Whether a spool is on a volume that does not outlive what the records are about: memory, or the writable layer of a container.

use std::path::Path;

use rustix::fs::FsWord;

/// Kinds of such volumes, by the number that Linux gives them (statfs(2)).
const PASSING: [(u32, &str); 3] =
    [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs"), (0x794c_7630, "overlay")];

/// The kind of the volume, where records on it are gone with the machine's memory or with the container.
pub(crate) fn passing(directory: &Path) -> Option<&'static str> {
    named(rustix::fs::statfs(directory).ok()?.f_type)
}

fn named(kind: FsWord) -> Option<&'static str> {
    // The number has 32 bits; on some machines they come with a sign.
    let kind = u32::try_from(kind & 0xffff_ffff).ok()?;
    PASSING.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_that_pass_are_known_by_their_number_and_others_are_not() {
        let rows = [
            (0x0102_1994, Some("tmpfs")),
            (0x794c_7630, Some("overlay")),
            (0x8584_58f6, Some("ramfs")),
            (0x8584_58f6 - (1 << 32), Some("ramfs")),
            (0xef53, None),
            (0x5846_5342, None),
            (0, None),
        ];
        for (kind, name) in rows {
            assert_eq!(named(kind), name, "{kind:#x}");
        }
        assert_eq!(passing(Path::new("/proc")), None);
        assert_eq!(passing(Path::new("/no/such/folder")), None);
    }
}
