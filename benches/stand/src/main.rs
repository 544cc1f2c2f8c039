//! The moving parts of the measuring stand, one binary: `stand PART 'JSON'`. `benches/compare` starts them; each part
//! reads one JSON object and prints JSON lines. It knows nothing of the gateway.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

use std::error::Error;
use std::process::ExitCode;

mod clock;
mod floor;
mod keys;
mod load;
mod local;
mod prices;
mod tls;
mod upstream;
mod wire;

/// What a part fails with: it is shown and ends the part.
type Failed = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().unwrap_or_default();
    let spec = arguments.next().unwrap_or_default();
    let outcome = match part.as_str() {
        "keys" => keys::run(&spec),
        "upstream" => upstream::run(&spec),
        "load" => load::run(&spec),
        "floor" => floor::run(&spec),
        "wire" => wire::run(&spec),
        "prices" => prices::run(&spec),
        _ => Err("usage: stand keys|upstream|load|floor|wire|prices 'JSON'".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand {part}: {error}");
            ExitCode::FAILURE
        }
    }
}
