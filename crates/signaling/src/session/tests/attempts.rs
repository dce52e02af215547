//! When and how often a session tries to connect.

use super::*;

#[test]
fn a_hanging_attempt_times_out() {
    let mut bench = Bench::new();
    bench.outputs();
    bench.pass(HANDSHAKE_TIMEOUT);
    assert!(matches!(bench.outputs()[0], SessionOutput::CloseSocket { .. }));
    assert_eq!(bench.session.state(), SessionState::Backoff);
}

#[test]
fn attempts_back_off_up_to_four_seconds() {
    let mut bench = Bench::new();
    let mut delays = vec![];
    for _ in 0..12 {
        bench.closed(None);
        let events = bench.events();
        let [SessionEvent::Disconnected { since, retry_at, .. }] = events[..] else { panic!("{events:?}") };
        assert!(since <= bench.now);
        delays.push((retry_at - bench.now).as_secs_f64());
        bench.pass(retry_at - bench.now);
        assert_eq!(bench.outputs(), [SessionOutput::Connect]);
    }
    for (delay, full) in delays.iter().zip([0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]) {
        assert!((full / 2.0..=full).contains(delay), "{delays:?}");
    }
}

#[test]
fn simultaneous_breaks_are_retried_at_different_times() {
    let mut times: Vec<_> = (0..20)
        .map(|seed| {
            let mut bench = Bench::with_seed(seed);
            bench.closed(None);
            bench.session.poll_timeout().unwrap() - bench.now
        })
        .collect();
    times.sort();
    times.dedup();
    assert!(times.len() > 15);
}

#[test]
fn only_a_stable_connection_resets_the_backoff() {
    let mut bench = Bench::open();
    for _ in 0..6 {
        bench.closed(None);
        bench.pass(BACKOFF_MAX);
        bench.greet();
        bench.server(&resumed(0));
        bench.outputs();
    }
    bench.closed(None);
    assert!(bench.session.poll_timeout().unwrap() - bench.now > Duration::from_secs(2), "it drops us each time");
    bench.pass(BACKOFF_MAX);
    bench.greet();
    bench.server(&resumed(0));
    bench.pass(BACKOFF_RESET);
    bench.closed(None);
    assert!(bench.session.poll_timeout().unwrap() - bench.now <= BACKOFF_MIN);
}

#[test]
fn a_network_change_triggers_an_immediate_attempt() {
    let mut bench = Bench::new();
    for _ in 0..8 {
        bench.closed(None);
        bench.pass(BACKOFF_MAX);
    }
    bench.closed(None);
    bench.outputs();
    bench.session.handle_network_change(bench.now);
    assert_eq!(bench.outputs(), [SessionOutput::Connect]);
    bench.session.handle_network_change(bench.now);
    assert!(matches!(bench.outputs()[..], [SessionOutput::CloseSocket { .. }, SessionOutput::Connect]));
}

#[test]
fn an_open_socket_has_a_moment_to_answer_a_probe() {
    let mut bench = Bench::open();
    bench.session.handle_network_change(bench.now);
    assert_eq!(bench.sent().len(), 1);
    bench.pass(PROBE_LIMIT / 2);
    bench.numbered(0, 0, &ServerMessage::Pong { nonce: 1 });
    bench.pass(PROBE_LIMIT * 2);
    assert_eq!(bench.session.state(), SessionState::Open);
    bench.session.handle_network_change(bench.now);
    bench.pass(PROBE_LIMIT);
    assert_eq!(bench.session.state(), SessionState::Backoff);
}

#[test]
fn a_socket_on_a_network_that_has_gone_is_replaced_at_once_and_the_session_resumes() {
    let mut bench = Bench::open();
    bench.say("on its way");
    bench.outputs();
    bench.session.reconnect(bench.now);
    let outputs = bench.outputs();
    assert!(matches!(outputs[0], SessionOutput::CloseSocket { .. }));
    assert!(outputs.contains(&SessionOutput::Connect));
    assert_eq!(bench.session.state(), SessionState::Connecting);
    bench.greet();
    assert!(hello_of(&bench.sent()[0]).resume.is_some());
    bench.server(&resumed(0));
    assert_eq!(bench.sent().len(), 1, "what was on its way is sent again");
    bench.session.close(bench.now);
    bench.outputs();
    bench.session.reconnect(bench.now);
    assert_eq!(bench.outputs(), [], "a closed session stays closed");
}
