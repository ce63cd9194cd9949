// Plays a video with low delay by WebRTC (WHEP): one request with an offer, one answer, and the picture comes without segments.
//
// An engine like those of video_engine.js: it plays until its first fault. Whoever made it falls back to HLS then.

import { post } from './api.js';

/** @import { FaultKind } from './video_engine.js' */

/** How long a connection may take, from the first step to the first picture. */
const CONNECT_MS = 5_000;
/** Addresses of this side that are not known by then are left out. */
const GATHER_MS = 1_000;
const WATCH_MS = 1_000;
/** How long there may be no new picture; then the video has stalled. */
const STALL_MS = 5_000;
/** The pauses before the next attempts while HLS plays; the last one is repeated. */
const PAUSES_MS = [30_000, 60_000, 120_000, 300_000];

/** Decides when WHEP is tried. */
export class WhepTurns {
  constructor() {
    this.failures = 0;
    this.nextAt = 0;
  }

  get isDue() {
    return 'RTCPeerConnection' in globalThis && performance.now() >= this.nextAt;
  }

  failed() {
    const pause = PAUSES_MS[Math.min(this.failures++, PAUSES_MS.length - 1)];
    // Not all viewers come back at the same moment.
    this.nextAt = performance.now() + pause * (0.75 + Math.random() / 2);
  }
}

/** The ICE servers that a media server named last, by its address: the next connection begins with them. @type {Map<string, RTCIceServer[]>} */
const knownServers = new Map();

export class WhepEngine {
  /**
   * @param {string} address
   * @param {string} stream the id of the show, for a token that its media server may ask for
   */
  constructor(address, stream) {
    this.address = address;
    this.media = new MediaStream();
    this.peer = this.newPeer();
    /** Where the session is ended. @type {string | null} */
    this.session = null;
    this.isStopped = false;
    this.token = viewerToken(stream);
    /** @type {HTMLVideoElement | null} */
    this.video = null;
    /** @type {(kind: FaultKind) => void} */
    this.onfault = () => {};
    this.frames = 0;
    this.movedAt = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.watching = undefined;
    // A page that is left ends its session; one that comes back finds a picture that stands still, and connects again.
    this.leave = () => this.stop();
    globalThis.addEventListener('pagehide', this.leave);
  }

  newPeer() {
    const peer = new RTCPeerConnection({ iceServers: knownServers.get(this.address) ?? [] });
    peer.addEventListener('track', ({ track }) => this.media.addTrack(track));
    peer.addEventListener('connectionstatechange', () => {
      if (peer.connectionState === 'failed') this.fail('network');
    });
    return peer;
  }

  /** Connects, and waits for the first picture. Rejects when it does not come in time. */
  async connect() {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('no picture in time')), CONNECT_MS);
    });
    try {
      await Promise.race([this.negotiate(), late]);
      await Promise.race([this.firstPicture(), late]);
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Offers, and takes the answer. Servers by which a viewer behind a strict network connects (STUN, TURN) come with the answer, but only
   * an offer that was made with them says how to be reached by them: the first time there is a second offer.
   * @returns {Promise<void>}
   */
  async negotiate() {
    const had = knownServers.get(this.address);
    const sdp = await this.exchange();
    if (this.isStopped) return this.endSession();
    if (had?.length || !knownServers.get(this.address)?.length) {
      return this.peer.setRemoteDescription({ type: 'answer', sdp });
    }
    this.peer.close();
    this.endSession();
    this.peer = this.newPeer();
    return this.negotiate();
  }

  /**
   * One offer and its answer.
   * @returns {Promise<string>}
   */
  async exchange() {
    const { peer } = this;
    for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const token = await this.token;
    const answer = await fetch(this.address, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: peer.localDescription?.sdp,
      credentials: 'omit',
      signal: AbortSignal.timeout(CONNECT_MS),
    });
    // A media server on another host must expose the headers; without this one the session ends by itself.
    const session = answer.headers.get('location');
    if (session) this.session = new URL(session, answer.url).href;
    if (answer.status !== 201) throw new Error(`WHEP answered ${answer.status}`);
    const link = answer.headers.get('link');
    // Few media servers name any, so what reads them loads when it is needed.
    knownServers.set(this.address, link ? (await import('./ice_servers.js')).iceServers(link) : []);
    return answer.text();
  }

  /** @returns {Promise<void>} */
  async firstPicture() {
    while (!this.isStopped) {
      if ((await this.decoded()) > 0) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error('stopped');
  }

  /**
   * Pictures that were decoded so far; packets of sound only where the media server sends no video: sound must not hide a picture that is
   * missing or stands still.
   */
  async decoded() {
    const hasVideo = this.peer
      .getTransceivers()
      .some(({ receiver, currentDirection }) => receiver.track.kind === 'video' && currentDirection === 'recvonly');
    let count = 0;
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type !== 'inbound-rtp' || (report.kind === 'video') !== hasVideo) continue;
      count += (hasVideo ? report.framesDecoded : report.packetsReceived) ?? 0;
    }
    return count;
  }

  /**
   * Shows the picture.
   * @param {HTMLVideoElement} video
   * @param {(kind: FaultKind) => void} onfault
   */
  attach(video, onfault) {
    this.video = video;
    this.onfault = onfault;
    this.movedAt = performance.now();
    video.srcObject = this.media;
    this.watching = setInterval(() => this.watch(), WATCH_MS);
  }

  async watch() {
    const frames = await this.decoded().catch(() => 0);
    const now = performance.now();
    // A hidden page decodes nothing.
    if (frames !== this.frames || document.hidden) this.movedAt = now;
    this.frames = frames;
    if (now - this.movedAt > STALL_MS) this.fail('stall');
  }

  /** @param {FaultKind} kind */
  fail(kind) {
    if (!this.isStopped) this.onfault(kind);
  }

  /** The picture is less than a second old, so nothing has to wait for it. */
  pictureTime() {
    return null;
  }

  /** @returns {import('./video_engine.js').Quality[]} */
  qualities() {
    return [];
  }

  stop() {
    if (this.isStopped) return;
    this.isStopped = true;
    clearInterval(this.watching);
    globalThis.removeEventListener('pagehide', this.leave);
    this.peer.close();
    if (this.video) this.video.srcObject = null;
    this.endSession();
  }

  endSession() {
    const { session } = this;
    this.session = null;
    // The media server sees by itself that nobody listens.
    if (session) fetch(session, { method: 'DELETE', credentials: 'omit', keepalive: true }).catch(() => {});
  }
}

/**
 * @param {RTCPeerConnection} peer
 * @returns {Promise<void>}
 */
function gathered(peer) {
  if (peer.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((done) => {
    peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && done());
    setTimeout(done, GATHER_MS);
  });
}

/**
 * A token for media servers that ask the shop; others ignore it.
 * @param {string} stream
 * @returns {Promise<string | null>}
 */
async function viewerToken(stream) {
  try {
    /** @type {{ key: string }} */
    const { key } = await post(`/streams/${encodeURIComponent(stream)}/viewer-token`, {});
    return key;
  } catch {
    return null;
  }
}
