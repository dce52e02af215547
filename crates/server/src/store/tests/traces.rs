//! A stored board with traces of one person, and the columns that hold them.

use rooms::board::{
    Calendar, Cancelled, Change, Feed, Hungry, Kind, LastReminder, OrderChange, Outcome, Round, RoundChange, RoundNews,
    Saved, SavedAct, SavedAvatar, SavedOrder, SavedReport, SavedRounds, SavedSuspension, Seat, SignUp, Table, Who,
};
use signaling::board::{ActKind, Door, RoundSize, Sitter};

use super::{NOW, who};
use crate::accounts::{self, Account, Device};

/// The columns that hold a key, a name, or a text in which a person may have written a name.
pub(super) const PERSONAL: &[(&str, &str)] = &[
    ("tables", "topic"),
    ("tables", "place"),
    ("tables", "host"),
    ("sitters", "key"),
    ("sitters", "name"),
    ("met", "a"),
    ("met", "b"),
    ("invite_uses", "key"),
    ("hungry", "key"),
    ("hungry", "name"),
    ("hungry", "friends"),
    ("feeds", "key"),
    ("cancelled", "key"),
    ("cancelled", "topic"),
    ("cancelled", "place"),
    ("accounts", "person"),
    ("accounts", "subject"),
    ("accounts", "name"),
    ("devices", "key"),
    ("devices", "person"),
    ("devices", "name"),
    ("avatars", "key"),
    ("avatars", "glyph"),
    ("avatars", "jpeg"),
    ("blocks", "key"),
    ("blocks", "other"),
    ("blocks", "name"),
    ("reports", "author"),
    ("reports", "author_name"),
    ("reports", "person"),
    ("reports", "person_name"),
    ("reports", "text"),
    ("suspensions", "key"),
    ("suspensions", "name"),
    ("suspensions", "reason"),
    ("acts", "key"),
    ("acts", "name"),
    ("acts", "topic"),
    ("acts", "reason"),
    ("acts", "steward"),
    ("acts", "steward_name"),
    ("rounds", "title"),
    ("rounds", "host"),
    ("sign_ups", "key"),
    ("sign_ups", "name"),
    ("round_news", "key"),
    ("round_news", "title"),
];
/// All other columns: secrets of the server, random ids, times, numbers and fixed words.
pub(super) const IMPERSONAL: &[(&str, &str)] = &[
    ("meta", "name"),
    ("meta", "value"),
    ("tables", "id"),
    ("tables", "room"),
    ("tables", "seats"),
    ("tables", "starts"),
    ("tables", "ends"),
    ("tables", "kind"),
    ("tables", "weekly_at"),
    ("tables", "door"),
    ("tables", "locked"),
    ("sitters", "table_id"),
    ("sitters", "list"),
    ("sitters", "place"),
    ("sitters", "told"),
    ("met", "at"),
    ("invite_uses", "id"),
    ("invite_uses", "expires"),
    ("hungry", "since"),
    ("tables", "sequence"),
    ("tables", "stamped"),
    ("feeds", "id"),
    ("feeds", "used"),
    ("cancelled", "table_id"),
    ("cancelled", "starts"),
    ("cancelled", "ends"),
    ("cancelled", "sequence"),
    ("cancelled", "stamped"),
    ("accounts", "issuer"),
    ("accounts", "steward"),
    ("avatars", "color"),
    ("avatars", "seen"),
    ("reports", "id"),
    ("reports", "at"),
    ("reports", "in_call"),
    ("suspensions", "since"),
    ("suspensions", "until"),
    ("acts", "id"),
    ("acts", "at"),
    ("acts", "kind"),
    ("acts", "until"),
    ("acts", "seen"),
    ("devices", "added"),
    ("devices", "used"),
    ("rounds", "id"),
    ("rounds", "starts"),
    ("rounds", "minutes"),
    ("rounds", "weekly_at"),
    ("rounds", "size"),
    ("sign_ups", "round_id"),
    ("sign_ups", "at"),
    ("round_news", "round_id"),
    ("round_news", "starts"),
    ("round_news", "outcome"),
];
/// The lists in `sitters.list`.
pub(super) const LISTS: &[&str] = &["taken", "waiting", "inside", "removed"];

