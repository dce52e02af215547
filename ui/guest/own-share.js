// The screen that a guest shares. The browser asks which one, and has a button of its own to stop.

/** Constraints for the screen: it changes rarely, and must be sharp. */
const CONSTRAINTS = { video: { frameRate: { max: 15 } }, audio: false };

/** Event: `changed` (no detail): {@link OwnShare#track} was replaced or has ended. */
export class OwnShare extends EventTarget {
  /** @type {MediaStreamTrack | null} */
  track = null;

  /**
   * Asks for a screen or window and shares it in place of the present one. Nothing changes if the person cancels.
   * @throws {{ code: string }} this browser cannot share
   */
  async start() {
    if (!navigator.mediaDevices?.getDisplayMedia) throw { code: 'browser_no_share', message: '' };
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia(CONSTRAINTS);
    } catch (error) {
      if (error instanceof DOMException && ['NotAllowedError', 'AbortError'].includes(error.name)) return;
      throw { code: 'screen_failed', message: String(error) };
    }
    const [track] = stream.getVideoTracks();
    track.contentHint = 'detail';
    track.addEventListener('ended', () => { if (this.track === track) this.stop(); });
    this.#replace(track);
  }

  stop() {
    if (this.track) this.#replace(null);
  }

  /** @param {MediaStreamTrack | null} track */
  #replace(track) {
    this.track?.stop();
    this.track = track;
    this.dispatchEvent(new CustomEvent('changed'));
  }
}
