// Written from src-tauri/src/state by `WRITE_TYPES=1 cargo test -p lunchroom types`. Do not edit.

/**
 * Everything a window shows.
 */
export type AppState = {
/**
 * The connection to a server.
 */
session: SessionState,
/**
 * The call.
 */
call: CallState,
/**
 * Devices found at the last look.
 */
devices: Array<Device>,
/**
 * Devices in use, as chosen; null: the system's default.
 */
choice: Choice,
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
 * The connection to a server.
 */
export type SessionState = { "kind": "closed",
/**
 * Why it was refused, if it was.
 */
problem: Problem | null, } | { "kind": "connecting",
/**
 * `ws:` or `wss:` address.
 */
server: string,
/**
 * Why the last try failed, if one did.
 */
problem: Problem | null, } | { "kind": "open",
/**
 * `ws:` or `wss:` address.
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
 * A call as it is now.
 */
export type CallState = {
/**
 * Where it stands.
 */
stage: Stage,
/**
 * The room.
 */
room: string,
/**
 * Own id, once in.
 */
you: string | null,
/**
 * Own microphone and camera, as wished.
 */
media: Media,
/**
 * The others, earliest first.
 */
participants: Array<Participant>,
/**
 * Lines of chat, oldest first.
 */
chat: Array<ChatLine>,
/**
 * Own lines that the room has not seen yet, oldest first: shown after the chat.
 */
unsent: Array<UnsentLine>,
/**
 * Code of the last thing that could not be done.
 */
notice: string | null,
/**
 * Who waits to be let in, where one may let in.
 */
lobby: Array<Knocker>,
/**
 * Nobody else may come in.
 */
locked: boolean,
/**
 * Id of the participant who may let in and send out.
 */
host: string | null, };

/**
 * Where a call stands.
 */
export type Stage = { "kind": "idle" } | { "kind": "joining" } | { "kind": "knocking" } | { "kind": "joined" } | { "kind": "reconnecting",
/**
 * Unix time in milliseconds.
 */
since_ms: number, } | { "kind": "ended",
/**
 * `left`, or why it was ended or refused.
 */
code: string, };

/**
 * Somebody else in the room.
 */
export type Participant = {
/**
 * Who.
 */
id: string,
/**
 * Label: text, never markup.
 */
name: string,
/**
 * Device key, base64url.
 */
key: string,
/**
 * Microphone and camera.
 */
media: Media,
/**
 * The way media takes to them.
 */
link: Link,
/**
 * Code of why there is no connection and will be none: their device has not signed it.
 */
distrust: string | null,
/**
 * Whether the server reaches them.
 */
connected: boolean, };

/**
 * The way media takes to somebody.
 */
export type Link = "connecting" | "connected" | "mending";

/**
 * A line of chat.
 */
export type ChatLine = {
/**
 * Participant id of who said it.
 */
from: string,
/**
 * Their name when they said it.
 */
name: string,
/**
 * Text, never markup.
 */
text: string,
/**
 * Unix time in milliseconds by the server's clock.
 */
at: number, };

/**
 * A line of one's own that is not in the chat yet.
 */
export type UnsentLine = {
/**
 * To be named in `drop_line`.
 */
number: number,
/**
 * Text, never markup.
 */
text: string,
/**
 * Null: it waits for the server, or is on its way. Else the code of why it was not said: it belongs back into
 * the field, and is then to be dropped.
 */
failed: string | null, };

/**
 * Somebody at the door.
 */
export type Knocker = {
/**
 * To be named in `admit` and `refuse`.
 */
id: string,
/**
 * Label: text, never markup.
 */
name: string,
/**
 * Device key, base64url.
 */
key: string, };

/**
 * A camera, microphone or loudspeaker.
 */
export type Device = {
/**
 * Unique within its kind, the same when it is plugged in again.
 */
id: string,
/**
 * For people.
 */
name: string,
/**
 * What it is for.
 */
kind: DeviceKind,
/**
 * The system's choice of its kind.
 */
default: boolean,
/**
 * Made by us: the test pattern, the tone, silence.
 */
synthetic: boolean, };

/**
 * What a device is for.
 */
export type DeviceKind = "camera" | "microphone" | "speaker";

/**
 * Which devices are used; null: the system's default.
 */
export type Choice = {
/**
 * Camera by id.
 */
camera: string | null,
/**
 * Microphone by id.
 */
microphone: string | null,
/**
 * Loudspeaker by id; `off` for none.
 */
speaker: string | null, };

/**
 * Something that is wrong.
 */
export type Problem = {
/**
 * Stable, for translations.
 */
code: string,
/**
 * English words that say what to do.
 */
message: string,
/**
 * `camera`, `microphone` or `speaker`, if it concerns one.
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
devices: Choice,
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
 * The board as this person sees it.
 */
export type BoardState = {
/**
 * The server's clock, Unix time in milliseconds.
 */
now_ms: number,
/**
 * Time zone of its days, IANA.
 */
zone: string,
/**
 * Whether this person is a member; guests see only counts.
 */
member: boolean,
/**
 * By time.
 */
tables: Array<Table>,
/**
 * Members and what they are up to.
 */
people: Array<Person>,
/**
 * How many are free for lunch.
 */
free_count: number,
/**
 * Own "eat now".
 */
waiting: Waiting | null,
/**
 * Id of the table that "eat now" found.
 */
seated: string | null, };

/**
 * A table.
 */
export type Table = {
/**
 * Which.
 */
id: string,
/**
 * Its room.
 */
room: string,
/**
 * What it is about.
 */
topic: string,
/**
 * Place or menu.
 */
place: string,
/**
 * Seats.
 */
seats: number,
/**
 * Unix time in milliseconds.
 */
starts_ms: number,
/**
 * Unix time in milliseconds.
 */
ends_ms: number,
/**
 * Laid for now rather than for a time.
 */
now: boolean,
/**
 * Each week again.
 */
weekly: boolean,
/**
 * Person id of who laid it.
 */
host: string,
/**
 * Who may come in.
 */
door: Door,
/**
 * Nobody else may come in.
 */
locked: boolean,
/**
 * Who has a seat; names are empty for guests.
 */
taken: Array<Sitting>,
/**
 * How many seats are taken.
 */
taken_count: number,
/**
 * How many wait for one.
 */
waiting_count: number,
/**
 * What this person has there.
 */
mine: Mine,
/**
 * How many are in its call.
 */
in_call: number, };

/**
 * Somebody with a seat.
 */
export type Sitting = {
/**
 * Person.
 */
id: string,
/**
 * Label: text, never markup.
 */
name: string, };

/**
 * What this person has at a table.
 */
export type Mine = "none" | "seat" | "waiting" | "host";

/**
 * A member.
 */
export type Person = {
/**
 * Who.
 */
id: string,
/**
 * Label: text, never markup.
 */
name: string,
/**
 * What they are up to.
 */
presence: Presence, };

/**
 * What a member is up to.
 */
export type Presence = "free" | "at_table" | "away";

/**
 * Waiting to be seated.
 */
export type Waiting = {
/**
 * Unix time in milliseconds.
 */
since_ms: number,
/**
 * Person ids to be seated with.
 */
with: Array<string>, };

/**
 * Something about one's tables that one should hear also with the window closed.
 */
export type Reminder = {
/**
 * Later ones have higher numbers; until the app ends.
 */
number: number,
/**
 * What.
 */
kind: ReminderKind,
/**
 * Id of the table.
 */
table: string,
/**
 * Its room.
 */
room: string,
/**
 * What it is about.
 */
topic: string,
/**
 * Its beginning, Unix time in milliseconds.
 */
starts_ms: number, };

/**
 * What a reminder is about.
 */
export type ReminderKind = "soon" | "begins" | "moved_up" | "seated" | "deleted";

/**
 * `save_calendar`: a table as a calendar file.
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
 * Microphone and camera.
 */
export type Media = {
/**
 * On.
 */
microphone: boolean,
/**
 * On.
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
media: Media, };

/**
 * `tiles`: what the window shows, the whole list each time.
 */
export type Tile = {
/**
 * A number the window chooses; packets carry it.
 */
stream: number,
/**
 * Which picture.
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
 * Nothing is sent for what nobody sees.
 */
visible: boolean, };

/**
 * Which picture.
 */
export type Picture = { "kind": "own" } | { "kind": "camera",
/**
 * Participant.
 */
id: string, } | { "kind": "share",
/**
 * Participant.
 */
id: string, };

/**
 * `lay_table`.
 */
export type TableDraft = {
/**
 * What it is about.
 */
topic: string,
/**
 * Place or menu.
 */
place: string,
/**
 * Seats, the own one included.
 */
seats: number,
/**
 * Now instead of `starts_ms`.
 */
now: boolean,
/**
 * Unix time in milliseconds.
 */
starts_ms: number,
/**
 * How long.
 */
minutes: number,
/**
 * Each week again.
 */
weekly: boolean,
/**
 * Who may come in.
 */
door: Door, };

/**
 * Who may come in.
 */
export type Door = "open" | "knock";

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
