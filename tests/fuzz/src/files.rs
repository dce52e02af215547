//! What a stranger sends about files.

use files::{Chunk, Message, Person, Transfers, safe};
use std::time::Instant;

/// A message, a chunk and a name of any bytes, and transfers that get each line of them.
pub(crate) fn file_message(bytes: &[u8]) {
    if let Ok(chunk) = Chunk::parse(bytes) {
        assert_eq!(chunk.write(), bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    if let Ok(message) = Message::parse(&text) {
        assert_eq!(Message::parse(&message.write()), Ok(message));
    }
    let name = safe(&text);
    assert_eq!(safe(&name), name);
    assert!(!name.is_empty() && name.len() <= 200 && !name.contains(['/', '\\']) && !name.starts_with('.'));
    let now = Instant::now();
    let person = Person { key: "k".into(), name: "n".into() };
    let mut transfers = Transfers::new(now);
    transfers.connected(now, &person, 1);
    for part in text.lines() {
        transfers.handle_text(now, &person, part);
        transfers.handle_binary(now, &person, part.as_bytes());
    }
    while transfers.poll_send(now).is_some() || transfers.poll_disk().is_some() {}
}
