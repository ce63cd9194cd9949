// The video of a recording: it can be paused and moved, and after a fault it goes on where it was.

import { Video } from '../video.js';

export class Recording extends Video {
  /** @param {ConstructorParameters<typeof Video>[0]} options */
  constructor(options) {
    super(options);
    this.node.loop = false;
    this.node.dataset.test = 'recording';
    /** Where it goes on when it has loaded; from the address at first. */
    this.resumeAt = Math.max(0, Number(new URLSearchParams(location.search).get('t')) || 0);
    this.node.addEventListener('loadedmetadata', () => this.resume());
  }

  /** @override */
  get isWanted() {
    return !this.isStopped;
  }

  /** @override */
  finished() {
    this.setState('playing');
  }

  /** @override @param {import('../video_engine.js').FaultKind} kind */
  fail(kind) {
    if (this.node.currentTime > 0) this.resumeAt = this.node.currentTime;
    super.fail(kind);
  }

  /** @override */
  watch() {
    // One who moves on waits for the picture; one at the end waits for nothing.
    if (this.node.ended || this.node.seeking) this.movedAt = performance.now();
    super.watch();
  }

  resume() {
    if (this.resumeAt > 0) this.node.currentTime = Math.min(this.resumeAt, this.duration || this.resumeAt);
    this.resumeAt = 0;
  }

  /** In seconds; 0 while it is not known. */
  get duration() {
    return Number.isFinite(this.node.duration) ? this.node.duration : 0;
  }

  /** @param {number} seconds */
  moveTo(seconds) {
    this.node.currentTime = Math.max(0, Math.min(seconds, this.duration || seconds));
    if (this.node.paused) this.play();
  }
}
