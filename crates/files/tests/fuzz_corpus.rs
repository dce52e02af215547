//! Runs the fuzz target of this crate over its stored inputs (`cargo xtask fuzz` adds to them).

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/files.rs"]
mod targets;

#[test]
fn stored_inputs_of_file_message_pass() {
    corpus::replay("file_message", targets::file_message);
}
