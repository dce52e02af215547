//! Runs the fuzz targets of this crate over their stored inputs (`cargo xtask fuzz` adds to them).

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/media.rs"]
mod targets;

#[test]
fn stored_inputs_of_wav_pass() {
    corpus::replay("wav", targets::wav);
}
