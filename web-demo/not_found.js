// The page of an address that leads nowhere.

import { t, translate } from './i18n.js';

translate();
document.title = t('not_found.title');
