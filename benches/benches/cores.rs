//! What the pure cores of one request cost in time. No sockets, no files once they are prepared. `cargo bench -p benches`.

use benches::CORES;
use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for core in &CORES {
        // Prepared only where it is measured: `cargo bench -p benches -- mask` makes no million keys.
        let mut work = None;
        criterion.bench_function(core.name, |bencher| {
            let work = work.get_or_insert_with(core.prepare);
            bencher.iter(work);
        });
    }
}

criterion_group!(cores, all);
criterion_main!(cores);
