//! Nothing: this package is its benchmarks in `benches/`. It knows the leaf crates by their public names only.