/// A stored board with a trace of one person in every column that holds anything of a person.
pub(super) fn traces_of(ada: &Who) -> Saved {
    let seat = |who: &Who| Seat { key: who.key.clone(), name: who.name.clone(), last_reminder: LastReminder::Soon };
    let table = Table {
        id: "0123456789abcdef".into(),
        room: "t-0123456789abcdef".into(),
        topic: format!("lunch with {}", ada.name),
        place: format!("{}’s desk", ada.name.to_uppercase()),
        seats: 3,
        starts: NOW + 3_600_000,
        ends: NOW + 7_200_000,
        kind: Kind::Slot,
        host: ada.key.clone(),
        door: Door::Open,
        locked: false,
        taken: vec![seat(ada), seat(&who("Ben")), seat(&who("Cem"))],
        waiting: [ada, &who("Dan")].map(|who| Sitter::new(&who.key, &who.name)).into(),
        inside: vec![ada.key.clone(), who("Ben").key],
        removed: vec![who("Eve").key, ada.key.clone()],
        sequence: 0,
        stamped: NOW,
    };
    let lunch = |topic: &str| Cancelled {
        topic: topic.into(),
        place: format!("at {}'s", ada.name),
        starts: NOW + 3_600_000,
        ends: NOW + 7_200_000,
        sequence: 1,
        stamped: NOW,
    };
    let wish = |name: &str, with| Hungry { name: name.into(), since: NOW, with };
    Saved {
        tables: vec![table],
        met: vec![("AAA".into(), ada.key.clone(), NOW), (ada.key.clone(), "zzz".into(), NOW)],
        invites: vec![([7; 8], ada.key.clone(), NOW + 3_600_000)],
        hungry: vec![
            (ada.key.clone(), wish(&ada.name, vec![])),
            (who("Lea").key, wish("Lea", vec![who("Mia").key, ada.key.clone()])),
        ],
        feeds: vec![
            (ada.key.clone(), Feed { id: [1; 32], used: NOW }),
            (who("Ben").key, Feed { id: [2; 32], used: NOW }),
        ],
        cancelled: vec![
            (ada.key.clone(), "gone".into(), lunch("Soup")),
            (who("Ben").key, "gone".into(), lunch(&format!("With {}", ada.name))),
        ],
        avatars: vec![(
            ada.key.clone(),
            SavedAvatar {
                color: Some(3),
                glyph: Some(ada.name.clone()),
                jpeg: Some(format!("a photo of {}", ada.name).into_bytes().into()),
                seen: NOW,
            },
        )],
        order: order_of(ada),
        rounds: rounds_of(ada),
    }
}

/// A round that they created, one for which they have signed up, and news for them and others.
pub(super) fn rounds_of(ada: &Who) -> SavedRounds {
    let sign_up = |who: &Who| SignUp { key: who.key.clone(), name: who.name.clone(), at: NOW };
    let round = |id: &str, host: &Who, signed_up| Round {
        id: id.into(),
        title: format!("{}'s round", host.name),
        host: host.key.clone(),
        starts: NOW + 7_200_000,
        minutes: 45,
        weekly_at: Calendar::new("Asia/Seoul").and_then(|calendar| calendar.civil(NOW + 7_200_000)),
        size: RoundSize::Fours,
        signed_up,
    };
    let news = |who: &Who, outcome| RoundNews {
        key: who.key.clone(),
        round: "gone".into(),
        title: format!("with {}", ada.name),
        starts: NOW,
        outcome,
    };
    let ben = who("Ben");
    SavedRounds {
        rounds: vec![
            round("by ada", ada, vec![sign_up(ada), sign_up(&ben)]),
            round("by ben", &ben, vec![sign_up(ada)]),
        ],
        news: vec![news(ada, Outcome::Missed), news(&ben, Outcome::Unmatched), news(&who("Cem"), Outcome::Cancelled)],
    }
}

