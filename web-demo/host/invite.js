// Joining the team of a show by an invite link.

import { post, token } from '../api.js';
import { t } from '../i18n.js';
import { become, currentPerson } from '../identity.js';
import { askName } from '../sign_in.js';

/** Takes the code out of the address. It is behind the #, so neither the server nor a log sees it. */
export function takeInviteFromAddress() {
  const match = /(?:^#|&)invite=([0-9a-f]+)/.exec(location.hash);
  if (!match) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return match[1];
}

/**
 * Asks somebody who is signed in whether they want to become a helper. Whoever closes one of the two dialogs stays who they are.
 * @param {string} code
 */
export async function replaceByInvite(code) {
  const current = currentPerson();
  const { askToJoin } = await import('../switch_person.js');
  if (current && !(await askToJoin(current))) return;
  const before = token.get();
  await acceptInvite(code);
  if (token.get() !== before) location.reload();
}

/**
 * Asks the helper for a name, and signs this tab in as the helper.
 * @param {string} code
 */
export async function acceptInvite(code) {
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
      become(answer.token);
    },
  });
}
