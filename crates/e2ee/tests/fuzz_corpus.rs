//! Runs the fuzz targets of this crate over their stored inputs (`cargo xtask fuzz` adds to them).

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/e2ee.rs"]
mod targets;

#[test]
fn stored_inputs_of_sealed_frame_pass() {
    corpus::replay("sealed_frame", targets::sealed_frame);
}

#[test]
fn stored_inputs_of_sealed_key_pass() {
    corpus::replay("sealed_key", targets::sealed_key);
}
