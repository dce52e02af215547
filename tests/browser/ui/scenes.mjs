// States of the app, one for each situation that the screens must handle.

const NOON = Date.parse('2026-11-23T03:12:00Z'); // 12:12 in Seoul, a Monday
const MINUTE = 60_000;
const slot = (minutes, day = 0) => Date.parse('2026-11-22T15:00:00Z') + day * 86_400_000 + minutes * MINUTE;

export const base = () => ({
  session: { kind: 'open', server: 'wss://lunch.example.org' },
  call: { stage: { kind: 'idle' }, room: '', you: null, media: { microphone: false, camera: false }, hand: null, reaction: null, participants: [], lobby: [], locked: false, spotlight: null, host: null, unsent: [] }, reconnecting_since_ms: null, interrupted_since_ms: {}, chat: [], transfers: [], dropped: [], notice: null,
  devices: [
    { id: 'cam', name: 'Integrated Camera', kind: 'camera', default: true, synthetic: false }, { id: 'test', name: 'Test pattern', kind: 'camera', default: false, synthetic: true },
    { id: 'mic', name: 'Built-in Microphone', kind: 'microphone', default: true, synthetic: false }, { id: 'tone', name: 'Tone', kind: 'microphone', default: false, synthetic: true },
    { id: 'spk', name: 'Built-in Speakers', kind: 'speaker', default: true, synthetic: false }],
  choice: { camera: null, microphone: null, speaker: null }, listening: false, same_room: [], sound_check: { kind: 'idle' }, share: null, sharing: [], problems: [],
  settings: { name: '김민지', avatar: { color: null, glyph: null, photo: null }, language: null, theme: 'system', servers: [{ url: 'wss://lunch.example.org', fingerprint: null, name: 'lunch.example.org' }], server: 0, noise: 'normal', music: false, relay_only: false,
    camera_on: true, microphone_on: true, devices: { camera: null, microphone: null, speaker: null }, mirror_own: true, show_own: true, text_percent: 100, notifications: true, quiet_until_ms: null, data_saver: false, close_to_tray: false, autostart: false, mute_keys: null, talk_keys: null, volumes: {}, known: [] },
  you: { key: 'me' }, link: null, hosting: null, board: null, reminders: [], frames: null, abilities: { tray: true, autostart: true, global_keys: true }, version: '0.1.0',
});

const names = ['이서준', '박하은', '최도윤', 'Anna Schmidt', '정지우', 'محمد الفارسي', '강시우', 'Maximilian-Alexander von und zu Lichtenstein-Hohenberg', '윤서연', 'Tom', '남궁민수', 'Ida Lind'];
const person = (n, presence = 'free') => ({ id: `p${n}`, name: n < names.length ? names[n] : `${names[n % 5]} ${n}`, presence });
const sit = (...ns) => ns.map(n => n === 'me' ? { id: 'me', name: '김민지' } : { id: `p${n}`, name: names[n % names.length] });
let ids = 0;
const table = (topic, starts, taken, more = {}) => ({
  id: `t${ids++}`, room: `room-${ids}`, topic, place: '', seats: 4, starts_ms: starts, ends_ms: starts + 60 * MINUTE, now: false, weekly: false, host: taken[0]?.id ?? 'p0', door: 'open', locked: false,
  taken, taken_count: taken.length, waiting_count: 0, mine: 'none', my_place: 0, in_call: 0, ...more });

export function board(tables, people, more = {}) {
  return { now_ms: NOON, skew_ms: NOON - Date.now(), zone: 'Asia/Seoul', member: true, tables, rounds: [], people: [{ id: 'me', name: '김민지', presence: 'free' }, ...people], free_count: people.filter(p => p.presence === 'free').length, hungry_count: 0, waiting: null, seated: null, order: order(), ...more };
}

