// Written from the types of Rust by `WRITE_TYPES=1 cargo test -p lunchroom types`. Do not edit.

/**
 * Everything that the window shows: the view of the engine, and the state that only the shell has.
 */
export type AppState = {
/**
 * The connection to a server.
 */
session: SessionView,
/**
 * The call.
 */
call: CallView,
/**
 * Unix time in milliseconds at which the call began to reconnect. Null if it does not.
 */
reconnecting_since_ms: number | null,
/**
 * Since when connections with participants have been interrupted, by id, Unix time in milliseconds.
 */
interrupted_since_ms: { [key in string]: number },
/**
 * The chat of the call, oldest line first.
 */
chat: Array<ChatLine>,
/**
 * The files that are sent and received, the oldest first.
 */
transfers: Array<TransferView>,
/**
 * The names of files that were dropped on the window and wait for a receiver.
 */
dropped: Array<string>,
/**
 * The code of the last error of the call, until the person dismisses it.
 */
notice: string | null,
/**
 * The devices found by the last search.
 */
devices: Array<DeviceInfo>,
/**
 * The chosen devices. Null means the system's default.
 */
choice: DeviceChoice,
/**
 * Whether the microphone is open only to notice that the person speaks while it is off. Nothing of that is sent.
 */
listening: boolean,
/**
 * The participants in the same room, who are not played here: the laptops would howl.
 */
same_room: Array<string>,
/**
 * The check of one's own sound. Nothing of it is sent.
 */
sound_check: SoundCheckView,
/**
 * The screen or window that this person shares.
 */
share: Share | null,
/**
 * The participants who share a screen.
 */
sharing: Array<string>,
/**
 * The current problems.
 */
problems: Array<Problem>,
/**
 * The person's settings.
 */
settings: Settings,
/**
 * The identity of this device.
 */
you: You,
/**
 * An opened link that waits for an answer.
 */
link: PendingLink | null,
/**
 * The server that this app runs for the local network, if any.
 */
hosting: Hosting | null,
/**
 * The board. Null on a server without a board, and before it has arrived.
 */
board: BoardState | null,
/**
 * Reminders that were not dismissed, oldest first.
 */
reminders: Array<Reminder>,
/**
 * The socket for pictures. Null: use the command `next_frame`.
 */
frames: FrameAccess | null,
/**
 * What the app can do on this system.
 */
abilities: Abilities,
/**
 * The version of the app.
 */
version: string, };

/**
 * The fields of an [`AppState`] that changed. The page copies them into its state. The first update has all fields.
 */
export type AppUpdate = { session?: SessionView, call?: CallView, reconnecting_since_ms?: number | null, interrupted_since_ms?: { [key in string]: number }, chat?: ChatUpdate, transfers?: Array<TransferView>, dropped?: Array<string>, notice?: string | null, devices?: Array<DeviceInfo>, choice?: DeviceChoice, listening?: boolean, same_room?: Array<string>, sound_check?: SoundCheckView, share?: Share | null, sharing?: Array<string>, problems?: Array<Problem>, settings?: Settings, you?: You, link?: PendingLink | null, hosting?: Hosting | null, board?: BoardState | null, reminders?: Array<Reminder>, frames?: FrameAccess | null, abilities?: Abilities, version?: string, };

/**
 * The change of the chat: the page keeps the first `keep` of its lines and appends the new ones.
 */
export type ChatUpdate = {
/**
 * The number of lines that stay.
 */
keep: number,
/**
 * The new lines, oldest first.
 */
lines: Array<ChatLine>, };

/**
 * The signalling session, as people see it.
 */
export type SessionView = { "kind": "closed",
/**
 * Why it was refused, if it was.
 */
problem: Problem | null, } | { "kind": "connecting",
/**
 * The server.
 */
server: string,
/**
 * Why the last attempt failed, if one did.
 */
problem: Problem | null, } | { "kind": "open",
/**
 * The server.
 */
server: string, };

/**
 * The identity of this device.
 */
export type You = {
/**
 * The public key that the current server knows, base64url. Empty without a server.
 */
key: string,
/**
 * The id by which the board of the current server knows the person, if that is not the key.
 */
person?: string | null,
/**
 * The name of the person's account on the current server, if this device belongs to one.
 */
account?: string | null,
/**
 * Whether people can sign in on the current server with an account.
 */
sign_in?: boolean, };

/**
 * An opened link that waits for an answer. Nothing has been sent to its server.
 */
export type PendingLink = {
/**
 * The room.
 */
room: string,
/**
 * The `ws:` or `wss:` address.
 */
server: string,
/**
 * Whether the settings contain the server with the same certificate.
 */
known: boolean,
/**
 * SHA-256 of the only accepted certificate, 64 hexadecimal digits.
 */
fingerprint: string | null,
/**
 * The invite token.
 */
invite: string | null, };

/**
 * The server that this app runs for the local network.
 */
export type Hosting = {
/**
 * Its address, with this machine's address on the network.
 */
url: string,
/**
 * The link for people on the network who have the app.
 */
link: string,
/**
 * The link for people without the app.
 */
web_link: string,
/**
 * `web_link` as a QR code, an SVG document.
 */
qr_svg: string,
/**
 * SHA-256 of its certificate, 64 hexadecimal digits.
 */
fingerprint: string,
/**
 * The addresses of this machine on its networks.
 */
addresses: Array<string>, };

/**
 * The socket that delivers pictures.
 */
export type FrameAccess = {
/**
 * `ws://127.0.0.1:PORT`.
 */
url: string,
/**
 * The token to send first, valid for this launch only.
 */
token: string, };

