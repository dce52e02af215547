// Written from the types of Rust by `WRITE_TYPES=1 cargo test -p lunchroom types`. Do not edit.

/**
 * Everything a window shows: the engine's view as it is, and what only the shell knows.
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
 * Since when the call's server has been out of reach, Unix time in milliseconds.
 */
reconnecting_since_ms: number | null,
/**
 * Lines of the call's chat, oldest first.
 */
chat: Array<ChatLine>,
/**
 * Code of the last thing that could not be done, until the person has read it.
 */
notice: string | null,
/**
 * Devices found at the last look.
 */
devices: Array<DeviceInfo>,
/**
 * Devices in use, as chosen; null: the system's default.
 */
choice: DeviceChoice,
/**
 * What is wrong now.
 */
problems: Array<Problem>,
/**
 * What the person decided.
 */
settings: Settings,
/**
 * Who this device is.
 */
you: You,
/**
 * A link that was opened and not yet answered.
 */
link: PendingLink | null,
/**
 * The server this app runs for the local network, if it does.
 */
hosting: Hosting | null,
/**
 * Today's tables; null on a server without a board, or before it told.
 */
board: BoardState | null,
/**
 * What the person has not put away yet, oldest first.
 */
reminders: Array<Reminder>,
/**
 * Where pictures come from; null: use the command `next_frame`.
 */
frames: FrameAccess | null,
/**
 * Of this program.
 */
version: string, };

/**
 * The fields of an [`AppState`] that changed. The page puts them into the state it has; the first update has all of them.
 */
export type AppUpdate = { session?: SessionView, call?: CallView, reconnecting_since_ms?: number | null, chat?: ChatUpdate, notice?: string | null, devices?: Array<DeviceInfo>, choice?: DeviceChoice, problems?: Array<Problem>, settings?: Settings, you?: You, link?: PendingLink | null, hosting?: Hosting | null, board?: BoardState | null, reminders?: Array<Reminder>, frames?: FrameAccess | null, version?: string, };

/**
 * What changed in the chat: the page keeps the last `keep` of its lines, and adds the new ones at the end.
 */
export type ChatUpdate = {
/**
 * Number of lines that stay.
 */
keep: number,
/**
 * New lines, oldest first.
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
 * Who this device is.
 */
export type You = {
/**
 * Public key that the present server knows, base64url; empty before there is a server.
 */
key: string, };

/**
 * A link that was opened and not yet answered. Nothing was sent to its server.
 */
export type PendingLink = {
/**
 * Where it leads.
 */
room: string,
/**
 * `ws:` or `wss:` address.
 */
server: string,
/**
 * Whether the server is in the settings, under the same certificate.
 */
known: boolean,
/**
 * SHA-256 of the only certificate to accept, 64 hexadecimal digits.
 */
fingerprint: string | null,
/**
 * Token that lets one in.
 */
invite: string | null, };

/**
 * The server this app runs for the local network.
 */
export type Hosting = {
/**
 * Its address for this machine.
 */
url: string,
/**
 * What others on the network open in the app.
 */
link: string,
/**
 * The same for people without the app.
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
 * This machine's addresses on its networks.
 */
addresses: Array<string>, };

/**
 * The socket that gives pictures.
 */
export type FrameAccess = {
/**
 * `ws://127.0.0.1:PORT`.
 */
url: string,
/**
 * To be said first, good for this launch only.
 */
token: string, };

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
 * Why there is no connection to them and will be none: a description was not signed by their device for us.
 */
distrust: string | null,
/**
 * Whether they are connected to the server.
 */
connected: boolean,
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
media: MediaState, };

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
media: MediaState, };

/**
 * Identifies one person in one room. The server assigns it and does not reuse it while the room exists.
 */
export type ParticipantId = string;

/**
 * State of one peer connection, as the call sees it.
 *
 * ```text
 *  Connecting ──connected──▶ Connected ──disconnected, failed, broken──▶ Interrupted
 *      │                         ▲                                          │ ▲ │
 *      │                         └───────────────connected──────────────────┘ │ │ restarted, replaced
 *      └──────────────failed, broken, not up in time──────────────────────────┘ ▼ (stays so until connected)
 * ```
 */
export type LinkState = "connecting" | "connected" | "interrupted";

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
 * What the person decided. Whatever is missing in a file is as in [`Settings::default`].
 */
export type Settings = {
/**
 * What people call this person; empty before the first run.
 */
name: string,
/**
 * Language of the window; null: the system's.
 */
language: Language | null,
/**
 * Light or dark.
 */
theme: Theme,
/**
 * Servers this person agreed to.
 */
servers: Array<KnownServer>,
/**
 * Which of them the window opens with.
 */
server: number | null,
/**
 * How much noise is taken from the microphone.
 */
noise: Noise,
/**
 * Send music as it is: no noise suppression, no gain.
 */
music: boolean,
/**
 * Whether the camera was on last time.
 */
camera_on: boolean,
/**
 * Whether the microphone was on last time.
 */
microphone_on: boolean,
/**
 * Chosen devices.
 */
devices: DeviceChoice,
/**
 * Size of text in percent, 100 to 200.
 */
text_percent: number,
/**
 * Say by a notification when somebody comes or writes while the window is not looked at.
 */
notifications: boolean,
/**
 * People whose keys this person has compared, in the order of comparing; at most [`Settings::MOST_KNOWN`].
 */
known: Array<KnownPerson>, };

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
 * A server this person agreed to.
 */
