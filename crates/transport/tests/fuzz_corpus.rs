//! Runs the fuzz targets of this crate over their stored inputs (`cargo xtask fuzz` adds to them).

#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../tests/fuzz/src/transport.rs"]
mod targets;

#[test]
fn stored_inputs_of_receiver_pass() {
    corpus::replay("receiver", targets::receiver);
}

#[test]
fn stored_inputs_of_red_pass() {
    corpus::replay("red", targets::red);
}

#[test]
fn stored_inputs_of_sender_pass() {
    corpus::replay("sender", targets::sender);
}

#[test]
fn stored_inputs_of_rtcp_pass() {
    corpus::replay("rtcp", targets::rtcp);
}