/**
 * What the app can do on this system.
 */
export type Abilities = {
/**
 * Stay in the tray without its window.
 */
tray: boolean,
/**
 * Start when the person logs in. Only the person's own app does, not a profile.
 */
autostart: boolean,
/**
 * Notice keys while another app is focused. Wayland allows nobody that.
 */
global_keys: boolean, };

/**
 * The current state of a call, but for its chat ([`crate::Call::chat`]).
 */
export type CallView = {
/**
 * The stage.
 */
stage: Stage,
/**
 * The room.
 */
room: string,
/**
 * Own id, in a room.
 */
you: ParticipantId | null,
/**
 * Own microphone and camera, as wanted.
 */
media: MediaState,
/**
 * Our raised hand. `None` if it is down.
 */
hand: number | null,
/**
 * Our reaction, as the others see it now.
 */
reaction: ShownReaction | null,
/**
 * The others, earliest first.
 */
participants: Array<ParticipantView>,
/**
 * Own lines that the server has not sent back yet, oldest first, at most [`crate::MAX_UNSENT_LINES`]. They wait
 * for the server, or failed.
 */
unsent: Array<UnsentLine>,
/**
 * The participant who may lock this room, admit people, mute and remove them. `None` if the room has no host, or
 * its host is away for a moment. Also known while knocking.
 */
host: ParticipantId | null,
/**
 * Whether nobody new may join.
 */
locked: boolean,
/**
 * The participant whom the host shows large to everybody.
 */
spotlight: ParticipantId | null,
/**
 * People who knock, earliest first. Only the host receives them.
 */
lobby: Array<Knocker>, };

/**
 * Stage of a call, as the person sees it.
 */
export type Stage = { "kind": "idle" } | { "kind": "joining" } | { "kind": "knocking" } | { "kind": "joined" } | { "kind": "reconnecting" } | { "kind": "ended", "code": string };

/**
 * Another participant: what the server says of them, and the connection to them.
 */
export type ParticipantView = {
/**
 * The connection to them.
 */
link: LinkState,
/**
 * What is done about it, while it is interrupted. `None` if that is not known.
 */
repair: Repair | null,
/**
 * Why there is no connection to them and will be none: a description was not signed by their device for us.
 */
distrust: string | null,
/**
 * Whether they cannot decrypt what we send through the server, because their app has announced no key.
 */
lacks_key: boolean,
/**
 * Whether they are connected to the server.
 */
connected: boolean,
/**
 * What their connection check found, since we last asked for it.
 */
report: ParticipantReport | null,
/**
 * Their reaction, while it is shown.
 */
reaction: ShownReaction | null,
/**
 * Id in this room.
 */
id: ParticipantId,
/**
 * Display name.
 */
name: string,
/**
 * Device key, base64url. It identifies the person; the name does not.
 */
key: string,
/**
 * The nonce of their `join`, base64url.
 */
nonce?: string | null,
/**
 * Microphone and camera.
 */
media: MediaState,
/**
 * Their raised hand.
 */
hand?: number | null,
/**
 * How they are shown.
 */
avatar?: Avatar, };

/**
 * A person in the room.
 */
export type Participant = {
/**
 * Id in this room.
 */
id: ParticipantId,
/**
 * Display name.
 */
name: string,
/**
 * Device key, base64url. It identifies the person; the name does not.
 */
key: string,
/**
 * The nonce of their `join`, base64url.
 */
nonce?: string | null,
/**
 * Microphone and camera.
 */
media: MediaState,
/**
 * Their raised hand.
 */
hand?: number | null,
/**
 * How they are shown.
 */
avatar?: Avatar, };

/**
 * Identifies one person in one room. The server assigns it and does not reuse it while the room exists.
 */
export type ParticipantId = string;

/**
 * A reaction, which is shown for some seconds.
 */
export type Reaction = "thumbs_up" | "heart" | "clap" | "laugh" | "surprise" | "celebrate" | "yum" | "unknown";

/**
 * A reaction that is shown now.
 */
export type ShownReaction = {
/**
 * Which one.
 */
reaction: Reaction,
/**
 * Counts the reactions of this person, to distinguish the same one shown twice.
 */
number: number, };

/**
 * The result of a connection check.
 */
export type ParticipantReport = {
/**
 * What calls can expect.
 */
verdict: ConnectionVerdict,
/**
 * The codes of what is wrong, at most [`MAX_FINDINGS`].
 */
findings: Array<string>, };

/**
 * What calls can expect of a network.
 */
export type ConnectionVerdict = "good" | "restricted" | "blocked" | "unknown";

/**
 * State of one peer connection, as a window displays it.
 */
export type LinkState = "connecting" | "connected" | "interrupted";

/**
 * What is done about an interrupted connection.
 */
export type Repair = "waiting" | "restarting_ice" | "replacing";

/**
 * A line of chat.
 */
export type ChatLine = {
/**
 * The author.
 */
from: ParticipantId,
/**
 * The author's name at that time.
 */
name: string,
/**
 * Plain text, never markup.
 */
text: string,
/**
 * Unix time in milliseconds by the server's clock.
 */
at: number, };

/**
 * An own line that is not in the chat yet.
 */
export type UnsentLine = {
/**
 * Identifies the line in [`crate::Command::DropLine`]. Later lines have higher numbers.
 */
number: number,
/**
 * Plain text, never markup.
 */
text: string,
/**
 * Why it could not be sent; `None` while it waits or is in flight.
 */
failed: string | null, };

/**
 * A person in the lobby.
 */
