//! People in other networks. Each is a process, because the sockets of all connections of a process are in one network.

use crate::desktop::Ended;
use crate::network::Network;
use crate::only;
use crate::people::{Habits, Person};
use engine::ServerAddress;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Prefix of the line in which a person reports their path.
const TELLS: &str = "path: ";
/// Environment variable with a person's role.
const ROLE: &str = "LUNCHROOM_TEST_ROLE";

/// What a person does.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// URL of the server.
    pub server: &'a str,
    /// Whether they use only relayed paths.
    pub hidden: bool,
    /// Whether the server forwards the room. They then report their path to the forwarder.
    pub forwarded: bool,
    /// Their name and their voice in hertz.
    pub own: (&'a str, u32),
    /// Those of the person whom they meet.
    pub other: (&'a str, u32),
}

/// A person in another network. They leave on drop.
pub struct Distant(Ended);

impl Distant {
    /// Starts the person. `module` (`module_path!()`) needs a test `one_person` that calls [`play`].
    pub fn start(module: &str, network: &Network, role: &Role<'_>, environment: &[(String, String)]) -> Distant {
        let Role { server, hidden, forwarded, own, other } = role;
        let role = format!("{server} {hidden} {forwarded} {} {} {} {}", own.0, own.1, other.0, other.1);
        let mut command = only(module, "one_person");
        command.env(ROLE, role);
        command.envs(environment.iter().cloned());
        Distant(Ended(network.spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))))
    }

    /// Waits until they see and hear the other. Returns their path, `relayed=BOOL LOCAL-REMOTE PROTOCOL over=TRANSPORT`:
    /// the types of the candidates, and how they reach their relay.
    pub fn path(&mut self) -> String {
        let output = BufReader::new(self.0.0.stdout.take().expect("a pipe"));
        let mut lines = vec![];
        for line in output.lines().map_while(Result::ok) {
            if let Some(path) = line.strip_prefix(TELLS) {
                return path.to_owned();
            }
            lines.push(line);
        }
        panic!("no call:\n{}", lines.join("\n"));
    }
}

/// Plays the person of this process, if [`Distant::start`] has started it.
pub async fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let [server, hidden, forwarded, name, voice, other, other_voice] = role.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{role}")
    };
    let frequency = |text: &str| text.parse().expect("hertz");
    let [hidden, forwarded] = [hidden, forwarded].map(|text| text.parse().expect("a boolean"));
    let person = Person::new(Habits { loopback: false, relay_only: hidden, ..Habits::new(name, frequency(voice)) });
    person.enter(&ServerAddress { url: server.parse().expect("a URL"), fingerprint: None }, "lunch").await;
    person.reaches(other).await;
    tokio::join!(person.sees(other), person.plays(frequency(other_voice)));
    if forwarded {
        person.meets_on_the_forwarder(other, frequency(other_voice)).await;
    }
    let path = person.path(other).await;
    let over = path.relay.map_or("none", |transport| transport.word());
    println!("\n{TELLS}relayed={} {} over={over}", path.relayed, path.pair.unwrap_or_default());
    // The other may not be done yet. The test that started this process ends it.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
}
