//! Limits of the board's messages.

use super::{check_id, check_text, order, require, rounds};
use crate::avatar::{AVATAR_COLORS, MAX_PHOTO_BYTES, clean_glyph, is_photo_id};
use crate::board::{
    AboutMe, BoardNews, BoardRequest, CalendarToken, Draft, PersonInfo, RoomNews, RoomRequest, TableInfo, Waiting,
};
use crate::limits::{
    INVITE_HOURS, INVITE_USES, MAX_EAT_WITH, MAX_INVITE_CHARS, MAX_LOBBY, MAX_PLACE_CHARS, MAX_ROOM_CHARS,
    MAX_SIGN_UPS, MAX_TOPIC_CHARS, MAX_ZONE_BYTES, TABLE_MINUTES, TABLE_SEATS, is_calendar_token, is_invite,
    is_room_name,
};
use crate::message::{ErrorCode, ParticipantId};
use crate::text::{NameError, clean_label, shown_label, shown_name};

/// Characters of a photo in base64url.
const MAX_PHOTO_TEXT: usize = (MAX_PHOTO_BYTES * 4).div_ceil(3);

pub(super) fn check_request(request: &mut BoardRequest) -> Result<(), ErrorCode> {
    match request {
        BoardRequest::Subscribe { room, invite } => {
            require(room.as_deref().is_none_or(is_room_name), ErrorCode::BadRoom)?;
            require(invite.as_deref().is_none_or(is_invite), ErrorCode::Malformed)
        }
        BoardRequest::Lay(draft) => check_draft(draft),
        BoardRequest::Take { table, wait: _ }
        | BoardRequest::Leave { table }
        | BoardRequest::Delete { table }
        | BoardRequest::CancelDate { table } => check_text(table),
        BoardRequest::Move { table, starts_ms: _, minutes } => {
            require(TABLE_MINUTES.contains(minutes), ErrorCode::Malformed)?;
            check_text(table)
        }
        BoardRequest::LayRound(draft) => rounds::check_draft(draft),
        BoardRequest::CancelRound { round } | BoardRequest::SignUp { round } | BoardRequest::Withdraw { round } => {
            check_text(round)
        }
        BoardRequest::EatNow { with } => {
            require(with.len() <= MAX_EAT_WITH, ErrorCode::TooLarge)?;
            with.iter().try_for_each(|id| check_text(id))
        }
        BoardRequest::Invite { room, uses, hours } => {
            require(is_room_name(room), ErrorCode::BadRoom)?;
            require(INVITE_USES.contains(uses) && INVITE_HOURS.contains(hours), ErrorCode::Malformed)
        }
        BoardRequest::SetAvatar { color, glyph, jpeg } => {
            require(color.is_none_or(|color| color < AVATAR_COLORS), ErrorCode::Malformed)?;
            require(jpeg.as_ref().map_or(0, String::len) <= MAX_PHOTO_TEXT, ErrorCode::TooLarge)?;
            if let Some(given) = glyph.take() {
                *glyph = clean_glyph(&given).map_err(wrong)?;
            }
            Ok(())
        }
        BoardRequest::Photo { id } => require(is_photo_id(id), ErrorCode::Malformed),
        BoardRequest::Calendar { token } => token.as_ref().map_or(Ok(()), check_token),
        BoardRequest::Report { .. }
        | BoardRequest::Block { .. }
        | BoardRequest::Unblock { .. }
        | BoardRequest::CloseTable { .. }
        | BoardRequest::Suspend { .. }
        | BoardRequest::Lift { .. } => order::check_request(request),
        BoardRequest::Unsubscribe
        | BoardRequest::StopWaiting
        | BoardRequest::Presence { .. }
        | BoardRequest::AboutMe
        | BoardRequest::ForgetMe
        | BoardRequest::Seen
        | BoardRequest::OrderBook
        | BoardRequest::CloseReport { .. }
        | BoardRequest::RevokeCalendar => Ok(()),
    }
}

fn check_draft(draft: &mut Draft) -> Result<(), ErrorCode> {
    draft.topic = clean_label(&draft.topic, MAX_TOPIC_CHARS).map_err(wrong)?;
    draft.place = clean_label(&draft.place, MAX_PLACE_CHARS).map_err(wrong)?;
    require(TABLE_SEATS.contains(&draft.seats) && TABLE_MINUTES.contains(&draft.minutes), ErrorCode::Malformed)
}

fn wrong(error: NameError) -> ErrorCode {
    match error {
        NameError::TooLong => ErrorCode::TooLarge,
        NameError::Control | NameError::Empty => ErrorCode::Malformed,
    }
}

pub(super) fn check_room_request(request: &RoomRequest) -> Result<(), ErrorCode> {
    match request {
        RoomRequest::Lock { .. } => Ok(()),
        RoomRequest::Admit { id }
        | RoomRequest::Refuse { id }
        | RoomRequest::Mute { id }
        | RoomRequest::LowerHand { id }
        | RoomRequest::HandOver { id }
        | RoomRequest::Remove { id } => check_id(id),
        RoomRequest::Spotlight { id } => id.as_ref().map_or(Ok(()), check_id),
    }
}

