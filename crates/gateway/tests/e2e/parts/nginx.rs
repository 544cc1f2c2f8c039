//! nginx as a service behind the gateway: mutual TLS, a JSON answer, and a log of what it saw. It does not know tokens.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::authority::Issued;
use super::free_port;
use super::process::{Process, wait_until};

const START_LIMIT: Duration = Duration::from_secs(60);
const LOG_LIMIT: Duration = Duration::from_secs(60);
/// Field name of the gateway's assertion.
const ASSERTION: &str = "x-gateway-assertion";
/// Bodies up to this size are in the log; larger ones are answered with 413. In bytes.
const BODY_BYTES_MAX: usize = 1_048_576;

/// What the service shows and asks for.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// Its own certificate.
    pub(crate) server: &'a Issued,
    /// Whose client certificates it accepts; it refuses requests without one.
    pub(crate) client_ca_pem: &'a str,
    /// Body of every answer: JSON, without `$`, quotes `'` or a backslash (nginx would read them).
    pub(crate) answer: &'a str,
    /// Request fields to log beside the assertion, in lower case.
    pub(crate) fields: &'a [&'a str],
}

/// One request as nginx saw it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Seen {
    /// Request method.
    pub(crate) method: String,
    /// Path and query, as received.
    pub(crate) target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub(crate) protocol: String,
    /// The status of its answer.
    pub(crate) status: String,
    /// Subject of the client certificate.
    pub(crate) client_dn: String,
    /// `SUCCESS`, `NONE` or `FAILED:reason`.
    pub(crate) client_verify: String,
    /// The request's body.
    pub(crate) body: String,
    /// The assertion and the chosen fields; an absent field is empty.
    pub(crate) fields: BTreeMap<String, String>,
}

impl Seen {
    /// The gateway's assertion, empty when it was absent.
    pub(crate) fn assertion(&self) -> &str {
        &self.fields[ASSERTION]
    }
}

/// A running nginx; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Nginx {
    port: u16,
    folder: TempDir,
    process: Process,
}

impl Nginx {
    /// Starts one on a loopback port and waits until it listens.
    pub(crate) fn start(settings: &Settings<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        settings.server.write(folder.path(), "server");
        fs::write(folder.path().join("clients.pem"), settings.client_ca_pem).expect("a CA file");
        fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), port, settings))
            .expect("a configuration file");
        let process = launch(&folder);
        let mut nginx = Self { port, folder, process };
        nginx.await_listening();
        nginx
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it has logged so far, oldest first. A request is in here once its answer has been sent.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let whole = log.rfind('\n').map_or("", |end| log.get(..end).unwrap_or_default());
        whole.lines().map(|line| serde_json::from_str(line).expect("a JSON log line")).collect()
    }

    /// Waits until it has seen at least `count` requests.
    pub(crate) fn await_seen(&self, count: usize) -> Vec<Seen> {
        wait_until("requests at nginx", LOG_LIMIT, || self.seen().len() >= count);
        self.seen()
    }

    /// Kills it: connections break and are refused from now on.
    pub(crate) fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        // A killed nginx leaves its socket file behind, which it would not bind again.
        drop(fs::remove_file(inner_socket(self.folder.path())));
        self.process = launch(&self.folder);
        self.await_listening();
    }

    /// Freezes it: connections are accepted by the kernel, nothing answers.
    pub(crate) fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.process.signal("CONT");
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn await_listening(&mut self) {
        let address = self.address();
        self.process.wait_until_ready(START_LIMIT, || super::accepts(address));
    }
}

fn inner_socket(folder: &Path) -> PathBuf {
    folder.join("inner.sock")
}

/// The public server hands each request to an inner one, because nginx has the body at hand only of requests it proxies.
fn configuration(folder: &Path, port: u16, settings: &Settings<'_>) -> String {
    let fields = std::iter::once(&ASSERTION)
        .chain(settings.fields)
        .map(|name| format!("\"{name}\":\"$http_{}\"", name.replace('-', "_")))
        .collect::<Vec<_>>()
        .join(",");
    let (answer, inner) = (settings.answer, inner_socket(folder).display().to_string());
    format!(
        r#"daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr info;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path client_body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_body_in_single_buffer on;
  client_body_buffer_size {BODY_BYTES_MAX};
  client_max_body_size {BODY_BYTES_MAX};
  underscores_in_headers on;
  # Connections are retired often, as they are after a thousand requests elsewhere.
  keepalive_requests 50;
  log_format seen escape=json '{{"method":"$request_method","target":"$request_uri",'
    '"protocol":"$server_protocol","status":"$status","client_dn":"$ssl_client_s_dn",'
    '"client_verify":"$ssl_client_verify","body":"$request_body","fields":{{{fields}}}}}';
  server {{
    listen unix:{inner};
    access_log off;
    default_type application/json;
    return 200 '{answer}';
  }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    access_log access.log seen;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.3;
    ssl_client_certificate clients.pem;
    ssl_verify_client on;
    location / {{
      proxy_pass http://unix:{inner};
      proxy_pass_header Server;
      add_header Strict-Transport-Security max-age=300 always;
    }}
  }}
}}
"#
    )
}

fn launch(folder: &TempDir) -> Process {
    // Debian keeps nginx where the PATH of ordinary users does not look.
    let search = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&search).chain([PathBuf::from("/usr/sbin")]);
    let mut command = Command::new("nginx");
    command
        .env("PATH", std::env::join_paths(folders).expect("a search path"))
        .arg("-p")
        .arg(folder.path())
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    Process::start("nginx", &mut command, &folder.path().join("nginx.log"))
}
