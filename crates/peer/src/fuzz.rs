//! Entry points for the fuzzer (`fuzz/`) and the property tests: any bytes may go in, and nothing may panic. The
//! assertions state what must hold for all accepted input.

use crate::sdp::{self, Origin};
use crate::standin::Shown;
use media::encoded::VideoCodec;

/// A description from the far side: parses it, writes it, parses it again, passes it to the library, and answers it.
pub fn description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(description) = sdp::parse(text, &VideoCodec::ALL) else { return };
    let origin = Origin { session: 1, version: 2 };
    let reparse = |description: &sdp::Description| sdp::parse(&description.write(origin), &VideoCodec::ALL);
    assert_eq!(reparse(&description).as_ref(), Ok(&description));
    let shown = Shown::default().for_library(&description, None, &VideoCodec::ALL);
    assert_eq!(reparse(&shown).as_ref(), Ok(&shown));
    let answer = Shown::answer(shown, &description);
    let kinds = |description: &sdp::Description| -> Vec<_> {
        description.lines.iter().map(|line| (line.mid.clone(), line.kind.clone(), line.protocol.clone())).collect()
    };
    assert_eq!(kinds(&answer), kinds(&description), "line by line");
    assert_eq!(reparse(&answer).map(|answer| kinds(&answer)), Ok(kinds(&answer)));
}
