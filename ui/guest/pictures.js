// The pictures that the page shows: the own camera, and cameras and screens of others.

/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/**
 * @typedef {object} Shown
 * @property {Picture} picture
 * @property {HTMLVideoElement} video
 * @property {boolean} inViewport
 * @property {MediaStreamTrack | null} track what it shows, or will
 * @property {AbortController} stop ends what was begun for the track
 */
/** @typedef {{ width: number, height: number }} Size  device pixels */

/** How long a picture stays while nothing of the next track is drawn, ms. */
const REPLACE_MS = 4_000;

export class Pictures {
  /** @type {Set<Shown>} */
  #shown = new Set();
  #resizes = new ResizeObserver(() => this.measured());
  #intersections = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      for (const shown of this.#shown) if (shown.video === target) shown.inViewport = isIntersecting;
    }
    this.measured();
  });

  /**
   * @param {(picture: Picture) => MediaStreamTrack | null} trackOf what a picture shows at present
   * @param {() => void} measured is called when a size may have changed
   */
  constructor(trackOf, measured) {
    this.trackOf = trackOf;
    this.measured = measured;
  }

  /** Shows a picture in an element. Returns a function that ends that. @param {HTMLElement} host @param {Picture} picture */
  attach(host, picture) {
    /** @type {Shown} */
    const shown = { picture, video: newVideo(null), inViewport: true, track: null, stop: new AbortController() };
    this.#shown.add(shown);
    host.replaceChildren(shown.video);
    this.#observe(shown.video);
    this.#show(shown);
    return () => {
      this.#shown.delete(shown);
      shown.stop.abort();
      this.#remove(shown.video);
      this.measured();
    };
  }

  /** Shows the present tracks. */
  update() {
    this.#shown.forEach(shown => this.#show(shown));
  }

  /** The sizes at which a picture is displayed; none if it is hidden. @param {Exclude<Picture, { kind: 'own' }>['kind']} kind @param {string} id participant @returns {Size[]} */
  sizes(kind, id) {
    if (document.hidden) return [];
    const visible = [...this.#shown].filter(({ picture, inViewport }) => picture.kind === kind && picture.id === id && inViewport);
    return visible.map(({ video }) => video.getBoundingClientRect()).map(({ width, height }) => ({ width: width * devicePixelRatio, height: height * devicePixelRatio }));
  }

  /** Whether this track is what is drawn wherever a picture is displayed. @param {Exclude<Picture, { kind: 'own' }>['kind']} kind @param {string} id participant @param {MediaStreamTrack | null} track */
  displays(kind, id, track) {
    const all = [...this.#shown].filter(({ picture }) => picture.kind === kind && picture.id === id);
    return track !== null && all.every(shown => shown.track === track && drawnTrack(shown.video) === track);
  }

  /** Shows the largest picture of others in the browser's small window, or no longer. @throws {{ code: string }} */
  async showSmall() {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    const area = (/** @type {Shown} */ { video }) => video.clientWidth * video.clientHeight;
    const [largest] = [...this.#shown].filter(({ picture, track }) => picture.kind !== 'own' && track).sort((one, other) => area(other) - area(one));
    if (!largest) throw { code: 'nobody_to_show', message: '' };
    await largest.video.requestPictureInPicture().catch(error => { throw { code: 'browser_no_small_window', message: String(error) }; });
  }

  /** @param {Shown} shown */
  #show(shown) {
    const { picture, video } = shown, track = this.trackOf(picture);
    if (shown.track === track) return;
    shown.track = track;
    shown.stop.abort();
    shown.stop = new AbortController();
    const { signal } = shown.stop;
    if (track && video.classList.contains('drawn')) return this.#replace(shown, newVideo(track), signal);
    video.srcObject = track ? new MediaStream([track]) : null;
    video.classList.remove('drawn');
    if (track) follow(video, track, signal);
  }

  /** Shows another track as soon as something of it is drawn: the last one stays until then. @param {Shown} shown @param {HTMLVideoElement} next @param {AbortSignal} signal */
  #replace(shown, next, signal) {
    const swap = () => {
      if (signal.aborted || shown.video === next) return;
      const before = shown.video;
      before.replaceWith(next);
      this.#remove(before);
      this.#observe(next);
      shown.video = next;
      if (shown.track) follow(next, shown.track, signal);
    };
    next.addEventListener('loadeddata', swap, { signal });
    const timer = setTimeout(swap, REPLACE_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      if (shown.video !== next) next.srcObject = null;
    });
    next.play().catch(() => {});
  }

  /** @param {HTMLVideoElement} video */
  #observe(video) {
    this.#resizes.observe(video);
    this.#intersections.observe(video);
  }

  /** @param {HTMLVideoElement} video */
  #remove(video) {
    this.#resizes.unobserve(video);
    this.#intersections.unobserve(video);
    video.srcObject = null;
    video.remove();
  }
}

/** The track of which something is drawn. @param {HTMLVideoElement} video */
function drawnTrack({ srcObject, classList }) {
  return classList.contains('drawn') && srcObject instanceof MediaStream ? srcObject.getVideoTracks()[0] : undefined;
}

/** @param {MediaStreamTrack | null} track */
function newVideo(track) {
  const video = document.createElement('video');
  video.muted = video.autoplay = video.playsInline = true;
  video.setAttribute('aria-hidden', 'true');
  video.srcObject = track && new MediaStream([track]);
  return video;
}

/** Plays a track. The initials are visible while no picture arrives. @param {HTMLVideoElement} video @param {MediaStreamTrack} track @param {AbortSignal} signal */
function follow(video, track, signal) {
  const updateDrawn = () => video.classList.toggle('drawn', track.readyState === 'live' && !track.muted && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
  for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, updateDrawn, { signal });
  for (const event of ['loadeddata', 'playing', 'resize']) video.addEventListener(event, updateDrawn, { signal });
  updateDrawn();
  video.play().catch(() => {});
}