export type Knocker = {
/**
 * Id in the lobby, different from any participant's.
 */
id: ParticipantId,
/**
 * Display name.
 */
name: string,
/**
 * Device key.
 */
key: string, };

/**
 * A device that can be opened.
 */
export type DeviceInfo = {
/**
 * Stable when the device is plugged in again; unique among devices of its kind.
 */
id: string,
/**
 * The name to show.
 */
name: string,
/**
 * The kind.
 */
kind: DeviceKind,
/**
 * Whether the system prefers it among its kind.
 */
default: boolean,
/**
 * Whether it is synthetic: the test pattern, the tone, silence.
 */
synthetic: boolean, };

/**
 * The kind of a device.
 */
export type DeviceKind = "camera" | "microphone" | "speaker";

/**
 * Which devices are used. `None` means the system's default.
 */
export type DeviceChoice = {
/**
 * Camera by id or name.
 */
camera: string | null,
/**
 * Microphone by id or name.
 */
microphone: string | null,
/**
 * Loudspeaker by id or name. `off` means none.
 */
speaker: string | null, };

/**
 * A screen or window that we share.
 */
export type Share = {
/**
 * Its id in the list of sources.
 */
id: string,
/**
 * Its name there.
 */
name: string,
/**
 * How it goes.
 */
state: ShareState, };

/**
 * State of our share.
 */
export type ShareState = "starting" | "live" | "hidden";

/**
 * A result of `screens`: a screen or window that can be shared.
 */
export type ScreenChoice = {
/**
 * For the command `share`.
 */
id: string,
/**
 * The title of the window or the name of the monitor. May be empty.
 */
name: string,
/**
 * Whether it is a window of a program. Otherwise it is a monitor.
 */
window: boolean,
/**
 * Width in pixels.
 */
width: number,
/**
 * Height in pixels.
 */
height: number,
/**
 * How it looks now: a packet of the frame socket in base64. Null where that cannot be seen.
 */
preview: string | null, };

/**
 * What the check shows.
 */
export type SoundCheckView = { "kind": "idle" } | { "kind": "waiting" } | { "kind": "listening" } | { "kind": "playing" } | { "kind": "done",
/**
 * What is wrong, the most serious first: `no_sound`, `no_voice`, `too_quiet`, `too_loud`, `noisy`, `echo`,
 * `drop_outs`. Empty if nothing is.
 */
defects: string[], } | { "kind": "failed" };

/**
 * A problem, described for people and programs.
 */
export type Problem = {
/**
 * A stable code, which the UI translates.
 */
code: string,
/**
 * A message in English that says what to do.
 */
message: string,
/**
 * The kind of device concerned, if any.
 */
device: DeviceKind | null, };

/**
 * The person's settings. Fields that a file lacks are as in [`Settings::default`].
 */
export type Settings = {
/**
 * The name that others see. Empty before the first run.
 */
name: string,
/**
 * How others see the person where there is no camera.
 */
avatar: OwnAvatar,
/**
 * The language of the window. Null means the system's.
 */
language: Language | null,
/**
 * Light or dark.
 */
theme: Theme,
/**
 * The servers that the person accepted.
 */
servers: Array<KnownServer>,
/**
 * The index of the server that is selected at launch.
 */
server: number | null,
/**
 * The strength of noise suppression.
 */
noise: Noise,
/**
 * Whether music is sent unchanged, without noise suppression and gain control.
 */
music: boolean,
/**
 * Whether the microphone stays open in a call while it is off, so that a person who speaks is told.
 */
listen_while_muted: boolean,
/**
 * Whether calls use only relayed paths, so that other people do not see this device's addresses.
 */
relay_only: boolean,
/**
 * Whether the camera was on in the last call.
 */
camera_on: boolean,
/**
 * Whether the microphone was on in the last call.
 */
microphone_on: boolean,
/**
 * The chosen devices.
 */
devices: DeviceChoice,
/**
 * Whether the own picture is mirrored, as people know themselves. Others never see it mirrored.
 */
mirror_own: boolean,
/**
 * Whether the own tile is shown in a call with others.
 */
show_own: boolean,
/**
 * The text size in percent, 100 to 200.
 */
text_percent: number,
/**
 * Whether a notification is shown when somebody joins or writes while the window is not focused.
 */
notifications: boolean,
/**
 * Until when there are no notifications nevertheless, Unix milliseconds.
 */
quiet_until_ms: number | null,
/**
 * Whether calls use little data: small pictures in both directions, and whole sound.
 */
data_saver: boolean,
/**
 * Whether the app stays in the tray when its window is closed, for reminders.
 */
close_to_tray: boolean,
/**
 * Whether the app starts when the person logs in, without its window.
 */
autostart: boolean,
/**
 * The keys that mute and unmute in a call, also while another app is focused, such as `Ctrl+Shift+KeyM`.
 */
mute_keys: string | null,
/**
 * The keys that unmute as long as they are held, in the same way.
 */
talk_keys: string | null,
/**
 * How loud people are played, in percent by key; those without an entry have 100. At most [`Settings::MOST_KNOWN`].
 */
volumes: { [key in string]: number },
/**
 * People whose keys this person has compared, in the order of comparing; at most [`Settings::MOST_KNOWN`].
 */
known: Array<KnownPerson>, };

/**
 * How others see the person, with the photo itself.
 */
export type OwnAvatar = {
/**
 * The number of a colour. Null: the one that follows from the key.
 */
color: number | null,
/**
 * A letter or an emoji. Null: the initials of the name.
 */
glyph: string | null,
/**
 * A photo without metadata: a JPEG, base64url.
 */
photo: string | null, };

