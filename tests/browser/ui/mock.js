// Mocks Tauri. Runs in the page before anything else. `mock.push(state)` sends a state like Rust, `mock.calls` has the
// commands that the page called. Pictures are generated as packets in the frame socket's format.
(() => {
  const callbacks = new Map();
  let next = 1, channel = null, index = 0, streams = new Map(), sequence = 0;
  const calls = [];
  const send = state => { if (channel !== null) callbacks.get(channel)({ index: index++, message: { ...state, chat: { keep: 0, lines: state.chat } } }); };

  function picture(stream, width, height) {
    width &= ~1; height &= ~1;
    const bytes = new Uint8Array(24 + width * height * 3 / 2), view = new DataView(bytes.buffer);
    view.setUint32(0, 0x3146524c, true); view.setUint16(4, stream, true); view.setUint16(8, width, true); view.setUint16(10, height, true);
    view.setUint32(12, sequence++, true); view.setBigUint64(16, BigInt(Math.round(performance.now() * 1000)), true);
    const cx = width / 2, head = height * 0.42, r = height * 0.21, tone = 60 + stream * 37 % 90;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const face = (x - cx) ** 2 + (y - head) ** 2 < r * r, body = ((x - cx) / 1.5) ** 2 + (y - height * 1.06) ** 2 < (r * 1.75) ** 2;
      bytes[24 + y * width + x] = face ? 175 : body ? tone : 110 + 60 * (x / width) - 30 * (y / height);
    }
    const half = width / 2, u = 24 + width * height, v = u + half * height / 2;
    for (let y = 0; y < height / 2; y++) for (let x = 0; x < half; x++) {
      const face = (2 * x - cx) ** 2 + (2 * y - head) ** 2 < r * r, body = ((2 * x - cx) / 1.5) ** 2 + (2 * y - height * 1.06) ** 2 < (r * 1.75) ** 2;
      bytes[u + y * half + x] = face ? 112 : body ? 128 + (stream * 53 % 60) - 30 : 120;
      bytes[v + y * half + x] = face ? 148 : body ? 128 + (stream * 29 % 60) - 30 : 135;
    }
    return bytes.buffer;
  }

  const stats = () => ({ at_ms: Date.now(), video_out: { encoded: Math.round(performance.now() / 33), keyframes: 3, encode_ms: 4.2, target: 1_800_000, width: 1280, height: 720 },
    people: (mock.state.call.participants ?? []).map((one, n) => ({ id: one.id, path: { pair: 'host/srflx', relayed: n === 1, relay: n === 1 ? 'tls' : null, rtt_ms: 22 + n * 140, bytes_sent: performance.now() * 200, bytes_received: performance.now() * 180,
      video_codec: 'video/VP8', received_codec: 'video/VP9', estimate: n === 2 ? 400_000 : 2_500_000, loss: n === 3 ? 0.06 : 0, queue_ms: 4, nacked: 12, recovered: 12 },
    video_in: { decoded: Math.round(performance.now() / 33), decode_ms: 3.1, jitter_ms: 8, freezes: 0, width: 1280, height: 720, latency_ms: 62.4, latency_uncertainty_ms: 8.2 }, audio_in: { samples: performance.now() * 48, concealed: 480, jitter_ms: 41 } })) });

  const commands = {
    subscribe({ channel: channelArgument }) { channel = Number(String(channelArgument.toJSON?.() ?? channelArgument).split(':')[1]); send(mock.state); },
    tiles({ tiles }) { streams = new Map(tiles.map(tile => [tile.stream, tile])); },
    async next_frame({ stream }) {
      await new Promise(resolve => setTimeout(resolve, 120));
      const tile = streams.get(stream);
      return tile?.visible && tile.width ? picture(stream, Math.min(480, tile.width), Math.min(270, tile.height)) : new ArrayBuffer(0);
    },
    levels() { return { levels: { own: window.level ?? -20, q3: -25 }, speaking: ['own', 'q3'], active: 'q3' }; },
    set_avatar({ avatar }) { mock.push({ ...mock.state, settings: { ...mock.state.settings, avatar } }); }, photo({ id }) { if (!mock.photos[id]) throw { code: 'no_such_photo', message: '' }; return mock.photos[id]; },
    stats, save_settings({ settings }) { mock.push({ ...mock.state, settings }); }, make_invite: ({ room }) => `https://lunch.example.org/r/${room}?invite=abc`, ics: () => 'BEGIN:VCALENDAR', save_calendar: () => ({ path: 'Downloads/lunchroom-Soup.ics', opened: true }),
    calendar_address: ({ token }) => ({ address: `https://lunch.example.org/calendar/${token ?? window.nextToken ?? 'mX2kqT9vR4sW7yB1nC5dF8gH3jL6pZ0a'}.ics`, token: token ?? window.nextToken ?? 'mX2kqT9vR4sW7yB1nC5dF8gH3jL6pZ0a' }),
    set_microphone({ on }) { mock.media({ microphone: on }); }, set_camera({ on }) { mock.media({ camera: on }); },
    set_hand({ raised }) { const { call } = mock.state; mock.push({ ...mock.state, call: { ...call, hand: raised ? 99 : null } }); },
    react({ reaction }) { const { call } = mock.state; mock.push({ ...mock.state, call: { ...call, reaction: { reaction, number: (call.reaction?.number ?? 0) + 1 } } }); },
    screens: () => [['screen:eDP-1', 'eDP-1', 240, 150], ['window:1', '주간 보고.odp – LibreOffice Impress', 240, 136], ['window:2', 'Terminal', 160, 160], ['window:3', '', 0, 0]].map(([id, name, width, height], n) => (
      { id, name, window: n > 0, width: 8 * width, height: 8 * height, preview: width ? btoa(String.fromCharCode(...new Uint8Array(picture(n, width, height)))) : null })),
    share({ id, name }) { mock.push({ ...mock.state, share: { id, name, state: 'live' } }); }, stop_share() { mock.push({ ...mock.state, share: null }); },
    compare: () => [233, 29, 13, 172, 226, 113, 218, 108, 144, 22],
    check_connection: ({ language }) => window.report?.[language] ?? new Promise(() => {}),
    order_book: () => window.book, close_report({ report }) { window.book.reports = window.book.reports.filter(one => one.id !== report); }, lift({ person }) { window.book.suspended = window.book.suspended.filter(one => one.id !== person); },
    about_me: () => window.about, save_about_me: () => 'Downloads/lunchroom-about-me.json',
    forget_me() { window.about = { ...window.about, tables: [], rounds: [], waiting: null, named_by: 0, calendar: false, invites: [], met: [], blocked: 0, reports: [], acts: [], left_out: 0 }; },
    mark_compared({ id }) { const { settings, session, call } = mock.state, { key, name } = call.participants.find(one => one.id === id); mock.push({ ...mock.state, settings: { ...settings, known: [...settings.known, { server: session.server, key, name }] } }); },
    send_chat({ text }) { const { call, chat } = mock.state; mock.push({ ...mock.state, chat: [...chat, { from: call.you, name: mock.state.settings.name, text, at: Date.now() }] }); },
    dismiss_notice() { mock.push({ ...mock.state, notice: null }); },
    dismiss_link() { mock.push({ ...mock.state, link: null }); },
    leave() { mock.push({ ...mock.state, call: { ...mock.state.call, stage: { kind: 'ended', code: 'left' } } }); },
    join({ room, media }) { mock.push({ ...mock.state, call: { ...mock.state.call, stage: { kind: 'joined' }, room, media, you: 'q-me' } }); },
  };
  window.mock = {
    state: null, calls, commands, photos: {},
    push(state) { mock.state = state; send(state); },
    media(change) { const { call } = mock.state; mock.push({ ...mock.state, call: { ...call, media: { ...call.media, ...change } } }); },
    refuse: {},
  };
  window.__TAURI_INTERNALS__ = {
    transformCallback(callback) { callbacks.set(next, callback); return next++; },
    async invoke(command, args) {
      if (!['next_frame', 'stats', 'levels'].includes(command)) calls.push({ command, args: JSON.parse(JSON.stringify(args ?? {})) });
      if (mock.refuse[command]) throw mock.refuse[command];
      return commands[command]?.(args ?? {}) ?? null;
    },
  };
})();
