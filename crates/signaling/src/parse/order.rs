//! Limits of the messages about order.

use super::{check_id, check_text, require};
use crate::avatar::Avatar;
use crate::board::{AboutMe, Act, ActKind, BoardRequest, Order, OrderBook, Sitter, Whom};
use crate::limits::{MAX_ACTS_SHOWN, MAX_BLOCKED, MAX_BOOK_ITEMS, MAX_REASON_CHARS, MAX_TOPIC_CHARS, SUSPENSION_HOURS};
use crate::message::ErrorCode;
use crate::text::{NameError, clean_label, shown_label, shown_name};

pub(super) fn check_request(request: &mut BoardRequest) -> Result<(), ErrorCode> {
    match request {
        BoardRequest::Report { whom, text } => {
            check_whom(whom)?;
            check_line(text)
        }
        BoardRequest::Block { whom } => check_whom(whom),
        BoardRequest::Unblock { person } | BoardRequest::Lift { person } => check_text(person),
        BoardRequest::CloseTable { table, reason } => {
            check_text(table)?;
            check_line(reason)
        }
        BoardRequest::Suspend { person, hours, reason } => {
            require(SUSPENSION_HOURS.contains(hours), ErrorCode::Malformed)?;
            check_text(person)?;
            check_line(reason)
        }
        _ => Ok(()),
    }
}

fn check_whom(whom: &Whom) -> Result<(), ErrorCode> {
    match whom {
        Whom { participant: Some(id), person: None } => check_id(id),
        Whom { participant: None, person: Some(id) } => check_text(id),
        Whom { .. } => Err(ErrorCode::Malformed),
    }
}

/// Cleans a line that must not be empty.
fn check_line(text: &mut String) -> Result<(), ErrorCode> {
    *text = clean_label(text, MAX_REASON_CHARS).map_err(|error| match error {
        NameError::TooLong => ErrorCode::TooLarge,
        NameError::Control | NameError::Empty => ErrorCode::Malformed,
    })?;
    require(!text.is_empty(), ErrorCode::Malformed)
}

pub(super) fn check_order(order: &mut Order) -> Result<(), ErrorCode> {
    order.blocked.truncate(MAX_BLOCKED);
    order.blocked.iter_mut().try_for_each(check_sitter)?;
    check_acts(&mut order.acts);
    if let Some(suspension) = &mut order.suspension {
        suspension.reason = line(&suspension.reason);
    }
    Ok(())
}

pub(super) fn check_book(book: &mut OrderBook) -> Result<(), ErrorCode> {
    book.reports.truncate(MAX_BOOK_ITEMS);
    for report in &mut book.reports {
        check_sitter(&mut report.by)?;
        check_sitter(&mut report.of)?;
        report.text = line(&report.text);
    }
    book.suspended.truncate(MAX_BOOK_ITEMS);
    for person in &mut book.suspended {
        check_text(&person.id)?;
        person.name = name(&person.name);
        person.suspension.reason = line(&person.suspension.reason);
    }
    book.acts.retain(|one| one.act.kind != ActKind::Unknown);
    book.acts.truncate(MAX_BOOK_ITEMS);
    for one in &mut book.acts {
        (one.name, one.steward) = (name(&one.name), name(&one.steward));
        check_act(&mut one.act);
    }
    Ok(())
}

pub(super) fn check_about(about: &mut AboutMe) {
    check_acts(&mut about.acts);
    for report in &mut about.reports {
        report.text = line(&report.text);
    }
    if let Some(suspension) = &mut about.suspension {
        suspension.reason = line(&suspension.reason);
    }
}

fn check_acts(acts: &mut Vec<Act>) {
    acts.retain(|act| act.kind != ActKind::Unknown);
    acts.truncate(MAX_ACTS_SHOWN);
    acts.iter_mut().for_each(check_act);
}

fn check_act(act: &mut Act) {
    act.topic = shown_label(&act.topic, MAX_TOPIC_CHARS);
    act.reason = line(&act.reason);
}

fn check_sitter(sitter: &mut Sitter) -> Result<(), ErrorCode> {
    sitter.name = shown_name(&sitter.name);
    sitter.avatar = Avatar::default();
    check_text(&sitter.id)
}

/// A name for display; empty if there is none.
fn name(name: &str) -> String {
    if name.is_empty() { String::new() } else { shown_name(name) }
}

fn line(text: &str) -> String {
    shown_label(text, MAX_REASON_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{BoardNews, Suspension};
    use crate::message::{ClientMessage, ServerMessage};
    use crate::parse::{client_message, server_message};

    fn parsed(request: &str) -> Result<BoardRequest, ErrorCode> {
        match client_message(&format!(r#"{{"seq":1,"type":"board",{request}}}"#))?.message {
            ClientMessage::Board(request) => Ok(request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_report_names_one_person_and_has_one_line() {
        let BoardRequest::Report { whom, text } =
            parsed(r#""do":"report","participant":"p1","text":" rude\u202e\nwords ""#).unwrap()
        else {
            panic!("no report")
        };
        assert_eq!((whom.participant.unwrap().0.as_str(), whom.person, text.as_str()), ("p1", None, "rude words"));
        for (request, code) in [
            (r#""do":"report","text":"x""#.to_owned(), ErrorCode::Malformed),
            (r#""do":"report","person":"a","participant":"p1","text":"x""#.to_owned(), ErrorCode::Malformed),
            (r#""do":"report","person":"a","text":"  ""#.to_owned(), ErrorCode::Malformed),
            (format!(r#""do":"report","person":"a","text":"{}""#, "é".repeat(201)), ErrorCode::TooLarge),
            (format!(r#""do":"block","person":"{}""#, "k".repeat(65)), ErrorCode::TooLarge),
            (r#""do":"suspend","person":"a","reason":"x","hours":8785"#.to_owned(), ErrorCode::Malformed),
            (r#""do":"suspend","person":"a","reason":"""#.to_owned(), ErrorCode::Malformed),
            (r#""do":"close_table","table":"a","reason":"""#.to_owned(), ErrorCode::Malformed),
        ] {
            assert_eq!(parsed(&request).map(drop), Err(code), "{request}");
        }
    }

    #[test]
    fn what_a_server_says_about_order_is_cleaned_and_bounded() {
        let act = r#"{"at_ms":1,"kind":"closed","topic":"\u202esoup","reason":"a\u0000b"}"#;
        let acts = vec![act; MAX_ACTS_SHOWN + 3].join(",");
        let text = format!(
            r#"{{"type":"board","news":"order","acts":[{{"at_ms":1,"kind":"praised"}},{acts}],
                "suspension":{{"reason":"\u202ex"}}}}"#
        );
        let ServerMessage::Board(BoardNews::Order(order)) = server_message(&text).unwrap().message else {
            panic!("no order")
        };
        assert_eq!((order.acts.len(), order.acts[0].topic.as_str()), (MAX_ACTS_SHOWN, "soup"));
        assert_eq!(order.suspension, Some(Suspension { reason: "x".into(), until_ms: None }));
        let text = r#"{"type":"board","news":"order_book","acts":[{"name":"","steward":"\u202eS","at_ms":1,
            "kind":"lifted"}],"suspended":[{"id":"a","name":"","since_ms":1,"reason":"x","until_ms":2}]}"#;
        let ServerMessage::Board(BoardNews::OrderBook(book)) = server_message(text).unwrap().message else {
            panic!("no book")
        };
        assert_eq!((book.acts[0].name.as_str(), book.acts[0].steward.as_str()), ("", "S"));
        assert_eq!(book.suspended[0].suspension.until_ms, Some(2));
    }
}