/**
 * A person whose key was compared.
 */
export type KnownPerson = {
/**
 * Address of the server: a device has another key at each.
 */
server: string,
/**
 * Device key, base64url.
 */
key: string,
/**
 * Their name at that time.
 */
name: string, };

/**
 * A server that the person accepted.
 */
export type KnownServer = {
/**
 * The `ws:` or `wss:` address.
 */
url: string,
/**
 * SHA-256 of the only accepted certificate, 64 hexadecimal digits.
 */
fingerprint: string | null,
/**
 * The displayed name.
 */
name: string,
/**
 * The secret of its community, which makes the person a member. Null: a guest, if the server requires a secret.
 */
secret?: string | null,
/**
 * The token in the address of the person's calendar there. Null: they have not asked for one.
 */
calendar?: string | null, };

/**
 * The language of the window.
 */
export type Language = "ko" | "en";

/**
 * Light or dark.
 */
export type Theme = "system" | "light" | "dark";

/**
 * The strength of noise suppression.
 */
export type Noise = "off" | "normal" | "strong";

/**
 * What the board of a server holds about the person who asked, and nothing about anybody else. Where it would be too
 * long for a message, [`AboutMe::left_out`] counts what is missing.
 */
export type AboutMe = {
/**
 * The server's clock, Unix milliseconds.
 */
now_ms: number,
/**
 * IANA time zone of the community.
 */
zone: string,
/**
 * The id of the person: the device key, or that of the account's first device.
 */
key: string,
/**
 * The names that are stored with the key; usually one.
 */
names: Array<string>,
/**
 * Whether the person is a member.
 */
member: boolean,
/**
 * What the members see that the person is doing. It is not stored.
 */
presence: Presence,
/**
 * Number of connections with this key. It is not stored.
 */
sessions: number,
/**
 * Tables with this key, by beginning. The latest are left out first.
 */
tables?: Array<AboutTable>,
/**
 * Rounds with this key, by beginning. The latest are left out first.
 */
rounds?: Array<AboutRound>,
/**
 * The wait to eat now.
 */
waiting?: Waiting,
/**
 * Number of people who wait to eat now and named this person.
 */
named_by: number,
/**
 * How others see the person. The photo is what they sent, without its metadata.
 */
avatar?: Avatar,
/**
 * Whether the person's calendar has an address.
 */
calendar: boolean,
/**
 * Invites that the person has used, by expiry. Those that expire first are left out first.
 */
invites?: Array<UsedInvite>,
/**
 * When the person last met others, newest first. The oldest are left out first.
 */
met?: Array<Meeting>,
/**
 * The person's account, if they have signed in.
 */
account?: AboutAccount,
/**
 * Number of people whom the person has blocked.
 */
blocked: number,
/**
 * Reports by the person that wait for a steward, newest first. Those about the person are not here: they would name
 * others.
 */
reports?: Array<AboutReport>,
/**
 * What stewards did to the person in the last days, newest first.
 */
acts?: Array<Act>,
/**
 * The person's suspension.
 */
suspension?: Suspension,
/**
 * Days for which the server remembers who met whom.
 */
met_days: number,
/**
 * Number of tables, rounds, invites, meetings, reports and acts that are missing above.
 */
left_out: number, };

/**
 * An account that the server has stored, with the person's devices.
 */
export type AboutAccount = {
/**
 * The issuer (`iss`).
 */
issuer: string,
/**
 * Id of the account at the issuer (`sub`).
 */
subject: string,
/**
 * The name that others see.
 */
name: string,
/**
 * The devices, the earliest first.
 */
devices: Array<AccountDevice>, };

/**
 * A device of an account.
 */
export type AccountDevice = {
/**
 * Its key, base64url. The client finds itself by it.
 */
key: string,
/**
 * What the person calls it; may be empty.
 */
name: string,
/**
 * When it was added, Unix milliseconds.
 */
added_ms: number,
/**
 * When it was last used, Unix milliseconds, to a day.
 */
used_ms: number,
/**
 * Whether it is connected.
 */
connected: boolean, };

/**
 * A table, and what the person has to do with it.
 */
export type AboutTable = {
/**
 * Id.
 */
id: string,
/**
 * Topic; may be empty.
 */
topic: string,
/**
 * Menu or place; may be empty.
 */
place: string,
/**
 * Beginning, Unix milliseconds.
 */
starts_ms: number,
/**
 * End, Unix milliseconds.
 */
ends_ms: number,
/**
 * Whether the table repeats each week.
 */
weekly: boolean,
/**
 * Whether the person is the host.
 */
host: boolean,
/**
 * Whether the person has a seat.
 */
seat: boolean,
/**
 * The person's place in line, from 1; 0 for none.
 */
place_in_line: number,
/**
 * Whether the person has been in the call, and so need not knock.
 */
entered: boolean,
/**
 * Whether the host has removed the person.
 */
removed: boolean,
/**
 * Whether the person's calendar still shows it as cancelled. The person has no seat then.
 */
cancelled: boolean, };

/**
 * A round, and what the person has to do with it.
 */
export type AboutRound = {
/**
 * Title; may be empty.
 */
title: string,
/**
 * Beginning of the meal, Unix milliseconds.
 */
starts_ms: number,
/**
 * Whether the round takes place each week.
 */
weekly: boolean,
/**
 * Whether the person created it.
 */
host: boolean,
/**
 * Whether the person has signed up.
 */
signed_up: boolean,
/**
 * Whether the person has yet to receive how it ended.
 */
pending: boolean, };