/** A round of the board. */
let rounds = 0;
const round = (title, starts, more = {}) => ({ id: `r${rounds++}`, title, starts_ms: starts, ends_ms: starts + 60 * MINUTE, closes_ms: starts - 60 * MINUTE, weekly: true, size: 'threes', host: 'p0', signed_up: 7, own: false, joined: false, ...more });
const usualRounds = () => [
  round('화요일 랜덤 점심', slot(12 * 60, 1), { joined: true, signed_up: 13 }),
  round('Newcomers meet old hands over dumplings, noodles and a very long title', slot(12 * 60 + 30, 2), { weekly: false, size: 'fours', signed_up: 0, own: true, host: 'me' }),
  round('Closed', slot(12 * 60 + 50), { signed_up: 4 }),
  round('', slot(12 * 60, 4), { signed_up: 1 }),
  round('Friday four', slot(12 * 60, 5), { size: 'fours', signed_up: 22 }),
].sort((a, b) => a.starts_ms - b.starts_ms);

/** What of the community's order concerns the person. */
export const order = (more = {}) => ({ steward: false, reports: 0, blocked: [], acts: [], ...more });

const usualTables = () => [
  table('김치찌개 먹을 사람', slot(12 * 60), sit(0, 1, 4), { place: '을지로 3가', in_call: 3 }),
  table('Book club: The Vegetarian', slot(12 * 60), sit(3, 9), { weekly: true, door: 'knock' }),
  table('점심', slot(12 * 60 + 12), sit(2, 6), { now: true, in_call: 2 }),
  table('Rust study', slot(12 * 60 + 30), sit('me', 8, 10), { mine: 'seat', place: 'canteen', starts_ms: slot(12 * 60 + 20) }),
  table('Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen besprechen', slot(13 * 60), sit(7, 3, 5, 11), { place: 'Kantine im Erdgeschoss, links neben dem Aufzug', waiting_count: 2 }),
  table('غداء سريع', slot(13 * 60), sit(5), { seats: 6 }),
  table('늦은 점심', slot(14 * 60), sit(1, 2, 3, 4, 5, 6, 7), { seats: 12, locked: true }),
  table('아침 같은 점심', slot(11 * 60), sit(0, 11), { }),
  table('Tomorrow soup', slot(12 * 60, 1), sit('me'), { mine: 'host' }), table('금요일 피자', slot(12 * 60, 4), sit(4, 5)),
];
const usualPeople = () => [...Array(9).keys()].map(n => person(n)).concat([person(9, 'at_table'), person(10, 'at_table'), person(11, 'away')]);

const participant = (n, more = {}) => ({ id: `q${n}`, name: names[n], key: `k${n}`, media: { microphone: true, camera: true }, link: 'connected', repair: null, distrust: null, lacks_key: false, connected: true, report: null, reaction: null, ...more });
const inCall = (participants, more = {}, rest = {}) => ({ ...base(), ...rest, board: board(usualTables(), usualPeople()), call: { ...base().call, stage: { kind: 'joined' }, room: 'room-1', you: 'q-me', media: { microphone: true, camera: true }, participants, ...more } });
const known = (state, people) => ({ ...state, settings: { ...state.settings, known: people.map(one => ({ server: state.session.server, ...one })) } });
const chat = [
  { from: 'q0', name: names[0], text: '다들 뭐 먹어요?', at: NOON - 9 * MINUTE }, { from: 'q0', name: names[0], text: '저는 김치찌개 🍲', at: NOON - 8.8 * MINUTE },
  { from: 'q-me', name: '김민지', text: '비빔밥이요!', at: NOON - 8 * MINUTE }, { from: 'q3', name: names[3], text: '<img src=x onerror=alert(1)> <b>not bold</b> https://example.org/eine-sehr-lange-adresse-die-nirgends-umbricht-und-weitergeht', at: NOON - 3 * MINUTE },
  { from: 'q5', name: names[5], text: 'شهية طيبة للجميع', at: NOON - MINUTE }];
const problem = (code, device = null) => ({ code, message: 'words', device });
const qr = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h29v29H0z"/><path fill="#000" d="${[...Array(400).keys()].map(n => (n * 7919 % 31) < 15 ? `M${4 + n % 20} ${4 + Math.floor(n / 20)}h1v1h-1z` : '').join('')}"/><script>alert(1)</script></svg>`;

function withReminder() {
  const tables = usualTables(), { id, room, topic, starts_ms } = tables[3];
  return { ...base(), board: board(tables, usualPeople()), reminders: [{ number: 3, kind: 'soon', table: id, room, topic, starts_ms }] };
}

