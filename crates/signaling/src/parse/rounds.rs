//! Limits of the messages about rounds.

use super::{check_text, require};
use crate::board::{AboutRound, RoundDraft, RoundInfo};
use crate::limits::{MAX_TOPIC_CHARS, TABLE_MINUTES};
use crate::message::ErrorCode;
use crate::text::{NameError, clean_label, shown_label};

pub(super) fn check_draft(draft: &mut RoundDraft) -> Result<(), ErrorCode> {
    draft.title = clean_label(&draft.title, MAX_TOPIC_CHARS).map_err(|error| match error {
        NameError::TooLong => ErrorCode::TooLarge,
        NameError::Control | NameError::Empty => ErrorCode::Malformed,
    })?;
    require(!draft.title.is_empty() && TABLE_MINUTES.contains(&draft.minutes), ErrorCode::Malformed)
}

pub(super) fn check(round: &mut RoundInfo) -> Result<(), ErrorCode> {
    check_text(&round.id)?;
    check_text(&round.host)?;
    round.title = shown_label(&round.title, MAX_TOPIC_CHARS);
    Ok(())
}

pub(super) fn check_about(rounds: &mut [AboutRound]) {
    for round in rounds {
        round.title = shown_label(&round.title, MAX_TOPIC_CHARS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{BoardNews, BoardRequest, NoticeKind, RoundSize};
    use crate::message::{ClientMessage, ServerMessage};
    use crate::parse::{client_message, server_message};

    fn laid(fields: &str) -> Result<RoundDraft, ErrorCode> {
        match client_message(&format!(r#"{{"seq":1,"type":"board","do":"lay_round",{fields}}}"#))?.message {
            ClientMessage::Board(BoardRequest::LayRound(draft)) => Ok(draft),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_round_needs_a_title_and_a_length_that_tables_may_have() {
        let draft = laid(r#""title":" Tuesday\n \u202elunch ","starts_ms":7"#).unwrap();
        assert_eq!((draft.title.as_str(), draft.minutes, draft.weekly), ("Tuesday lunch", 60, false));
        assert_eq!(draft.size, RoundSize::Threes);
        for (fields, code) in [
            (r#""title":"  ","starts_ms":7"#.to_owned(), ErrorCode::Malformed),
            (r#""title":"x","starts_ms":7,"minutes":14"#.to_owned(), ErrorCode::Malformed),
            (r#""title":"x","starts_ms":7,"size":"twelves""#.to_owned(), ErrorCode::Malformed),
            (r#""title":"x","starts_ms":-7"#.to_owned(), ErrorCode::Malformed),
            (format!(r#""title":"{}","starts_ms":7"#, "é".repeat(81)), ErrorCode::TooLarge),
        ] {
            assert_eq!(laid(&fields).map(drop), Err(code), "{fields}");
        }
    }

    #[test]
    fn only_a_notice_about_a_round_has_no_room() {
        let notice = |kind: &str| {
            let text = format!(r#"{{"type":"board","news":"notice","kind":"{kind}","topic":"\u202eT","starts_ms":1}}"#);
            server_message(&text).map(|envelope| envelope.message)
        };
        let ServerMessage::Board(BoardNews::Notice(found)) = notice("unmatched").unwrap() else { panic!("no notice") };
        assert_eq!((found.kind, found.topic.as_str()), (NoticeKind::Unmatched, "T"));
        assert!(notice("round_cancelled").is_ok() && notice("round_missed").is_ok());
        for kind in ["matched", "seated", "of a later version"] {
            assert_eq!(notice(kind).map(drop).map_err(|rejected| rejected.code), Err(ErrorCode::BadRoom), "{kind}");
        }
    }
}