/**
 * A report by the person.
 */
export type AboutReport = {
/**
 * When, Unix milliseconds.
 */
at_ms: number,
/**
 * What happened, in the person's words.
 */
text: string, };

/**
 * An invite that the person has used.
 */
export type UsedInvite = {
/**
 * When it expires, Unix milliseconds. The server forgets its use then.
 */
expires_ms: number, };

/**
 * The last meeting with some people.
 */
export type Meeting = {
/**
 * When, Unix milliseconds.
 */
at_ms: number,
/**
 * Number of people whom the person has not met since.
 */
people: number, };

/**
 * What of the community's order concerns one person.
 */
export type Order = {
/**
 * Whether the person is a steward.
 */
steward: boolean,
/**
 * Number of reports that wait for a steward; 0 for everybody else.
 */
reports: number,
/**
 * People whom the person has blocked, by id.
 */
blocked: Array<Sitter>,
/**
 * What was done to the person and not yet acknowledged, earliest first.
 */
acts: Array<Act>,
/**
 * The person's suspension. They see an empty board meanwhile.
 */
suspension?: Suspension, };

/**
 * What a steward did to a person, as that person sees it.
 */
export type Act = {
/**
 * When, Unix milliseconds.
 */
at_ms: number,
/**
 * What.
 */
kind: ActKind,
/**
 * The topic of the closed table; may be empty.
 */
topic: string,
/**
 * Why; may be empty when a suspension is lifted.
 */
reason: string,
/**
 * The end of the suspension, Unix milliseconds; absent: until it is lifted.
 */
until_ms?: number, };

/**
 * What a steward did to a person.
 */
export type ActKind = "closed" | "suspended" | "lifted";

/**
 * A suspension that is in force.
 */
export type Suspension = {
/**
 * Why.
 */
reason: string,
/**
 * Its end, Unix milliseconds; absent: until it is lifted.
 */
until_ms?: number, };

/**
 * What waits for the stewards, and what they have done. Newest first.
 */
export type OrderBook = {
/**
 * Reports.
 */
reports: Array<OrderReport>,
/**
 * Suspensions in force.
 */
suspended: Array<SuspendedPerson>,
/**
 * What stewards did in the last days.
 */
acts: Array<StewardAct>,
/**
 * Number of entries that are missing above, because the message would be too long.
 */
left_out: number, };

/**
 * A report.
 */
export type OrderReport = {
/**
 * Number.
 */
id: number,
/**
 * When, Unix milliseconds.
 */
at_ms: number,
/**
 * Who reports.
 */
by: Sitter,
/**
 * Who is reported.
 */
of: Sitter,
/**
 * What happened, in the words of whoever reports it.
 */
text: string,
/**
 * Whether both were in one call.
 */
in_call: boolean, };

/**
 * Somebody who is suspended.
 */
export type SuspendedPerson = {
/**
 * Id to lift the suspension by.
 */
id: string,
/**
 * Name; empty if the person has erased themselves.
 */
name: string,
/**
 * Since when, Unix milliseconds.
 */
since_ms: number,
/**
 * Why.
 */
reason: string,
/**
 * Its end, Unix milliseconds; absent: until it is lifted.
 */
until_ms?: number, };

/**
 * What a steward did, as stewards see it.
 */
export type StewardAct = {
/**
 * Name of the person to whom it was done; empty if they have erased themselves.
 */
name: string,
/**
 * Name of the steward; empty if they have erased themselves.
 */
steward: string,
/**
 * When, Unix milliseconds.
 */
at_ms: number,
/**
 * What.
 */
kind: ActKind,
/**
 * The topic of the closed table; may be empty.
 */
topic: string,
/**
 * Why; may be empty when a suspension is lifted.
 */
reason: string,
/**
 * The end of the suspension, Unix milliseconds; absent: until it is lifted.
 */
until_ms?: number, };

/**
 * The board as a window displays it.
 */
export type BoardState = {
/**
 * The server's clock at its last message, Unix milliseconds.
 */
now_ms: number,
/**
 * How far the server's clock is ahead of this machine's, in milliseconds. Displayed times and countdowns use the
 * server's clock.
 */
skew_ms: number,
/**
 * IANA time zone of the community.
 */
zone: string,
/**
 * Whether this person is a member, who sees names and may create tables.
 */
member: boolean,
/**
 * Tables, ordered by beginning, then by id. A later state holds the same `Arc` of each table that no patch named.
 */
tables: Array<TableView>,
/**
 * Rounds, ordered by beginning, then by id.
 */
rounds: Array<RoundView>,
/**
 * People who are present, ordered by name, then by id, and shared in the same way.
 */
people: Array<PersonInfo>,
/**
 * Number of people who are free.
 */
free_count: number,
/**
 * Number of people who wait to eat now.
 */
hungry_count: number,
/**
 * This person's own wait to eat now.
 */
waiting: Waiting | null,
/**
 * The earliest table at which this person has a seat.
 */
seated: string | null,
/**
 * What of the community's order concerns this person.
 */
order: Order, };

/**
 * A round as one person sees it.
 */