pub(super) fn check_news(news: &mut BoardNews) -> Result<(), ErrorCode> {
    match news {
        BoardNews::Snapshot(snapshot) => {
            require(snapshot.zone.len() <= MAX_ZONE_BYTES, ErrorCode::TooLarge)?;
            snapshot.tables.iter_mut().try_for_each(check_table)?;
            snapshot.rounds.iter_mut().try_for_each(rounds::check)?;
            snapshot.people.iter_mut().try_for_each(check_person)
        }
        BoardNews::Patch(patch) => {
            patch.tables.iter_mut().try_for_each(check_table)?;
            patch.rounds.iter_mut().try_for_each(rounds::check)?;
            patch.people.iter_mut().try_for_each(check_person)?;
            patch.gone.iter().chain(&patch.rounds_gone).chain(&patch.left).try_for_each(|id| check_text(id))
        }
        BoardNews::You { waiting, rounds } => {
            rounds.truncate(MAX_SIGN_UPS);
            rounds.iter().try_for_each(|id| check_text(id))?;
            waiting.as_mut().map_or(Ok(()), check_waiting)
        }
        BoardNews::Notice(notice) => {
            check_text(&notice.table)?;
            let is_round = notice.kind.is_about_round() && notice.room.is_empty();
            require(is_round || is_room_name(&notice.room), ErrorCode::BadRoom)?;
            notice.topic = shown_label(&notice.topic, MAX_TOPIC_CHARS);
            Ok(())
        }
        BoardNews::Invite { room, invite, expires_ms: _ } => {
            require(is_room_name(room), ErrorCode::BadRoom)?;
            require(invite.len() <= MAX_INVITE_CHARS && is_invite(invite), ErrorCode::Malformed)
        }
        BoardNews::AboutMe(about) => check_about(about),
        BoardNews::Photo { id, jpeg } => require(is_photo_id(id) && jpeg.len() <= MAX_PHOTO_TEXT, ErrorCode::Malformed),
        BoardNews::Calendar { token } => check_token(token),
        BoardNews::Order(news) => order::check_order(news),
        BoardNews::OrderBook(book) => order::check_book(book),
        BoardNews::Done { .. } => Ok(()),
    }
}

fn check_waiting(Waiting { since_ms: _, with }: &mut Waiting) -> Result<(), ErrorCode> {
    with.truncate(MAX_EAT_WITH);
    with.iter().try_for_each(|id| check_text(id))
}

fn check_about(about: &mut AboutMe) -> Result<(), ErrorCode> {
    require(about.zone.len() <= MAX_ZONE_BYTES, ErrorCode::TooLarge)?;
    check_text(&about.key)?;
    about.avatar.clean();
    about.names.iter_mut().for_each(|name| *name = shown_name(name));
    if let Some(waiting) = &mut about.waiting {
        check_waiting(waiting)?;
    }
    rounds::check_about(&mut about.rounds);
    if let Some(account) = &mut about.account {
        super::account::check_about(account)?;
    }
    order::check_about(about);
    for table in &mut about.tables {
        check_text(&table.id)?;
        table.topic = shown_label(&table.topic, MAX_TOPIC_CHARS);
        table.place = shown_label(&table.place, MAX_PLACE_CHARS);
    }
    Ok(())
}

pub(super) fn check_room_news(news: &mut RoomNews) -> Result<(), ErrorCode> {
    match news {
        RoomNews::Knocking { room } => require(room.len() <= MAX_ROOM_CHARS && is_room_name(room), ErrorCode::BadRoom),
        RoomNews::Lobby { knocking } => {
            knocking.truncate(MAX_LOBBY);
            for knocker in knocking {
                knocker.name = shown_name(&knocker.name);
                check_text(&knocker.key)?;
                check_id(&knocker.id)?;
            }
            Ok(())
        }
        RoomNews::State { host, locked: _, spotlight } => {
            [host, spotlight].into_iter().flatten().try_for_each(|ParticipantId(id)| check_text(id))
        }
        RoomNews::Muted => Ok(()),
    }
}

fn check_table(table: &mut TableInfo) -> Result<(), ErrorCode> {
    check_text(&table.id)?;
    check_text(&table.host)?;
    require(is_room_name(&table.room), ErrorCode::BadRoom)?;
    table.topic = shown_label(&table.topic, MAX_TOPIC_CHARS);
    table.place = shown_label(&table.place, MAX_PLACE_CHARS);
    for sitter in &mut table.taken {
        check_text(&sitter.id)?;
        sitter.name = shown_name(&sitter.name);
        sitter.avatar.clean();
    }
    table.waiting.iter().try_for_each(|id| check_text(id))
}

fn check_person(person: &mut PersonInfo) -> Result<(), ErrorCode> {
    person.name = shown_name(&person.name);
    person.avatar.clean();
    check_text(&person.id)
}

fn check_token(CalendarToken(token): &CalendarToken) -> Result<(), ErrorCode> {
    require(is_calendar_token(token), ErrorCode::Malformed)
}
