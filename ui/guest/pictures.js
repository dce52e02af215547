// The pictures that the page shows: the own camera, and cameras and screens of others.

/** @typedef {import('../shared/model.d.ts').Picture} Picture */
/** @typedef {{ host: HTMLElement, picture: Picture, video: HTMLVideoElement, inViewport: boolean, track: MediaStreamTrack | null, stop: AbortController }} Shown */
/** @typedef {{ width: number, height: number }} Size  device pixels */

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
    const video = document.createElement('video');
    video.muted = video.autoplay = video.playsInline = true;
    video.setAttribute('aria-hidden', 'true');
    /** @type {Shown} */
    const shown = { host, picture, video, inViewport: true, track: null, stop: new AbortController() };
    this.#shown.add(shown);
    host.replaceChildren(video);
    this.#show(shown);
    this.#resizes.observe(video);
    this.#intersections.observe(video);
    return () => {
      this.#shown.delete(shown);
      this.#resizes.unobserve(video);
      this.#intersections.unobserve(video);
      this.measured();
      shown.stop.abort();
      video.srcObject = null;
      video.remove();
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
    video.srcObject = track ? new MediaStream([track]) : null;
    video.classList.remove('drawn');
    if (!track) return;
    // The initials are visible while no picture arrives.
    const { signal } = shown.stop, updateDrawn = () => video.classList.toggle('drawn', track.readyState === 'live' && !track.muted && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
    for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, updateDrawn, { signal });
    for (const event of ['loadeddata', 'playing', 'resize']) video.addEventListener(event, updateDrawn, { signal });
    updateDrawn();
    video.play().catch(() => {});
  }
}