const hops = (udp, name) => [
  { hop: 'dns', name: 'DNS', what: '', passed: true, code: 'found', detail: '203.0.113.7, 2001:db8::7' }, { hop: 'tcp', name: 'TCP', what: '203.0.113.7:443', passed: true, code: 'open', detail: '' },
  { hop: 'tls', name: 'TLS', what: '', passed: true, code: 'ok', detail: '' }, { hop: 'clock', name, what: '', passed: null, code: 'ahead', detail: '+1 s' },
  { hop: 'stun', name: 'STUN', what: 'udp lunch.example.org:3478', passed: udp, code: udp ? 'works' : 'silent', detail: udp ? '198.51.100.4:50112' : '' }, { hop: 'turn', name: 'TURN', what: 'tls lunch.example.org:443', passed: true, code: 'works', detail: '203.0.113.7:50010' }];
const report = (summary, verdict, findings, name) => ({ host: 'lunch.example.org', port: 443, verdict, exit_status: 1, summary, findings, hops: hops(verdict === 'good', name) });
/** What the connection check finds on a network that blocks UDP, in both languages. */
export const blockedUdp = {
  en: report('Calls work on this network, with a restriction.', 'restricted', [{ code: 'udp_blocked', hop: 'stun', severity: 'restricts', what: 'This network blocks UDP.', meaning: 'Calls go through the server over TCP, which delays them.', ask: 'Ask whoever runs the network to allow UDP port 3478 to lunch.example.org.' }], 'Clock'),
  ko: report('이 네트워크에서 통화할 수 있지만 제한이 있어요.', 'restricted', [{ code: 'udp_blocked', hop: 'stun', severity: 'restricts', what: '이 네트워크는 UDP를 막아요.', meaning: '통화가 서버를 거쳐 TCP로 이어져 조금 늦어요.', ask: '네트워크 관리자에게 lunch.example.org의 UDP 3478번 포트를 열어 달라고 하세요.' }], '시계'),
};

/** A call at a table of the board, for the pictures in the documentation. */
function callAtTable() {
  const lines = [['q0', names[0], '다들 뭐 먹어요?', 9], ['q0', names[0], '저는 김치찌개요', 8.8], ['q-me', '김민지', '저는 비빔밥이요!', 8], ['q3', names[3], 'Lentil soup for me. Hello from Berlin!', 3]];
  const state = inCall([participant(0), participant(3), participant(1, { media: { microphone: false, camera: false } })],
    {}, { chat: lines.map(([from, name, text, minutes]) => ({ from, name, text, at: NOON - minutes * MINUTE })) });
  return { ...state, call: { ...state.call, room: state.board.tables[0].room } };
}

/** Files in several states. */
const transfers = () => [
  { state: 'offered', name: '점심 메뉴 2026년 12월.pdf', size: 2_400_000, moved: 0 },
  { state: 'moving', name: 'a-very-long-name-without-any-space-that-somebody-chose-for-a-video-of-lunch.mp4', size: 5_000_000_000, moved: 1_900_000_000, outgoing: true },
  { state: 'paused', reason: 'disk_full', name: 'photos.zip', size: 800_000_000, moved: 300_000_000 },
  { state: 'done', name: 'recipe.txt', size: 812, moved: 812 },
  { state: 'failed', reason: 'wrong_hash', name: '<b>x</b>.bin', size: 1000, moved: 1000 },
].map((one, n) => ({ id: String(n).repeat(32), outgoing: false, key: 'k', person: names[0], reason: null, ...one }));

/** What stewards see. */
export const orderBook = () => ({
  reports: [
    { id: 7, at_ms: NOON - 20 * MINUTE, by: sit(3)[0], of: sit(2)[0], text: '통화 중에 계속 광고를 했어요', in_call: true },
    { id: 5, at_ms: NOON - 300 * MINUTE, by: sit(5)[0], of: sit(7)[0], text: 'Keeps taking seats and never comes', in_call: false }],
  suspended: [
    { id: 'p6', name: names[6], since_ms: slot(600, -2), reason: '욕설', until_ms: slot(600, 5) },
    { id: 'erased:00', name: '', since_ms: slot(600, -9), reason: 'Advertising' }],
  acts: [
    { name: names[6], steward: '김민지', at_ms: slot(600, -2), kind: 'suspended', topic: '', reason: '욕설', until_ms: slot(600, 5) },
    { name: names[8], steward: '김민지', at_ms: slot(700, -3), kind: 'closed', topic: '투자 설명회', reason: '광고 테이블은 만들 수 없어요' },
    { name: names[1], steward: '', at_ms: slot(800, -4), kind: 'lifted', topic: '', reason: '' }],
  left_out: 0,
});

