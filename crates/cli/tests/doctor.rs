//! The report and the exit status of `lunchroom-cli doctor`.

use std::process::{Command, Output};

fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lunchroom-cli"));
    command.arg("doctor").args(arguments).output().expect("it runs")
}

#[test]
fn a_closed_port_is_reported_in_json_with_the_exit_status_2() {
    let closed = testkit::loopback::address().to_string();
    let output = doctor(&[&closed, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["code"], "port_closed");
    assert_eq!(report["verdict"], "blocked");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_report_is_in_the_language_that_was_asked_for() {
    let closed = testkit::loopback::address().to_string();
    let report = |lang| String::from_utf8(doctor(&[&closed, "--lang", lang]).stdout).expect("UTF-8");
    let (en, ko) = (report("en"), report("ko"));
    assert!(
        en.contains("refuses connections") && en.trim_end().ends_with("Calls do not work on this network."),
        "{en}"
    );
    assert!(ko.contains("연결을 거부해요") && ko.trim_end().ends_with("이 네트워크에서는 통화할 수 없어요."), "{ko}");
}

#[test]
fn a_text_that_names_no_server_is_refused() {
    let output = doctor(&["not a server"]);
    assert!(!output.status.success() && output.stdout.is_empty());
}
