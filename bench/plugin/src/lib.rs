//! The profile types of the benchmarks as a plugin.
#![forbid(unsafe_code)]

mod bench_signer;
mod bench_token;

countersign::export_plugin!();
countersign::register_profile!(bench_token::BenchToken);
countersign::register_profile!(bench_signer::BenchSigner);
countersign::register_profile!(bench_signer::BenchFixed);
