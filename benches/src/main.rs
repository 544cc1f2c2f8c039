//! `cores` lists the cores with the runs to count; `cores NAME RUNS` runs one so often; `cores contract` prints what the
//! contract costs beside the libraries that one would take otherwise, both in turns. `benches/instructions` runs it below
//! callgrind, which counts only what happens inside [`counted_loop`]: not the preparation.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use std::process::ExitCode;
use std::time::Instant;

use benches::{CONTRACT, CORES, Work};

/// Turns of each, and runs in one turn.
const TURNS: usize = 41;
const RUNS: u32 = 200;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for core in CORES.iter().filter(|core| core.counted_runs > 0) {
            println!("{} {}", core.name, core.counted_runs);
        }
        return ExitCode::SUCCESS;
    };
    if name == "contract" {
        return contract();
    }
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

/// The middle of the turns of each, so that what the machine does meanwhile is in both.
fn contract() -> ExitCode {
    let (own, others, kilobytes) = CONTRACT;
    let find = |name| CORES.iter().find(|core| core.name == name).map(|core| (core.prepare)());
    let (Some(mut own), Some(mut others)) = (find(own), find(others)) else {
        return ExitCode::FAILURE;
    };
    let (mut own_times, mut other_times, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let (ours, theirs) = (timed(&mut own), timed(&mut others));
        own_times.push(ours);
        other_times.push(theirs);
        shares.push(ours / theirs);
    }
    let (ours, theirs) = (middle(own_times) / kilobytes, middle(other_times) / kilobytes);
    println!("| 16 KB of JSON | microseconds per KB |\n|---|---:|");
    println!("| strict reading and contract | {ours:.2} |");
    println!("| `serde_json::Value` and `jsonschema` | {theirs:.2} |");
    println!("| share | {:.2} |", middle(shares));
    ExitCode::SUCCESS
}

fn timed(work: &mut Work) -> f64 {
    let began = Instant::now();
    counted_loop(work, RUNS);
    began.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