export type KnownServer = {
/**
 * `ws:` or `wss:` address.
 */
url: string,
/**
 * SHA-256 of the only certificate to accept, 64 hexadecimal digits.
 */
fingerprint: string | null,
/**
 * For people.
 */
name: string,
/**
 * The secret of its community, which makes one a member; null: a guest there, if it asks for one.
 */
secret?: string | null, };

/**
 * Language of the window.
 */
export type Language = "ko" | "en";

/**
 * Light or dark.
 */
export type Theme = "system" | "light" | "dark";

/**
 * How much noise is taken from the microphone.
 */
export type Noise = "off" | "normal" | "strong";

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
seated: string | null, };

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
in_call: number, };

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
in_call: number, };

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
name: string, };

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
presence: Presence, };

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
 * Id of the table.
 */
table: string,
/**
 * The table's room.
 */
room: string,
/**
 * The table's topic.
 */
topic: string,
/**
 * The table's beginning, Unix milliseconds.
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
 * Id of the table.
 */
table: string,
/**
 * The table's room.
 */
room: string,
/**
 * The table's topic.
 */
topic: string,
/**
 * The table's beginning, Unix milliseconds.
 */
starts_ms: number, };

/**
 * Kinds of [`Notice`].
 */
export type NoticeKind = "soon" | "begins" | "moved_up" | "seated" | "deleted";

/**
 * Whether somebody's microphone and camera are on.
 */
export type MediaState = {
/**
 * The microphone is on.
 */
microphone: boolean,
/**
 * The camera is on.
 */
camera: boolean, };

/**
 * `join`: enter a room under the name in the settings.
 */
export type Join = {
/**
 * Where.
 */
room: string,
/**
 * `ws:` or `wss:` address; null: the server of the settings.
 */
server?: string | null,
/**
 * SHA-256 of the only certificate to accept, 64 hexadecimal digits.
 */
fingerprint?: string | null,
/**
 * Token of a link.
 */
invite?: string | null,
/**
 * What is on from the start.
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
 * What `save_calendar` answers: a table as a calendar file.
 */
export type SavedCalendar = {
/**
 * Where the file is.
 */
path: string,
/**
 * The system was asked to open it.
 */
opened: boolean, };

/**
 * What a command that failed throws.
 */
export type CommandError = {
/**
 * Stable, for translations.
 */
code: string,
/**
 * English words that say what to do.
 */
message: string, };

/**
 * What `stats` answers. Counters run from the start; rates are differences of two answers.
 */
export type Stats = {
/**
 * Unix time in milliseconds.
 */
at_ms: number,
/**
 * Own pictures.
 */
video_out: VideoOutFigures,
/**
 * Each of the others.
 */
people: Array<PersonStats>, };

/**
 * Own pictures.
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
 * Milliseconds a frame took, on average.
 */
encode_ms: number,
/**
 * What the encoders are asked for, bit/s.
 */
target: number,
/**
 * Largest size sent now.
 */
width: number,
/**
 * Largest size sent now.
 */
height: number, };

/**
 * One of the others.
 */
export type PersonStats = {
/**
 * Participant.
 */
id: string,
/**
 * The connection; null if it did not answer.
 */
path: PathFigures | null,
/**
 * Their pictures.
 */
video_in: VideoInFigures,
/**
 * Their sound; null before the connection stands.
 */
audio_in: AudioFigures | null, };

/**
 * A connection.
 */
export type PathFigures = {
/**
 * Kinds of both ends' addresses, `host/srflx`.
 */
pair: string | null,
/**
 * Through a relay.
 */
relayed: boolean,
/**
 * Transport to our relay: `udp`, `tcp` or `tls`; null if our side is not relayed.
 */
relay: string | null,
/**
 * Round trip, milliseconds.
 */
rtt_ms: number | null,
/**
 * All packets.
 */
bytes_sent: number,
/**
 * All packets.
 */
bytes_received: number,
/**
 * Codec sent.
 */
video_codec: string | null,
/**
 * Codec received.
 */
received_codec: string | null,
/**
 * What the path carries our way out, bit/s.
 */
estimate: number,
/**
 * Share of our packets lost lately, 0 to 1.
 */
loss: number,
/**
 * Our queue on the path, milliseconds.
 */
queue_ms: number,
/**
 * Missing packets of theirs we asked for.
 */
nacked: number,
/**
 * Those that came.
 */
recovered: number, };

/**
 * Somebody's pictures.
 */
export type VideoInFigures = {
/**
 * Frames decoded.
 */
decoded: number,
/**
 * Milliseconds a frame took, on average.
 */
decode_ms: number,
/**
 * Milliseconds a frame waited in the jitter buffer, on average.
 */
jitter_ms: number,
/**
 * Interruptions.
 */
freezes: number,
/**
 * Of the last picture.
 */
width: number,
/**
 * Of the last picture.
 */
height: number, };

/**
 * Somebody's sound.
 */
export type AudioFigures = {
/**
 * Samples played, 1/48000 s.
 */
samples: number,
/**
 * Invented among them.
 */
concealed: number,
/**
 * Milliseconds a sample waited in the jitter buffer, on average.
 */
jitter_ms: number, };
