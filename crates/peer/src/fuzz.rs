//! What the fuzzer calls (`fuzz/`), and the property tests without one: any bytes in, nothing out, no panic. The
//! assertions are what must hold of everything that is accepted.

use crate::sdp::{self, Origin};
use crate::standin::Shown;
use media::encoded::VideoCodec;

/// A description of a far side: read, written and read again, shown to the library, and answered.
pub fn description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(description) = sdp::parse(text, &VideoCodec::ALL) else { return };
    let origin = Origin { session: 1, version: 2 };
    let again = |description: &sdp::Description| sdp::parse(&description.write(origin), &VideoCodec::ALL);
    assert_eq!(again(&description).as_ref(), Ok(&description));
    let shown = Shown::default().for_library(&description, None, &VideoCodec::ALL);
    assert_eq!(again(&shown).as_ref(), Ok(&shown));
    let answer = Shown::answer(shown, &description);
    let kinds = |description: &sdp::Description| -> Vec<_> {
        description.lines.iter().map(|line| (line.mid.clone(), line.kind.clone(), line.protocol.clone())).collect()
    };
    assert_eq!(kinds(&answer), kinds(&description), "line by line");
    assert_eq!(again(&answer).map(|answer| kinds(&answer)), Ok(kinds(&answer)));
}