export type RoundView = {
/**
 * Whether this person created it.
 */
own: boolean,
/**
 * Whether this person has signed up for its next date.
 */
joined: boolean,
/**
 * Id. A weekly round keeps it from date to date.
 */
id: string,
/**
 * Title; empty if whoever created it was erased and named in it.
 */
title: string,
/**
 * Beginning of the meal, Unix milliseconds.
 */
starts_ms: number,
/**
 * End of the meal, Unix milliseconds.
 */
ends_ms: number,
/**
 * When people are seated, Unix milliseconds. Until then they may sign up and withdraw.
 */
closes_ms: number,
/**
 * Whether the round takes place each week.
 */
weekly: boolean,
/**
 * How many people usually sit together.
 */
size: RoundSize,
/**
 * Person id of whoever created it; empty if they were erased.
 */
host: string,
/**
 * Number of people who have signed up for this date.
 */
signed_up: number, };

/**
 * A round as it is displayed: its next date.
 */
export type RoundInfo = {
/**
 * Id. A weekly round keeps it from date to date.
 */
id: string,
/**
 * Title; empty if whoever created it was erased and named in it.
 */
title: string,
/**
 * Beginning of the meal, Unix milliseconds.
 */
starts_ms: number,
/**
 * End of the meal, Unix milliseconds.
 */
ends_ms: number,
/**
 * When people are seated, Unix milliseconds. Until then they may sign up and withdraw.
 */
closes_ms: number,
/**
 * Whether the round takes place each week.
 */
weekly: boolean,
/**
 * How many people usually sit together.
 */
size: RoundSize,
/**
 * Person id of whoever created it; empty if they were erased.
 */
host: string,
/**
 * Number of people who have signed up for this date.
 */
signed_up: number, };

/**
 * How many people usually sit together.
 */
export type RoundSize = "threes" | "fours";

/**
 * A table as one person sees it: what the server says of it, and this person's part in it.
 */
export type TableView = {
/**
 * This person's part in the table.
 */
mine: Mine,
/**
 * This person's place in line, from 1; 0 if not in line.
 */
my_place: number,
/**
 * Id.
 */
id: string,
/**
 * Room of its call, which a link to the table names.
 */
room: string,
/**
 * Topic; may be empty.
 */
topic: string,
/**
 * Menu or place; may be empty.
 */
place: string,
/**
 * Number of seats.
 */
seats: number,
/**
 * Beginning, Unix milliseconds.
 */
starts_ms: number,
/**
 * End, Unix milliseconds.
 */
ends_ms: number,
/**
 * Whether the table began immediately, not at a time slot.
 */
now: boolean,
/**
 * Whether the table repeats each week.
 */
weekly: boolean,
/**
 * Person id of the host; empty for guests.
 */
host: string,
/**
 * Who may join.
 */
door: Door,
/**
 * Whether nobody new may join.
 */
locked: boolean,
/**
 * People with a seat, earliest first; empty for guests.
 */
taken: Array<Sitter>,
/**
 * Number of people with a seat.
 */
taken_count: number,
/**
 * Person ids in line, first to last; empty for guests.
 */
waiting?: Array<string>,
/**
 * Number of people in line.
 */
waiting_count: number,
/**
 * Number of people in the table's call.
 */
in_call: number,
/**
 * Version of the table in calendars (RFC 5545 section 3.8.7.4). It grows when the table is moved.
 */
sequence?: number, };

/**
 * A table as it is displayed.
 */
export type TableInfo = {
/**
 * Id.
 */
id: string,
/**
 * Room of its call, which a link to the table names.
 */
room: string,
/**
 * Topic; may be empty.
 */
topic: string,
/**
 * Menu or place; may be empty.
 */
place: string,
/**
 * Number of seats.
 */
seats: number,
/**
 * Beginning, Unix milliseconds.
 */
starts_ms: number,
/**
 * End, Unix milliseconds.
 */
ends_ms: number,
/**
 * Whether the table began immediately, not at a time slot.
 */
now: boolean,
/**
 * Whether the table repeats each week.
 */
weekly: boolean,
/**
 * Person id of the host; empty for guests.
 */
host: string,
/**
 * Who may join.
 */
door: Door,
/**
 * Whether nobody new may join.
 */
locked: boolean,
/**
 * People with a seat, earliest first; empty for guests.
 */
taken: Array<Sitter>,
/**
 * Number of people with a seat.
 */
taken_count: number,
/**
 * Person ids in line, first to last; empty for guests.
 */
waiting?: Array<string>,
/**
 * Number of people in line.
 */
waiting_count: number,
/**
 * Number of people in the table's call.
 */
in_call: number,
/**
 * Version of the table in calendars (RFC 5545 section 3.8.7.4). It grows when the table is moved.
 */
sequence?: number, };

/**
 * A person with a seat.
 */
export type Sitter = {
/**
 * Person id: the device key.
 */
id: string,
/**
 * Display name.
 */
name: string,
/**
 * How they are shown.
 */
avatar?: Avatar, };

/**
 * How a person is shown. Everything absent: by the initials of the name, in the colour that follows from the key.
 */
export type Avatar = {
/**
 * Id of the photo.
 */
photo?: string | null,
/**
 * Colour, below [`AVATAR_COLORS`].
 */
color?: number | null,
/**
 * A letter or an emoji in place of the initials.
 */
glyph?: string | null, };

/**
 * A person's part in a table.
 */
export type Mine = "none" | "seat" | "waiting" | "host";

/**
 * Who may join a table's call.
 */
export type Door = "open" | "knock";

/**
 * A person who is present.
 */
export type PersonInfo = {
/**
 * Person id: the device key.
 */
id: string,
/**
 * Display name.
 */
name: string,
/**
 * What they are doing.
 */
presence: Presence,
/**
 * How they are shown.
 */
avatar?: Avatar, };

/**
 * What somebody is doing.
 */
export type Presence = "free" | "at_table" | "away";

/**
 * A person's wait to eat now.
 */
