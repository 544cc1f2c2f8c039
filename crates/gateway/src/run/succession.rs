//! One process follows another without a lost request: sockets that listen are passed on (`LISTEN_FDS`, as systemd does), the
//! new process serves first, and only then the old one is told to go.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use command_fds::{CommandFdExt, FdMapping};
use edge::Passed;
use listenfd::ListenFd;
use rustix::process::{Pid, Signal, kill_process};
use sd_notify::NotifyState;

/// The first descriptor that is passed (sd_listen_fds(3)).
const FIRST: i32 = 3;
/// How many there are.
const COUNT: &str = "LISTEN_FDS";
/// For which process; where it is not said, for whoever finds them.
const FOR: &str = "LISTEN_PID";
/// The option that names the process to follow.
const REPLACES: &str = "--replaces";

/// Whom a process follows, and with what.
#[derive(Debug, Default)]
pub struct Inheritance {
    /// The sockets it was passed.
    pub sockets: Passed,
    /// The process that is to go when this one serves.
    pub replaces: Option<u32>,
}

impl Inheritance {
    /// What the environment holds.
    ///
    /// # Errors
    /// Where a descriptor is no listening TCP socket: whoever passed it meant something else.
    pub fn from_environment(replaces: Option<u32>) -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(passed.len());
        for index in 0..passed.len() {
            sockets.extend(passed.take_tcp_listener(index)?);
        }
        Ok(Self { sockets: Passed::new(sockets), replaces })
    }

    /// Whether a process before this one may still be there.
    pub(super) const fn is_any(&self) -> bool {
        self.replaces.is_some() || self.sockets.is_any()
    }
}

/// Says that this process serves: to the service manager, and to the process before, which goes now. That it goes is not
/// said to the service manager, which would take the whole service for stopping.
pub(super) fn serves(replaces: Option<u32>) {
    let serves = [NotifyState::MainPid(std::process::id()), NotifyState::Ready];
    if let Err(error) = sd_notify::notify(&serves) {
        tracing::warn!(%error, "the service manager was not told");
    }
    let Some(id) = replaces else { return };
    let process = i32::try_from(id).ok().and_then(Pid::from_raw);
    match process.map(|process| kill_process(process, Signal::TERM)) {
        Some(Ok(())) => tracing::info!(process = id, "the process before is told to go"),
        refused => tracing::warn!(process = id, ?refused, "no process before could be told to go"),
    }
}

/// Starts this program anew with the sockets: the same command, whatever binary is behind its name now.
pub(super) fn start(sockets: Vec<OwnedFd>) -> io::Result<Child> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().ok_or(io::ErrorKind::NotFound)?;
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == REPLACES {
            arguments.next();
        } else if !argument.to_string_lossy().starts_with("--replaces=") {
            kept.push(argument);
        }
    }
    let mut command = Command::new(program);
    command.args(kept).arg(format!("{REPLACES}={}", std::process::id()));
    command.env(COUNT, sockets.len().to_string()).env_remove(FOR);
    let numbered = (FIRST..).zip(sockets);
    let mappings = numbered.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
    command.spawn()
}

/// Tells of sockets that no listener of the configuration has the address of.
pub(super) fn tell_left(left: &[SocketAddr]) {
    for address in left {
        tracing::warn!(%address, "a passed socket belongs to no listener and is closed");
    }
}
