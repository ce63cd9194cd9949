// Events for the page: handlers by the name of the event.

/** @import { ClientEvents } from '../client.d.ts' */

export class Emitter {
  constructor() {
    /** @type {Map<string, Set<(...values: any[]) => void>>} */
    this.handlers = new Map();
  }

  /**
   * Calls `handler` on each event with this name. Returns a function that stops this.
   * @template {keyof ClientEvents} Name
   * @param {Name} name
   * @param {(...values: ClientEvents[Name]) => void} handler
   */
  on(name, handler) {
    const handlers = this.handlers.get(name) ?? new Set();
    this.handlers.set(name, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  /**
   * @template {keyof ClientEvents} Name
   * @param {Name} name
   * @param {ClientEvents[Name]} values
   */
  emit(name, ...values) {
    for (const handler of this.handlers.get(name) ?? []) {
      // A faulty handler must cost neither the other handlers their event nor the client its position.
      try {
        handler(...values);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