export type Waiting = {
/**
 * Beginning of the wait, Unix milliseconds by the server's clock.
 */
since_ms: number,
/**
 * Person ids to sit with.
 */
with: Array<string>, };

/**
 * A notice of the board with its number.
 */
export type Reminder = {
/**
 * Later ones have higher numbers, for as long as the engine runs.
 */
number: number,
/**
 * Kind of notice.
 */
kind: NoticeKind,
/**
 * Id of the table; empty where a round is meant ([`NoticeKind::is_about_round`]).
 */
table: string,
/**
 * The table's room; empty likewise.
 */
room: string,
/**
 * The table's topic, or the round's title.
 */
topic: string,
/**
 * The beginning of the table or of the round's meal, Unix milliseconds.
 */
starts_ms: number, };

/**
 * A notice for one person, to show even if the window is closed.
 */
export type Notice = {
/**
 * Kind of notice.
 */
kind: NoticeKind,
/**
 * Id of the table; empty where a round is meant ([`NoticeKind::is_about_round`]).
 */
table: string,
/**
 * The table's room; empty likewise.
 */
room: string,
/**
 * The table's topic, or the round's title.
 */
topic: string,
/**
 * The beginning of the table or of the round's meal, Unix milliseconds.
 */
starts_ms: number, };

/**
 * Kinds of [`Notice`].
 */
export type NoticeKind = "soon" | "begins" | "moved_up" | "seated" | "deleted" | "moved" | "matched" | "unmatched" | "round_missed" | "round_cancelled";

/**
 * A row of the list of transfers.
 */
export type TransferView = {
/**
 * The transfer.
 */
id: string,
/**
 * Whether we send the file.
 */
outgoing: boolean,
/**
 * The key of the other person.
 */
key: string,
/**
 * The name of the other person, as it was last.
 */
person: string,
/**
 * The file's safe name.
 */
name: string,
/**
 * Bytes.
 */
size: number,
/**
 * Bytes that have been transferred.
 */
moved: number,
/**
 * What happens now.
 */
state: TransferState,
/**
 * Why it failed or stands still, if it does.
 */
reason: TransferReason | null, };

/**
 * What happens with a transfer.
 */
export type TransferState = "offered" | "waiting" | "preparing" | "moving" | "paused" | "paused_there" | "checking" | "done" | "declined" | "failed";

/**
 * Why a transfer ended early.
 */
export type TransferReason = "cancelled" | "too_many" | "too_large" | "too_much" | "wrong_hash" | "changed" | "disk_full" | "disk" | "protocol" | "unknown";

/**
 * What the person does with a transfer.
 */
export type TransferChoice = "accept" | "decline" | "pause" | "resume" | "cancel" | "remove";

/**
 * Whether somebody's microphone and camera are on, and whether they share a screen.
 */
export type MediaState = {
/**
 * The microphone is on.
 */
microphone: boolean,
/**
 * The camera is on.
 */
camera: boolean,
/**
 * A screen is shared.
 */
screen?: boolean, };

/**
 * Arguments of `join`, which enters a room under the name in the settings.
 */
export type Join = {
/**
 * The room.
 */
room: string,
/**
 * The `ws:` or `wss:` address. Null means the server of the settings.
 */
server?: string | null,
/**
 * SHA-256 of the only accepted certificate, 64 hexadecimal digits.
 */
fingerprint?: string | null,
/**
 * The token of a link.
 */
invite?: string | null,
/**
 * Whether the microphone and the camera are on at first.
 */
media: MediaState, };

/**
 * A picture that a window shows.
 */
export type Tile = {
/**
 * A number chosen by the window.
 */
stream: number,
/**
 * The picture.
 */
picture: Picture,
/**
 * Width in device pixels.
 */
width: number,
/**
 * Height in device pixels.
 */
height: number,
/**
 * Whether the tile is visible. A hidden tile receives no frames.
 */
visible: boolean, };

/**
 * Identifies a picture.
 */
export type Picture = { "kind": "own" } | { "kind": "camera", "id": ParticipantId } | { "kind": "share", "id": ParticipantId };

/**
 * A table to create.
 */
export type Draft = {
/**
 * Topic; may be empty.
 */
topic: string,
/**
 * Menu or place; may be empty.
 */
place: string,
/**
 * Number of seats, 2 to 12.
 */
seats: number,
/**
 * The table begins immediately; `starts_ms` is ignored.
 */
now: boolean,
/**
 * Beginning, Unix milliseconds.
 */
starts_ms: number,
/**
 * Length in minutes, 15 to 240.
 */
minutes: number,
/**
 * Repeats each week at the same time by the clocks of the community's zone.
 */
weekly: boolean,
/**
 * Who may join.
 */
door: Door, };

/**
 * A round to create.
 */
export type RoundDraft = {
/**
 * Title, which the tables have as their topic; not empty.
 */
title: string,
/**
 * Beginning of the meal, Unix milliseconds.
 */
starts_ms: number,
/**
 * Length in minutes, 15 to 240.
 */
minutes: number,
/**
 * Takes place each week at the same time by the clocks of the community's zone.
 */
weekly: boolean,
/**
 * How many people usually sit together.
 */
size: RoundSize, };

/**
 * The result of `save_calendar`, which saves a table as a calendar file.
 */
export type SavedCalendar = {
/**
 * The path of the file.
 */
path: string,
/**
 * Whether the system was requested to open it.
 */
opened: boolean, };

/**
 * The result of `calendar_address`: where calendars find the person's lunches.
 */
