// Loading parts of a page when they are needed.

import { t } from './i18n.js';
import { toast } from './ui.js';

export const showUnreachable = () => toast(t('error.network'), { kind: 'warn' });

/**
 * Loads something at most once; after a failure the next call tries again.
 * @template T
 * @param {() => Promise<T>} load
 * @returns {() => Promise<T>}
 */
export function once(load) {
  /** @type {Promise<T> | null} */
  let loading = null;
  return () => {
    loading ??= load().catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  };
}
