//! Runs the fuzz targets of this crate over their stored inputs (`cargo xtask fuzz` adds to them).

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/codecs.rs"]
mod targets;

#[test]
fn stored_inputs_of_jpeg_pass() {
    corpus::replay("jpeg", targets::jpeg);
}

#[test]
fn stored_inputs_of_pixels_pass() {
    corpus::replay("pixels", targets::pixels);
}

#[test]
fn stored_inputs_of_bitstream_pass() {
    corpus::replay("bitstream", targets::bitstream);
}

#[test]
fn stored_inputs_of_opus_pass() {
    corpus::replay("opus", targets::opus);
}