/** A board whose person has these in the order. */
const ordered = (more, state = {}) => ({ ...base(), ...state, board: board(usualTables(), usualPeople(), { order: order(more) }) });
const steward = { steward: true, reports: 2 };
const suspension = { reason: '통화 중에 욕설을 했어요', until_ms: slot(12 * 60, 7) };

/** What the server knows of the person of the scenes. */
export const aboutMe = () => ({
  now_ms: NOON, zone: 'Asia/Seoul', key: 'iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w', names: ['김민지'], member: true, presence: 'free', sessions: 2,
  tables: [['점심', 12, { removed: true }], ['Rust study', 20, { place: 'canteen', seat: true, entered: true }], ['Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen besprechen', 60, { place: 'Kantine im Erdgeschoss, links neben dem Aufzug', place_in_line: 2 }],
    ['Tomorrow soup', 24 * 60, { weekly: true, host: true, seat: true }]].map(([topic, minutes, more], n) => (
    { id: `t${n}`, topic, place: '', starts_ms: slot(12 * 60 + minutes), ends_ms: slot(13 * 60 + minutes), weekly: false, host: false, seat: false, place_in_line: 0, entered: false, removed: false, ...more })),
  blocked: 1, reports: [{ at_ms: NOON - 20 * MINUTE, text: '통화 중에 계속 광고를 했어요' }], acts: [{ at_ms: slot(700, -3), kind: 'closed', topic: '투자 설명회', reason: '광고 테이블은 만들 수 없어요' }],
  rounds: [{ title: '화요일 랜덤 점심', starts_ms: slot(12 * 60, 1), weekly: true, host: true, signed_up: true, pending: false }, { title: '', starts_ms: slot(12 * 60, -1), weekly: false, host: false, signed_up: false, pending: true }],
  waiting: { since_ms: NOON - 2 * MINUTE, with: ['p3', 'p5'] }, named_by: 1, calendar: true, invites: [{ expires_ms: slot(18 * 60, 3) }],
  met: [[3, 3], [6, 1], [10, 2]].map(([days, people]) => ({ at_ms: slot(12 * 60 + 7, -days), people })), met_days: 30, left_out: 2,
});

