// The log of what the team did, newest first, and the files to carry out.

import { get, token } from '../api.js';
import { dateTime, known, refusal, t } from '../i18n.js';
import { busy } from '../sheet.js';
import { el } from '../ui.js';

const FILES = ['chat.csv', 'chat.jsonl', 'actions.csv', 'actions.jsonl'];

export class Log {
  constructor({ stream, tell, root }) {
    Object.assign(this, { stream, tell, root });
  }

  async load() {
    this.root.replaceChildren(el('li.empty', {}, t('loading')));
    try {
      const { items } = await get(`/streams/${this.stream.id}/actions?limit=100`);
      this.root.replaceChildren(this.files(), ...(items.length ? items.map(row) : [el('li.empty', {}, t('host.log_none'))]));
    } catch (problem) {
      this.root.replaceChildren(el('li', {}, el('p.alert', {}, refusal(problem))));
    }
  }

  files() {
    return el('li.row-actions', {}, FILES.map((file) => {
      const button = el('button.slim', { type: 'button', 'data-test': `export-${file}`, onclick: () => busy(button, () => this.save(file), this.tell) }, el('bdi', { dir: 'ltr' }, file));
      return button;
    }));
  }

  /** A link cannot carry the token, so the page fetches the file and hands it on. */
  async save(file) {
    const answer = await fetch(`/v1/streams/${this.stream.id}/export/${file}`, { headers: { authorization: `Bearer ${token.get()}` } });
    if (!answer.ok) throw new Error(t('error.unknown'));
    const url = URL.createObjectURL(await answer.blob());
    el('a', { href: url, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

function row({ at, kind, by, name, user, text, detail, reason }) {
  const key = `did.${kind}`;
  return el('li', { 'data-test': `log-${kind}` }, t(known(key) ? key : 'did.other', { by: by?.name || by?.id, name: name ?? user ?? '', kind }),
    detail && ` · ${detail}`, text && [' ', el('q', { dir: 'auto' }, text)],
    el('small', {}, dateTime(at), reason && ` · ${t('host.because', { reason })}`));
}
