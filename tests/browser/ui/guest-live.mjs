// Runs the guest page against a real server: serves ui/ like the server (versioned assets, the page's policy), opens the
// page with Chromium's fake camera and microphone, joins the call, and prints what the page shows.
//   node guest-live.mjs ws://127.0.0.1:PORT ROOM FOLDER [seconds] [own]     own: use the page that the server itself serves
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { here, pause, press, ui } from './window.mjs';

const [server, room, folder, seconds = '8', own] = process.argv.slice(2);
const require = createRequire(path.join(process.env.MODULES ?? path.join(here, '..'), 'package.json'));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
await mkdir(folder, { recursive: true });
const web = createServer(async (request, response) => {
  const name = path.normalize(new URL(request.url, 'http://x').pathname);
  try {
    const page = name.startsWith('/r/');
    let content = await readFile(path.join(ui, page ? 'guest/index.html' : name.replace(/^\/assets\/v1\//, '/')));
    if (page) content = String(content).replaceAll('{{assets}}', '/assets/v1').replaceAll('{{room}}', name.slice(3)).replaceAll('{{invite}}', '').replaceAll('{{link}}', `lunchroom://join/${name.slice(3)}?server=${server}`);
    response.writeHead(200, { 'content-type': page ? types['.html'] : types[path.extname(name)] ?? 'application/octet-stream',
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
// Forward the session to the real server, with the server's own origin.
web.on('upgrade', (request, socket, head) => {
  const { hostname, port } = new URL(server), on = connect(Number(port), hostname);
  const lines = [`GET / HTTP/1.1`, ...Object.entries({ ...request.headers, host: `${hostname}:${port}`, origin: `http://${hostname}:${port}` }).map(([name, value]) => `${name}: ${value}`), '', ''];
  on.write(lines.join('\r\n'));
  on.write(head);
  socket.pipe(on).pipe(socket);
  for (const end of [socket, on]) end.on('error', () => { socket.destroy(); on.destroy(); });
});
await new Promise(resolve => web.listen(0, '127.0.0.1', resolve));
const browser = await require('puppeteer-core').launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, pipe: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--lang=en'] });
const page = await browser.newPage(), messages = [];
page.on('console', message => messages.push(`${message.type()}: ${message.text()}`));
page.on('pageerror', error => messages.push(String(error)));
await page.setViewport({ width: 1100, height: 720 });
const screenshot = name => page.screenshot({ path: path.join(folder, `guest-${name}.png`) });
try {
  await page.goto(own ? `${server.replace(/^ws/, 'http')}/r/${room}` : `http://127.0.0.1:${web.address().port}/r/${room}`);
  await page.waitForSelector('#join-here');
  await pause(800);
  await screenshot('1-welcome');
  await press(page, ['#join-here']);
  await page.type('lr-check input[type=text]', 'Gast Ida');
  await pause(1500);
  await screenshot('2-check');
  await press(page, ['#join']);
  await page.waitForSelector('lr-call', { timeout: 15000 });
  await pause(Number(seconds) * 1000 / 2);
  await page.keyboard.press('KeyV');
  await pause(800);
  await page.keyboard.press('KeyV');
  await page.keyboard.press('KeyC');
  await pause(300);
  await page.keyboard.type('hello from the browser');
  await page.keyboard.press('Enter');
  await pause(Number(seconds) * 1000 / 2);
  await screenshot('3-call');
  const tiles = await page.evaluate(() => [...document.querySelectorAll('lr-tile')].map(tile => ({ label: tile.getAttribute('aria-label'), bars: tile.querySelector('.bars')?.title,
    width: tile.querySelector('video')?.videoWidth, frames: tile.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames })));
  console.log(JSON.stringify({ tiles, chat: await page.evaluate(() => document.querySelector('lr-chat .lines')?.textContent) }));
  await page.click('#leave');
  await pause(500);
  await screenshot('4-over');
  console.log(JSON.stringify({ over: await page.evaluate(() => document.querySelector('h1')?.textContent) }));
} catch (error) {
  await screenshot('trouble');
  console.log(String(error), await page.evaluate(() => document.body.innerText.slice(0, 600)));
}
console.log(messages.join('\n'));
await browser.close();
web.close();