/** By name: the state, and the elements to press first (`press`). */
export const scenes = {
  'first-run': { state: { ...base(), session: { kind: 'closed', problem: null }, settings: { ...base().settings, name: '', servers: [], server: null } } },
  'first-run-by-link': { state: { ...base(), session: { kind: 'closed', problem: null }, settings: { ...base().settings, name: '', servers: [], server: null }, link: { room: 'friday-soup', server: 'wss://other.example', known: false, fingerprint: null, invite: null } } },
  board: { state: { ...base(), board: board(usualTables(), usualPeople()) } },
  'board-rounds': { state: { ...base(), board: board(usualTables(), usualPeople(), { rounds: usualRounds() }) } },
  'all-rounds': { state: { ...base(), board: board(usualTables(), usualPeople(), { rounds: usualRounds() }) }, press: ['#all-rounds'] },
  'rounds-alone': { state: { ...base(), board: board([], usualPeople().slice(0, 3), { rounds: usualRounds().slice(0, 2) }) } },
  'lay-round': { state: { ...base(), board: board(usualTables(), usualPeople(), { rounds: usualRounds() }) }, press: ['#lay-round'] },
  'cancel-round': { state: { ...base(), board: board(usualTables(), usualPeople(), { rounds: usualRounds() }) }, press: ['lr-round .more:not([hidden])', '.menu:popover-open button'] },
  'board-reminded': { state: withReminder() },
  'board-empty': { state: { ...base(), board: board([], usualPeople().slice(0, 3)) } },
  'board-empty-alone': { state: { ...base(), board: board([], []) } },
  'board-waiting': { state: { ...base(), board: board(usualTables().slice(0, 3), usualPeople(), { waiting: { since_ms: NOON - 2 * MINUTE, with: ['p3', 'p5'] } }) } },
  'board-guest': { state: { ...base(), board: { ...board(usualTables().map(one => ({ ...one, taken: [], mine: 'none' })), []), member: false, people: [], free_count: 7 } } },
  'board-offline': { state: { ...base(), session: { kind: 'connecting', server: 'wss://lunch.example.org', problem: problem('unreachable') }, board: board(usualTables(), usualPeople()) } },
  'board-full': { state: { ...base(), board: board([...Array(200).keys()].map(n => table(names[n % names.length] + ' ' + n, slot(12 * 60 + 30 * (n % 8)), sit(...[...Array(n % 5).keys()]), {})), [...Array(2000).keys()].map(n => person(n, n % 3 ? 'free' : 'away'))) } },
  offline: { state: { ...base(), session: { kind: 'closed', problem: problem('unreachable') } } },
  'connection-check': { state: { ...base(), session: { kind: 'closed', problem: problem('unreachable') } }, report: blockedUdp, press: ['#check-connection', 'dialog details summary'] },
  'connection-check-running': { state: { ...base(), session: { kind: 'closed', problem: problem('unreachable') } }, press: ['#check-connection'] },
  'call-check': { state: inCall([participant(0, { report: { verdict: 'restricted', findings: ['udp_blocked', 'clock_off', 'from_a_later_version'] } }), participant(3, { report: { verdict: 'good', findings: [] } }), participant(5, { report: { verdict: 'unknown', findings: [] } }), participant(7)]), report: blockedUdp, press: ['#call-more', '.menu:popover-open button:nth-last-child(3)'], wait: 300 },
  connecting: { state: { ...base(), session: { kind: 'connecting', server: 'wss://lunch.example.org', problem: null } } },
  'no-board': { state: base() },
  'lay-table': { state: { ...base(), board: board(usualTables(), usualPeople()) }, press: ['#lay-table'] },
  menu: { state: { ...base(), board: board(usualTables(), usualPeople()) }, press: ['lr-card.mine .more'] },
  settings: { state: { ...base(), board: board(usualTables(), usualPeople()) }, press: ['#board-more', '.menu:popover-open button:last-child'] },
  'board-steward': { state: ordered(steward) },
  'board-acts': { state: ordered({ acts: [{ at_ms: NOON, kind: 'closed', topic: '투자 설명회', reason: '광고 테이블은 만들 수 없어요' }, { at_ms: NOON, kind: 'lifted', topic: '', reason: '' }] }) },
  'board-suspended': { state: { ...base(), board: board([], [], { member: false, people: [], order: order({ suspension, acts: [{ at_ms: NOON, kind: 'suspended', topic: '', ...suspension }] }) }) } },
  'order-book': { state: ordered(steward), book: orderBook(), press: ['#look-at-reports'] },
  'order-book-empty': { state: ordered({ steward: true }), book: { reports: [], suspended: [], acts: [], left_out: 0 }, press: ['#board-more', '.menu:popover-open button:nth-last-child(2)'] },
  'suspend': { state: ordered(steward), book: orderBook(), press: ['#look-at-reports', '.order-sheet li .danger-text'] },
  'report': { state: ordered({}), press: ['lr-free-people li .more', '.menu:popover-open button'] },
  'person-menu': { state: ordered(steward), press: ['lr-free-people li .more'] },
  'close-table': { state: ordered(steward), press: ['lr-card .more', '.menu:popover-open .danger-text'] },
  'ended-suspended': { state: { ...base(), board: board([], [], { member: false, people: [], order: order({ suspension }) }), call: { ...base().call, room: 'room-1', stage: { kind: 'ended', code: 'suspended' } } } },
  'blocked': { state: ordered({ blocked: sit(2, 7) }), press: ['#board-more', '.menu:popover-open button:nth-last-child(2)'] },
  'call-person-menu': { state: inCall([participant(0), participant(3)]), press: ['#call-people', 'lr-people-panel .in-call li:nth-child(2) button[aria-haspopup]'] },
  'about-me': { state: { ...base(), board: board(usualTables(), usualPeople()) }, about: aboutMe(), press: ['#board-more', '.menu:popover-open button:last-child', '#about-me'] },
  'my-calendar': { state: { ...base(), board: board(usualTables(), usualPeople()) }, press: ['#board-more', '.menu:popover-open button:nth-last-child(2)'] },
  hosting: { state: { ...base(), board: board([], []), hosting: { url: 'wss://127.0.0.1:8443', web_link: 'https://192.168.0.4:8443/r/lunch', link: 'lunchroom://join/lunch?server=wss://192.168.0.4:8443&fp=3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed', qr_svg: qr, fingerprint: '3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed', addresses: ['192.168.0.4', 'fd00::4'] } }, press: ['#board-more', '.menu:popover-open button:nth-child(2)'] },
  check: { state: { ...base(), board: board(usualTables(), usualPeople()) }, press: ['#go-to-table'] },
  'check-unknown-server': { state: { ...base(), link: { room: 'friday-soup', server: 'wss://other.example:8443', known: false, fingerprint: null, invite: null } } },
  'check-refused': { state: { ...base(), link: { room: 'friday-soup', server: 'wss://lunch.example.org', known: true, fingerprint: null, invite: null }, problems: [problem('device_permission_denied', 'camera'), problem('device_busy', 'microphone')] } },
  'check-no-devices': { state: { ...base(), devices: [], link: { room: 'friday-soup', server: 'wss://lunch.example.org', known: true, fingerprint: null, invite: null } } },
  joining: { state: { ...base(), session: { kind: 'connecting', server: 'wss://lunch.example.org', problem: problem('unreachable') }, call: { ...base().call, stage: { kind: 'joining' }, room: 'friday-soup' } } },
  knocking: { state: { ...base(), call: { ...base().call, stage: { kind: 'knocking' }, room: 'friday-soup' } } },
  call: { state: callAtTable(), press: ['#call-chat'] },
  'call-alone': { state: inCall([]) },
  'call-2': { state: inCall([participant(3)]) },
  'call-3-chat': { state: inCall([participant(0), participant(3), participant(5, { media: { microphone: false, camera: false } })], {}, { chat }), press: ['#call-chat'] },
  'call-6': { state: inCall([participant(0), participant(3), participant(5, { media: { microphone: false, camera: false } }), participant(7, { media: { microphone: false, camera: true } }), participant(4, { link: 'interrupted', repair: 'restarting_ice' })], {}, { interrupted_since_ms: { q4: NOON } }) },
  'call-same-room': { state: { ...inCall([participant(0), participant(3)], { media: { microphone: false, camera: true } }), same_room: ['q3'], listening: true }, press: ['#call-people'] },
  'call-share': { state: { ...inCall([participant(0), participant(3), participant(5)]), sharing: ['q3'], share: { id: 'window:1', name: '주간 보고.odp', state: 'live' } } },
  'call-share-picker': { state: inCall([participant(0), participant(3)]), press: ['#call-share'] },
  'call-emoji': { state: inCall([participant(0), participant(3)], {}, { chat }), press: ['#call-chat', '#chat-emoji'] },
  'call-link': { state: inCall([participant(0), participant(3)], {}, { chat }), press: ['#call-chat', '.lines a'] },
  'call-files': { state: { ...inCall([participant(0), participant(3)], {}, { chat }), transfers: transfers() }, press: ['#call-chat'] },
  'call-hands': { state: inCall([participant(0, { hand: 7 }), participant(3), participant(7, { hand: 3 }), participant(5, { media: { microphone: false, camera: false } })], { hand: 5, host: 'q-me' }), press: ['#call-people'] },
  'call-reactions': { state: inCall([participant(0, { reaction: { reaction: 'clap', number: 1 } }), participant(3, { hand: 1, reaction: { reaction: 'yum', number: 2 } }), participant(5, { media: { microphone: false, camera: false }, reaction: { reaction: 'heart', number: 1 } })], { reaction: { reaction: 'celebrate', number: 4 } }), press: ['#call-react'] },
  'call-spotlight': { state: inCall([0, 3, 5, 7, 4].map(n => participant(n)), { host: 'q-me', spotlight: 'q5' }), press: ['#choose-microphone'] },
  'call-pinned': { state: inCall([0, 3, 5, 7, 4].map(n => participant(n))), press: ['lr-tile:nth-child(2) .pin'] },
  'call-stage': { state: inCall([0, 3, 5, 7, 4].map(n => participant(n))), press: ['#call-more', '.menu:popover-open button:nth-child(2)'] },
  'call-50': { state: inCall([...Array(49).keys()].map(n => ({ ...participant(n % 12), id: `q${n}`, media: { microphone: n % 2 === 0, camera: n % 3 !== 0 } }))) },
  'call-people': { state: inCall([participant(0), participant(3), participant(7)], { host: 'q-me', lobby: [{ id: 'l1', name: '윤서연', key: 'x1' }, { id: 'l2', name: 'Maximilian-Alexander von und zu Lichtenstein-Hohenberg', key: 'x2' }] }), press: ['#call-people'] },
  'call-knock': { state: inCall([participant(0), participant(3)], { host: 'q-me', lobby: [{ id: 'l1', name: '윤서연', key: 'x1' }] }) },
  'call-host-leaves': { state: inCall([participant(0), participant(3)], { host: 'q-me', lobby: [{ id: 'l1', name: '윤서연', key: 'x1' }] }), press: ['#leave'] },
  'call-statistics': { state: inCall([participant(0), participant(3)]), press: ['#call-more', '.menu:popover-open button:nth-last-child(2)'], wait: 4300 },
  'call-reconnecting': { state: inCall([participant(0), participant(3, { connected: false })], { stage: { kind: 'reconnecting' } }, { reconnecting_since_ms: NOON }) },
  'call-refused': { state: { ...inCall([participant(0), participant(3)], { media: { microphone: false, camera: true } }), problems: [problem('device_busy', 'camera')] }, levels: { own: -20, q0: -25 } },
  'call-no-frame-key': { state: inCall([participant(0, { lacks_key: true }), participant(3), participant(5)]) },
  'call-distrust': { state: inCall([participant(0, { distrust: 'statement_wrong', link: 'connecting' }), participant(3, { distrust: 'statement_missing', link: 'connecting' }), participant(5)]) },
  'call-known': { state: known(inCall([participant(0), participant(3), participant(5)]), [{ key: 'k0', name: names[0] }, { key: 'an old one', name: names[3] }]), press: ['#call-people'] },
  'call-disconnected': { state: inCall([participant(0, { connected: false, link: 'connecting' }), participant(3, { connected: false, link: 'interrupted' }), participant(5)]) },
  'call-no-devices': { state: { ...inCall([participant(0), participant(3)]), devices: [], problems: [problem('no_camera', 'camera'), problem('no_microphone', 'microphone')] } },
  'call-unsent': { state: inCall([participant(0), participant(3)], { stage: { kind: 'reconnecting' }, unsent: [{ number: 1, text: '저도 갈게요', failed: null }, { number: 2, text: '10분만요', failed: null }] }, { reconnecting_since_ms: NOON, chat }), press: ['#call-chat'] },
  'call-returned': { state: inCall([participant(0), participant(3)], { unsent: [{ number: 3, text: '저도 갈게요', failed: 'chat_unconfirmed' }] }, { chat }), press: ['#call-chat'] },
  'call-avatars': { state: inCall([0, 3, 5, 7, 4].map(n => participant(n, { media: { microphone: true, camera: false } }))), press: ['#call-more', '.menu:popover-open button:nth-child(2)'] },
  unreachable: { state: { ...base(), session: { kind: 'connecting', server: 'wss://lunch.example.org', problem: problem('server_unreachable') } } },
  'ended-wrong-certificate': { state: { ...base(), call: { ...base().call, stage: { kind: 'ended', code: 'wrong_certificate' }, room: 'friday-soup' } } },
  'ended-full': { state: { ...base(), call: { ...base().call, stage: { kind: 'ended', code: 'room_full' }, room: 'friday-soup' } } },
  'ended-removed': { state: { ...base(), call: { ...base().call, stage: { kind: 'ended', code: 'removed' }, room: 'friday-soup' } } },
  'ended-locked': { state: { ...base(), call: { ...base().call, stage: { kind: 'ended', code: 'room_locked' }, room: 'friday-soup' } } },
  'ended-server-full': { state: { ...base(), call: { ...base().call, stage: { kind: 'ended', code: 'server_full' }, room: 'friday-soup' } } },
};
export { NOON };