export type CalendarAddress = {
/**
 * The address to subscribe to.
 */
address: string,
/**
 * The secret part of it, for the settings.
 */
token: string, };

/**
 * The error of a failed command.
 */
export type CommandError = {
/**
 * A stable code, for translations.
 */
code: string,
/**
 * A message in English that says what to do.
 */
message: string, };

/**
 * An examination and its diagnosis. Codes are stable; texts and details are for people.
 */
export type ConnectionReport = {
/**
 * The server's host.
 */
host: string,
/**
 * Its port.
 */
port: number,
/**
 * What calls can expect.
 */
verdict: Verdict,
/**
 * The exit status of a program with this report.
 */
exit_status: number,
/**
 * The verdict in words.
 */
summary: string,
/**
 * What is wrong, in the order of the hops.
 */
findings: Array<FindingReport>,
/**
 * What each hop came to, in the order of the way.
 */
hops: Array<HopReport>, };

/**
 * What calls can expect.
 */
export type Verdict = "good" | "restricted" | "blocked";

/**
 * A finding in codes and words.
 */
export type FindingReport = {
/**
 * A stable code.
 */
code: string,
/**
 * The hop that fails.
 */
hop: Hop,
/**
 * What it means for calls.
 */
severity: Severity,
/**
 * What is wrong.
 */
what: string,
/**
 * What it means for calls.
 */
meaning: string,
/**
 * What to do, or to ask for.
 */
ask: string, };

/**
 * What a finding means for calls.
 */
export type Severity = "note" | "restricts" | "blocks";

/**
 * A part of the way to a call, in order.
 */
export type Hop = "dns" | "tcp" | "proxy" | "tls" | "websocket" | "server" | "clock" | "stun" | "turn" | "mtu";

/**
 * What one hop came to.
 */
export type HopReport = {
/**
 * The hop.
 */
hop: Hop,
/**
 * Its name for people.
 */
name: string,
/**
 * Which one of several: an address, or a transport and its place.
 */
what: string,
/**
 * `None` if it was not reached, or has nothing to report.
 */
passed: boolean | null,
/**
 * A stable code.
 */
code: string,
/**
 * Figures and addresses, the same in every language.
 */
detail: string, };

/**
 * The result of `stats`. Counters run from the start. Rates are differences between two results.
 */
export type Stats = {
/**
 * Unix time in milliseconds.
 */
at_ms: number,
/**
 * Our own pictures.
 */
video_out: VideoOutFigures,
/**
 * Each remote participant.
 */
people: Array<PersonStats>, };

/**
 * Our own pictures.
 */
export type VideoOutFigures = {
/**
 * Frames encoded, over all sizes.
 */
encoded: number,
/**
 * Keyframes among them.
 */
keyframes: number,
/**
 * The average encoding time of a frame, milliseconds.
 */
encode_ms: number,
/**
 * The current target bitrate of the encoders, bit/s.
 */
target: number,
/**
 * The width of the largest size that is sent now.
 */
width: number,
/**
 * The height of the largest size that is sent now.
 */
height: number, };

/**
 * One remote participant.
 */
export type PersonStats = {
/**
 * The participant.
 */
id: string,
/**
 * The connection. Null if it did not answer in time.
 */
path: PathFigures | null,
/**
 * The participant's pictures.
 */
video_in: VideoInFigures,
/**
 * The participant's sound. Null before the connection is established.
 */
audio_in: AudioFigures | null, };

/**
 * A connection.
 */
export type PathFigures = {
/**
 * The address types of both ends, such as `host/srflx`.
 */
pair: string | null,
/**
 * Whether the path uses a relay.
 */
relayed: boolean,
/**
 * Transport to our relay: `udp`, `tcp` or `tls`; null if our side is not relayed.
 */
relay: string | null,
/**
 * The round-trip time, milliseconds.
 */
rtt_ms: number | null,
/**
 * Bytes of all packets sent.
 */
bytes_sent: number,
/**
 * Bytes of all packets received.
 */
bytes_received: number,
/**
 * The video codec that is sent.
 */
video_codec: string | null,
/**
 * The video codec that is received.
 */
received_codec: string | null,
/**
 * The estimated capacity of the path for what we send, bit/s.
 */
estimate: number,
/**
 * The recent fraction of our packets that were lost, 0 to 1.
 */
loss: number,
/**
 * The queue of our packets on the path, milliseconds.
 */
queue_ms: number,
/**
 * Missing packets of theirs that we requested again.
 */
nacked: number,
/**
 * Missing packets that were recovered.
 */
recovered: number, };

/**
 * A participant's pictures.
 */
export type VideoInFigures = {
/**
 * Frames decoded.
 */
decoded: number,
/**
 * The average decoding time of a frame, milliseconds.
 */
decode_ms: number,
/**
 * The average time of a frame in the jitter buffer, milliseconds.
 */
jitter_ms: number,
/**
 * Freezes as getStats defines them.
 */
freezes: number,
/**
 * The width of the last picture.
 */
width: number,
/**
 * The height of the last picture.
 */
height: number,
/**
 * From capture at the far side until the picture can be drawn, milliseconds. `None` until their clock is known.
 */
latency_ms: number | null,
/**
 * By how much the latency can be wrong, milliseconds.
 */
latency_uncertainty_ms: number | null, };

/**
 * A participant's sound.
 */
export type AudioFigures = {
/**
 * Samples played, 1/48000 s.
 */
samples: number,
/**
 * Concealed samples among them.
 */
concealed: number,
/**
 * The average time of a sample in the jitter buffer, milliseconds.
 */
jitter_ms: number, };