/// What was reported, blocked and done, with the person as every side of it.
pub(super) fn order_of(ada: &Who) -> SavedOrder {
    let report = |by: &Who, of: &Who| SavedReport {
        at: NOW,
        by: by.key.clone(),
        by_name: by.name.clone(),
        of: of.key.clone(),
        of_name: of.name.clone(),
        text: format!("{} shouts", ada.name),
        in_call: true,
    };
    let act = |to: &Who, steward: &Who| SavedAct {
        at: NOW,
        kind: ActKind::Suspended,
        key: to.key.clone(),
        name: to.name.clone(),
        topic: format!("{}'s soup", ada.name),
        reason: format!("ask {}", ada.name),
        until: Some(NOW + 1),
        steward: steward.key.clone(),
        steward_name: steward.name.clone(),
        seen: true,
    };
    let reason = format!("{} shouted", ada.name);
    let (ben, cem) = (who("Ben"), who("Cem"));
    SavedOrder {
        blocks: vec![
            (ada.key.clone(), ben.key.clone(), ben.name.clone()),
            (cem.key.clone(), ada.key.clone(), ada.name.clone()),
        ],
        reports: vec![(1, report(ada, &ben)), (2, report(&cem, ada)), (3, report(&cem, &ben))],
        suspended: vec![(ada.key.clone(), SavedSuspension { name: ada.name.clone(), since: NOW, until: None, reason })],
        acts: vec![(1, act(ada, &ben)), (2, act(&ben, ada)), (3, act(&cem, &ben))],
    }
}

/// Their account, with a second device.
pub(super) fn account_of(ada: &Who) -> accounts::Saved {
    let (person, name) = (ada.key.clone(), ada.name.clone());
    let device = |key: &str| Device {
        key: key.into(),
        person: person.clone(),
        name: format!("{name}'s laptop"),
        added: NOW,
        used: NOW,
    };
    accounts::Saved {
        accounts: vec![Account {
            person: person.clone(),
            issuer: "https://accounts.example".into(),
            subject: format!("{name}@accounts.example"),
            name: name.clone(),
            steward: true,
        }],
        devices: vec![device(&person), device("a second key")],
    }
}

pub(super) fn changes_to_account(saved: &accounts::Saved) -> Vec<accounts::Change> {
    let accounts = saved.accounts.iter().cloned().map(accounts::Change::Account);
    accounts.chain(saved.devices.iter().cloned().map(accounts::Change::Device)).collect()
}

/// The changes that store all of it.
pub(super) fn changes_to(saved: &Saved) -> Vec<Change> {
    let tables = saved.tables.iter().cloned().map(|table| Change::Table(Box::new(table)));
    let met = saved.met.iter().cloned().map(|(a, b, at)| Change::Met { a, b, at });
    let invites = saved.invites.iter().cloned().map(|(id, key, expires)| Change::InviteUsed { id, key, expires });
    let hungry = saved.hungry.iter().cloned().map(|(key, wish)| Change::Hungry { key, wish: Some(wish) });
    let feeds = saved.feeds.iter().cloned().map(|(key, feed)| Change::Feed { key, feed: Some(feed) });
    let cancelled =
        saved.cancelled.iter().cloned().map(|(key, table, lunch)| Change::Cancelled { key, table, lunch: Some(lunch) });
    let avatars = saved.avatars.iter().cloned().map(|(key, avatar)| Change::Avatar { key, avatar: Some(avatar) });
    let order = changes_to_order(&saved.order);
    let rounds = changes_to_rounds(&saved.rounds);
    let people = met.chain(invites).chain(hungry).chain(feeds).chain(cancelled).chain(avatars);
    tables.chain(people).chain(order).chain(rounds).collect()
}

pub(super) fn changes_to_rounds(rounds: &SavedRounds) -> Vec<Change> {
    let mut changes = Vec::new();
    for round in &rounds.rounds {
        changes.push(RoundChange::Round(Box::new(round.clone())));
        let sign_up = |one: &SignUp| RoundChange::SignUp { round: round.id.clone(), sign_up: one.clone() };
        changes.extend(round.signed_up.iter().map(sign_up));
    }
    changes.extend(rounds.news.iter().cloned().map(|news| RoundChange::News(Box::new(news))));
    changes.into_iter().map(Change::Round).collect()
}

pub(super) fn changes_to_order(order: &SavedOrder) -> Vec<Change> {
    let blocks = order.blocks.iter().cloned();
    let blocks = blocks.map(|(key, other, name)| OrderChange::Block { key, other, name: Some(name) });
    let reports = order.reports.iter().cloned();
    let reports = reports.map(|(id, one)| OrderChange::Report { id, report: Some(Box::new(one)) });
    let suspended = order.suspended.iter().cloned();
    let suspended = suspended.map(|(key, one)| OrderChange::Suspension { key, suspension: Some(one) });
    let acts = order.acts.iter().cloned().map(|(id, one)| OrderChange::Act { id, act: Some(Box::new(one)) });
    blocks.chain(reports).chain(suspended).chain(acts).map(Change::Order).collect()
}
