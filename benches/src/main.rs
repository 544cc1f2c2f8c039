//! `cores` lists the cores with the runs to count; `cores NAME RUNS` runs one so often. `benches/instructions` runs it below
//! callgrind, which counts only what happens inside [`counted_loop`]: not the preparation.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::process::ExitCode;

use benches::{CORES, Work};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for core in CORES.iter().filter(|core| core.counted_runs > 0) {
            println!("{} {}", core.name, core.counted_runs);
        }
        return ExitCode::SUCCESS;
    };
    let runs: Option<u32> = arguments.next().and_then(|runs| runs.parse().ok());
    let core = CORES.iter().find(|core| core.name == name);
    let (Some(core), Some(runs)) = (core, runs) else { return ExitCode::FAILURE };
    let mut work = (core.prepare)();
    // Once before: what is made at the first use is not the price of a request.
    work();
    counted_loop(&mut work, runs);
    ExitCode::SUCCESS
}

/// The name that callgrind is told.
#[inline(never)]
fn counted_loop(work: &mut Work, runs: u32) {
    for _ in 0..runs {
        work();
    }
}
