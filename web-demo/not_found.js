// The page of an address that leads nowhere.

import { load, t, translate } from './i18n.js';

await load('pages');
translate();
document.title = t('not_found.title');
