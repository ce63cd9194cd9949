// Joining the team of a show by an invite link.

import { post, token } from '../api.js';
import { t } from '../i18n.js';
import { askName } from '../sign_in.js';

/** Takes the code out of the address. It is behind the #, so neither the server nor a log sees it. */
export function takeInviteFromAddress() {
  const match = /(?:^#|&)invite=([0-9a-f]+)/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return match[1];
}

/**
 * Asks the helper for a name. Resolves to true when the page has the token of the helper.
 * @param {string} code
 */
export async function acceptInvite(code) {
  token.clear();
  await askName({
    title: t('team.welcome_title'),
    about: t('team.welcome'),
    label: t('team.name'),
    button: t('team.accept'),
    name: '',
    tests: { dialog: 'invite', field: 'invite-name', submit: 'invite-accept', alert: 'invite-alert' },
    accept: async (name) => {
      /** @type {{ token: string }} */
      const answer = await post(`/invites/${code}`, { name });
      token.set(answer.token);
    },
  });
  return Boolean(token.get());
}
